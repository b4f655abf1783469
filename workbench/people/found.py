"""What people found of each checkpoint: its name, what may be said of it, and what it was flagged as."""

from collections.abc import Collection
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db.ratings import raters
from workbench.findings.analysis import Tables
from workbench.findings.preview_table import FLAG_COLUMNS
from workbench.people.bradley_terry import Ranking, ranking
from workbench.people.choices import BASE_ALONE, choice_table
from workbench.people.steadiness import Steadiness
from workbench.pictures.pairs import lora_name
from workbench.rating.modes import MODES
from workbench.rating.standing import standings

__all__ = ["flagged", "from_choices", "marked", "names_of", "order_of", "raters", "repeat_rows", "told_apart"]

BEST, OPEN, WORSE = "best so far", "can't be told apart from the best", "not as good as the best"


def names_of(tables: Tables) -> dict[int, str]:
    """Checkpoint -> what it is called; two that would be called the same get their number."""
    rows = tables.everything.drop_duplicates("checkpoint_id")
    rows = rows[~rows["is_base"]]
    names = {int(row["checkpoint_id"]): lora_name(row) for row in rows.to_dict("records")}
    called = list(names.values())
    twice = {name for name in called if called.count(name) > 1}
    names = {key: f"{name} (no. {key})" if name in twice else name for key, name in names.items()}
    return {BASE_ALONE: "without LoRA", **names}


def marked(db: Database, project: dict[str, Any], tables: Tables, rater: str | None = None) -> pd.DataFrame:
    """Checkpoints that have a mark (of one rater or of all), best first.

    Columns: checkpoint_id, name, value (mean mark), low, high, n, said.
    """
    names = names_of(tables)
    rows = standings(db, project, rater)
    rows = rows[(rows["n"] > 0) & rows["checkpoint_id"].isin(list(names))].rename(columns={"mean": "value"})
    rows = rows.sort_values("value", ascending=False, kind="stable", ignore_index=True)
    said = [BEST if place == 0 else OPEN if is_open else WORSE for place, is_open in enumerate(rows["open"])]
    rows = rows.assign(name=[names[int(checkpoint)] for checkpoint in rows["checkpoint_id"]], said=said)
    return rows[["checkpoint_id", "name", "value", "low", "high", "n", "said"]]


def from_choices(db: Database, project: dict[str, Any], tables: Tables, rater: str | None = None) -> Ranking | None:
    """The order that choices (of one rater or of all) put checkpoints into."""
    rows = choice_table(db, project["id"])
    return ranking(rows if rater is None else rows[rows["rater"] == rater], names_of(tables))


def order_of(found: Ranking, names: dict[int, str]) -> list[pd.DataFrame]:
    """The rows of a ranking, a table for each group of checkpoints that were compared with each other.

    Columns as :func:`marked`'s, with wins, ties and losses; value is the rank.
    """
    rows = found.table.rename(columns={"rank": "value"}).drop(columns=["low", "high"])
    rows = rows.rename(columns={"rank_low": "low", "rank_high": "high"})
    said = [
        WORSE if low > 1 else BEST if value == 1 else OPEN
        for low, value in zip(rows["low"], rows["value"], strict=True)
    ]
    rows = rows.assign(name=[names.get(int(key), f"checkpoint {key}") for key in rows["checkpoint_id"]], said=said)
    columns = ["checkpoint_id", "name", "value", "low", "high", "n", "said", "wins", "ties", "losses", "group"]
    return [own[columns].reset_index(drop=True) for _, own in rows.groupby("group", sort=True)]


def told_apart(rows: pd.DataFrame) -> str:
    """What may be said of an order, in a sentence."""
    if len(rows) < 2:
        return "Only one checkpoint so far, so there is nothing to compare it with."
    leading = rows[rows["said"] != WORSE]
    others = len(rows) - len(leading)
    if len(leading) == 1:
        return f"{leading['name'].iloc[0]} is better than the other {others}."
    if not others:
        return f"None of the {len(rows)} checkpoints stands out: they can't be told apart yet."
    return f"{len(leading)} of {len(rows)} checkpoints can't be told apart; the other {others} are not as good."


def repeat_rows(own: Steadiness) -> list[dict[str, Any]]:
    """A rater's steadiness in figures: a row for each mode and axis in which something was marked twice."""
    return [
        {
            "mode": MODES[each.mode].label,
            "axis": each.axis,
            "repeats": each.n,
            "apart (mean, points)": f"{each.mean_gap:.0f}",
            "must differ by": f"{each.least:.0f}",
            "second - first": f"{each.shift:+.0f}" if round(each.shift) else "0",
        }
        for each in own.marks
    ]


def flagged(previews: pd.DataFrame, held: Collection[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(how many pictures of each checkpoint were flagged, by flag; the flagged pictures that may be seen).

    A picture that two raters flagged counts once. ``held``: tokens that wait to be rated.
    """
    columns = list(FLAG_COLUMNS.values())
    rows = previews[(previews[columns] > 0).any(axis=1) & ~previews["is_base"]]
    counts = (rows[columns] > 0).groupby(rows["checkpoint_id"]).sum()
    counts = counts.rename(columns={column: flag.replace("_", " ") for flag, column in FLAG_COLUMNS.items()})
    judged = previews[previews["checkpoint_id"].isin(list(counts.index))].groupby("checkpoint_id").size()
    counts["pictures"] = judged.reindex(counts.index)
    counts = counts.reset_index()
    return counts, rows[~rows["token"].isin(list(held))]
