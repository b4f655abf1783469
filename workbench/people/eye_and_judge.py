"""Do people and the automatic judges put the same pictures into the same order, and where do they part?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from workbench.findings.analysis import Tables
from workbench.findings.metrics import METRICS, Metric
from workbench.words import counted

Floats = NDArray[np.float64]

DRAWS = 1000  # resamples of checkpoints behind an interval
MOST_PLACES = 100.0  # that ranks, in places of a hundred, can differ by
SEED = 20  # the same data always give the same interval
FEWEST_CHECKPOINTS = 5  # fewer of them say nothing of how much another checkpoint would change
FEWEST_PICTURES = 3
# what people are asked -> the judges that say something of it, the most important first
JUDGES = {"human_likeness": ("likeness", "second_likeness", "clip_i"), "human_prompt": ("clip_t",)}
ONLY_WITHIN = ("clip_i", "clip_t")  # CLIP's figures compare only between the same prompts
TITLES = {
    "likeness": METRICS["likeness"].label,
    "second_likeness": "likeness by the second judge",
    "clip_i": METRICS["look"].label,
    "clip_t": METRICS["clip_t"].label,
}
CAUTION = (
    "95 % intervals from drawing whole checkpoints again and again, since pictures of one checkpoint go together. "
    "They hold for other checkpoints on these prompts."
)
CLOSELY, ROUGHLY = 0.7, 0.4  # a rank correlation from which on words say so
Z_MOST = 3.0  # atanh(1) is infinite; a resample of a few pictures reaches it by chance


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation; ``low`` and ``high`` are missing with too few checkpoints."""

    rho: float
    low: float
    high: float
    n: int  # pictures
    checkpoints: int

    @property
    def interval(self) -> str:
        """
        >>> Correlation(0.6, 0.31, 0.79, 40, 8).interval
        '0.31 to 0.79'
        """
        return "too few checkpoints" if np.isnan(self.low) else f"{self.low:.2f} to {self.high:.2f}"


def seen_by_both(
    previews: pd.DataFrame, human: str = "human_likeness", judge: str = "likeness", within_prompts: bool = False
) -> pd.DataFrame:
    """The pictures of LoRAs that have both a mark and a score, with ranks, the widest apart first.

    ``eye_rank`` and ``judge_rank``: 1 = best, ties share their mean rank, among ``of`` pictures: all, or those of the
    same prompt. ``apart``: by how many places in a hundred people put it higher than the judge does,
    (judge_rank - eye_rank) / of x 100.
    """
    rows = previews[~previews["is_base"] & previews[[human, judge]].notna().all(axis=1)]
    group = rows["prompt"] if within_prompts else rows["prompt"] * 0
    eye, other = (rows[name].groupby(group).rank(ascending=False) for name in (human, judge))
    rows = rows.assign(eye_rank=eye, judge_rank=other, of=group.groupby(group).transform("size"))
    rows["apart"] = 100 * (rows["judge_rank"] - rows["eye_rank"]) / rows["of"]
    return rows.sort_values("apart", key=abs, ascending=False, kind="stable", ignore_index=True)


# Spearman's correlation with an interval


def correlation(rows: pd.DataFrame, human: str, judge: str, within_prompts: bool = False) -> Correlation:
    """Spearman's rho of people and a judge over the pictures that have both; see :func:`resampled` for the interval.

    ``within_prompts``: pictures are ranked among those of the same prompt only, so that a prompt that is hard for both
    doesn't count as agreement.
    """
    rows = rows.dropna(subset=[human, judge])
    weights = draws(rows["checkpoint_id"])
    found = resampled(rows, human, judge, weights, within_prompts)
    n_checkpoints = rows["checkpoint_id"].nunique()
    low, high = interval(found, n_checkpoints)
    return Correlation(float(found[0]), low, high, len(rows), n_checkpoints)


