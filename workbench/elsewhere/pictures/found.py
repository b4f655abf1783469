"""What was found in pictures made elsewhere, what is wrong with them, and what only a person can say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.elsewhere.names import Counted
from workbench.elsewhere.problem import Problem, Refused

AxisKind = Literal["epoch", "updates", "strength", "seed", "prompt", "lora"]
Box = tuple[int, int, int, int]  # left, top, right, bottom, px

AXIS_KINDS: tuple[AxisKind, ...] = ("epoch", "updates", "strength", "seed", "prompt", "lora")


class PicturesError(Refused):
    """Pictures that can't be imported; nothing was."""


@dataclass(frozen=True)
class Axis:
    """What changes along one side of a grid: its kind, and the value of each column or row in order."""

    kind: AxisKind
    values: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What a person says of a folder where names and texts don't.

    ``pattern``: how names are put together (see workbench/elsewhere/pictures/reading.py). ``columns``, ``rows``,
    ``x``, ``y``: of grids without a text. ``subject``: the stem of the LoRA that is judged, where prompts name several.
    ``prompts``: their texts, by number. ``strength``: of pictures that name none. ``last``: the number of the LoRA file
    without a number (kohya calls the last one so), in the count of the others.
    """

    pattern: str | None = None
    columns: int | None = None
    rows: int | None = None
    x: Axis | None = None
    y: Axis | None = None
    subject: str | None = None
    prompts: tuple[str, ...] = ()
    strength: float = 1.0
    last: int | None = None


@dataclass(frozen=True)
class Picture:
    """One picture, as far as its name and the text inside it tell; None = not known.

    ``name``: from the folder that was given; ``box``: the part of the file that it is, None = all of it. ``lora``:
    the stem of the LoRA's name, None = made without one. ``number``: its epoch or update, as ``counted`` says; None
    with a ``lora`` = the file without a number, the last of its training. ``lora_name``: as it is called there.
    ``prompt``: its number where only that is known, from 0. ``size_px``: width and height that were asked for.
    """

    name: str
    file: Path
    box: Box | None = None
    lora: str | None = None
    lora_name: str = ""
    number: int | None = None
    counted: Counted | None = None
    strength: float = 1.0
    seed: int | None = None
    prompt: int | None = None
    text: str | None = None
    negative: str = ""
    steps: int | None = None
    cfg: float | None = None
    sampler: str = ""
    model: str = ""
    clip_skip: int | None = None
    size_px: tuple[int, int] | None = None


@dataclass(frozen=True)
class Question:
    """Something that only a person can say: the field of :class:`Reading` that answers it, and a choice if any.

    ``needed``: nothing can be imported without an answer; else it says what is assumed.
    """

    field: str
    text: str
    choices: tuple[str, ...] = ()
    needed: bool = True


@dataclass(frozen=True)
class Found:
    """What a folder, an archive or a grid holds. Nothing is written before it is imported.

    ``scheme``: kohya, ai-toolkit, onetrainer, infotext, comfyui, grid, pattern; several are joined with " + ".
    ``notes``: what was assumed, in sentences. ``skipped``: files that are no pictures, with why.
    """

    scheme: str
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...] = ()
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: tuple[Problem, ...] = ()
