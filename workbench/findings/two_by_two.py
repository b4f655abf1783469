"""Does what one setting does depend on another? Spoken of only where all four combinations were trained."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.findings.analysis import Tables
from workbench.findings.contrast import cell_means, said
from workbench.findings.family import LEVEL, holm
from workbench.findings.metrics import METRICS
from workbench.findings.noise import noise_floor
from workbench.sentences import setting as about_setting
from workbench.sweep.patterns import Contrast

SHOWN = 5  # squares that a page spells out; the others are folded away
ASKED = "Do settings depend on each other?"
ONLY_WHERE = "Said only where all four combinations of two values of two settings were trained."
DEPENDS = (
    "What changing {first} from {a} to {b} does depends on {second}: {metric} {at_c} at {c}, {at_d} at {d}. The two "
    "differ by {gap} ({interval}), more than training seeds make."
)
OPEN = (
    "Whether what changing {first} from {a} to {b} does depends on {second} is open: {metric} {at_c} at {c}, {at_d} at "
    "{d}. The two differ by {gap} ({interval}). {why}"
)
NO_NOISE = "How much training seeds alone make is not known yet: train one pattern with a second seed."
ONE_SEED = "Not all four were trained twice."
ALL_FIT = "Anything in that interval fits."
BY_CHANCE = "{n} such squares were looked at: one interval that misses zero may be chance."


@dataclass(frozen=True)
class Square:
    """Four patterns: every combination of two values of two settings, the rest equal."""

    first: str  # the one setting: a and c have its one value, b and d the other
    second: str  # the other: a and b have its one value, c and d the other
    a: int
    b: int
    c: int
    d: int
    first_values: tuple[Any, Any]
    second_values: tuple[Any, Any]

    @property
    def corners(self) -> tuple[int, int, int, int]:
        return self.a, self.b, self.c, self.d


@dataclass(frozen=True)
class Interplay:
    """The difference of differences of a square: (d - c) - (b - a), in the metric's unit."""

    square: Square
    metric: str
    at_first: float  # b - a: what the first setting does at the second's one value
    at_second: float  # d - c: at its other value
    gap: float
    low: float  # 95 % interval from training seeds; missing where these are not known
    high: float
    p: float  # two-sided, of this square alone
    n_runs: tuple[int, int, int, int]
    depends: bool  # beyond what training seeds make, Holm over all squares, two trainings or more of each
    sentence: str


def squares(contrasts: Iterable[Contrast], measured: Iterable[int]) -> list[Square]:
    """Every full 2x2 among the measured patterns, once each; ``a`` is the pattern with the lowest id."""
    known = set(measured)
    beside: dict[int, list[tuple[str, Any, Any, int]]] = {}  # pattern -> (setting, own value, other's, other)
    for pair in contrasts:
        if {pair.a, pair.b} <= known:
            beside.setdefault(pair.a, []).append((pair.setting, pair.value_a, pair.value_b, pair.b))
            beside.setdefault(pair.b, []).append((pair.setting, pair.value_b, pair.value_a, pair.a))
    found: dict[frozenset[int], Square] = {}
    for a in sorted(beside):
        for first, a1, b1, b in beside[a]:
            for second, a2, c2, c in beside[a]:
                if first >= second:
                    continue
                to_b = {other for name, _, value, other in beside[b] if (name, value) == (second, c2)}
                to_c = {other for name, _, value, other in beside[c] if (name, value) == (first, b1)}
                for d in to_b & to_c:
                    found.setdefault(frozenset((a, b, c, d)), Square(first, second, a, b, c, d, (a1, b1), (a2, c2)))
    return list(found.values())


def interplays(tables: Tables, metric: str) -> list[Interplay]:
    """The squares of a project by one metric, the surest first; empty where no full 2x2 was measured.
    Wrecked patterns have no part: the few faces left say nothing of a setting.

    All four patterns are compared at their last checkpoints, on the newest photos that all were trained on, over the
    (prompt, seed, strength) cells that all have; prompts weigh the same. The interval is that of training seeds:
    k x sqrt(v_a/n_a + v_b/n_b + v_c/n_c + v_d/n_d) with the moderated variances of the four (:meth:`Noise.half_of`). A
    square "depends" where its p is below 5 % by Holm's method over all squares, so that in at most 5 % of sweeps
    without any interplay one is claimed.
    """
    wrecked = set(tables.runs.loc[tables.runs["wrecked"], "pattern_id"])
    measured = Corners(tables, metric)
    full = squares(tables.contrasts, set(tables.runs["pattern_id"]) - wrecked)
    each = [found for square in full if (found := measured.square(square)) is not None]
    each.sort(key=lambda found: (math.isnan(found[-1]), found[-1]))
    surer = holm([1.0 if math.isnan(p) else p for *_, p in each]) < LEVEL
    return [_told(found, metric, bool(sure), len(each)) for found, sure in zip(each, surer, strict=True)]


