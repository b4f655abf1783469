"""Which previews a plan asks for: of every checkpoint, of the base rows beside them, and through other eyes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlite_utils import Database

from db import reuse, runs
from trainer.config import TrainConfig, parse_config
from workbench.patterns import contrasts
from workbench.plan import EvalPlan

Row = dict[str, Any]
Cell = tuple[int, int, float]  # prompt number, preview seed, strength
SETTINGS = ("base_model", "clip_skip")  # of a training, that previews can have otherwise than it had


class Eyes(NamedTuple):
    """What a LoRA is looked at with: the base and the clip skip of its previews."""

    base_model: str
    clip_skip: int


@dataclass(frozen=True)
class Wanted:
    """The previews that a plan asks for of one checkpoint (None: of the base alone) through one pair of eyes."""

    run: Row
    checkpoint: Row | None
    eyes: Eyes
    cells: tuple[Cell, ...]


def main_eyes(plan: EvalPlan, config: TrainConfig) -> Eyes:
    """What the headline previews of a pattern are made with."""
    return Eyes(plan.preview_base or config.base_model, plan.clip_skip or config.clip_skip)


def other_eyes(plan: EvalPlan, config: TrainConfig, compared: Collection[str]) -> list[Eyes]:
    """The plan's variants that change a setting in which a pattern is compared; what equals the main view is none."""
    main = main_eyes(plan, config)
    found: list[Eyes] = []
    for variant in plan.variants:
        eyes = Eyes(variant.preview_base or main.base_model, variant.clip_skip or main.clip_skip)
        changed = {"base_model": variant.preview_base, "clip_skip": variant.clip_skip}
        if any(changed[name] is not None for name in compared) and eyes not in (main, *found):
            found.append(eyes)
    return found


def compared(db: Database, project_id: int) -> dict[int, set[str]]:
    """Pattern -> the settings out of SETTINGS in which, and in nothing else, another pattern differs from it."""
    found: dict[int, set[str]] = {}
    for contrast in contrasts(db, project_id):
        if contrast.setting in SETTINGS:
            for pattern in (contrast.a, contrast.b):
                found.setdefault(pattern, set()).add(contrast.setting)
    return found


def wanted(db: Database, project_id: int, plan: EvalPlan) -> list[Wanted]:
    """All that a plan asks for, of the checkpoints that there are: base rows first, each once.

    Variants: the identity prompts at the main strength, of the last checkpoint of runs whose pattern is compared
    in what the variant changes. A checkpoint whose file was removed can't be rendered and is not asked for.
    """
    pairs = compared(db, project_id) if plan.variants else {}
    bases: dict[Eyes, Wanted] = {}
    beside: dict[Eyes, Wanted] = {}  # base rows of variants
    of_checkpoints: list[Wanted] = []
    for run in runs.of_project(db, project_id):
        saved, config = runs.checkpoints(db, run["id"]), parse_config(run["config"])
        main = main_eyes(plan, config)
        if saved:
            bases.setdefault(main, base_row(plan, run))
        for checkpoint in saved:
            if checkpoint["removed_at"] is not None:
                continue
            of_checkpoints.append(Wanted(run, checkpoint, main, tuple(plan.cells())))
            if not checkpoint["is_last"] or run["final"]:
                continue
            for eyes in other_eyes(plan, config, pairs.get(run["pattern_id"], ())):
                cells = tuple(plan.identity_cells())
                beside.setdefault(eyes, Wanted(run, None, eyes, cells))
                of_checkpoints.append(Wanted(run, checkpoint, eyes, cells))
    only_beside = [item for eyes, item in beside.items() if eyes not in bases]
    return [*bases.values(), *only_beside, *of_checkpoints]


def base_row(plan: EvalPlan, run: Row) -> Wanted:
    """The base row that a run is compared with."""
    return Wanted(run, None, main_eyes(plan, parse_config(run["config"])), tuple(plan.base_row_cells()))


def of_checkpoint(plan: EvalPlan, run: Row, checkpoint: Row) -> Wanted:
    """A checkpoint's headline previews."""
    return Wanted(run, checkpoint, main_eyes(plan, parse_config(run["config"])), tuple(plan.cells()))


# pictures that an earlier plan has already


def same_pictures(db: Database, project: Row, plan: EvalPlan) -> dict[tuple[Any, ...], int]:
    """Pictures of the project's other plans that this plan would draw alike: what they show -> preview id."""
    plan_ids = [
        row["id"]
        for row in reuse.plans_of(db, project["id"])
        if EvalPlan.model_validate_json(row["config"]).rendering == plan.rendering
    ]
    return {picture(**row): row["id"] for row in reuse.drawn(db, project["id"], plan_ids)}


def picture(
    checkpoint_id: int | None, base_model: str, clip_skip: int, text: str, seed: int, strength: float, **_: Any
) -> tuple[Any, ...]:
    """All that decides what a preview shows, once it is known how it is drawn; without a LoRA no strength."""
    return checkpoint_id, base_model, clip_skip, text, seed, None if checkpoint_id is None else strength


def pictures_of(item: Wanted, project: Row, plan: EvalPlan, cells: Collection[Cell]) -> dict[Cell, tuple[Any, ...]]:
    """Cell -> what its preview shows (see :func:`picture`)."""
    checkpoint_id = item.checkpoint["id"] if item.checkpoint else None
    words = project["trigger_word"], project["class_noun"]
    return {cell: picture(checkpoint_id, *item.eyes, plan.text(cell[0], *words), cell[1], cell[2]) for cell in cells}
