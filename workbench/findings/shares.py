"""Intervals of shares: how sure "38 of 40 pictures show a face" is."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

CAUTION = "Wilson interval, 95 %: it takes pictures as independent; those of one prompt are not quite, so it is narrow."
Z = 1.959963984540054  # the normal distribution's 97.5th percentile


def wilson(share: "pd.Series", n: "pd.Series") -> "tuple[pd.Series, pd.Series]":
    """Ends of the 95 % Wilson interval of shares (0 to 1) of ``n`` pictures each; missing where n is 0.

    ``(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`` (Wilson 1927), as
    scipy.stats.binomtest(k, n).proportion_ci(method="wilson") gives it. CAUTION goes with it wherever it is shown.
    """
    n = n.where(n > 0).astype("float64")
    middle = share + Z**2 / (2 * n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return ((middle - half) / scale).clip(0, 1), ((middle + half) / scale).clip(0, 1)
