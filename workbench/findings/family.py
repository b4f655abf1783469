"""Many comparisons at once: how large a difference must be before any one of a whole family is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from workbench.findings.intervals import CONFIDENCE, TINY

LEVEL = 0.03  # the chance that a family without any difference yields a claim: 5 % are promised, and this is no proof
Z_OF_POWER = 0.8416  # "so many more seeds" would find the difference that was seen in 80 % of cases
MOST_SEEDS = 20  # more than that on each side is no advice
DRAWS = 20_000  # of the largest difference: the chance of LEVEL is known to +-.003 (95 %)
MOST_OTHERS = 30  # degrees of freedom of other patterns: more change no bound that can be seen
SEED = 8  # the same family is always judged alike
HALVINGS = 40
LOGS = np.linspace(-30, 12, 1000)  # of a variance, less that of the typical one
TYPICAL = np.linspace(-1.5, 3.5, 26)  # log of the typical variance, less the mean log of the measured ones

# Some patterns vary more between training seeds than others: in the demo's 31 patterns that move, with 2 to 5 seeds
# each, the log of that sd has an sd of .85 (.60-1.22). How uneven a sweep is follows from its own variances as far as
# these tell; two seeds tell little, so before they are seen each of UNEVENS is as likely as PLAUSIBLE says.
UNEVENS = (0.0, 0.3, 0.6, 0.9, 1.2)
PLAUSIBLE = (0.1, 0.1, 0.3, 0.3, 0.2)
UNEVEN = 0.6  # where nothing else is said
# degrees of freedom that the pooled variance has in each pattern's own: trigamma(d / 2) = 4 x .85^2 gives 1.4, 4 x
# 1.22^2 gives .9 (Smyth 2004)
PRIOR = 1.0


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
    6.0
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
    means, errors = drawn(family)
    found = np.zeros(DRAWS)
    for a, b in family.pairs:
        np.maximum(found, np.abs(means[b] - means[a]) / np.sqrt(errors[a] + errors[b]), out=found)
    return np.sort(found)


def drawn(family: Family) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Per arm its mean and the square of that mean's standard error, DRAWS times, where no arm differs."""
    rng = np.random.default_rng(SEED)
    means, sums, counts = [], [], np.array(family.runs)
    for count in counts:
        runs = rng.standard_normal((DRAWS, count)) * np.exp(family.uneven * rng.standard_normal((DRAWS, 1)))
        means.append(runs.mean(axis=1))
        sums.append(runs.var(axis=1) * count)
    squares, others = np.sum(sums, axis=0), min(family.others, MOST_OTHERS)
    for _ in range(others):
        squares += (rng.standard_normal(DRAWS) * np.exp(family.uneven * rng.standard_normal(DRAWS))) ** 2
    pooled = squares / max((counts - 1).sum() + others, 1)
    errors = [
        moderated(own / max(count - 1, 1), pooled, count, family.prior) / count
        for own, count in zip(sums, counts, strict=True)
    ]
    return means, errors


@lru_cache(maxsize=512)
def of_one(runs: tuple[int, ...], others: int, uneven: float = UNEVEN) -> np.ndarray:
    """|t| of one comparison of arms that don't differ, drawn DRAWS times, in order.

    Of one arm: of its mean; of two: of their difference; of four: of the difference of two differences. Drawn as
    :func:`largest` is, since moderated variances of arms that vary unevenly follow no t distribution. ``runs``: of how
    many trainings each arm is the mean; ``others``: degrees of freedom of all other patterns.
    """
    means, errors = drawn(Family((), runs, others, uneven))
    # which arms are subtracted changes nothing
    return np.sort(np.abs(np.sum(means, axis=0)) / np.sqrt(np.sum(errors, axis=0)))


def alone(runs: tuple[int, ...], others: int, uneven: Any = PLAUSIBLE) -> Any:
    """How many standard errors the 95 % interval of one comparison has to each side. See :func:`of_one`.

    ``uneven``: how likely each of UNEVENS is, a tuple (then it is reckoned once) or an array of many.
    """
    return alone_for(runs, others, uneven) if isinstance(uneven, tuple) else alone_of(runs, others, uneven)


def alone_of(runs: tuple[int, ...], others: int, uneven: Any) -> Any:
    return exceeded(tuple(of_one(runs, others, each) for each in UNEVENS), uneven, 1 - CONFIDENCE)


alone_for = lru_cache(maxsize=1024)(alone_of)  # pages ask the same of every pair, each time they are drawn


def chance_alone(runs: tuple[int, ...], others: int, t: Any, uneven: Any = PLAUSIBLE) -> Any:
    """P(|T| >= t) of one comparison, two-sided. See :func:`of_one`."""
    return share_above(tuple(of_one(runs, others, each) for each in UNEVENS), uneven, t)


