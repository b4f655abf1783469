"""The demo project: a synthetic subject, six patterns chosen so that a newcomer sees something, two seeds each.

The figures were chosen by experiment on the miniature; docs/demo.md holds the table and what was measured.
"""

from typing import Any

from sqlite_utils import Database

from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench import patterns, queue
from workbench.miniature import BASELINE
from workbench.photos import add_folder
from workbench.projects import add_project
from workbench.workspace import Workspace

NAME = "Demo"
SEEDS = (1, 2)

# label -> (what is different, what to look for)
SWEEP: dict[str, tuple[dict[str, Any], str]] = {
    "baseline": ({}, "a good start: AdamW, rate 2e-3, alpha = dim, 240 updates"),
    "too little training": ({"epochs": 3, "save_every": 2}, "a tenth of the updates"),
    "too much: rate x 3": ({"learning_rate": 6e-3}, "the pictures break after a while"),
    "alpha 1": ({"alpha": 1.0}, "alpha / dim = 1/16: the same updates move the weights 16 times less"),
    "AdaFactor, rate 1e-4": ({"optimizer": "adafactor", "learning_rate": 1e-4}, "sets its own step sizes"),
    "AdaFactor, rate 1e-2": ({"optimizer": "adafactor", "learning_rate": 1e-2}, "the same run as with 1e-4"),
}


def add_demo(ws: Workspace, db: Database) -> int:
    """Make the demo project with its photos, plan and patterns, queue its runs, and return its id."""
    project_id = add_project(db, NAME, "zwx", "woman")
    add_folder(ws, project_id, EMBEDDED / "subjects" / "subject_a")
    for label, (changes, note) in SWEEP.items():
        patterns.add(db, project_id, TrainConfig(**{**BASELINE, **changes}), label, note)
    queue.enqueue(db, project_id, [p.pattern_id for p in patterns.listed(db, project_id)], SEEDS)
    return project_id
