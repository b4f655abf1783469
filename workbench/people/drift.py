"""Whether a rater's marks rise or fall in the course of a sitting, beyond what the pictures explain.

Pictures come shuffled over checkpoints, so what a picture is like and when it comes are independent; what is left over
after checkpoint, prompt and sitting are taken out may still rise or fall with the position. Repeats say it more
plainly: the same picture, later.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlite_utils import Database

from workbench.people.marks import marks_given

Row = dict[str, Any]
Values = NDArray[np.float64]

PER = 50  # answers, of which the slope tells
FEWEST_DF = 8  # below that the interval is too wide to say anything


@dataclass(frozen=True)
class Slope:
    """Points that marks rise per answer, as one kind of evidence sees it."""

    value: float
    se: float
    df: int


@dataclass(frozen=True)
class Drift:
    """Points by which marks rise (or fall) per PER answers, with a 95 % t interval. ``words``: for this rater."""

    slope: float
    low: float
    high: float
    df: int
    repeats: int  # pictures marked twice in a sitting
    marks: int
    words: str

    @property
    def found(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def drift(db: Database, project: Row, rater: str, session: str | None = None, axis: str = "likeness") -> Drift | None:
    """How a rater's marks drift within sittings, over all of them or in one; None where too little was marked."""
    given = marks_given(db, project["id"], rater)
    given = given[given["axis"] == axis]
    return drift_of(given if session is None else given[given["session"] == session])


def drift_of(given: pd.DataFrame) -> Drift | None:
    """The same of a table of marks of one rater and axis (columns of workbench.people.marks.COLUMNS)."""
    if given["value"].nunique() < 2:  # nothing, or one mark for everything
        return None
    items = items_of(given)
    slopes = [slope for slope in (among(items), between(items)) if slope is not None]
    if not slopes or sum(slope.df for slope in slopes) < FEWEST_DF:
        return None
    value, se, df = pooled(slopes)
    from scipy.stats import t

    half = float(t.ppf(0.975, df)) * se
    ends = (PER * value, PER * (value - half), PER * (value + half))
    return Drift(*ends, int(df), int(items.twice.sum()), len(given), words(*ends))


@dataclass(frozen=True)
class Items:
    """What was marked in a sitting, one entry each: once, or twice with some answers between.

    Sums and differences of two equally uncertain numbers are uncorrelated, so the means and the gaps are two
    independent pieces of evidence.
    """

    value: Values  # mean mark
    position: Values  # mean position
    twice: NDArray[np.bool_]
    later: Values  # last mark - first
    apart: Values  # positions between
    held: Values  # indicators of checkpoint, prompt and sitting, a column each


def items_of(given: pd.DataFrame) -> Items:
    """Marks by what was asked, in each sitting."""
    given = given.sort_values("position")
    item = given.groupby(["session", "first"], sort=False).ngroup().to_numpy()
    value, position = given["value"].to_numpy(float), given["position"].to_numpy(float)
    n = np.bincount(item)
    first, last = np.unique(item, return_index=True)[1], len(item) - 1 - np.unique(item[::-1], return_index=True)[1]
    codes = [pd.factorize(given[name])[0][first] for name in ("checkpoint_id", "prompt", "session")]
    return Items(
        np.bincount(item, value) / n,
        np.bincount(item, position) / n,
        n > 1,
        value[last] - value[first],
        position[last] - position[first],
        np.column_stack([np.eye(code.max() + 1)[code] for code in codes]),
    )


def among(items: Items) -> Slope | None:
    """Slope of marks on position among items of one checkpoint, prompts and sittings taken out (least squares)."""
    both = np.column_stack([items.position, items.value])
    taken_out, _, rank, _ = np.linalg.lstsq(items.held, both, rcond=None)
    position, value = (both - items.held @ taken_out).T
    return through_zero(position, value, len(value) - int(rank) - 1)


def between(items: Items) -> Slope | None:
    """Slope of the difference of two marks of the same picture on the answers between them, through 0."""
    twice = items.twice
    return through_zero(items.apart[twice], items.later[twice], int(twice.sum()) - 1)


def through_zero(x: Values, y: Values, df: int) -> Slope | None:
    """Slope of a line through 0 with its standard error; None where nothing is left to judge it by.

    >>> line = through_zero(np.array([1.0, 2.0]), np.array([2.0, 5.0]), 1)
    >>> round(line.value, 2), round(line.se, 2)
    (2.4, 0.2)
    """
    among_x = float(x @ x)
    if df < 1 or among_x < 1e-9:
        return None
    value = float(x @ y) / among_x
    left = y - value * x
    return Slope(value, math.sqrt(float(left @ left) / df / among_x), df)


def pooled(slopes: list[Slope]) -> tuple[float, float, float]:
    """One slope of independent ones, weighed by 1 / se^2, its se and degrees of freedom (Meier 1953, Biometrics 9:59).

    Meier's se allows for the weights being estimated; the degrees of freedom are Satterthwaite's.
    """
    exact = [slope for slope in slopes if slope.se == 0]
    if exact:  # marks without any scatter
        return exact[0].value, 0.0, exact[0].df
    weights = np.array([1 / slope.se**2 for slope in slopes])
    shares = weights / weights.sum()
    value = float(sum(share * slope.value for share, slope in zip(shares, slopes, strict=True)))
    more = 1 + 4 * sum(share * (1 - share) / slope.df for share, slope in zip(shares, slopes, strict=True))
    df = 1 / sum(share**2 / slope.df for share, slope in zip(shares, slopes, strict=True))
    return value, float(math.sqrt(more / weights.sum())), float(df)


def words(slope: float, low: float, high: float) -> str:
    """What a rater is told."""
    if low <= 0 <= high:
        return f"No drift seen: {whole(slope)} points per {PER} answers ({whole(low)} to {whole(high)})."
    if not round(slope):
        return f"Your marks drift by less than 1 point per {PER} answers."
    way = "rise" if slope > 0 else "fall"
    by = f"{abs(slope):.0f} point{'s' * (round(abs(slope)) != 1)}"
    return (
        f"Your marks {way} in the course of a sitting, by about {by} per {PER} answers "
        f"({whole(low)} to {whole(high)}). Shorter sittings help; checkpoints are mixed, so none of them gains by it."
    )


def whole(points: float) -> str:
    """With its sign.

    >>> whole(-2.4), whole(0.3)
    ('-2', '0')
    """
    return f"{round(points):+d}" if round(points) else "0"
