"""What the names of pictures and LoRA files say: trainers put epoch or update, prompt number and seed into them."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

Counted = Literal["epochs", "updates"]

LARGEST_SEED = 2**63 - 1  # what the database holds; programs draw from 2^32 or 2^53
LARGEST_NUMBER = 10**9  # of epochs or updates
LAST_EPOCH = -1.0  # stored of a file without a number: it is its training's last, its epoch isn't known
THE_LAST = "the last file"  # what such a file is called where others say their epoch

# sd-scripts, library/train_util.py sample_images: NAME_e000010_00_20240101120000_42.png by epochs, without the e by
# updates; the seed only where the prompt fixes one. Before pull request 1061 of February 2024 the time stood before
# the number. What other programs put behind (" (1)", "-upscaled", "_x4") is passed over.
BEHIND = r"(?P<behind>[ .-].*|_[^\d].*)?"
KOHYA = re.compile(
    r"(?:(?P<lora>.+)_)?(?P<epochs>e)?(?P<number>\d{6,})_(?P<prompt>\d{2,})_(?P<time>\d{14})(?:_(?P<seed>\d+))?"
    + BEHIND
)
KOHYA_OLD = re.compile(
    r"(?:(?P<lora>.+)_)?(?P<time>\d{14})_(?P<epochs>e)?(?P<number>\d{6,})_(?P<prompt>\d{2,})(?:_(?P<seed>\d+))?"
    + BEHIND
)
# ai-toolkit, jobs/process/BaseSDTrainProcess.py sample: MILLISECONDS__000000500_0.jpg, by updates
AI_TOOLKIT = re.compile(r"(?P<time>\d{10,})__(?P<number>\d{9,})_(?P<prompt>\d+)")
# OneTrainer, modules/trainer/GenericTrainer.py: samples/0 - PROMPT/TIME-training-sample-UPDATE-EPOCH-STEP.png
ONETRAINER = re.compile(r"(?P<time>[\d_-]+)-training-sample-(?P<number>\d+)-(?P<epoch>\d+)-(?P<step>\d+)")
ONETRAINER_FOLDER = re.compile(r"(?P<prompt>\d+) - .*")

# A1111 and Forge, modules/images.py save_image: 00012-SEED.jpg and 00012-SEED-PROMPT.jpg; they name no LoRA
A1111 = re.compile(r"\d{4,}-(?P<seed>\d{1,19})(?:-.*)?")

# LoRA files: kohya NAME-000010 and NAME-step00000500 (library/train_util.py), ai-toolkit NAME_000000500, diffusers
# checkpoint-500; behind kohya's number what its converting scripts are usually told to add, which parts trainings
BEHIND_NUMBER = r"(?P<behind>(?:[ _-](?:fp16|bf16|fp32|pruned|resized|\(\d+\)))*)"
LORA_NUMBERS: tuple[tuple[re.Pattern[str], Counted], ...] = (
    (re.compile(r"(?P<stem>.+)-step(?P<number>\d{4,})" + BEHIND_NUMBER), "updates"),
    (re.compile(r"(?P<stem>.+)-(?P<number>\d{6})" + BEHIND_NUMBER), "epochs"),
    (re.compile(r"(?P<stem>.+)_(?P<number>\d{9})"), "updates"),
    (re.compile(r"(?P<stem>checkpoint)-(?P<number>\d+)"), "updates"),
)


class NameProblem(ValueError):
    """A name with a number that can't be one. The text is the rest of a sentence that begins with the name."""


@dataclass(frozen=True)
class Named:
    """What a picture's name says. ``lora``: None = the name leaves it out; ``prompt``: its number, from 0."""

    scheme: str
    lora: str | None
    number: int
    counted: Counted
    prompt: int
    seed: int | None


def read_name(name: str) -> Named | None:
    """Read the name of a sample that kohya's scripts, ai-toolkit or OneTrainer made; None for other names.

    ``name``: from the folder that was given, with forward slashes. Raises NameProblem for numbers out of range.
    """
    path = PurePosixPath(name)
    for scheme, pattern in (("kohya", KOHYA), ("kohya", KOHYA_OLD), ("ai-toolkit", AI_TOOLKIT)):
        found = pattern.fullmatch(path.stem)
        if found:
            parts = found.groupdict()
            counted: Counted = "epochs" if parts.get("epochs") else "updates"
            number, prompt = whole(parts["number"], counted), whole(parts["prompt"], "prompt number", 9999)
            seed = whole(parts["seed"], "seed", LARGEST_SEED) if parts.get("seed") else None
            return Named(scheme, parts.get("lora"), number, counted, prompt, seed)
    return _onetrainer(path)


def _onetrainer(path: PurePosixPath) -> Named | None:
    found, folder = ONETRAINER.fullmatch(path.stem), ONETRAINER_FOLDER.fullmatch(path.parent.name)
    if not found or not folder:
        return None
    number = whole(found["number"], "updates")
    return Named("onetrainer", None, number, "updates", whole(folder["prompt"], "prompt number", 9999), None)


def whole(text: str, what: str, largest: int = LARGEST_NUMBER) -> int:
    """A whole number from 0 on, or NameProblem."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > largest:
        raise NameProblem(f"says {what} {text[:30]!r}: a whole number from 0 to {largest} is needed.")
    return int(text)


def lora_number(name: str) -> tuple[str, int | None, Counted | None]:
    """A LoRA file's name without folder and suffix -> (stem, its number, what the number counts).

    >>> lora_number("people/anna-000010.safetensors")
    ('anna', 10, 'epochs')
    >>> lora_number("anna")
    ('anna', None, None)
    """
    stem = PurePosixPath(name.replace("\\", "/").removesuffix(".safetensors")).name
    for pattern, counted in LORA_NUMBERS:
        found = pattern.fullmatch(stem)
        if found and len(found["number"]) <= len(str(LARGEST_NUMBER)):  # longer digits are a name, no number
            return found["stem"] + (found.groupdict().get("behind") or ""), int(found["number"]), counted
    return stem, None, None
