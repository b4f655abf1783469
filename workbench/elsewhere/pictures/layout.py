"""Put pictures made elsewhere into the cells of a plan: LoRA and checkpoint, prompt, seed, strength."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from workbench.elsewhere.names import LAST_EPOCH, Counted
from workbench.elsewhere.pictures.found import Found, Picture, Reading
from workbench.elsewhere.problem import Problem
from workbench.plans.plan import EvalPlan, Prompt

NO_MODEL = "made elsewhere"  # what stands for the base model where no picture names it
MOST_CELLS = 400_000  # prompts x seeds x strengths of a plan that a page can still draw
Value = TypeVar("Value", str, int)
Placed = tuple[str | None, int, int, int, float, str, int]  # LoRA, place, prompt, seed, strength, model, clip skip


@dataclass(frozen=True)
class Checkpoint:
    """A LoRA file that pictures show: ``place``, its epoch or update as ``counted`` says, orders it in its run.

    Where only epochs are known they stand in ``updates`` as well; where only updates are, its epoch is 0. Of a file
    without a number ``place`` is assumed: it is good for the order only, and no epoch (``LAST_EPOCH``).
    """

    run: str
    place: int
    counted: Counted
    name: str
    assumed: bool = False

    @property
    def updates(self) -> int:
        return self.place

    @property
    def epoch(self) -> float:
        if self.assumed:
            return LAST_EPOCH
        return float(self.place) if self.counted == "epochs" else 0.0


@dataclass(frozen=True)
class Cell:
    """Where one picture goes. ``checkpoint`` None = the base row; ``text``: "" where the prompt isn't known."""

    picture: Picture
    checkpoint: Checkpoint | None
    prompt: int
    seed: int
    strength: float
    model: str
    clip_skip: int
    text: str


