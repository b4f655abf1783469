"""k of n answers, with its interval and in words."""

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from workbench.findings.shares import wilson


@dataclass(frozen=True)
class Share:
    """k of n with Wilson's 95 % interval; all nan where n is 0."""

    k: int
    n: int
    share: float
    low: float
    high: float

    @property
    def words(self) -> str:
        return f"{self.k} of {self.n} ({100 * self.low:.0f}-{100 * self.high:.0f} %)"


@lru_cache
def share_of(k: int, n: int) -> Share:
    """The share with its interval.

    >>> share_of(38, 40).words
    '38 of 40 (83-99 %)'
    """
    share = k / n if n else float("nan")
    low, high = wilson(pd.Series([share]), pd.Series([n]))
    return Share(k, n, share, float(low[0]), float(high[0]))


@lru_cache
def two_sided(k: int, n: int) -> float:
    """Exact chance of a split at least as uneven as k of n, were both equally likely.

    >>> two_sided(2, 10)
    0.109375
    """
    from scipy.stats import binomtest

    return float(binomtest(k, n).pvalue)