def _told(found: "Measured", metric: str, sure: bool, n_squares: int) -> Interplay:
    square, at_first, at_second, half, n_runs, p = found
    depends, gap = sure and min(n_runs) > 1, at_second - at_first
    words = sentence(square, metric, (at_first, at_second), half, n_runs, depends, n_squares)
    return Interplay(square, metric, at_first, at_second, gap, gap - half, gap + half, p, n_runs, depends, words)


Measured = tuple[Square, float, float, float, tuple[int, int, int, int], float]


class Corners:
    """The cells and runs of every pattern, each looked up once however many squares it is in."""

    def __init__(self, tables: Tables, metric: str) -> None:
        self.tables, self.metric = tables, metric
        self.noise = noise_floor(tables.checkpoints, metric)
        self.known: dict[tuple[int, int], tuple[pd.Series, int, float]] = {}

    def of(self, pattern: int, dataset: int) -> tuple[pd.Series, int, float]:
        """A pattern's mean in every cell on these photos, how many of its runs have a value, and their variance."""
        if (pattern, dataset) not in self.known:
            runs = self.tables.runs
            own = runs[(runs["pattern_id"] == pattern) & (runs["dataset_id"] == dataset)]
            cells = cell_means(self.tables.previews, own, self.metric)
            values = own[self.metric].astype("float64").dropna()
            self.known[pattern, dataset] = cells, len(values), float(values.var(ddof=1))
        return self.known[pattern, dataset]

    def square(self, square: Square) -> Measured | None:
        """(square, b - a, d - c, half of the interval, runs of each, p); None where no cell is measured in all four."""
        runs = self.tables.runs
        photos = [set(runs.loc[runs["pattern_id"] == corner, "dataset_id"]) for corner in square.corners]
        newest = max(set.intersection(*photos), default=None)
        if newest is None:
            return None
        found = [self.of(corner, newest) for corner in square.corners]
        cells = pd.DataFrame({name: own for name, (own, *_) in zip("abcd", found, strict=True)}).dropna()
        if cells.empty:
            return None
        mean = cells.groupby("prompt").mean().mean()
        arms = [(n, variance) for _, n, variance in found]
        a, b, c, d = (n for n, _ in arms)
        at_first, at_second = float(mean["b"] - mean["a"]), float(mean["d"] - mean["c"])
        if self.noise is None or not min(a, b, c, d):
            return square, at_first, at_second, math.nan, (a, b, c, d), math.nan
        p = self.noise.chance((at_second - at_first) / self.noise.error(arms), [a, b, c, d])
        return square, at_first, at_second, self.noise.half_of(arms), (a, b, c, d), p


def sentence(
    square: Square,
    metric: str,
    effects: tuple[float, float],
    half: float,
    n_runs: tuple[int, int, int, int],
    depends: bool,
    n_squares: int,
) -> str:
    """What may be said of a square."""
    shows, gap = METRICS[metric].show_change, effects[1] - effects[0]
    why = ALL_FIT
    if math.isnan(half):
        why = NO_NOISE
    elif abs(gap) > half:
        why = ONE_SEED if min(n_runs) < 2 else BY_CHANCE.format(n=n_squares)
    low, high = (shows(gap + side, sign=True) for side in (-half, half))
    second = about_setting(square.second).label
    return (DEPENDS if depends else OPEN).format(
        first=about_setting(square.first).label,
        second=second,
        metric=METRICS[metric].label,
        a=said(square.first, square.first_values[0]),
        b=said(square.first, square.first_values[1]),
        c=f"{second} {said(square.second, square.second_values[0])}",
        d=f"{second} {said(square.second, square.second_values[1])}",
        at_c=shows(effects[0], sign=True),
        at_d=shows(effects[1], sign=True),
        gap=shows(gap, sign=True),
        interval="interval not known yet" if math.isnan(half) else f"95 % interval {low} to {high}",
        why=why,
    )
