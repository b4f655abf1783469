"""Write pictures made elsewhere as rows: plan, patterns, runs, checkpoints, previews. Part of one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from db import imports, library, results, reuse, runs
from trainer.config import TrainConfig
from workbench.elsewhere.pictures.copies import Copy
from workbench.elsewhere.pictures.layout import NO_MODEL, Cell, Checkpoint
from workbench.elsewhere.pictures.stored import Stored
from workbench.plans.plan import EvalPlan, set_plan
from workbench.sweep import patterns
from workbench.workspace import Workspace

Row = dict[str, Any]


def write_rows(
    ws: Workspace,
    db: Database,
    project_id: int,
    plan: EvalPlan,
    written: Sequence[tuple[Cell, Copy]],
    saw_references: str,
    before: Stored,
) -> None:
    """Store the plan and make it the project's, take over what an earlier plan shows, and add what is new."""
    plan_id = set_plan(db, project_id, plan)
    _adopt(db, plan_id, plan, before)
    project = library.project(db, project_id)
    assert project is not None  # just made, or looked up
    run_ids = {session: int(run["id"]) for session, run in before.runs.items()}
    checkpoints: dict[Checkpoint, int] = {}
    for cell, copy in written:
        checkpoint = cell.checkpoint
        if checkpoint and checkpoint not in checkpoints:
            if checkpoint.run not in run_ids:
                run_ids[checkpoint.run] = _add_run(db, project, checkpoint.run, plan, saw_references)
            checkpoints[checkpoint] = _add_checkpoint(db, run_ids[checkpoint.run], checkpoint)
        _add_preview(ws, db, project_id, plan_id, cell, copy, checkpoints[checkpoint] if checkpoint else None)
    for run_id in run_ids.values():
        imports.mark_last(db, run_id)


def _adopt(db: Database, plan_id: int, plan: EvalPlan, before: Stored) -> None:
    """Earlier pictures stand in the new plan too; base rows at its main strength."""
    groups: dict[tuple[Any, ...], dict[tuple[int, int, float], int]] = {}
    for row in before.previews:
        if row["plan_id"] == plan_id:
            continue
        strength = row["strength"] if row["checkpoint_id"] is not None else plan.main_strength
        shown = (row["checkpoint_id"], row["base_model"], row["clip_skip"])
        groups.setdefault(shown, {})[row["prompt"], row["seed"], strength] = row["id"]
    for found in groups.values():
        reuse.adopt(db, plan_id, found)


def _add_run(db: Database, project: Row, name: str, plan: EvalPlan, saw_references: str) -> int:
    """A LoRA made elsewhere: a pattern of which nothing is known, and its one training."""
    pattern_id = patterns.add_made_elsewhere(
        db,
        project["id"],
        TrainConfig(base_model=plan.preview_base or NO_MODEL),
        patterns.free_name(db, project["id"], name),
        "made elsewhere: only its pictures are here",
        origin="pictures",
        unknown=TrainConfig.model_fields,
        apart=name,
    )
    return runs.add_elsewhere(
        db,
        project_id=project["id"],
        pattern_id=pattern_id,
        dataset_id=project["dataset_id"],
        seed=None,
        origin="pictures",
        session=name,
        saw_references=saw_references,
        step=0,
    )


def _add_checkpoint(db: Database, run_id: int, checkpoint: Checkpoint) -> int:
    return runs.add_checkpoint(
        db,
        run_id,
        updates=checkpoint.updates,
        images_seen=0,
        epoch=checkpoint.epoch,
        file="",
        sha256="",
        bytes=0,
        proof="{}",
        is_last=0,
        name=checkpoint.name,
    )


def _add_preview(
    ws: Workspace, db: Database, project_id: int, plan_id: int, cell: Cell, copy: Copy, checkpoint_id: int | None
) -> None:
    results.add_preview(
        db,
        **{**copy, "file": ws.relative(copy["file"]), "thumb": ws.relative(copy["thumb"])},
        plan_id=plan_id,
        checkpoint_id=checkpoint_id,
        base_model=cell.model,
        clip_skip=cell.clip_skip,
        prompt=cell.prompt,
        seed=cell.seed,
        strength=cell.strength,
        project_id=project_id,
        text=cell.text,
        seconds=0.0,
        original=cell.picture.name,
    )