def draws(clusters: pd.Series, n: int = DRAWS) -> Floats:
    """How often each picture counts: once in the first row, then in ``n`` rows as often as its cluster was drawn."""
    codes, names = pd.factorize(clusters)
    if not len(names):
        return np.ones((1, 0))
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
    return np.vstack([np.ones(len(codes)), drawn[:, codes]]).astype(np.float64)


def resampled(rows: pd.DataFrame, human: str, judge: str, weights: Floats, within_prompts: bool) -> Floats:
    """Spearman's rho for each row of weights (draws x pictures); missing where nothing varies.

    Ranks are taken anew in each draw, a picture that was drawn k times counting as k pictures with the same value.
    """
    if len(rows) < FEWEST_PICTURES:
        return np.full(len(weights), np.nan)
    groups = rows["prompt"].to_numpy() if within_prompts else np.zeros(len(rows), dtype=int)
    a, b = (centred_ranks(rows[name].to_numpy(dtype="float64"), groups, weights) for name in (human, judge))
    with np.errstate(divide="ignore", invalid="ignore"):
        rho: Floats = (weights * a * b).sum(1) / np.sqrt((weights * a**2).sum(1) * (weights * b**2).sum(1))
    return rho


def centred_ranks(values: Floats, groups: NDArray[np.int64], weights: Floats) -> Floats:
    """Mid-ranks of values among those of their group, as shares of it less its mean; one row per row of weights."""
    ranks = np.zeros(weights.shape)
    for group in np.unique(groups):
        own = groups == group
        each, place = np.unique(values[own], return_inverse=True)
        counts = np.zeros((len(weights), len(each)))
        np.add.at(counts.T, place, weights[:, own].T)
        total = counts.sum(1, keepdims=True)
        middle = np.cumsum(counts, axis=1) - counts / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            ranks[:, own] = np.where(total > 0, middle / total - 0.5, 0.0)[:, place]
    return ranks


def interval(found: Floats, n_clusters: int) -> tuple[float, float]:
    """95 % interval of a correlation from its resamples (the first is the estimate).

    atanh(rho) -+ t(n - 1) x standard deviation of the resamples, turned back: percentiles of few clusters cover too
    little (measured in tests/test_eye_and_judge.py).
    """
    if n_clusters < FEWEST_CHECKPOINTS or np.isnan(found[0]):
        return float("nan"), float("nan")
    z = np.arctanh(np.clip(found, -np.tanh(Z_MOST), np.tanh(Z_MOST)))
    half = spread(z[1:], n_clusters)
    return min(float(np.tanh(z[0] - half)), float(found[0])), max(float(np.tanh(z[0] + half)), float(found[0]))


def spread(resamples: Floats, n_clusters: int) -> float:
    """Half of the 95 % interval of what was resampled by clusters.

    The bootstrap's standard deviation is too small by sqrt((n - 1) / n).
    """
    known = resamples[~np.isnan(resamples)]
    scale = np.sqrt(n_clusters / (n_clusters - 1))
    return float(stats.t.ppf(0.975, n_clusters - 1) * scale * np.std(known, ddof=1)) if len(known) > 1 else np.nan


# which judge tracks this eye


@dataclass(frozen=True)
class Tracking:
    """How well a judge follows people on one axis."""

    human: str  # column of the marks
    judge: str  # column of the scores
    over_all: Correlation | None  # None: the judge's figures don't compare between prompts
    within: Correlation  # among pictures of the same prompt

    @property
    def title(self) -> str:
        return TITLES[self.judge]


def trackings(rows: pd.DataFrame) -> list[Tracking]:
    """A line for each axis and judge that have pictures in common; ``rows``: preview table rows with marks."""
    rows = rows[~rows["is_base"]]
    found = []
    for human, judges in JUDGES.items():
        for judge in judges:
            if judge not in rows or rows[[human, judge]].notna().all(axis=1).sum() < FEWEST_PICTURES:
                continue
            over_all = None if judge in ONLY_WITHIN else correlation(rows, human, judge)
            found.append(Tracking(human, judge, over_all, correlation(rows, human, judge, within_prompts=True)))
    return found


