"""The demo project: the article's patterns on the scale of the miniature, and the arms that the article lacks.

The scale was chosen by experiment; docs/demo.md holds the table, what was measured, and how long it takes.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlite_utils import Database

from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench.dataset.photos import add_folder, set_traits
from workbench.projects import add_project
from workbench.running import queue
from workbench.sweep import article, patterns, presets
from workbench.sweep.miniature import ARTICLE
from workbench.sweep.patterns import Asked
from workbench.workspace import Workspace

NAME = "Demo"
SEEDS = (1, 2)
TRAITS = ("long * red hair", "red hair in a bun")  # what is always true of the subject; * is any one word
FIRST = (*map(article.full_label, ("3", "11")), "baseline")  # queued before the others: the first charts need a pair
ARMS = ("alpha or rate?", "batch size or number of updates?")  # of article.suggestions(); the others are made here


def add_demo(ws: Workspace, db: Database) -> int:
    """Make the demo project with its photos, plan, patterns and the author's marks, queue its runs, return its id."""
    project_id = add_subject(ws, db, NAME)
    article.add_article(db, project_id, table=ARTICLE)
    for arm in article.suggestions():
        if arm.title in ARMS:
            article.add_arm(db, project_id, arm, table=ARTICLE)
    patterns.add_all(db, project_id, [*captions(), *tuned()])
    queue.enqueue(db, project_id, queue_order(patterns.listed(db, project_id)), SEEDS)
    return project_id


def add_subject(ws: Workspace, db: Database, name: str) -> int:
    """Make a project with the demo's photos, captions and traits, without patterns; return its id."""
    project_id = add_project(db, name, "zwx", "woman")
    subject = EMBEDDED / "subjects" / "subject_a"
    add_folder(ws, project_id, subject, captions=subject / "captions_full.csv")
    set_traits(ws, project_id, TRAITS)
    return project_id


def captions() -> list[Asked]:
    """A good pattern twice: with the permanent traits left out of the captions, and with captions as written."""
    good = presets.baseline("embedded")
    left_out, written = (
        TrainConfig.model_validate({**good.model_dump(), "captions": how}) for how in ("traits_left_out", "as_written")
    )
    return [
        Asked("baseline", left_out, "AdamW at 2e-3, alpha = dim, 240 updates: a good start on the miniature"),
        Asked("baseline, captions as written", written, "the captions name her hair, so it is not hers any more"),
    ]


def tuned() -> list[Asked]:
    """13 with every optimiser at a rate of its own and alpha = dim."""
    [of_13] = [asked.config for asked in article.scaled(ARTICLE) if asked.label == "13"]
    start = TrainConfig.model_validate({**of_13.model_dump(), "alpha": float(of_13.dim)})
    return [
        Asked(f"tuned: {asked.label}", asked.config, asked.note)
        for asked in presets.optimizers(start)
        if asked.config.optimizer != "adafactor"  # it has no rate
    ]


def asked() -> list[Asked]:
    """All of the demo's patterns, as :func:`add_demo` adds them."""
    arms = [each for arm in article.suggestions() if arm.title in ARMS for each in arm.patterns]
    redone = [replace(each, label=article.full_label(each.label)) for each in article.scaled(ARTICLE)]
    return [*redone, *article.scaled(ARTICLE, arms), *captions(), *tuned()]


def queue_order(listed: Sequence[patterns.Pattern]) -> list[int]:
    """Ids of all patterns, those that make the first charts first."""
    return [p.pattern_id for p in sorted(listed, key=lambda p: p.label not in FIRST)]
