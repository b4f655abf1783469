"""Chances to be the best, and values with the luck taken off: by symmetry, by hand where all is known, and seeded."""

import math

import numpy as np
import pytest

from workbench.findings.chances import beliefs, chance_best, shrunk
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
