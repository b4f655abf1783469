"""Whether several raters say the same: Krippendorff's alpha of their marks, and each two of them held together."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import ratings
from workbench.findings.ranks import rank_correlation
from workbench.people.alpha import RELIABLE, TENTATIVE, Alpha, with_interval
from workbench.people.marks import marks_given
from workbench.people.shares import Share, share_of

Row = dict[str, Any]

FEWEST = 15  # pictures that two raters marked: below that alpha's interval spans most of the scale and holds too little


@dataclass(frozen=True)
class Two:
    """Two raters held together."""

    first: str
    second: str
    both: int  # pictures or rows that both marked
    rho: float  # Spearman's rank correlation of their marks; nan below three
    apart: float  # points that the second marks higher, mean; nan without any
    same: Share  # pairs and grids decided the same


@dataclass(frozen=True)
class Agreement:
    """How far a project's raters agree. ``words``: whole sentences."""

    interval: Alpha  # of the marks as they are: a rater who always marks higher disagrees
    ordinal: Alpha  # of their order
    pairs: tuple[Two, ...]
    words: str


def agreement(db: Database, project: Row, axis: str = "likeness") -> Agreement | None:
    """Agreement of all raters of a project on an axis; None where no two marked or compared the same."""
    given = marks_given(db, project["id"])
    table = table_of(given[given["axis"] == axis])
    decisions = decisions_of(ratings.choices(db, project["id"]))
    return agreement_of(table, decisions)


def table_of(given: pd.DataFrame) -> pd.DataFrame:
    """Raters x units (pictures, and rows of a checkpoint) of each rater's mean mark; repeats count as well."""
    return given.pivot_table(index="rater", columns="unit", values="value", aggfunc="mean", sort=False)


def decisions_of(said: Sequence[Row]) -> dict[str, dict[tuple[Any, ...], int | str]]:
    """Each rater's first decision on every pair, and on every grid's best and worst, by the pictures compared."""
    found: dict[str, dict[tuple[Any, ...], int | str]] = {}
    for row in said:
        asked = (*sorted(row["previews"]), "worst" if row["said"] == "worst" else "chosen")
        decided = row["said"] if row["preview_id"] is None else row["preview_id"]
        found.setdefault(row["rater"], {}).setdefault(asked, decided)
    return found


def agreement_of(table: pd.DataFrame, decisions: dict[str, dict[tuple[Any, ...], int | str]]) -> Agreement | None:
    """The same of a table raters x units and of decisions by rater."""
    raters = list(dict.fromkeys([*table.index, *decisions]))
    pairs = [two(a, b, table, decisions) for a, b in itertools.combinations(raters, 2)]
    pairs = [pair for pair in pairs if pair.both or pair.same.n]
    if not pairs:
        return None
    marks = table.to_numpy(float)
    interval, ordinal = with_interval(marks), with_interval(marks, "ordinal")
    return Agreement(interval, ordinal, tuple(pairs), " ".join(words(interval, ordinal, pairs)))


def two(first: str, second: str, table: pd.DataFrame, decisions: dict[str, dict[tuple[Any, ...], int | str]]) -> Two:
    """Two raters' marks and decisions on the same."""
    both = table.reindex([first, second]).dropna(axis=1)
    a, b = both.loc[first], both.loc[second]
    mine, theirs = decisions.get(first, {}), decisions.get(second, {})
    shared = mine.keys() & theirs.keys()
    same = share_of(sum(mine[asked] == theirs[asked] for asked in shared), len(shared))
    return Two(first, second, len(a), rank_correlation(a, b), float((b - a).mean()), same)


def words(interval: Alpha, ordinal: Alpha, pairs: Sequence[Two]) -> list[str]:
    """What it comes to, and what not to do with it."""
    said = []
    if interval.units and interval.units < FEWEST:
        said.append(
            f"{counted(interval.units)} marked by more than one rater: {FEWEST} are needed to say how far they agree."
        )
    elif interval.value == interval.value:
        said.append(
            f"Krippendorff's alpha of the marks is {interval.value:.2f} ({ends(interval)}{interval.units} pictures or "
            f"rows): {verdict(interval.value)}"
        )
        if interval.low < TENTATIVE <= interval.value:
            said.append(f"With so few it may as well be under {TENTATIVE}.")
        if interval.value < TENTATIVE <= ordinal.value:
            said.append(
                f"The order agrees better ({ordinal.value:.2f}): the raters use the scale differently, so compare only "
                "marks of the same rater."
            )
    for pair in pairs:
        if pair.same.n >= FEWEST:
            said.append(f"{pair.first} and {pair.second} decided the same in {pair.same.words} of what both compared.")
    return said or ["The raters have too little in common yet to say how far they agree."]


def counted(units: int) -> str:
    return f"{units} picture{'s were' if units > 1 else ' was'}"


def ends(found: Alpha) -> str:
    return f"{found.low:.2f} to {found.high:.2f}, " if found.low == found.low else ""


def verdict(value: float) -> str:
    """Krippendorff's limits in words."""
    if value < TENTATIVE:
        return f"under {TENTATIVE}, so rankings from these marks taken together aren't to be trusted."
    if value < RELIABLE:
        return f"good enough for tentative conclusions ({RELIABLE:.3f} would be reliable)."
    return f"reliable (from {RELIABLE:.3f} on)."
