"""Which pictures to ask about, and how, in the minutes that a rater has."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from sqlite_utils import Database

from db import asked as asking
from db import ratings, sittings
from workbench.rating import picking, pool
from workbench.rating.estimate import Choice, Floats, Mark, estimate
from workbench.rating.foretell import Foretold, foretold
from workbench.rating.modes import MODES
from workbench.rating.pace import Pace
from workbench.rating.picking import Field, Plan
from workbench.rating.standing import is_open, known, said
from workbench.words import counted

Row = dict[str, Any]

SHORTEST, LONGEST = 2.0, 120.0  # minutes of a sitting
HALVED, MANY = 10.0, 12  # from so many minutes and checkpoints on two sittings tell more than one (docs/rating.md)
HALVES = "Two sittings of {half:.0f} minutes tell more: the second asks about what the first has left open."
FEW_MARKS = 2.0  # pictures per checkpoint: with fewer of them in the deck, rows come first
IN_COMMON = 20  # pictures that two raters should both have marked: agreement says nothing of fewer than 15


@dataclass(frozen=True)
class Proposal:
    """One way to spend the minutes."""

    mode: str
    asked: tuple[tuple[int, ...], ...]  # preview ids of each item, the item's pictures in no particular order
    repeats: int
    minutes: float
    why: str
    foretold: Foretold


@dataclass(frozen=True)
class Before:
    """What of a rater's earlier answers decides what comes next."""

    compared: frozenset[frozenset[int]] = frozenset()  # pictures that were shown together, to choose between
    other_axes: bool = False  # whether anybody has marked quality or how well the prompt was followed
    items: int = 0  # of all sittings: another random tree each time


def propose(db: Database, project: Row, rater: str, minutes: float) -> list[Proposal]:
    """Best first, one per mode that has anything to ask; none where rating would tell nothing more."""
    field = field_of(db, project, rater)
    if field is None:
        return []
    return ways(field, Pace(db, project["id"], rater), minutes, answered_by(db, project, rater))


def nothing_to_ask(db: Database, project: Row, rater: str) -> str:
    """Why there is nothing to rate, in a sentence."""
    if not pool.rating_set(db, project):
        return "There is no picture to rate yet: those of prompts that name the subject come here when they are made."
    found = known(db, project, rater)
    still = int(is_open(found).sum())
    if still == 1 and len(found.ids) > 1:
        return "One checkpoint is better than all others: rating more wouldn't change which is the best."
    seen = sittings.revealed(db, project["id"], rater)
    by_name = sum(row["id"] in seen for row in pool.pictures(db, project))
    done = "You have rated every picture that there is."
    if by_name:
        done = (
            f"You have rated every picture that there is, but for {counted(by_name, 'picture')} that you saw by name."
        )
    if still > 1:
        return (
            f"{done} {still} checkpoints still can't be told apart: only new pictures would tell, which more seeds in "
            "the plan give."
        )
    return done


def field_of(db: Database, project: Row, rater: str) -> Field | None:
    """All that could be asked of this rater; None where there is nothing, or nothing to be learned."""
    seen = sittings.revealed(db, project["id"], rater)
    rows = [row for row in pool.pictures(db, project) if row["id"] not in seen]
    order = f"project {project['id']}"  # all raters': they see it shuffled, but are asked about the same pictures
    rows.sort(key=lambda row: (row["stage"], pool.place(order, f"{row['prompt']} {row['seed']}")))
    done = pool.answered_previews(db, project["id"], rater) | asking.still_asked(db, project["id"], rater)
    return make_field(*said(db, project, rater), rows, done, for_agreement(db, project, rater))


def for_agreement(db: Database, project: Row, rater: str) -> set[int]:
    """Pictures that others have marked and this rater hasn't; none once IN_COMMON were marked by both."""
    mine: set[int] = set()
    theirs: set[int] = set()
    for mark in ratings.marks(db, project["id"]):
        if mark["axis"] == "likeness":
            (mine if mark["rater"] == rater else theirs).add(mark["preview_id"])
    return theirs - mine if len(mine & theirs) < IN_COMMON else set()


def make_field(
    prior: Mapping[int, float],
    marks: Sequence[Mark],
    choices: Sequence[Choice],
    rows: Sequence[Row],
    done: Collection[int],
    common: Collection[int] = (),
) -> Field | None:
    """What can be asked after these marks and choices. ``rows``: all pictures, in the order that all checkpoints share;
    ``done``: those that were seen, or are asked about in another sitting; ``common``: those that come first among
    pictures that tell as much."""
    found = estimate(prior, marks, choices)
    still = {checkpoint for checkpoint, may in zip(found.ids, is_open(found), strict=True) if may}
    rows = [row for row in rows if row["checkpoint_id"] in still]
    if not rows or (len(still) == 1 and len(found.ids) > 1):
        return None
    weights = picking.weights_of(found, still)
    compared = set(picking.most_promising(weights, picking.MOST_IN_GRIDS))
    cells = {(row["prompt"], row["seed"]) for row in rows}
    own = [picking.picture_of(row) for row in rows if row["checkpoint_id"] in compared]
    fresh: dict[int, list[Row]] = {}
    every: dict[int, list[Row]] = {}
    for row in rows:
        every.setdefault(row["checkpoint_id"], []).append(row)
        if row["id"] not in done:
            fresh.setdefault(row["checkpoint_id"], []).append(row)
    for those in fresh.values():
        those.sort(key=lambda row: (row["stage"], row["id"] not in common))
    return Field(estimate(prior, marks, choices, cells, own), fresh, every, weights, frozenset(common))