@dataclass(frozen=True)
class Ahead:
    """By how much one judge's rank correlation with people is higher than another's, on the same pictures."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    n: int

    @property
    def words(self) -> str:
        """What may be said: a winner only where the interval leaves out 0."""
        pair = f"{TITLES[self.first]} and {TITLES[self.second]}"
        if np.isnan(self.low):
            return f"Whether {pair} differ in following the eye can't be said yet: too few checkpoints were rated."
        ends = f"rank correlation {self.difference:+.2f}, 95 % interval {self.low:+.2f} to {self.high:+.2f}"
        on = f"on the same {counted(self.n, 'picture')}"
        if self.low <= 0 <= self.high:
            return f"Which of {pair} follows the eye better can't be told apart ({ends}, {on})."
        better, worse = (self.first, self.second) if self.low > 0 else (self.second, self.first)
        words = f"{TITLES[better]} follows the eye better than {TITLES[worse]} ({ends}, {on})."
        return words[0].upper() + words[1:]


def ahead(rows: pd.DataFrame, human: str = "human_likeness") -> list[Ahead]:
    """Each other judge of an axis against its first one, paired: the same pictures and the same draws for both.

    Ranks within prompts, which all judges have.
    """
    rows = rows[~rows["is_base"]]
    first, *others = JUDGES[human]
    found = []
    for other in others:
        both = rows.dropna(subset=[human, first, other]) if other in rows else rows.iloc[:0]
        if len(both) < FEWEST_PICTURES:
            continue
        weights = draws(both["checkpoint_id"])
        gaps = resampled(both, human, first, weights, True) - resampled(both, human, other, weights, True)
        n = both["checkpoint_id"].nunique()
        half = spread(gaps[1:], n) if n >= FEWEST_CHECKPOINTS else np.nan
        gap = float(gaps[0])
        found.append(Ahead(first, other, gap, gap - half, gap + half, len(both)))
    return found


# by pattern or setting


def by_group(rows: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Mean of ``apart`` per group with a t interval over prompt means, the furthest from 0 first.

    ``rows``: of :func:`seen_by_both`, within prompts; ``groups``: a label per row. Columns: group, apart, low, high
    (missing with one prompt), n (pictures), n_prompts, sure.

    ``sure``: the interval leaves out 0, and so does that of what is left when the eye's ranks are foretold from the
    judge's by a straight line. Noise in marks draws good and bad pictures to the middle, so differences of ranks alone
    find fault with the judge's favourites (up to a third of patterns falsely in simulations, 2 % with both).
    """
    columns = ["group", "apart", "low", "high", "n", "n_prompts", "sure"]
    rows = rows.assign(left=unforeseen(rows))
    found = []
    for group, own in rows.groupby(groups.to_numpy(), sort=False):
        means = own.groupby("prompt")[["apart", "left"]].mean()
        (mean, low, high), (_, left_low, left_high) = (t_interval(means[name]) for name in means)
        sure = bool((low > 0 and left_low > 0) or (high < 0 and left_high < 0))
        found.append((str(group), mean, low, high, len(own), len(means), sure))
    table = pd.DataFrame(found, columns=columns)
    return table.sort_values("apart", key=abs, ascending=False, kind="stable", ignore_index=True)


def unforeseen(rows: pd.DataFrame) -> pd.Series:
    """By how many places in a hundred people put each picture higher than a straight line through the ranks does."""
    eye, judge = (100 * (rows[name] - (rows["of"] + 1) / 2) / rows["of"] for name in ("eye_rank", "judge_rank"))
    square = float((judge**2).sum())
    return (float((judge * eye).sum()) / square if square else 0.0) * judge - eye


