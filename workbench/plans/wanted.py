"""Which previews a plan asks for: of every checkpoint, of the base rows beside them, and through other eyes.

Coarse to fine: with ``scan_seeds`` every checkpoint gets a few cells first, and those that are promising then get
all; with ``confirm_seeds`` the leaders of the project get fresh ones besides (see :mod:`workbench.plans.closer`).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlite_utils import Database

from db import library, reuse, runs
from trainer.config import parse_config
from workbench.plans.closer import Closer, closer, looks_twice
from workbench.plans.eyes import Eyes, main_eyes, other_eyes
from workbench.plans.plan import EvalPlan
from workbench.sweep.patterns import contrasts

Row = dict[str, Any]
Cell = tuple[int, int, float]  # prompt number, preview seed, strength
Look = Literal["first", "closer", "fresh"]  # at a checkpoint; the base row, and all without a first look, is "first"
SETTINGS = ("base_model", "clip_skip")  # of a training, that previews can have otherwise than it had


@dataclass(frozen=True)
class Wanted:
    """The previews that a plan asks for of one checkpoint (None: of the base alone) through one pair of eyes."""

    run: Row
    checkpoint: Row | None
    eyes: Eyes
    cells: tuple[Cell, ...]
    look: Look = "first"


def compared(db: Database, project_id: int) -> dict[int, set[str]]:
    """Pattern -> the settings out of SETTINGS in which, and in nothing else, another pattern differs from it."""
    found: dict[int, set[str]] = {}
    for contrast in contrasts(db, project_id):
        if contrast.setting in SETTINGS:
            for pattern in (contrast.a, contrast.b):
                found.setdefault(pattern, set()).add(contrast.setting)
    return found


def wanted(db: Database, project_id: int, plan: EvalPlan, near: Closer | None = None) -> list[Wanted]:
    """All that a plan asks for, of the checkpoints that there are: base rows first, each once.

    Variants: the identity prompts at the main strength, of the last checkpoint of runs whose pattern is compared
    in what the variant changes. After every first look come the closer ones. ``near``: where these are due; None =
    where the scores under this plan, which must be the one in force, say so. Nothing is asked for of a checkpoint
    without a file, nor by a plan whose pictures were made elsewhere.
    """
    if plan.elsewhere:
        return []
    project = library.project(db, project_id)
    assert project is not None
    near = closer(db, project_id, plan) if near is None else near
    pairs = compared(db, project_id) if plan.variants else {}
    bases: dict[Eyes, Wanted] = {}
    beside: dict[Eyes, Wanted] = {}  # base rows of variants
    of_checkpoints: list[Wanted] = []
    closer_looks: list[Wanted] = []
    for run in runs.of_project(db, project_id):
        saved, config = runs.checkpoints(db, run["id"]), parse_config(run["config"])
        main = main_eyes(plan, config)
        if any(checkpoint["file"] for checkpoint in saved):
            bases.setdefault(main, base_row(plan, run))
        for checkpoint in saved:
            if not has_file(checkpoint):
                continue
            first = of_checkpoint(plan, project, run, checkpoint)
            of_checkpoints.append(first)
            closer_looks += more_of(plan, first, near)
            if not checkpoint["is_last"] or run["final"]:
                continue
            for eyes in other_eyes(plan, config, pairs.get(run["pattern_id"], ())):
                cells = tuple(plan.identity_cells())
                beside.setdefault(eyes, Wanted(run, None, eyes, cells))
                of_checkpoints.append(Wanted(run, checkpoint, eyes, cells))
    only_beside = [item for eyes, item in beside.items() if eyes not in bases]
    return [*bases.values(), *only_beside, *of_checkpoints, *closer_looks]


def has_file(checkpoint: Row) -> bool:
    """Whether there is a LoRA file to render: it was never there for pictures made elsewhere, or went into the bin."""
    return bool(checkpoint["file"]) and checkpoint["removed_at"] is None


def base_row(plan: EvalPlan, run: Row) -> Wanted:
    """The base row that a run is compared with."""
    return Wanted(run, None, main_eyes(plan, parse_config(run["config"])), tuple(plan.base_row_cells()))


def of_checkpoint(plan: EvalPlan, project: Row, run: Row, checkpoint: Row) -> Wanted:
    """The first look at a checkpoint; at the last one of a run, which runs are compared at, it is the whole plan."""
    only_some = looks_twice(plan, project, run) and not checkpoint["is_last"]
    cells = plan.scan_cells() if only_some else plan.cells()
    return Wanted(run, checkpoint, main_eyes(plan, parse_config(run["config"])), tuple(cells))


def more_of(plan: EvalPlan, first: Wanted, near: Closer) -> list[Wanted]:
    """What comes after the first look at a checkpoint: the rest of the plan, and the fresh seeds."""
    assert first.checkpoint is not None
    rest = tuple(cell for cell in plan.cells() if cell not in first.cells)
    fresh = tuple(plan.confirm_cells())
    found = []
    if rest and first.checkpoint["id"] in near.promising:
        found.append(replace(first, cells=rest, look="closer"))
    if fresh and first.checkpoint["id"] in near.leaders:
        found.append(replace(first, cells=fresh, look="fresh"))
    return found


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
