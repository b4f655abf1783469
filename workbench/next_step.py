"""The next thing to do in a project: one sentence, one page."""

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from db import library
from workbench.plans.plan import plan_of
from workbench.rating.standing import AtStake, worth_rating
from workbench.running.progress import Progress
from workbench.sweep import patterns

MINUTES = 5  # enough for a first sitting


@dataclass(frozen=True)
class Step:
    """What to do next, and the page (its url path) where it is done."""

    text: str
    page: str


def next_step(db: Database, project_id: int, now: Progress, rater: str, stake: AtStake | None = None) -> Step:
    """The one thing that brings a project forward now. ``stake``: what rating is for, where it is at hand already."""
    project = library.project(db, project_id)
    assert project is not None
    if plan_of(db, project_id).elsewhere:
        return elsewhere_step(db, project, rater, stake)
    if project["dataset_id"] is None:
        return Step("Add photos of your subject", "photos")
    if not patterns.listed(db, project_id):
        return Step("Add the first pattern", "patterns")
    if not now.runs_total:
        return Step("Queue the patterns", "patterns")
    rating = worth_rating(db, project, rater, stake)
    if rating:
        return Step(f"Rate for {MINUTES} minutes: {rating}", "rate")
    if now.running or now.runs_queued:
        return Step("Watch the training", "queue")
    if now.previews_done < now.previews_expected:  # after the training, or of a LoRA file made elsewhere
        return Step("Watch the previews being made", "queue")
    return Step("See which setting helped", "charts")


def elsewhere_step(db: Database, project: dict[str, Any], rater: str, stake: AtStake | None) -> Step:
    """The same where all pictures were made elsewhere: nothing is trained."""
    rating = worth_rating(db, project, rater, stake)
    if rating:
        return Step(f"Rate for {MINUTES} minutes: {rating}", "rate")
    return Step("Look at all pictures", "gallery")
