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
from workbench.people.steadiness import FEWEST, Steadiness
from workbench.pictures.pairs import lora_name
from workbench.rating.modes import MODES
from workbench.rating.standing import standings

__all__ = ["flagged", "from_choices", "marked", "names_of", "order_of", "raters", "repeat_rows", "told_apart"]

BEST, OPEN, WORSE = "best so far", "may be as good", "not as good"


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
    first = rows["name"].iloc[0]
    as_good, worse = (int((rows["said"] == said).sum()) for said in (OPEN, WORSE))
    if not as_good:
        return f"{first} is better than {'the other one' if worse == 1 else f'the other {worse}'}."
    if not worse:
        return f"None of the {len(rows)} checkpoints stands out: they can't be told apart yet."
    return (
        f"{first} leads; {as_good} {'other' if as_good == 1 else 'others'} of {len(rows)} may be as good, "
        f"{worse} {'is' if worse == 1 else 'are'} not."
    )


def repeat_rows(own: Steadiness) -> list[dict[str, Any]]:
    """A rater's steadiness in figures: a row for each mode and axis in which something was marked twice.

    From fewer than FEWEST repeats nothing is worked out.
    """
    return [
        {
            "mode": MODES[each.mode].label,
            "axis": each.axis,
            "repeats": each.n,
            "apart (mean, points)": f"{each.mean_gap:.0f}" if each.n >= FEWEST else "too few",
            "must differ by": f"{each.least:.0f}" if each.n >= FEWEST else "",
            "second - first": (f"{each.shift:+.0f}" if round(each.shift) else "0") if each.n >= FEWEST else "",
        }
        for each in own.marks
    ]


def flagged(previews: pd.DataFrame, held: Collection[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(how many pictures of each checkpoint were flagged, by flag, most first; the flagged pictures that may be seen).

    A picture that two raters flagged counts once. ``held``: tokens that wait to be rated.
    """
    columns = list(FLAG_COLUMNS.values())
    rows = previews[(previews[columns] > 0).any(axis=1) & ~previews["is_base"]]
    counts = (rows[columns] > 0).groupby(rows["checkpoint_id"]).sum()
    counts = counts.rename(columns={column: flag.replace("_", " ") for flag, column in FLAG_COLUMNS.items()})
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    judged = previews[previews["checkpoint_id"].isin(list(counts.index))].groupby("checkpoint_id").size()
    counts["pictures"] = judged.reindex(counts.index)
    counts = counts.reset_index()
    return counts, rows[~rows["token"].isin(list(held))]
