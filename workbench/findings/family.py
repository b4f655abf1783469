"""Many comparisons at once: how large a difference must be before any one of a whole family is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

LEVEL = 0.05  # the chance that a family without any difference yields a claim
POWER = 0.8  # with which "so many more seeds" would find the difference that was seen
MOST_SEEDS = 20  # more than that on each side is no advice
DRAWS = 20_000  # of the largest difference: the chance of LEVEL is known to +-.003
STEPS = 1_000  # of the distribution of the estimated spread
SEED = 8  # the same family is always judged alike


@dataclass(frozen=True)
class Family:
    """Which means are compared with which.

    ``pairs``: index of the two arms of each comparison; ``runs``: of how many trainings each arm is the mean.
    """

    pairs: tuple[tuple[int, int], ...]
    runs: tuple[int, ...]

    def spread(self) -> np.ndarray:
        """sqrt(1 / n_a + 1 / n_b) of every pair: times the sd of one run, the standard error of its difference."""
        runs = np.array(self.runs, dtype="float64")
        return np.array([math.sqrt(1 / runs[a] + 1 / runs[b]) for a, b in self.pairs])


# over the seeds: Dunnett


@lru_cache(maxsize=64)
def largest(family: Family) -> np.ndarray:
    """The largest |difference| / standard error of the family where no arm differs, drawn DRAWS times, in order."""
    rng = np.random.default_rng(SEED)
    runs = np.array(family.runs, dtype="float64")[:, None]
    means = rng.standard_normal((len(runs), DRAWS)) / np.sqrt(runs)
    found = np.zeros(DRAWS)
    for (a, b), width in zip(family.pairs, family.spread(), strict=True):
        np.maximum(found, np.abs(means[b] - means[a]) / width, out=found)
    return np.sort(found)


def chance(family: Family, t: float, df: int) -> float:
    """P(max |T| >= t): how often the largest of all differences is that large by training seeds alone.

    T_ij = (mean_j - mean_i) / (s sqrt(1 / n_i + 1 / n_j)) with one pooled s on ``df`` degrees of freedom: Dunnett's
    test (1955) where all pairs share an arm, Tukey's where all arms are compared, and what lies between (Hothorn, Bretz
    & Westfall 2008, single step). The numerator is drawn, the mean over s taken in equal steps of its distribution.
    """
    from scipy.special import stdtr  # scipy.stats would take ten times as long to import

    if len(family.pairs) == 1:
        return float(2 * stdtr(df, -abs(t)))
    return float(1 - np.searchsorted(largest(family), abs(t) * spreads(df)).mean() / DRAWS)


@lru_cache(maxsize=64)
def spreads(df: int) -> np.ndarray:
    """What a spread of 1 is estimated at with so many degrees of freedom, at the middle of each of STEPS steps."""
    from scipy.special import chdtri

    return np.asarray(np.sqrt(chdtri(df, (np.arange(STEPS) + 0.5) / STEPS) / df))


@lru_cache(maxsize=256)
def critical(family: Family, df: int, level: float = LEVEL) -> float:
    """The |t| that the largest of all differences exceeds by chance in ``level`` of all sweeps."""
    low, high = 0.0, 1.0
    while chance(family, high, df) > level:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(family, middle, df) > level else (low, middle)
    return high


# over new prompts: Holm


def holm(p: Any) -> np.ndarray:
    """Holm's adjusted p (1979) along the last axis: max over j <= i of (m - j) p_(j), at most 1.

    Holds whatever the tests have in common; here they share patterns and prompts.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype="float64")
    m = p.shape[-1]
    order = np.argsort(p, axis=-1)
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, -1) * np.arange(m, 0, -1), axis=-1)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.minimum(stepped, 1.0), -1)
    return found


def on_new_prompts(diff: Any, of_seeds: Any, df: int, of_prompts: Any, prompts: int) -> np.ndarray:
    """p of a difference for other prompts of the same kind: t = diff / sqrt(of_seeds + of_prompts).

    ``of_seeds``: variance of the difference by training seeds (``df``); ``of_prompts``: by the choice of prompts, the
    variance of its prompt means / prompts. Degrees of freedom by Satterthwaite (1946). Neither alone would do: another
    training moves all prompts together, another prompt moves all trainings. What both hold (the noise of single
    pictures) counts twice, on the safe side.
    """
    from scipy.special import stdtr

    diff, of_seeds, of_prompts = (np.asarray(each, dtype="float64") for each in (diff, of_seeds, of_prompts))
    both = of_seeds + of_prompts
    freedom = both**2 / (of_seeds**2 / df + of_prompts**2 / (prompts - 1))
    return np.asarray(2 * stdtr(freedom, -np.abs(diff) / np.sqrt(both)))


# what would be needed


def seeds_needed(gap: float, sd: float, df: int, runs: tuple[int, int], bound: float) -> int | None:
    """How many trainings more of each side would tell a true difference of this size; None: over MOST_SEEDS.

    The least n with sd sqrt(2 / n) (t_level + t_POWER) <= gap, two groups of n (Cohen 1988, ch. 2), at the level that
    ``bound``, the family's critical t, has for a single comparison. The degrees of freedom grow with n.
    """
    from scipy.special import stdtr, stdtrit

    level, now = float(stdtr(df, -bound)), min(runs)
    for more in range(1, MOST_SEEDS + 1):
        n = now + more
        freedom = df + sum(max(n - each, 0) for each in runs)
        if sd * math.sqrt(2 / n) * (-stdtrit(freedom, level) + stdtrit(freedom, POWER)) <= gap:
            return more
    return None


@dataclass(frozen=True)
class Compared:
    """A comparison of two patterns, as the family needs it. Arms are named by anything that can be hashed."""

    a: Any
    b: Any
    n_a: int
    n_b: int
    diff: float
    prompt_variance: float  # of the mean over prompts: the variance of prompt means / prompts
    prompts: int


@dataclass(frozen=True)
class Standing:
    """What the whole family leaves of one comparison."""

    p: float  # adjusted for all pairs
    matters: bool  # more than training seeds make, on these prompts
    on_new: bool  # and on new prompts
    more_seeds: int | None  # on each side, to tell it; None where it is told, or needs over MOST_SEEDS


def family_of(compared: Sequence[Compared]) -> Family:
    """The arms and pairs of some comparisons. A pattern with another number of runs is another arm."""
    arms: dict[tuple[Any, int], int] = {}
    pairs = tuple(
        (arms.setdefault((each.a, each.n_a), len(arms)), arms.setdefault((each.b, each.n_b), len(arms)))
        for each in compared
    )
    return Family(pairs, tuple(n for _, n in arms))


def standings(compared: Sequence[Compared], sd: float, df: int) -> list[Standing]:
    """Every comparison judged as one of all. ``sd``: of one run between training seeds, with its ``df``."""
    if not compared:
        return []
    family = family_of(compared)
    bound, errors = critical(family, df), sd * family.spread()
    fresh = holm(
        [
            on_new_prompts(each.diff, error**2, df, each.prompt_variance, each.prompts)
            for each, error in zip(compared, errors, strict=True)
        ]
    )
    found = []
    for each, error, p_new in zip(compared, errors, fresh, strict=True):
        matters = abs(each.diff) > bound * error
        more = None if matters else seeds_needed(abs(each.diff), sd, df, (each.n_a, each.n_b), bound)
        p = chance(family, each.diff / error, df)
        found.append(Standing(p, bool(matters), bool(matters and p_new < LEVEL), more))
    return found
