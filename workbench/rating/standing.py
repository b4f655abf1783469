"""What is known of each judged checkpoint from what raters said: means with intervals, and which may be the best."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sqlite_utils import Database

from db import asked, ratings
from workbench.plans.plan import EvalPlan, plan_of
from workbench.rating import pool
from workbench.rating.estimate import GRID_WEIGHT, Choice, Estimate, Mark, Picture, difference_sd, estimate
from workbench.scores.current_scores import current_judge
from workbench.scores.likeness import on_scale

Row = dict[str, Any]

COLUMNS = ["checkpoint_id", "label", "mean", "low", "high", "n", "open"]
NEAR_ENOUGH = 3.0  # points: who is sure to this has compared enough
MIDDLE = 50.0  # what is expected of a checkpoint where no judge has said anything


def standings(db: Database, project: Row, rater: str | None = None) -> pd.DataFrame:
    """One row per judged checkpoint: COLUMNS. ``rater``: None = all raters together.

    ``mean`` is on the scale of the marks; ``low`` and ``high`` are the ends of its 95 % interval; ``n`` is how many
    marks (repeats counted once) and choices it stands on; ``open``: it can't be told apart from the best yet.
    """
    found = known(db, project, rater)
    names = pool.labels(db, project)
    means, sds = found.levels() if found.ids else (np.zeros(0), np.zeros(0))
    low, high = means - found.quantile * sds, means + found.quantile * sds
    columns = (found.ids, means, low.clip(0, 100), high.clip(0, 100), is_open(found))
    rows = [
        (checkpoint, names.get(checkpoint, ""), mean, bottom, top, found.heard[checkpoint], bool(may))
        for checkpoint, mean, bottom, top, may in zip(*columns, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class AtStake:
    """What rating is still for. It follows from what was said and from the judge's scores alone, so pages may keep it
    as long as these stay; not from what is being asked or was seen by name."""

    open: frozenset[int]  # checkpoints that can't be told apart from the best yet; none where only the best is left
    words: str  # what more answers would bring, in half a sentence; empty = nothing more


def at_stake(db: Database, project: Row, rater: str) -> AtStake:
    """What rating is still for where this rater is concerned."""
    found = known(db, project, rater)
    still = frozenset(checkpoint for checkpoint, may in zip(found.ids, is_open(found), strict=True) if may)
    return AtStake(frozenset() if len(still) == 1 and len(found.ids) > 1 else still, worth_of(found))


def worth_rating(db: Database, project: Row, rater: str, stake: AtStake | None = None) -> str:
    """What rating would bring this rater now, in half a sentence; empty where it would tell nothing more.

    Nothing more: no picture waits, or the checkpoints that may be the best lie within NEAR_ENOUGH of each other.
    ``stake``: :func:`at_stake`, where it is at hand already.
    """
    stake = stake or at_stake(db, project, rater)
    return stake.words if stake.words and pool.waiting(db, project, rater, stake.open) else ""


def worth_of(found: Estimate) -> str:
    """The same, provided that pictures wait."""
    if not found.ids:
        return ""
    seen = sum(found.heard[checkpoint] > 0 for checkpoint in found.ids)
    if not seen:
        return (
            "nobody has looked yet which of " + counted(len(found.ids)) + " is best"
            if len(found.ids) > 1
            else ("nobody has looked yet how alike the pictures are")
        )
    front = np.flatnonzero(is_open(found))
    apart = found.quantile * difference_sd(found.covariance)[np.ix_(front, front)]
    if len(front) < 2 or apart.max() <= NEAR_ENOUGH:
        return ""
    return f"{counted(len(front))} can't be told apart yet"


def counted(n: int) -> str:
    return f"{n} checkpoint{'s' * (n != 1)}"


def is_open(found: Estimate) -> np.ndarray:
    """Per checkpoint: whether 0 is inside the 95 % interval of its difference to the best one's mean.

    One that the rater has never seen is always open: what the judge says settles nothing.
    """
    if not found.ids:
        return np.zeros(0, dtype=bool)
    unseen = np.array([not found.heard[checkpoint] for checkpoint in found.ids])
    return leads(found) | unseen


def leads(found: Estimate) -> np.ndarray:
    """The same without regard to what was seen."""
    best = int(found.means.argmax())
    away = found.means[best] - found.means
    return np.asarray(away <= found.quantile * difference_sd(found.covariance)[best])


def known(db: Database, project: Row, rater: str | None, before: int | None = None) -> Estimate:
    """What was said so far, worked out. ``before``: only what was said before the event of this id."""
    return estimate(*said(db, project, rater, before))


def said(
    db: Database, project: Row, rater: str | None, before: int | None = None
) -> tuple[dict[int, float], list[Mark], list[Choice]]:
    """What is expected of the judged checkpoints beforehand, and what was said of them since."""
    judged = pool.judged(db, project)

    def counts(event: Row) -> bool:
        return rater in (None, event["rater"]) and (before is None or event["id"] < before)

    single = [mark for mark in ratings.marks(db, project["id"]) if mark["axis"] == "likeness" and counts(mark)]
    whole = [mark for mark in ratings.row_marks(db, project["id"]) if mark["axis"] == "likeness" and counts(mark)]
    chosen = [choice for choice in ratings.choices(db, project["id"]) if counts(choice)]
    shown = asked.shown(db, {mark["first_item"] for mark in whole})
    ids = {mark["preview_id"] for mark in single}
    ids.update(*shown.values(), *(choice["previews"] for choice in chosen))
    at = {
        row["id"]: Picture(row["id"], row["checkpoint_id"], (row["prompt"], row["seed"]))
        for row in asked.cells(db, project["plan_id"], ids)
        if row["checkpoint_id"] in judged
    }
    marks = picture_marks(single, at) + whole_marks(whole, shown, at)
    return expected(db, project, plan_of(db, project["id"]), judged), marks, compared(chosen, at)


def picture_marks(rows: list[Row], at: Mapping[int, Picture]) -> list[Mark]:
    """Marks of single pictures, those of one picture by one rater together."""
    times: dict[tuple[int, str], list[float]] = {}
    for row in rows:
        if row["preview_id"] in at:
            times.setdefault((row["preview_id"], row["rater"]), []).append(row["value"])
    return [Mark((at[preview],), rater, tuple(values)) for (preview, rater), values in times.items()]


def whole_marks(rows: list[Row], shown: Mapping[int, list[int]], at: Mapping[int, Picture]) -> list[Mark]:
    """Marks of rows of pictures, those of one row by one rater together."""
    times: dict[tuple[tuple[Picture, ...], str], list[float]] = {}
    for row in rows:
        of_row = tuple(sorted(at[preview] for preview in shown[row["first_item"]] if preview in at))
        if of_row:
            times.setdefault((of_row, row["rater"]), []).append(row["value"])
    return [Mark(of_row, rater, tuple(values)) for (of_row, rater), values in times.items()]


def compared(rows: list[Row], at: Mapping[int, Picture]) -> list[Choice]:
    """Choices between checkpoints; what was asked again counts once, a grid's pairs less (they share pictures).

    "Same" and "both bad" are ties. Of a grid the best beats all others, and all others beat the worst.
    """
    answers: dict[tuple[int, int], list[Row]] = {}  # first item, item
    for row in rows:
        answers.setdefault((row["first_item"], row["item_id"]), []).append(row)
    again: dict[int, int] = {}
    for first, _ in answers:
        again[first] = again.get(first, 0) + 1
    found = []
    for (first, _), group in answers.items():
        weight = (GRID_WEIGHT if group[0]["mode"] == "best_worst" else 1.0) / again[first]
        for one, other, won in implied(group):
            if one in at and other in at:
                found.append(Choice(at[one], at[other], won, weight, first))
    return found


def implied(group: list[Row]) -> list[tuple[int, int, float]]:
    """(picture, picture, 1 where the first was preferred or 0.5) of one answer."""
    shown = group[0]["previews"]
    if group[0]["mode"] == "pair":
        chosen = group[0]["preview_id"]
        return [(shown[0], shown[1], 0.5 if chosen is None else float(chosen == shown[0]))]
    said = {row["said"]: row["preview_id"] for row in group}
    best, worst = said.get("best"), said.get("worst")
    if best is None or worst is None:
        return [(one, other, 0.5) for one, other in pairwise(shown)]
    others = [preview for preview in shown if preview not in (best, worst)]
    return [(best, worst, 1.0), *((best, each, 1.0) for each in others), *((each, worst, 1.0) for each in others)]


def expected(db: Database, project: Row, plan: EvalPlan, judged: Collection[int]) -> dict[int, float]:
    """What is expected of checkpoints beforehand: the face judge's likeness in the first stage's pictures.

    Where some have none, the mean of the others; where none has, MIDDLE.
    """
    judge = current_judge("face_judge", project["face_judge"], asked.judges(db)) if project["face_judge"] else None
    where = {
        "plan": project["plan_id"],
        "strength": plan.main_strength,
        "seed": None if plan.elsewhere else plan.seeds[0],
        "prompts": [number for number, prompt in enumerate(plan.prompts) if prompt.role == "identity"],
    }
    scores = {
        row["checkpoint_id"]: min(max(on_scale(row["mean"], row["strangers"], row["real"]), 0.0), 100.0)
        for row in asked.likeness(db, judged, judge, **where)
    }
    usual = float(np.mean(list(scores.values()))) if scores else MIDDLE
    return {checkpoint: scores.get(checkpoint, usual) for checkpoint in judged}
