"""The demo's patterns with many training seeds: what the verdicts of its two are compared with."""

from collections.abc import Iterable

from sqlite_utils import Database

from db import library
from trainer.config import TrainConfig
from workbench.plans.plan import set_plan
from workbench.running import queue
from workbench.sweep import demo, patterns
from workbench.sweep.miniature import PLAN
from workbench.sweep.patterns import Asked
from workbench.workspace import Workspace

NAME = "Demo, many seeds"


def add_many_seeds(ws: Workspace, db: Database, seeds: Iterable[int]) -> int:
    """Make the project where it isn't there yet, queue its patterns seed by seed, return how many runs were queued.

    The patterns are the demo's, but for the last checkpoint alone being saved: the weights are the same bit for bit,
    and half of the pictures need not be made. The plan is the demo's without other bases and clip skips.
    """
    found = next((project["id"] for project in library.projects(db) if project["name"] == NAME), None)
    project_id = add_project(ws, db) if found is None else int(found)
    order = [each.pattern_id for each in patterns.listed(db, project_id)]
    return len(queue.enqueue(db, project_id, order, seeds))


def add_project(ws: Workspace, db: Database) -> int:
    """The project with photos, plan and patterns, without runs."""
    project_id = demo.add_subject(ws, db, NAME)
    set_plan(db, project_id, PLAN)
    patterns.add_all(db, project_id, [last_only(each) for each in demo.asked()])
    return project_id


def last_only(asked: Asked) -> Asked:
    """The same training with nothing saved before its end."""
    config = TrainConfig.model_validate({**asked.config.model_dump(), "save_every": asked.config.epochs})
    return Asked(asked.label, config, asked.note)
