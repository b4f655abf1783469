"""The marks that raters gave and that stand, as one table, and which of them are two marks of the same."""

import pandas as pd
from sqlite_utils import Database

from db import ratings

COLUMNS = [
    "id", "rater", "session", "mode", "axis", "value", "unit", "first", "is_repeat", "position", "seconds",
    "checkpoint_id", "prompt",
]  # fmt: skip
PAIR_COLUMNS = ["rater", "session", "mode", "axis", "first", "again", "gap"]


def marks_given(db: Database, project_id: int, rater: str | None = None) -> pd.DataFrame:
    """Every mark of a picture or a row that stands, warm-ups apart, oldest first (COLUMNS).

    ``unit`` names what was marked (a picture, or a checkpoint's row), the same for every rater; ``first`` names what
    was asked, the same for a repeat and its first time. ``prompt``: -1 for a row. ``checkpoint_id``: -1 = the base
    alone.
    """
    rows = []
    for mark in ratings.marks(db, project_id):
        old = mark["first_item"] is None  # before there were sittings a repeat named only its picture
        first = f"picture {mark['preview_id']}" if old else f"item {mark['first_item']}"
        rows.append({**mark, "unit": f"picture {mark['preview_id']}", "first": first})
    for mark in ratings.row_marks(db, project_id):
        unit = f"row {mark['checkpoint_id']}"
        rows.append({**mark, "unit": unit, "first": f"item {mark['first_item']}", "mode": "sheet", "prompt": -1})
    given = [
        {**row, "seconds": row["answered_at"] - row["shown_at"], "checkpoint_id": row["checkpoint_id"] or -1}
        for row in sorted(rows, key=lambda row: row["id"])
        if rater is None or row["rater"] == rater
    ]
    return pd.DataFrame(given, columns=COLUMNS).astype({"is_repeat": bool})


def pairs_of_marks(given: pd.DataFrame) -> pd.DataFrame:
    """Two marks by the same rater of the same picture or row (PAIR_COLUMNS): ``first``, ``again`` and ``gap``, the
    answers that lie between them. Of several repeats the earliest counts; ``session`` is the first one's."""
    asked = ["rater", "mode", "axis", "first"]
    once = given[~given["is_repeat"]].drop_duplicates(asked)
    again = given[given["is_repeat"]].drop_duplicates(asked)
    both = once.merge(again[[*asked, "value", "position", "session"]], on=asked, suffixes=("", "_again"))
    gap = (both["position_again"] - both["position"]).where(both["session"] == both["session_again"])
    renamed = both.drop(columns="first").rename(columns={"value": "first", "value_again": "again"})
    return renamed.assign(gap=gap)[PAIR_COLUMNS]
