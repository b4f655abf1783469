"""The first items of a sitting, which don't count: they show both ends of the scale before it is used."""

from collections.abc import Callable, Collection, Iterable, Sequence
from statistics import mean
from typing import Any

from sqlite_utils import Database

from db import now, ratings, results, sittings
from workbench.plans.plan import plan_of
from workbench.rating.modes import MODES
from workbench.rating.pool import pictures
from workbench.scores.current_scores import named

Row = dict[str, Any]
Items = list[tuple[int, ...]]  # preview ids that each item shows

WARM_S = 3600.0  # who rated in the same way within the last hour still knows the scale


def warm_up(db: Database, project: Row, rater: str, mode: str, asked: Collection[int]) -> Items:
    """Two or three items with pictures from both ends of the scale, none of them ``asked``; fewer where there are none.

    The low end is the base model alone (else what the face judge found least alike), the high end what the judge found
    most alike. None for a rater who answered in this mode within the last hour.
    """
    last = ratings.last_answer(db, project["id"], rater, mode)
    if last is not None and 0 <= now() - last < WARM_S:  # a clock that was once ahead says nothing
        return []
    return PICK[mode](outside(db, project, asked))


def outside(db: Database, project: Row, asked: Collection[int]) -> list[Row]:
    """Pictures that could be asked about but won't be: from the low end of the scale to the high one.

    Of the plan's last seed where it has several, since that is shown on other pages anyway; else those of checkpoints
    that nobody is asked about. Columns of db.results.previews, and ``likeness`` (raw; None on the base alone).
    """
    plan = plan_of(db, project["id"])
    kept = {row["id"] for row in pictures(db, project)}.union(asked)
    rows = [
        {**row, "id": row["same_as"] or row["id"]}
        for row in results.previews(db, project["id"], project["plan_id"])
        if row["status"] == "ok" and not row["final"] and plan.prompts[row["prompt"]].role == "identity"
    ]
    rows = [row for row in rows if row["id"] not in kept]
    free = [row for row in rows if row["seed"] == plan.seeds[-1]] if len(plan.seeds) > 1 else []
    return on_scale(free or rows, likeness_of(db, project))


def on_scale(rows: Iterable[Row], likeness: dict[int, float]) -> list[Row]:
    """Base rows, then pictures with a likeness, rising; what has none is no end of a scale."""
    known = [
        {**row, "likeness": likeness.get(row["id"]) if row["checkpoint_id"] else None}
        for row in rows
        if row["checkpoint_id"] is None or row["id"] in likeness
    ]
    return sorted(known, key=lambda row: (row["checkpoint_id"] is not None, row["likeness"] or 0.0))


def likeness_of(db: Database, project: Row) -> dict[int, float]:
    """Preview id -> mean cosine to the reference photos, by the project's own face judge."""
    return {
        row["preview_id"]: row["value"]
        for row in sittings.likeness(db, project["id"])
        if named("face", project["face_judge"], row["judge_key"])
    }


# which of them, from the low end to the high one


def single_pictures(rows: Sequence[Row]) -> Items:
    """Both ends, and what lies midway between them."""
    scored = [row for row in rows if row["likeness"] is not None]
    if not scored:
        return [(row["id"],) for row in rows[:1]]
    middle = (scored[0]["likeness"] + scored[-1]["likeness"]) / 2
    half = min(scored, key=lambda row: abs(row["likeness"] - middle))
    return [(preview,) for preview in dict.fromkeys((rows[0]["id"], half["id"], scored[-1]["id"]))]


def side_by_side(most: int) -> Callable[[Sequence[Row]], Items]:
    """Up to ``most`` pictures of one prompt and seed, evenly over the scale, of the two cells with the highest end."""

    def pick(rows: Sequence[Row]) -> Items:
        cells = [cell for cell in grouped(rows, "prompt", "seed") if len(cell) > 1]
        cells.sort(key=lambda cell: -(cell[-1]["likeness"] or 0.0))
        return [tuple(row["id"] for row in evenly(cell, most)) for cell in cells[:2]]

    return pick


def whole_rows(rows: Sequence[Row]) -> Items:
    """The row of the base alone (else of the lowest checkpoint), and that of the highest."""
    groups = grouped(rows, "checkpoint_id")
    groups.sort(key=lambda group: mean(row["likeness"] or 0.0 for row in group))
    ends = [groups[0], groups[-1]] if len(groups) > 1 else groups
    return [tuple(row["id"] for row in group[: MODES["sheet"].pictures]) for group in ends]


def grouped(rows: Iterable[Row], *columns: str) -> list[list[Row]]:
    """Rows that are alike in these columns, together, in the order in which they come."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return list(groups.values())


def evenly(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many of them, both ends among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


PICK: dict[str, Callable[[Sequence[Row]], Items]] = {
    "single": single_pictures,
    "deck": single_pictures,
    "sheet": whole_rows,
    "pair": side_by_side(MODES["pair"].pictures),
    "best_worst": side_by_side(MODES["best_worst"].pictures),
}
