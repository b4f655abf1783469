"""What was recognised in pictures and LoRA files made elsewhere, as tables show it before anything is imported."""

from collections.abc import Iterable
from typing import Any

from trainer.config import TrainConfig
from workbench.elsewhere.loras.import_loras import FoundRun
from workbench.elsewhere.pictures.found import Found, Picture
from workbench.sentences import setting
from workbench.sweep.settings import NOT_KNOWN, value_text
from workbench.words import counted

SCHEMES = {
    "kohya": "samples of kohya's sd-scripts, by their names",
    "ai-toolkit": "samples of ai-toolkit, by their names",
    "onetrainer": "samples of OneTrainer, by their names",
    "infotext": "pictures of A1111, Forge or reForge, by the text inside them",
    "comfyui": "pictures of ComfyUI, by the workflow inside them",
    "grid": "an X/Y/Z grid, cut into its cells",
    "pattern": "names read by your pattern",
}


def scheme_text(found: Found) -> str:
    """How the pictures were recognised, in words."""
    return " and ".join(SCHEMES.get(scheme, scheme) for scheme in found.scheme.split(" + ") if scheme)


def summary(found: Found) -> str:
    """How many pictures of what, in a sentence.

    Numbers of epochs or updates, strengths, prompts and seeds are those that were recognised.
    """
    made = [picture for picture in found.pictures if picture.lora is not None]
    without = len(found.pictures) - len(made)
    parts = [counted(len({picture.lora for picture in made}), "LoRA")]
    parts.append(counted(len({(p.lora, p.number) for p in made}), "checkpoint"))
    parts.append(f"{len({picture.strength for picture in made})} strengths" if made else "")
    alone = f"; {counted(without, 'picture')} without a LoRA" if without else ""
    told = ", ".join(part.replace("1 strengths", "1 strength") for part in parts if part)
    return f"{counted(len(found.pictures), 'picture')}: {told}{alone}."


def picture_rows(pictures: Iterable[Picture]) -> list[dict[str, Any]]:
    """One row per picture with what was read; what wasn't is said to be unknown."""
    return [
        {
            "picture": picture.name + (f" [{picture.box[0]}, {picture.box[1]}]" if picture.box else ""),
            "LoRA": picture.lora or "none: the base alone",
            "checkpoint": place(picture),
            "strength": f"{picture.strength:g}" if picture.lora else "",
            "seed": NOT_KNOWN if picture.seed is None else str(picture.seed),
            "prompt": picture.text or (f"prompt {picture.prompt + 1}" if picture.prompt is not None else NOT_KNOWN),
        }
        for picture in pictures
    ]


def place(picture: Picture) -> str:
    """Which checkpoint of its LoRA a picture shows."""
    if picture.lora is None:
        return ""
    if picture.number is None:
        return "the last"
    return f"{'epoch' if picture.counted == 'epochs' else 'update'} {picture.number:,}"


def lora_rows(run: FoundRun) -> list[dict[str, Any]]:
    """A training's files in order."""
    some_here = any(checkpoint.already for checkpoint in run.checkpoints)
    return [
        {
            "file": checkpoint.name,
            "updates": NOT_KNOWN if checkpoint.updates is None else f"{checkpoint.updates:,}",
            "epoch": NOT_KNOWN if checkpoint.epoch is None else f"{checkpoint.epoch:g}",
            **({"": "is here already" if checkpoint.already else ""} if some_here else {}),
        }
        for checkpoint in run.checkpoints
    ]


def setting_rows(run: FoundRun) -> list[dict[str, str]]:
    """Every setting of a training: its value, or that it isn't known and why."""
    rows = []
    for name in TrainConfig.model_fields:
        label = setting(name).label
        if name in run.known:
            rows.append({"setting": label, "value": value_text(run.known[name]) or "none", "why": ""})
        elif name in run.unknown:
            rows.append({"setting": label, "value": NOT_KNOWN, "why": run.unknown[name]})
    return rows
