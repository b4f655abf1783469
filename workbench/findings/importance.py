"""On which settings a score depends over all patterns: exploratory, held against chance, and hidden where too few."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.config import NOT_WEIGHTS, TrainConfig
from workbench.findings.analysis import Tables
from workbench.findings.intervals import TINY
from workbench.sentences import setting as about_setting

FEWEST_RUNS, FEWEST_PATTERNS = 50, 20
MOST_PATTERNS = 120  # more are drawn from, so that it stays quick
FOLDS, REPEATS = 5, 4
DONORS = 24  # patterns whose value a held-out pattern is given in turn
SHUFFLES = 300  # of the scores between patterns: what bars are by chance
RESAMPLED = 100  # draws of the patterns with replacement, for intervals
WIDTH = 0.5  # of the range of a setting's values: how far apart two still say something of each other
STIFFNESS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # noise of one run over what settings make; chosen in training
SEED = 8
LEVEL = 0.95
NOTHING = "The settings explain nothing of it on held-out patterns: no bars."
EXPLORATORY = (
    "Exploratory: settings that tend to change together share what they explain, and a value of one pattern alone "
    "can't be foretold. The evidence is in the matched pairs, under Only one thing differs."
)
NO_EFFECT = "no effect"  # in place of a setting's value where it has none

Array = np.ndarray
Rng = np.random.Generator


@dataclass(frozen=True)
class Bar:
    """One setting, or several that always vary together."""

    settings: tuple[str, ...]
    share: float  # of the held-out variance: what is lost where its value is another pattern's
    low: float  # 95 % interval over patterns
    high: float
    beyond_chance: bool

    @property
    def label(self) -> str:
        return " + ".join(about_setting(name).label for name in self.settings)


@dataclass(frozen=True)
class Importance:
    """On which settings a metric depends. Without bars ``why_not`` says why."""

    metric: str
    n_runs: int
    n_patterns: int  # that train something different
    n_left_out: int  # runs without a value, on other photos or with unknown settings
    why_not: str
    explained: float = math.nan  # share of the variance between held-out patterns
    line: float = math.nan  # what the largest bar exceeds by chance in 5 % of cases
    bars: tuple[Bar, ...] = ()  # largest first


def importance(tables: Tables, metric: str) -> Importance:
    """What a metric depends on: how much worse held-out patterns are foretold with another pattern's setting.

    Patterns (means of their runs at the last checkpoints) are foretold by kernel ridge regression on main effects and
    pairs of settings (additive Gaussian process, Duvenaud, Nickisch & Rasmussen 2011), in FOLDS folds of patterns, so
    that replicates are never on both sides; the stiffness is chosen within the training folds. A bar is the mean rise
    of the squared error when the setting's value is that of every other pattern in turn (permutation importance,
    Breiman 2001; all pairs: Fisher, Rudin & Dominici 2019), over the variance of held-out patterns. Settings that have
    no effect in a pattern have a value of their own; settings that always vary together are one bar. Intervals are
    from patterns drawn anew with replacement; the line is what the largest bar reaches in 5 % of SHUFFLES where the
    scores are shuffled between patterns, so that no bar at all crosses it in 95 % of sweeps in which nothing matters.
    """
    runs = tables.runs
    usable = runs[(runs["dataset_id"] == tables.dataset_id) & ~runs["wrecked"] & runs[metric].notna()]
    known = [not tables.unknown.get(int(pattern)) for pattern in usable["pattern_id"]]
    usable = usable[np.array(known, dtype=bool)]
    counts = (len(usable), usable["replicate"].nunique(), len(runs) - len(usable))
    hidden = why_hidden(*counts[:2])
    if hidden:
        return Importance(metric, *counts, hidden)
    each = usable.groupby("replicate", sort=True).agg(
        value=(metric, "mean"), n=(metric, "size"), pattern=("pattern_id", "first")
    )
    if len(each) > MOST_PATTERNS:
        each = each.sample(MOST_PATTERNS, random_state=SEED).sort_index()
    groups = together([tables.settings[int(pattern)] for pattern in each["pattern"]])
    values = each["value"].to_numpy("float64")
    if not groups or values.std() < TINY:
        return Importance(metric, *counts, "Hidden: all patterns have the same settings, or the same score.")
    return measured(metric, counts, groups, values, each["n"].to_numpy("float64"))


def why_hidden(n_runs: int, n_patterns: int) -> str:
    """One line on why there are no bars yet; empty where there are enough."""
    if n_runs >= FEWEST_RUNS and n_patterns >= FEWEST_PATTERNS:
        return ""
    return (
        f"Hidden below {FEWEST_RUNS} finished runs of {FEWEST_PATTERNS} patterns: with the {n_runs} of {n_patterns} "
        "that are here, bars would mostly show chance. Pairs that differ in one setting say more, and sooner."
    )


# settings as numbers


def together(settings: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Any]]:
    """The settings that vary, those that split the patterns in the same way as one, with a value per pattern.

    >>> together([{"dim": 4, "alpha": 1.0}, {"dim": 8, "alpha": 2.0}, {"dim": 8, "alpha": 2.0}])
    {('dim', 'alpha'): [4, 8, 8]}
    """
    found: dict[tuple[int, ...], list[str]] = {}
    columns = {}
    for name in TrainConfig.model_fields:
        column = [own.get(name, NO_EFFECT) for own in settings]
        split = tuple(column.index(value) for value in column)
        rates = [own.get("learning_rate") for own in settings]
        follows = name == "text_encoder_lr" and all(
            own.get(name, rate) == rate for own, rate in zip(settings, rates, strict=True)
        )
        if name in NOT_WEIGHTS or len(set(split)) < 2 or follows:
            continue
        columns[name] = column
        found.setdefault(split, []).append(name)
    return {tuple(names): columns[names[0]] for names in found.values()}


def alike(values: Sequence[Any]) -> Array:
    """How much each two patterns' values of a setting have in common, 0 to 1: numbers by their distance, names not.

    exp(-d^2 / 2) with d the distance over WIDTH of the range, of logarithms where all are positive.
    """
    same = np.array([[a == b for b in values] for a in values], dtype="float64")
    number = np.array([isinstance(value, int | float) and not isinstance(value, bool) for value in values])
    if number.sum() < 2:
        return same
    given = np.array([float(value) for value, is_number in zip(values, number, strict=True) if is_number])
    scaled = np.log(given) if (given > 0).all() else given
    spread = np.ptp(scaled)
    if not spread:
        return same
    near = np.exp(-0.5 * (np.subtract.outer(scaled, scaled) / (WIDTH * spread)) ** 2)
    same[np.ix_(number, number)] = near
    return same


@dataclass(frozen=True)
class Kernels:
    """What patterns have in common: setting by setting, and over all, half in single settings and half in pairs."""

    each: Array  # (setting, pattern, pattern)

    @property
    def total(self) -> Array:
        alone = self.each.sum(axis=0)
        return self.blend(alone, (alone**2 - (self.each**2).sum(axis=0)) / 2)

    def blend(self, alone: Array, pairs: Array) -> Array:
        n = len(self.each)
        return alone / n if n == 1 else alone / (2 * n) + pairs / (n * (n - 1))

    def exchanged(self, rows: Array, donors: Array, columns: Array) -> Array:
        """What each row has in common with the columns if it had a donor's value: (setting, row, donor, column)."""
        own = self.each[:, rows][:, :, columns]
        change = self.each[:, donors][:, :, columns][:, None] - own[:, :, None]
        others = (own.sum(axis=0) - own)[:, :, None]
        return self.total[np.ix_(rows, columns)][None, :, None] + self.blend(change, change * others)


