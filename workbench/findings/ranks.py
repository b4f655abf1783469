"""Do two ways to judge put pictures into the same order?"""

import pandas as pd


def rank_correlation(a: pd.Series, b: pd.Series) -> float:
    """Spearman's rho: Pearson's correlation of the ranks, ties sharing their mean rank."""
    return float(a.rank().corr(b.rank())) if len(a) > 2 else float("nan")
