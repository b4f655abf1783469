"""Chances to be the best, and values with the luck taken off: by symmetry, by hand where all is known, and seeded."""

import math

import numpy as np
import pytest

from workbench.findings.chances import D0, TYPICAL, beliefs, chance_best, shrunk
from workbench.findings.noise import Noise

NOISE = Noise(sd=3.0, df=10, n_patterns=10, n_wrecked=0)


def test_equal_patterns_have_equal_chances():
    found = chance_best(NOISE, [50.0] * 4, [9.0] * 4, [2] * 4)
    assert found.sum() == pytest.approx(1.0)
    assert found == pytest.approx(np.full(4, 0.25), abs=0.04)


def test_one_far_ahead_is_surely_the_best_and_lower_can_be_better():
    means = [90.0, 50.0, 52.0]
    assert chance_best(NOISE, means, [9.0] * 3, [3] * 3)[0] > 0.97
    assert chance_best(NOISE, means, [9.0] * 3, [3] * 3, higher=False)[0] < 0.01


def test_with_hardly_any_noise_every_pattern_keeps_its_value():
    still = Noise(sd=0.01, df=9, n_patterns=3, n_wrecked=0)
    for (value, low, high), mean in zip(
        shrunk(still, [40.0, 50.0, 60.0], [1e-4] * 3, [4] * 3), (40, 50, 60), strict=True
    ):
        assert value == pytest.approx(mean, abs=0.05) and high - low < 0.1


def test_the_leader_is_drawn_toward_the_others_and_the_unsure_most():
    found = beliefs(NOISE, [56.0, 56.0, 50.0, 49.0, 51.0], [1.0, 100.0, 9.0, 9.0, 9.0], [2] * 5)
    assert 50 < found.value[1] < found.value[0] < 56
    assert (found.low < found.value).all() and (found.value < found.high).all()


def test_a_single_training_is_believed_by_the_spread_of_the_others():
    found = beliefs(NOISE, [50.0, 56.0, 44.0], [9.0, math.nan, 9.0], [2, 1, 2])
    assert np.isfinite(found.value).all() and found.high[1] - found.low[1] > found.high[0] - found.low[0]


def test_the_same_figures_give_the_same_chances():
    one, again = (beliefs(NOISE, [50.0, 53.0], [9.0, 4.0], [2, 3]) for _ in range(2))
    assert one.chance_best.tolist() == again.chance_best.tolist() and one.low.tolist() == again.low.tolist()


# by hand: patterns so far apart that none is drawn toward another


FAR = [0.0, 150.0, 300.0, 450.0]


def half_widths(noise, variances, ns):
    found = beliefs(noise, FAR, variances, ns)
    assert found.value == pytest.approx(np.array(FAR), abs=2.0)
    return (found.high - found.low) / 2


@pytest.mark.parametrize(("runs", "variance"), [(2, 9.0), (4, 9.0), (4, 36.0)])
def test_far_from_the_others_an_interval_is_smyths_moderated_t(runs, variance):
    """What is typical is all but known from 100,000 degrees of freedom: t(D0 + n - 1) x sqrt(variance / n)."""
    from scipy.stats import t as student

    noise = Noise(sd=6.0, df=100_000, n_patterns=1000, n_wrecked=0)
    moderated = (D0 * TYPICAL * 36 + (runs - 1) * variance) / (D0 + runs - 1)
    half = student.ppf(0.975, D0 + runs - 1) * math.sqrt(moderated / runs)
    assert half_widths(noise, [variance] * 4, [runs] * 4).mean() == pytest.approx(half, rel=0.07)


def test_degrees_of_freedom_that_the_patterns_have_themselves_count_once():
    """With none besides, how patterns vary is their own affair, whatever the sd says: 4 of 2 runs have all 4."""
    quiet, loud = (Noise(sd=sd, df=4, n_patterns=4, n_wrecked=0) for sd in (1.0, 4.0))
    own, other = (half_widths(noise, [1.0] * 4, [2] * 4).mean() for noise in (quiet, loud))
    assert other == pytest.approx(own, rel=0.2)  # twice as wide where they counted twice


def test_two_patterns_are_drawn_together_as_the_integral_over_their_spread_says():
    """Twenty runs each, so that the error of a mean is known; the spread is summed over a fine grid."""
    noise, runs, gap = Noise(sd=2.0, df=100_000, n_patterns=1000, n_wrecked=0), 20, 1.0
    moderated = (D0 * TYPICAL * 4 + (runs - 1) * 4.0) / (D0 + runs - 1)
    error = moderated / runs
    spread = np.geomspace(0.03, 100, 2000) * noise.sd
    total = spread**2 + error
    prior = spread / (1 + (spread / noise.sd) ** 2)  # half-Cauchy, per step of log
    weight = prior / np.sqrt(total) * np.exp(-(gap**2) / (4 * total))  # the common mean integrated out
    share = (weight * spread**2 / total).sum() / weight.sum()
    found = beliefs(noise, [50.0, 50.0 + gap], [4.0, 4.0], [runs, runs])
    assert (found.value[1] - found.value[0]) / gap == pytest.approx(share, abs=0.05)


def test_two_equal_patterns_have_the_interval_that_the_integral_over_their_spread_says():
    """As above with no gap: given the spread, a true value is normal about the common mean of both."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    noise, runs = Noise(sd=2.0, df=100_000, n_patterns=1000, n_wrecked=0), 20
    error = (D0 * TYPICAL * 4 + (runs - 1) * 4.0) / (D0 + runs - 1) / runs
    spread = np.geomspace(0.03, 100, 2000) * noise.sd
    total = spread**2 + error
    weight = spread / (1 + (spread / noise.sd) ** 2) / np.sqrt(total)
    share = spread**2 / total
    sd = np.sqrt(share * error + (1 - share) ** 2 * total / 2)
    half = brentq(lambda end: (weight * (2 * norm.cdf(end / sd) - 1)).sum() / weight.sum() - 0.95, 0.01, 100)
    found = beliefs(noise, [50.0, 50.0], [4.0, 4.0], [runs, runs])
    assert ((found.high - found.low) / 2).mean() == pytest.approx(half, rel=0.07)