# foretelling held-out patterns


def solved(kernel: Array, noise: Array, scores: Array) -> tuple[Array, Array]:
    """Weights (pattern, score) and means (score,) that foretell scores, with the stiffness that leaves out best.

    Of each stiffness the error of every training pattern foretold by the others, weight / diagonal of the inverse
    (Rasmussen & Williams 2006, 5.12); the least mean square wins, for each column of ``scores`` by itself.
    """
    mean = np.average(scores, axis=0, weights=1 / noise)
    centred = scores - mean
    best = np.full(scores.shape[1], np.inf)
    weights = np.zeros_like(scores)
    for stiffness in STIFFNESS:
        inverse = np.linalg.inv(kernel + stiffness * np.diag(noise))
        found = inverse @ centred
        error = np.average((found / np.diag(inverse)[:, None]) ** 2, axis=0, weights=1 / noise)
        better = error < best
        weights[:, better], best[better] = found[:, better], error[better]
    return weights, mean


def held_out(kernels: Kernels, scores: Array, runs: Array, drawn: Array, rng: Rng) -> tuple[Array, ...]:
    """Sums over held-out patterns: squared error, error of the mean alone (score,), rise per setting (setting, score).

    ``scores``: (pattern, score); ``drawn``: how often each pattern is in the sample (0: not at all).
    """
    total = kernels.total
    error, of_mean = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    rise = np.zeros((len(kernels.each), scores.shape[1]))
    present = rng.permutation(np.flatnonzero(drawn))
    for held in np.array_split(present, FOLDS):
        train = np.setdiff1d(present, held)
        weights, mean = solved(total[np.ix_(train, train)], 1 / (runs * drawn)[train], scores[train])
        donors = present if len(present) <= DONORS else rng.choice(present, DONORS, replace=False)
        times = drawn[held][:, None]
        own = (scores[held] - mean - total[np.ix_(held, train)] @ weights) ** 2
        given = kernels.exchanged(held, donors, train)
        other = (scores[held] - mean)[None, :, None] - given @ weights
        error += (times * own).sum(axis=0)
        of_mean += (times * (scores[held] - mean) ** 2).sum(axis=0)
        rise += (times * (np.mean(other**2, axis=2) - own)).sum(axis=1)
    return error, of_mean, rise


