"""What is still to be rendered: previews are made by filling missing cells, and no other way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from db import results, reuse
from workbench import bases
from workbench.plans import plan as plans
from workbench.plans.plan import EvalPlan
from workbench.plans.wanted import Wanted, base_row, has_file, of_checkpoint, pictures_of, same_pictures, wanted
from workbench.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A command for the engine, and what the worker needs to store its results.

    ``key`` is the same for the same work, so that nothing is asked for twice at a time.
    """

    key: tuple[Any, ...]
    command: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)


def fill_jobs(ws: Workspace, db: Database, project: Row) -> Iterator[Job]:
    """Jobs for all missing previews of a project under its current plan: base rows first, then checkpoints.

    What an earlier plan has drawn alike is taken over on the way. Asked again, it gives what is still missing, and
    more only where new scores call for a closer look.
    """
    plan = plans.plan_of(db, project["id"])
    for item in wanted(db, project["id"], plan):
        job = _fill_job(ws, db, project, plan, item)
        if job:
            yield job


def base_row_job(ws: Workspace, db: Database, project: Row, run: Row) -> Job | None:
    """The missing cells of the base row that a run is compared with, or None when it is complete."""
    plan = plans.plan_of(db, project["id"])
    return None if plan.elsewhere else _fill_job(ws, db, project, plan, base_row(plan, run))


def checkpoint_job(ws: Workspace, db: Database, project: Row, run: Row, checkpoint: Row) -> Job | None:
    """What is missing of the first look at a checkpoint, or None when that is complete or it has no file."""
    plan = plans.plan_of(db, project["id"])
    if plan.elsewhere or not has_file(checkpoint):
        return None
    return _fill_job(ws, db, project, plan, of_checkpoint(plan, project, run, checkpoint))


def _fill_job(ws: Workspace, db: Database, project: Row, plan: EvalPlan, item: Wanted) -> Job | None:
    about = {
        "plan_id": project["plan_id"],
        "project_id": project["id"],
        "checkpoint_id": item.checkpoint["id"] if item.checkpoint else None,
        **item.eyes._asdict(),
    }
    filled = results.filled_cells(db, **about)
    lacking = [cell for cell in item.cells if cell not in filled]
    if lacking:
        drawn = same_pictures(db, project, plan)
        pictures = pictures_of(item, project, plan, lacking) if drawn else {}
        found = {cell: drawn[picture] for cell, picture in pictures.items() if picture in drawn}
        if found:
            reuse.adopt(db, project["plan_id"], found)
            lacking = [cell for cell in lacking if cell not in found]
    cells = [
        {
            "key": str(n),
            "prompt": p,
            "seed": s,
            "strength": w,
            "text": plan.text(p, project["trigger_word"], project["class_noun"]),
        }
        for n, (p, s, w) in enumerate(lacking)
    ]
    if not cells:
        return None
    command = {
        "do": "fill",
        "base": bases.place(db, item.eyes.base_model),
        "vae": plan.vae,
        "lora": str(ws.path(item.checkpoint["file"])) if item.checkpoint else None,
        "cells": cells,
        "out": str(ws.preview_folder(project["plan_id"])),
        "sampling": {
            "steps": plan.steps,
            "cfg": plan.cfg,
            "sampler": plan.sampler,
            "negative": plan.negative,
            "size": plan.size,
            "clip_skip": item.eyes.clip_skip,
        },
    }
    return Job(("fill", item.look, *about.values()), command, about)
