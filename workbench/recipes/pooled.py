"""A difference measured in several people: mean, interval, and what may be said of people who are still to come."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.findings.family import Z_OF_POWER, holm
from workbench.findings.intervals import t_interval, t_quantile

LEVEL = 0.016  # two-sided: looked at again after every person up to ten, "better" is falsely said in under 5 %
LEAST_CHANCE = 0.05  # below that chance of being better on average a challenge is not worth its hours
MOST_PEOPLE = 50  # more than that is no advice


@dataclass(frozen=True)
class Pooled:
    """The mean difference challenger - default over people. NaN = not known, which is so of all but ``mean`` with one.

    ``low`` to ``high``: 95 % t interval of the mean over people like these, df = people - 1. ``next_low`` to
    ``next_high``: where the difference of one more person will lie (95 % prediction interval). ``by_seeds``: what
    training seeds make of the interval's half-width. ``p``: two-sided, of this comparison alone. ``chance``: that the
    challenger is better on average.
    """

    people: int
    mean: float
    low: float
    high: float
    next_low: float
    next_high: float
    by_seeds: float
    p: float
    chance: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    @property
    def has_interval(self) -> bool:
        return not math.isnan(self.low)


def pool(differences: Sequence[float], seed_errors: Sequence[float] = ()) -> Pooled:
    """Each person's difference counts once and alike: mean +- t(n - 1) x sd / sqrt(n).

    People are the replicates, so the spread between them holds everything that differs from one to the next: how much
    the settings do for that person, training seeds, prompts. Nothing else is needed for an interval that holds, however
    unsure each person's own is (simulated: tests/test_recipes_simulated.py). ``seed_errors``: standard error of each
    difference by training seeds, NaN = not known.
    """
    n = len(differences)
    mean, low, high = t_interval(list(differences))
    if math.isnan(low):
        return Pooled(n, mean, *([math.nan] * 7))
    half = high - mean
    error = half / t_quantile(n - 1)
    further = half * math.sqrt(n + 1)  # t sd sqrt(1 + 1 / n)
    seeds = math.sqrt(sum(each**2 for each in seed_errors)) / n if len(seed_errors) == n else math.nan
    below = t_below(-abs(mean) / error, n - 1)
    return Pooled(
        n,
        mean,
        low,
        high,
        mean - further,
        mean + further,
        t_quantile(n - 1) * seeds,
        2 * below,
        t_below(mean / error, n - 1),
    )


def t_below(t: float, df: int) -> float:
    """P(T <= t) of Student's t."""
    from scipy.special import stdtr

    return float(stdtr(df, t))


def adjusted(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p of all comparisons with one default; those without a p (NaN) are not among them."""
    known = [index for index, each in enumerate(p) if not math.isnan(each)]
    found = [math.nan] * len(p)
    for index, value in zip(known, holm([p[index] for index in known]) if known else (), strict=True):
        found[index] = float(value)
    return found


def more_people(pooled: Pooled, compared: int) -> int | None:
    """About how many more people would tell a true difference of the size that was seen, in 80 % of cases.

    The least n with (t(n - 1) + z_.8) x sd / sqrt(n) <= difference (Cohen 1988, ch. 2), t at LEVEL / ``compared``: the
    first step of Holm's method. None: over MOST_PEOPLE, or nothing to reckon with.
    """
    if not pooled.has_interval:
        return None
    sd = pooled.half / t_quantile(pooled.people - 1) * math.sqrt(pooled.people)
    for more in range(1, MOST_PEOPLE + 1):
        n = pooled.people + more
        if (t_above(LEVEL / max(compared, 1), n - 1) + Z_OF_POWER) * sd / math.sqrt(n) <= abs(pooled.mean):
            return more
    return None


def t_above(level: float, df: int) -> float:
    """The |t| that is exceeded with probability ``level``."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 1 - level / 2))


def alike(pooled: Pooled, matters: float | None) -> bool:
    """Whether the whole interval lies within +- a difference that matters: nothing worth having is left to find.

    A 95 % interval inside the bounds is more than two one-sided tests at 5 % ask for (Schuirmann 1987).
    """
    return matters is not None and pooled.has_interval and -matters <= pooled.low and pooled.high <= matters