@dataclass(frozen=True)
class Before:
    """What a project has already: its plan, and the seeds that were given to pictures whose seed isn't known.

    ``numbered``: (run, place, prompt text, strength, model, clip skip) -> {name of the file: the number it got}.
    """

    plan: EvalPlan
    numbered: Mapping[tuple[object, ...], Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Laid:
    """A plan with its cells, what is wrong, and what should be known."""

    plan: EvalPlan
    cells: tuple[Cell, ...]
    problems: tuple[Problem, ...]
    told: tuple[str, ...]


def lay_out(found: Found, reading: Reading, trigger: str, before: Before | None = None) -> Laid:
    """The smallest plan that has a cell for every picture, and which picture goes where.

    Prompts with the trigger word are identity prompts, others neutral; prompts that aren't known, and all of them
    where none holds the trigger, count as identity. Two pictures of one cell are a problem.
    """
    told: list[str] = []
    pictures = _once(found.pictures, told)
    base = {id(picture) for picture in pictures if _is_base(picture)}
    places = _places(pictures, reading)
    prompts = _prompts(pictures, trigger, before.plan.prompts if before else (), told)
    at = {prompt.text: number for number, prompt in enumerate(prompts)}
    old = before.plan.strengths if before else ()
    strengths = tuple(sorted({p.strength for p in pictures if id(p) not in base} | set(old))) or (1.0,)
    main = 1.0 if 1.0 in strengths else max(strengths)
    clip_skips = [picture.clip_skip or 1 for picture in pictures]
    cells: list[Cell] = []
    taken: dict[Placed, str] = {}
    problems: list[Problem] = []
    for picture in pictures:
        checkpoint = None if id(picture) in base else places[picture.lora or "", picture.counted, picture.number]
        where = (
            checkpoint.run if checkpoint else None,
            checkpoint.place if checkpoint else 0,
            at[_prompt_text(picture)],
        )
        strength = picture.strength if checkpoint else main
        eyes = (picture.model or NO_MODEL, picture.clip_skip or 1)
        seed = picture.seed
        if seed is None:
            seed = _number(picture, where, strength, eyes, prompts, taken, before)
        key: Placed = (*where, seed, strength, *eyes)
        if key in taken:
            problems.append(_twice(picture, taken[key]))
            continue
        taken[key] = picture.name
        cells.append(Cell(picture, checkpoint, where[2], seed, strength, *eyes, picture.text or ""))
    old_seeds = before.plan.seeds if before else ()
    seeds = tuple(dict.fromkeys([*old_seeds, *sorted({cell.seed for cell in cells})])) or (1,)
    if len(prompts) * len(seeds) * len(strengths) > MOST_CELLS:
        text = f"{len(prompts)} prompts x {len(seeds)} seeds x {len(strengths)} strengths"
        why = f"holds {text}: these pictures share too little to be compared. Import those of one comparison."
        problems.append(Problem("The folder", why))
        return Laid(EvalPlan(prompts=prompts[:1], elsewhere=True), (), tuple(problems), tuple(told))
    model, clip_skip = _most([cell.model for cell in cells]), _most(clip_skips)
    plan = EvalPlan(
        prompts=prompts,
        seeds=seeds,
        strengths=strengths,
        elsewhere=True,
        preview_base=before.plan.preview_base if before else model or NO_MODEL,
        clip_skip=before.plan.clip_skip if before else clip_skip or 1,
    )
    return Laid(plan, tuple(cells), tuple(problems), tuple(told))


def _is_base(picture: Picture) -> bool:
    """Without a LoRA, at strength 0, or before the first update (kohya's --sample_at_first): all show the base."""
    return picture.lora is None or picture.strength == 0 or picture.number == 0


def _once(pictures: Sequence[Picture], told: list[str]) -> list[Picture]:
    """Pictures without those that are there twice, byte for byte; and of a grid only what no single picture shows."""
    seen: dict[object, str] = {}
    singles = {_key(picture) for picture in pictures if picture.box is None and picture.seed is not None}
    kept, copies, cut = [], 0, 0
    for picture in pictures:
        if picture.box is not None and picture.seed is not None and _key(picture) in singles:
            cut += 1
            continue
        if picture.box is None:
            same = (picture.file.stat().st_size, _key(picture))
            if same in seen and _same_bytes(picture, seen[same], pictures):
                copies += 1
                continue
            seen.setdefault(same, picture.name)
        kept.append(picture)
    if copies:
        told.append(f"{copies} pictures are there twice and count once.")
    if cut:
        told.append(f"{cut} cells of grids are there as single pictures too, which are taken.")
    return kept


def _same_bytes(picture: Picture, name: str, pictures: Sequence[Picture]) -> bool:
    other = next(each for each in pictures if each.name == name)
    return picture.file.read_bytes() == other.file.read_bytes()


def _key(picture: Picture) -> tuple[object, ...]:
    return (
        picture.lora,
        picture.counted,
        picture.number,
        _prompt_text(picture),
        picture.seed,
        picture.strength,
        picture.model,
        picture.clip_skip,
    )


def _prompt_text(picture: Picture) -> str:
    """What stands for a picture's prompt in the plan."""
    if picture.text is not None:
        return picture.text or "(empty prompt)"
    return f"prompt {(picture.prompt or 0) + 1}"


def _prompts(pictures: Sequence[Picture], trigger: str, old: Sequence[Prompt], told: list[str]) -> tuple[Prompt, ...]:
    """The plan's prompts: those that it has, then new ones in the order in which they come."""
    known = {prompt.text: prompt for prompt in old}
    new: dict[str, bool] = {}  # text -> whether it is an identity prompt
    for picture in sorted(pictures, key=lambda each: each.prompt if each.prompt is not None else -1):
        text = _prompt_text(picture)
        if text not in known:
            new.setdefault(text, picture.text is None or trigger.lower() in picture.text.lower())
    if new and not old and not any(new.values()):
        told.append(f"No prompt holds the trigger word '{trigger}': all are taken as prompts of the person.")
        new = dict.fromkeys(new, True)
    made = [Prompt(text=text, role="identity" if own else "neutral") for text, own in new.items()]
    return (*old, *made)


def _places(pictures: Sequence[Picture], reading: Reading) -> dict[tuple[str, Counted | None, int | None], Checkpoint]:
    """(LoRA, what is counted, number) -> its checkpoint. A LoRA that counts both is two runs."""
    found: dict[tuple[str, Counted | None, int | None], Checkpoint] = {}
    names = {(p.lora, p.counted, p.number): p.lora_name or str(p.lora) for p in pictures if p.lora and not _is_base(p)}
    by_lora: dict[str, list[tuple[Counted | None, int | None]]] = {}
    for lora, counted, number in names:
        by_lora.setdefault(str(lora), []).append((counted, number))
    for lora, marks in by_lora.items():
        both = {counted for counted, _ in marks if counted}
        main: Counted = "updates" if both == {"updates"} else "epochs"
        for counted, number in marks:
            unit = counted or main
            run = f"{lora}, by updates" if len(both) == 2 and unit == "updates" else lora
            place = number if number is not None else _end([n for c, n in marks if n and (c or main) == main], reading)
            assumed = number is None and reading.last is None
            found[lora, counted, number] = Checkpoint(run, place, unit, names[lora, counted, number], assumed)
    return found


def _end(numbers: Sequence[int], reading: Reading) -> int:
    """Where the file without a number stands: as the person says, else one interval after the last; alone at 1."""
    if reading.last is not None:
        return reading.last
    ordered = sorted(set(numbers))
    if not ordered:
        return 1
    steps = [b - a for a, b in pairwise(ordered)] or [ordered[0]]
    return ordered[-1] + Counter(steps).most_common(1)[0][0]


def _number(
    picture: Picture,
    where: tuple[str | None, int, int],
    strength: float,
    eyes: tuple[str, int],
    prompts: Sequence[Prompt],
    taken: Mapping[Placed, str],
    before: Before | None,
) -> int:
    """A number in place of a seed that isn't known: the one that this file got before, else the next free one."""
    run, place, prompt = where
    known = before.numbered.get((run, place, prompts[prompt].text, strength, *eyes), {}) if before else {}
    if picture.name in known:
        return known[picture.name]
    number = 1
    while (*where, number, strength, *eyes) in taken or number in known.values():
        number += 1
    return number


def _twice(picture: Picture, other: str) -> Problem:
    return Problem(
        picture.name,
        f"shows the same LoRA, epoch, prompt, seed and strength as {other}. If they were drawn otherwise, import one "
        "kind at a time.",
    )


def _most(values: Sequence[Value]) -> Value | None:
    return Counter(values).most_common(1)[0][0] if values else None
