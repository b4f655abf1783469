"""Intervals by training seeds: by hand where they can be, against drawn sweeps where not."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from workbench.findings.family import PLAUSIBLE, PRIOR, alone, unevenness
from workbench.findings.noise import Noise

NAN = math.nan
ALIKE = (1.0, 0.0, 0.0, 0.0, 0.0)  # of family.UNEVENS: all patterns vary alike


def test_a_patterns_own_variance_counts_beside_that_of_all():
    noise = Noise(sd=2.0, df=10, n_patterns=10, n_wrecked=0)
    assert PRIOR == 1.0
    assert noise.variance(2, 16.0) == pytest.approx((4 + 16) / 2)
    assert noise.variance(1, NAN) == noise.variance(3, NAN) == 4.0
    assert noise.error([(2, 16.0), (4, 8.0)]) == pytest.approx(math.sqrt(10 / 2 + (4 + 3 * 8) / 4 / 4))


def test_the_interval_of_a_pattern_that_varies_much_is_wider():
    noise = Noise(sd=2.0, df=10, n_patterns=10, n_wrecked=0)
    k = alone((2, 2), 8)
    assert noise.half_width(2, 2, (16.0, 4.0)) == pytest.approx(k * math.sqrt(10 / 2 + 4 / 2))
    assert noise.half_width(2, variances=(16.0,)) == pytest.approx(alone((2,), 9) * math.sqrt(10 / 2))
    assert noise.half_width(4, 2, (1.0, 4.0)) == noise.half_width(2, 4, (4.0, 1.0))
    assert noise.half_width(2, 2) == pytest.approx(2.2281 * 2.0, abs=1e-3)  # without: as if all varied alike


def test_a_difference_of_differences_has_four_arms():
    noise = Noise(sd=2.0, df=10, n_patterns=10, n_wrecked=0)
    four = [(2, 4.0)] * 4
    assert noise.error(four) == pytest.approx(math.sqrt(4 * 4 / 2))
    assert noise.half_of(four) == pytest.approx(alone((2, 2, 2, 2), 6) * noise.error(four))


def test_one_sample_alone_has_students_interval():
    # runs of one pattern only, so that its own variance is the pooled one: t(3)
    assert alone((4,), 0, ALIKE) == pytest.approx(student.ppf(0.975, 3), rel=0.03)


def test_many_others_that_vary_alike_leave_a_single_training_a_normal_interval():
    assert alone((1,), 30, ALIKE) == pytest.approx(2.04, abs=0.05)  # t(30) = 2.042


@pytest.mark.parametrize("runs", [(1,), (2,), (2, 2), (2, 3), (2, 2, 2, 2)])
def test_intervals_hold_in_new_draws_of_uneven_patterns(runs):
    rng, sweeps, patterns = np.random.default_rng(1), 2000, 8
    counts = (*runs, *(2,) * (patterns - len(runs)))
    sums, errors = [], []
    for n in counts:
        values = rng.standard_normal((sweeps, n)) * np.exp(0.6 * rng.standard_normal((sweeps, 1)))
        errors.append(values.mean(axis=1))
        sums.append(((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    df = sum(counts) - patterns
    pooled = np.sum(sums, axis=0) / df
    signs = (1, -1, -1, 1)[: len(runs)]
    held = 0
    for sweep in range(sweeps):
        noise = Noise(math.sqrt(pooled[sweep]), df, patterns, 0, (0.0, 0.0, 1.0, 0.0, 0.0))
        own = [(n, sums[arm][sweep] / (n - 1) if n > 1 else NAN) for arm, n in enumerate(runs)]
        held += abs(sum(s * errors[arm][sweep] for arm, s in enumerate(signs))) <= noise.half_of(own)
    assert 0.935 <= held / sweeps <= 0.965


def test_how_uneven_patterns_are_is_seen_where_many_were_trained_often():
    rng = np.random.default_rng(2)
    for true, place in ((0.0, 0), (0.6, 2), (1.2, 4)):
        own = np.exp(2 * true * rng.standard_normal(60)) * rng.chisquare(9, 60) / 9
        assert unevenness(own, np.full(60, 10))[0].argmax() == place
    # nothing measured, or nothing that moves: what was plausible before
    assert unevenness([0.0, math.nan], np.array([2, 1]))[0] == pytest.approx(PLAUSIBLE)
