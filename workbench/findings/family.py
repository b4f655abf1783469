"""Many comparisons at once: how large a difference must be before any one of a whole family is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

LEVEL = 0.04  # the chance that a family without any difference yields a claim: 5 % are promised, and this is no proof
Z_OF_POWER = 0.8416  # "so many more seeds" would find the difference that was seen in 80 % of cases
MOST_SEEDS = 20  # more than that on each side is no advice
DRAWS = 20_000  # of the largest difference: the chance of LEVEL is known to +-.003 (95 %)
SEED = 8  # the same family is always judged alike

# Some patterns vary more between training seeds than others: in the demo's 29 patterns x 2 seeds the log of that sd has
# an sd of about .6 (the log of their |differences| has a variance of 1.70, of which chance makes pi^2 / 8). A bound for
# equal noise would be crossed in 9 to 25 % of such sweeps without any effect (4 to 63 pairs).
UNEVEN = 0.6
PRIOR = 2.0  # degrees of freedom that the pooled variance has in each pattern's own


@dataclass(frozen=True)
class Family:
    """Which means are compared with which.

    ``pairs``: index of the two arms of each comparison; ``runs``: of how many trainings each arm is the mean;
    ``others``: degrees of freedom that other patterns add to the pooled variance.
    """

    pairs: tuple[tuple[int, int], ...]
    runs: tuple[int, ...]
    others: int = 0
    uneven: float = UNEVEN
    prior: float = PRIOR


# over the seeds: Dunnett


def moderated(own: Any, pooled: Any, runs: Any, prior: float = PRIOR) -> Any:
    """A pattern's variance between training seeds: its own, with the pooled one standing in for ``prior`` more runs.

    (prior pooled + (n - 1) own) / (prior + n - 1), Smyth 2004 (Statistical applications in genetics 3, 3). Two seeds
    alone say little of how far a third would lie; the other patterns alone say nothing of an unsteady one.

    >>> moderated(9.0, 3.0, 2)
    5.0
    """
    weight = (runs - 1) / (prior + runs - 1)
    return pooled + weight * (own - pooled)


@lru_cache(maxsize=64)
def largest(family: Family) -> np.ndarray:
    """The largest |t| of the family where no arm differs, drawn DRAWS times, in order.

    t = (mean_b - mean_a) / sqrt(v_a / n_a + v_b / n_b) with moderated variances v. The bound that few of these
    exceed is Dunnett's (1955) where all pairs share an arm, Tukey's where all arms are compared, and what lies between
    (Hothorn, Bretz & Westfall 2008, single step), but for noise that is not the same in every arm.
    """
    rng = np.random.default_rng(SEED)
    means, sums, counts = [], [], np.array(family.runs)
    for count in counts:
        runs = rng.standard_normal((DRAWS, count)) * np.exp(family.uneven * rng.standard_normal((DRAWS, 1)))
        means.append(runs.mean(axis=1))
        sums.append(runs.var(axis=1) * count)
    squares = np.sum(sums, axis=0)
    for _ in range(family.others):
        squares += (rng.standard_normal(DRAWS) * np.exp(family.uneven * rng.standard_normal(DRAWS))) ** 2
    pooled = squares / ((counts - 1).sum() + family.others)
    errors = [
        moderated(own / (count - 1), pooled, count, family.prior) / count
        for own, count in zip(sums, counts, strict=True)
    ]
    found = np.zeros(DRAWS)
    for a, b in family.pairs:
        np.maximum(found, np.abs(means[b] - means[a]) / np.sqrt(errors[a] + errors[b]), out=found)
    return np.sort(found)


def chance(family: Family, t: float) -> float:
    """P(max |T| >= t): how often the largest of all differences is that large by training seeds alone."""
    return float(1 - np.searchsorted(largest(family), abs(t)) / DRAWS)


def critical(family: Family, level: float = LEVEL) -> float:
    """The |t| that the largest of all differences exceeds by chance in ``level`` of all sweeps."""
    return float(np.quantile(largest(family), 1 - level))


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


# a whole family


@dataclass(frozen=True)
class Compared:
    """A comparison of two patterns, as the family needs it. Arms are named by anything that can be hashed."""

    a: Any
    b: Any
    n_a: int  # trainings: two at least
    n_b: int
    variance_a: float  # between trainings
    variance_b: float
    diff: float
    prompt_variance: float  # of the mean over prompts: the variance of prompt means / prompts
    prompts: int

    def error(self, pooled: float) -> float:
        """Standard error of the difference by training seeds. ``pooled``: of all patterns' trainings."""
        a, b = moderated(self.variance_a, pooled, self.n_a), moderated(self.variance_b, pooled, self.n_b)
        return math.sqrt(a / self.n_a + b / self.n_b)


@dataclass(frozen=True)
class Standing:
    """What the whole family leaves of one comparison."""

    half: float  # half-width of the interval by training seeds that holds for all pairs together
    p: float  # adjusted for all pairs
    matters: bool  # more than training seeds make, on these prompts
    on_new: bool  # and on new prompts
    more_seeds: int | None  # on each side, to tell it; None where it is told, or needs over MOST_SEEDS


def family_of(compared: Sequence[Compared], df: int) -> Family:
    """The arms and pairs of some comparisons. A pattern with another number of runs is another arm."""
    arms: dict[tuple[Any, int], int] = {}
    pairs = tuple(
        (arms.setdefault((each.a, each.n_a), len(arms)), arms.setdefault((each.b, each.n_b), len(arms)))
        for each in compared
    )
    runs = tuple(n for _, n in arms)
    return Family(pairs, runs, max(df - sum(runs) + len(runs), 0))


def standings(compared: Sequence[Compared], sd: float, df: int) -> list[Standing]:
    """Every comparison judged as one of all. ``sd``: of one run between training seeds, pooled, with its ``df``."""
    if not compared:
        return []
    family = family_of(compared, df)
    bound, errors = critical(family), [each.error(sd**2) for each in compared]
    fresh = holm(
        [
            on_new_prompts(each.diff, error**2, df, each.prompt_variance, each.prompts)
            for each, error in zip(compared, errors, strict=True)
        ]
    )
    found = []
    for each, error, p_new in zip(compared, errors, fresh, strict=True):
        matters = abs(each.diff) > bound * error
        more = None if matters else seeds_needed(each, error, bound)
        p = chance(family, each.diff / error)
        found.append(Standing(bound * error, p, matters, bool(matters and p_new < LEVEL), more))
    return found


def seeds_needed(each: Compared, error: float, bound: float) -> int | None:
    """About how many trainings more of each side would tell a true difference of the size that was seen.

    The least n with sqrt((v_a + v_b) / n) (bound + z_.8) <= difference (Cohen 1988, ch. 2), where the variances come
    from the standard error, as if both sides had as many trainings as the smaller one. None: over MOST_SEEDS.
    """
    now = min(each.n_a, each.n_b)
    needed = now * (error * (bound + Z_OF_POWER) / max(abs(each.diff), 1e-12)) ** 2
    more = max(math.ceil(needed) - now, 1)
    return more if more <= MOST_SEEDS else None