def chance(family: Family, t: Any, uneven: Any = None) -> Any:
    """P(max |T| >= t): how often the largest of all differences is that large by training seeds alone.

    ``uneven``: how likely each of UNEVENS is, None: as the family says.
    """
    return share_above(*of_family(family, uneven), t)


def critical(family: Family, level: float = LEVEL, uneven: Any = None) -> Any:
    """The |t| that the largest of all differences exceeds by chance in ``level`` of all sweeps."""
    return exceeded(*of_family(family, uneven), level)


def of_family(family: Family, uneven: Any) -> tuple[tuple[np.ndarray, ...], Any]:
    if uneven is None:
        return (largest(family),), (1.0,)
    return tuple(largest(replace(family, uneven=each)) for each in UNEVENS), uneven


def share_above(samples: tuple[np.ndarray, ...], weights: Any, t: Any) -> Any:
    """The share of a mixture of sorted samples at or above ``t``. ``weights``: of each sample, along the last axis."""
    shares = np.stack([1 - np.searchsorted(each, np.abs(t)) / len(each) for each in samples], axis=-1)
    found = (shares * np.asarray(weights)).sum(axis=-1)
    return found if np.ndim(found) else float(found)


def exceeded(samples: tuple[np.ndarray, ...], weights: Any, level: float) -> Any:
    """What a share of ``level`` of a mixture of sorted samples lies above: by halving, for many weights at once."""
    weights = np.asarray(weights, dtype="float64")
    low = np.zeros(weights.shape[:-1])
    high = np.full(weights.shape[:-1], max(each[-1] for each in samples))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = share_above(samples, weights, middle) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high if high.ndim else float(high)


# how unevenly patterns vary


@lru_cache(maxsize=256)
def likelihood(df: int, uneven: float) -> np.ndarray:
    """Log likelihood of a variance with ``df``, over LOGS: its log, less that of what is typical of all patterns.

    A pattern's own log sd lies about the typical one with sd ``uneven`` (15 Gauss-Hermite nodes), its sample variance
    about its own as a chi-square / df does.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    apart = LOGS[:, None] - 2 * uneven * nodes
    each = np.exp(df / 2 * (apart - np.exp(np.minimum(apart, 20.0)))) @ (weights / weights.sum())
    return np.log(np.maximum(each, 1e-200))


def unevenness(variances: Any, runs: Any) -> np.ndarray:
    """How likely each of UNEVENS is, from patterns' variances between seeds: (sweeps, patterns) to (sweeps, 5).

    By Bayes' rule from PLAUSIBLE, the typical variance being anything. A pattern with one run, or one whose runs are
    all equal, tells nothing.
    """
    variances, runs = np.atleast_2d(variances), np.asarray(runs)
    told = (runs > 1) & (np.nan_to_num(variances) > TINY**2)
    logs = np.log(np.where(told, variances, 1.0))
    middle = np.where(told, logs, 0.0).sum(axis=-1, keepdims=True) / np.maximum(told.sum(axis=-1, keepdims=True), 1)
    apart = np.where(told, logs - middle, 0.0)[..., None] - TYPICAL  # (sweep, pattern, typical)
    fit = np.zeros((*variances.shape[:-1], len(UNEVENS)))
    for number, uneven in enumerate(UNEVENS):
        total = np.zeros((*variances.shape[:-1], len(TYPICAL)))
        for pattern, count in enumerate(np.broadcast_to(runs, variances.shape[-1:])):
            if count > 1:
                own = np.interp(apart[..., pattern, :], LOGS, likelihood(int(count) - 1, uneven))
                total += np.where(told[..., pattern, None], own, 0.0)
        peak = total.max(axis=-1, keepdims=True)
        fit[..., number] = peak[..., 0] + np.log(np.exp(total - peak).mean(axis=-1))
    found = np.array(PLAUSIBLE) * np.exp(fit - fit.max(axis=-1, keepdims=True))
    return found / found.sum(axis=-1, keepdims=True)


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


def standings(compared: Sequence[Compared], sd: float, df: int, uneven: Any = PLAUSIBLE) -> list[Standing]:
    """Every comparison judged as one of all. ``sd``: of one run between training seeds, pooled, with its ``df``.

    ``uneven``: how likely each of UNEVENS is, see :func:`unevenness`.
    """
    if not compared:
        return []
    family = family_of(compared, df)
    bound, errors = critical(family, LEVEL, uneven), [each.error(sd**2) for each in compared]
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
        p = chance(family, each.diff / error, uneven)
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
