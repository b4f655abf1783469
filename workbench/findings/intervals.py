"""Student's t intervals of means, and whether one excludes zero."""

import math
from collections.abc import Iterable, Sequence

CONFIDENCE = 0.95
TINY = 1e-9  # below this a spread is rounding


def t_quantile(df: float) -> float:
    """Two-sided 95 % quantile of Student's t."""
    from scipy.special import stdtrit  # scipy.stats would take ten times as long to import

    return float(stdtrit(df, 0.5 + CONFIDENCE / 2))


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval, mean +- t(n - 1) x sd / sqrt(n).

    No interval below two values, nor where all are equal: a width of zero would claim that another prompt
    can't differ, which no number of equal ones shows.
    """
    if not values:
        return math.nan, math.nan, math.nan
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    if math.sqrt(variance) < TINY:
        return mean, math.nan, math.nan
    half = t_quantile(len(values) - 1) * math.sqrt(variance / len(values))
    return mean, mean - half, mean + half


def told_apart(gaps: Iterable[float]) -> bool:
    """Whether the differences in several prompts say that there is one: their 95 % interval excludes 0.

    One prompt's says nothing; one and the same difference in each of several prompts does.
    """
    each = [float(gap) for gap in gaps]
    mean, low, high = t_interval(each)
    if math.isnan(low):
        return len(each) > 1 and abs(mean) > TINY
    return not low <= 0 <= high
