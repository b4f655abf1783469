"""The text that A1111 and Forge write into a picture: prompt, negative prompt, and a line of parameters."""

import json
import math
import re
from dataclasses import dataclass, field

from workbench.elsewhere.names import LARGEST_SEED

LONGEST = 200_000  # characters that are read; a prompt of a novel's length is no prompt
STRONGEST = 10.0  # a LoRA strength beyond is a slip of the pen
LORA = re.compile(r"<(?:lora|lyco):([^:<>]+)((?::[^:<>]*)*)>", re.IGNORECASE)
NEGATIVE = "Negative prompt:"
FEWEST_PARAMETERS = 3  # a last line with fewer is part of the prompt, as A1111 itself decides


class TextProblem(ValueError):
    """A text inside a picture that can't be read. The text is the rest of a sentence that begins with the file's name;
    it says which key."""


@dataclass(frozen=True)
class Lora:
    """A LoRA that a prompt names, and its strength on the image model."""

    name: str
    strength: float | None  # None = not said


@dataclass(frozen=True)
class Drawn:
    """How a picture was drawn, as its text says; None and empty = not said. ``prompt`` names the LoRAs no more.

    ``written``: the prompt as it stands there; ``parameters``: the whole last line. ``hashed``: the LoRAs of A1111's
    line of hashes, which says no strengths, and within a grid may still name those of the cell before.
    """

    prompt: str
    written: str = ""
    loras: tuple[Lora, ...] = ()
    hashed: tuple[Lora, ...] = ()
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    sampler: str = ""
    model: str = ""
    clip_skip: int | None = None
    size_px: tuple[int, int] | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def parse_infotext(text: str) -> Drawn:
    """Read the text of one picture (the layout of A1111's modules/infotext_utils.py and processing.py).

    Raises TextProblem for a text that is too long, and for numbers that can't be.
    """
    if len(text) > LONGEST:
        raise TextProblem(f"has a text of {len(text)} characters in 'parameters': {LONGEST} are the most.")
    prompt, negative, line = _parts(text.replace("\r\n", "\n").strip())
    parameters = dict(pairs(line))
    width_height = parameters.get("Size", "")
    model = parameters.get("Model") or parameters.get("Model hash", "")
    return Drawn(
        prompt=without_loras(prompt),
        written=prompt,
        loras=loras_in(prompt),
        hashed=tuple(Lora(name, None) for name, _ in pairs(parameters.get("Lora hashes", ""))),
        negative=negative,
        seed=_int(parameters, "Seed", LARGEST_SEED),
        steps=_int(parameters, "Steps", 100_000),
        cfg=_float(parameters, "CFG scale"),
        sampler=parameters.get("Sampler", ""),
        model=model,
        clip_skip=_int(parameters, "Clip skip", 100),
        size_px=size("Size", width_height) if width_height else None,
        parameters=parameters,
    )


def _parts(text: str) -> tuple[str, str, str]:
    """Prompt, negative prompt, and the line of parameters; extensions may write further lines below it."""
    lines = text.split("\n")
    at = next((n for n in range(len(lines) - 1, -1, -1) if lines[n].startswith("Steps: ")), None)
    if at is None and len(pairs(lines[-1])) >= FEWEST_PARAMETERS:
        at = len(lines) - 1
    above, line = (lines, "") if at is None else (lines[:at], lines[at])
    start = next((n for n, each in enumerate(above) if each.lstrip().startswith(NEGATIVE)), len(above))
    negative = "\n".join(above[start:]).strip().removeprefix(NEGATIVE).strip()
    return "\n".join(above[:start]).strip(), negative, line


def pairs(line: str) -> list[tuple[str, str]]:
    """``Key: value, Key: "quoted, value"`` as pairs, in order; what is no pair is passed over."""
    found = []
    place = 0
    while place < len(line):
        colon = line.find(":", place)
        if colon < 0:
            break
        key = line[place:colon].rpartition(",")[2].strip()
        place = colon + 1
        while place < len(line) and line[place] == " ":
            place += 1
        if line[place : place + 1] == '"':
            value, place = _quoted(line, place)
        else:
            end = line.find(",", place)
            end = len(line) if end < 0 else end
            value, place = line[place:end].strip(), end
        comma = line.find(",", place)
        place = len(line) if comma < 0 else comma + 1
        if key:
            found.append((key, value))
    return found


def _quoted(line: str, start: int) -> tuple[str, int]:
    """A value written as JSON text from its opening quote on, and the place after its closing quote."""
    end = start + 1
    while end < len(line) and line[end] != '"':
        end += 2 if line[end] == "\\" else 1
    written = line[start : end + 1]
    try:
        return str(json.loads(written)), end + 1
    except ValueError:  # the quote is not closed, or it is none of JSON's
        return written.strip('"'), end + 1


def loras_in(prompt: str) -> tuple[Lora, ...]:
    """The LoRAs of a prompt in its order: <lora:name>, <lora:name:0.8>, <lora:name:TEXT:IMAGE>, <lora:name:unet=0.8>.

    As in A1111's extensions-builtin/Lora/extra_networks_lora.py: one number counts for text and image, of two the
    second is the image model's, and a named one goes before a plain one. Raises TextProblem for a strength that is no
    number or beyond all use.
    """
    return tuple(Lora(found[1].strip(), _strength(found[0], found[2])) for found in LORA.finditer(prompt))


def _strength(tag: str, options: str) -> float:
    parts = options.split(":")[1:]
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    plain = [part for part in parts if "=" not in part and part.strip()]
    text = named.get("te") or (plain[0] if plain else "1")
    return strength(named.get("unet") or (plain[1] if len(plain) > 1 else text), tag)


def strength(written: str, key: str) -> float:
    """A LoRA strength, -10 to 10, or TextProblem naming the key."""
    try:
        value = float(written)
    except ValueError:
        raise TextProblem(f"says {key[:80]}: {written[:30]!r} is no strength.") from None
    if not math.isfinite(value) or abs(value) > STRONGEST:
        raise TextProblem(f"says {key[:80]}: a strength lies between -{STRONGEST:g} and {STRONGEST:g}.")
    return value


def without_loras(prompt: str) -> str:
    """The prompt that a text encoder saw, on one line: LoRA tags away, and the commas that they leave behind."""
    text = re.sub(r"\s+", " ", LORA.sub("", prompt))
    return re.sub(r"(?:\s*,\s*){2,}", ", ", text).strip(" ,")


def size(key: str, written: str) -> tuple[int, int]:
    """Width and height from ``512x768``, px."""
    found = re.fullmatch(r"(\d{1,6})\s*x\s*(\d{1,6})", written)
    if not found or not (0 < int(found[1]) <= 65536 and 0 < int(found[2]) <= 65536):
        raise TextProblem(f"says {key}: {written[:30]!r} is no size such as 512x768.")
    return int(found[1]), int(found[2])


def _int(parameters: dict[str, str], key: str, largest: int) -> int | None:
    written = parameters.get(key)
    if written is None:
        return None
    if not (written.isascii() and written.isdigit()) or len(written) > 20 or int(written) > largest:
        raise TextProblem(f"says {key}: {written[:30]!r} is no whole number from 0 to {largest}.")
    return int(written)


def _float(parameters: dict[str, str], key: str) -> float | None:
    written = parameters.get(key)
    if written is None:
        return None
    try:
        value = float(written)
    except ValueError:
        raise TextProblem(f"says {key}: {written[:30]!r} is no number.") from None
    if not math.isfinite(value) or abs(value) > 1000:
        raise TextProblem(f"says {key}: {written[:30]!r} can't be.")
    return value
