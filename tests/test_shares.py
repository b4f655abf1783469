"""Intervals of shares against values from elsewhere."""

import pandas as pd
import pytest
from scipy.stats import binomtest

from workbench.findings.shares import wilson


def ends(k, n):
    low, high = wilson(pd.Series([k / n if n else float("nan")]), pd.Series([n]))
    return low[0], high[0]


def test_38_of_40_pictures_with_a_face():
    # by hand: (0.95 + 0.0480 -+ 1.96 sqrt(0.95 * 0.05 / 40 + 0.0006)) / 1.0960
    assert ends(38, 40) == pytest.approx((0.835, 0.986), abs=5e-4)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 40), (40, 40), (38, 40), (1, 3), (500, 999)])
def test_the_interval_is_scipy_s(k, n):
    right = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert ends(k, n) == pytest.approx((right.low, right.high), abs=1e-12)


def test_no_picture_gives_no_interval():
    assert pd.isna(ends(0, 0)[0]) and pd.isna(ends(0, 0)[1])