def t_interval(values: pd.Series) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % t interval; missing ends with one value."""
    k, mean = len(values), float(values.mean())
    half = float(stats.t.ppf(0.975, k - 1) * values.std(ddof=1) / np.sqrt(k)) if k > 1 else np.nan
    return mean, mean - half, mean + half


def group_words(table: pd.DataFrame, what: str) -> list[str]:
    """Which groups stand out, in sentences; ``what``: pattern, or a setting's name."""
    sure = table[table["sure"]]
    looked = int((table["n_prompts"] > 1).sum())
    if not looked:
        return ["With one prompt rated there is no interval: rate pictures of more prompts."]
    said = [
        f"{row.group}: people place its pictures {abs(row.apart):.0f} places in a hundred "
        f"{'higher' if row.apart > 0 else 'lower'} than the judge does (95 % interval {ends(row.low, row.high)}, "
        f"{counted(row.n, 'picture')})."
        for row in sure.itertuples()
    ]
    chance = f"{looked} were looked at; by chance alone fewer than one in 20 would stand out."
    if not said:
        n = counted(int(table["n"].sum()), "rated picture")
        return [f"No {what} stands out so far, by {n}: none parts people and judge by more than prompts differ anyway."]
    return [*said, chance] if looked > 1 else said


def in_short(one: Tracking, table: pd.DataFrame) -> str:
    """How far people and a judge go together, and where they part most. ``table``: of :func:`by_group`, by pattern."""
    rho, low = one.within.rho, one.within.low
    title = one.title[0].upper() + one.title[1:]
    if np.isnan(low):
        said = f"{title}: too little was rated to say whether it follows the eye"
    elif low <= 0:
        said = f"{title}: no sign yet that it follows the eye"
    else:
        how = "closely" if rho >= CLOSELY else "roughly" if rho >= ROUGHLY else "a little"
        said = f"{title} follows the eye {how}"
    sure = table[table["sure"]]
    if sure.empty:
        return f"{said}."
    most = sure.iloc[0]  # ranks are relative: where it goes down others go up, so the furthest one says most
    return f"{said}. They part most in {most['group']}: people place it {'higher' if most['apart'] > 0 else 'lower'}."


def places(value: float) -> str:
    """
    >>> places(-12.4), places(0.2)
    ('-12', '0')
    """
    return f"{value:+.0f}" if round(value) else "0"


def rho_text(rho: float) -> str:
    """A rank correlation in a table.

    >>> rho_text(0.456), rho_text(float("nan"))
    ('0.46', 'not yet known')
    """
    return "not yet known" if np.isnan(rho) else f"{rho:.2f}"


def interval_text(row: Mapping[str, Any]) -> str:
    """The interval of a row of :func:`by_group`: no further than the 100 places that ranks can differ by.

    >>> interval_text({"low": -170.6, "high": 46.0})
    '-100 to +46'
    """
    if np.isnan(row["low"]):
        return "one prompt"
    return f"{places(max(row['low'], -MOST_PLACES))} to {places(min(row['high'], MOST_PLACES))}"


def metric_of(judge: str, tables: Tables) -> Metric:
    """The metric of a judge's column, with its own name and the scale that it has in these tables."""
    if judge == "second_likeness":
        first = tables.metric("likeness")
        return replace(first, key=judge, column=judge, label="likeness, second judge", unit="on its own scale")
    return tables.metric(next(key for key, metric in METRICS.items() if metric.column == judge))


def ends(low: float, high: float) -> str:
    """The ends of an interval of places.

    >>> ends(-31.2, -4.6), ends(20.0, 120.0)
    ('5 to 31', '20 to 100')
    """
    small, large = sorted(min(abs(end), MOST_PLACES) for end in (low, high))
    return f"{small:.0f} to {large:.0f}"


def furthest(rows: pd.DataFrame, n: int, held: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of :func:`seen_by_both` the ``n`` that people place highest above the judge, and the ``n`` furthest below.

    ``held``: tokens of pictures that wait to be rated, and are left out.
    """
    free = rows[~rows["token"].isin(list(held))]
    above = free[free["apart"] > 0].sort_values("apart", ascending=False, kind="stable").head(n)
    below = free[free["apart"] < 0].sort_values("apart", kind="stable").head(n)
    return above, below