def answered_by(db: Database, project: Row, rater: str) -> Before:
    """What this rater compared before, and whether anybody judged more than likeness."""
    shown = [choice["previews"] for choice in ratings.choices(db, project["id"]) if choice["rater"] == rater]
    axes = {mark["axis"] for mark in ratings.marks(db, project["id"])}
    return Before(frozenset(map(frozenset, shown)), bool(axes - {"likeness"}), len(shown))


def ways(field: Field, pace: Pace, minutes: float, before: Before) -> list[Proposal]:
    """Every mode's proposal, best first."""
    minutes = min(max(minutes, SHORTEST), LONGEST)
    rng = Random(before.items)
    fits = {mode: pace.fits(mode, minutes) for mode in MODES}
    one_by_one = picking.one_by_one(field)
    plans = {
        "single": one_by_one,
        "deck": one_by_one,
        "sheet": picking.by_rows(field, MODES["sheet"].pictures),
        "pair": picking.in_pairs(field, before.compared, fits["pair"], rng),
        "best_worst": picking.in_grids(field, before.compared, MODES["best_worst"].pictures, fits["best_worst"], rng),
    }
    plans = {mode: plan for mode, plan in plans.items() if plan.asked[: fits[mode]]}
    counts = {mode: min(fits[mode], len(plan.asked)) for mode, plan in plans.items()}
    after = {mode: plan.after(counts[mode]) for mode, plan in plans.items()}
    order = best_first(field, plans, counts, after, before)
    whose = {row["id"]: checkpoint for checkpoint, rows in field.every.items() for row in rows}
    found = []
    for mode in order:
        asked = tuple(plans[mode].asked[: counts[mode]])
        items = [[whose[preview] for preview in item] for item in asked]
        told = foretold(field.known, after[mode], items, choosing=not MODES[mode].axes)
        n = counts[mode]
        why = why_of(mode, field, items)
        if mode == order[0] and minutes >= HALVED and len(field.every) > MANY and not any(field.known.heard.values()):
            why = f"{why} {HALVES.format(half=minutes / 2)}"
        found.append(Proposal(mode, asked, pace.repeats(mode, n), pace.minutes(mode, n), why, told))
    return found


def best_first(
    field: Field, plans: Mapping[str, Plan], counts: Mapping[str, int], after: Mapping[str, Floats], before: Before
) -> list[str]:
    """The mode that leaves the promising checkpoints least uncertain comes first.

    But rows where nothing was said yet and the deck would give a checkpoint hardly a mark; and three sliders where
    nobody has judged more than likeness and there is time for every picture; else those come last.
    """
    order = sorted(plans, key=lambda mode: uncertainty(field, after[mode]))
    n = len(field.every)
    if "sheet" in order and not any(field.known.heard.values()) and counts.get("deck", 0) < FEW_MARKS * n:
        order.insert(0, order.pop(order.index("sheet")))
    if "single" in order:
        order.remove("single")
        first_stage = [sum(row["stage"] == 0 for row in field.fresh.get(each, ())) for each in field.every]
        ample = not before.other_axes and min(first_stage) > 0 and sum(first_stage) <= counts["single"]
        order.insert(0 if ample else len(order), "single")
    return order


def uncertainty(field: Field, spread: Floats) -> float:
    """Mean variance of a difference between two checkpoints, weighed by the promise of both; of one: its own."""
    at = [field.place(checkpoint) for checkpoint in field.every]
    weights = np.array([field.weights[checkpoint] for checkpoint in field.every])
    if len(at) == 1:
        return float(spread[at[0], at[0]])
    both = np.outer(weights, weights)
    np.fill_diagonal(both, 0.0)
    return float((both * picking.variances(spread[np.ix_(at, at)])).sum() / both.sum())


def why_of(mode: str, field: Field, items: Sequence[Sequence[int]]) -> str:
    """Why a mode tells something here, in a sentence."""
    shown = len({checkpoint for item in items for checkpoint in item})
    heard = any(field.known.heard.values())
    n = len(field.every)
    still = f"{n} checkpoints can't be told apart yet" if heard else f"Nothing has been rated yet of {n} checkpoints"
    if n == 1:
        still = "There is one checkpoint"
    each = len(items) / max(shown, 1)
    pictures = "about one picture" if each < 1.5 else f"about {each:.0f} pictures"
    return {
        "single": f"{still}: {pictures} of each of {shown}, and quality and the prompt are judged, too.",
        "deck": f"{still}: the deck gets through most pictures, {pictures} of each of {shown}.",
        "sheet": f"{still}: one mark for a whole row says most about {shown} of them in a short time.",
        "pair": f"{still}: side by side small differences between {shown} of them are easiest to see.",
        "best_worst": f"{still}: six at a time compares {shown} of them with few answers.",
    }[mode]