def figures(kernels: Kernels, scores: Array, runs: Array, drawn: Array, repeats: int, rng: Rng) -> tuple[Array, Array]:
    """Explained share (score,) and share lost without each setting (setting, score), over repeated folds."""
    sums = [held_out(kernels, scores, runs, drawn, rng) for _ in range(repeats)]
    error, of_mean, rise = (np.sum(each, axis=0) for each in zip(*sums, strict=True))
    return 1 - error / of_mean, rise / of_mean


def measured(
    metric: str, counts: tuple[int, int, int], groups: Mapping[tuple[str, ...], list[Any]], values: Array, runs: Array
) -> Importance:
    """Bars, intervals and what chance makes."""
    rng = np.random.default_rng(SEED)
    kernels = Kernels(np.array([alike(column) for column in groups.values()]))
    shuffled = [values[rng.permutation(len(values))] for _ in range(SHUFFLES)]
    scores = np.column_stack([values, *shuffled])
    once = np.ones(len(values))
    explained, shares = figures(kernels, scores, runs, once, REPEATS, rng)
    line = max(float(np.quantile(shares[:, 1:].max(axis=0), LEVEL)), 0.0)
    if explained[0] <= 0:
        return Importance(metric, *counts, NOTHING, float(explained[0]))
    low, high = resampled(kernels, values, runs, rng) + shares[:, 0]
    bars = [
        Bar(names, float(share), float(ends[0]), float(ends[1]), bool(share > line))
        for names, share, ends in zip(groups, shares[:, 0], zip(low, high, strict=True), strict=True)
    ]
    ordered = tuple(sorted(bars, key=lambda bar: -bar.share))
    return Importance(metric, *counts, "", float(explained[0]), line, ordered)


def resampled(kernels: Kernels, values: Array, runs: Array, rng: Rng) -> Array:
    """How far below and above its middle each setting's share lies (2, setting) in 95 % of samples of the patterns.

    Of each sample only the spread counts: it has fewer different patterns, so all of its shares are lower.
    """
    found = []
    for _ in range(RESAMPLED):
        drawn = np.bincount(rng.integers(len(values), size=len(values)), minlength=len(values)).astype("float64")
        found.append(figures(kernels, values[:, None], runs, drawn, 1, rng)[1][:, 0])
    ends = np.quantile(found, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
    return ends[[0, 2]] - ends[1]


def words(found: Importance, label: str) -> str:
    """What the bars say, in a few sentences; ``label``: the metric's."""
    if found.why_not:
        return found.why_not
    beyond = [bar.label for bar in found.bars if bar.beyond_chance]
    told = (
        f"Beyond what chance makes: {', '.join(beyond)}."
        if beyond
        else "No bar is longer than chance makes it: none of these settings stands out."
    )
    return (
        f"The settings explain {100 * found.explained:.0f} % of the variance of {label} on held-out patterns "
        f"({found.n_runs} runs of {found.n_patterns} patterns). {told}"
    )


def caveats(found: Importance) -> str:
    """What bars can't say, and which runs have no part in them."""
    left_out = f" {found.n_left_out} runs are left out: no value, other photos, or unknown settings."
    return f"{EXPLORATORY}{left_out * bool(found.n_left_out)}"
