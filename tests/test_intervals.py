"""Intervals and the noise floor against values worked out by hand."""

import math

import pandas as pd
import pytest

from workbench.findings.intervals import t_interval, t_quantile
from workbench.findings.noise import Noise, noise_floor

# t and intervals


@pytest.mark.parametrize(("df", "table_value"), [(1, 12.706), (2, 4.303), (3, 3.182), (7, 2.365), (30, 2.042)])
def test_t_is_as_printed_in_tables(df, table_value):
    assert t_quantile(df) == pytest.approx(table_value, abs=5e-4)


def test_an_interval_is_mean_plus_minus_t_times_the_standard_error():
    mean, low, high = t_interval([1.0, 2.0, 3.0, 6.0])
    # mean 3, variance (4 + 1 + 0 + 9) / 3 = 14/3, standard error sqrt(14/12) = 1.0801, t(3) = 3.1824
    assert mean == 3 and high - mean == pytest.approx(3.4374, abs=1e-3)
    assert mean - low == pytest.approx(high - mean)


def test_one_value_has_no_interval_and_no_value_has_no_mean():
    assert t_interval([5.0])[0] == 5 and math.isnan(t_interval([5.0])[1])
    assert math.isnan(t_interval([])[0])


def test_equal_values_have_no_interval_since_they_do_not_show_how_far_another_can_lie():
    mean, low, high = t_interval([-0.1 - 0.2, -0.3, -0.3])  # equal but for rounding
    assert mean == pytest.approx(-0.3) and math.isnan(low) and math.isnan(high)
    assert not math.isnan(t_interval([-0.3, -0.3, -0.3001])[1])


# the noise floor


def last_rows(*rows):
    """Last checkpoints as (replicate, training seed, value, wrecked)."""
    return pd.DataFrame(
        [
            {
                "run_id": number,
                "pattern_id": replicate,
                "dataset_id": 1,
                "replicate": str(replicate),
                "train_seed": seed,
                "likeness": value,
                "wrecked": wrecked,
                "is_last": True,
                "is_base": False,
                "complete": True,
            }
            for number, (replicate, seed, value, wrecked) in enumerate(rows)
        ]
    )


def test_the_noise_floor_pools_variances_by_their_degrees_of_freedom():
    table = last_rows(
        (1, 1, 10.0, False),  # variance of 10, 12, 14 is 4 on 2 degrees of freedom
        (1, 2, 12.0, False),
        (1, 3, 14.0, False),
        (2, 1, 50.0, False),  # variance of 50, 56 is 18 on 1
        (2, 2, 56.0, False),
        (3, 1, 99.0, False),  # alone: says nothing
    )
    noise = noise_floor(table, "likeness")
    assert (noise.sd, noise.df, noise.n_patterns, noise.n_wrecked) == (
        pytest.approx(math.sqrt((2 * 4 + 18) / 3)),
        3,
        2,
        0,
    )


def test_wrecked_runs_stand_apart_from_the_noise_floor():
    rows = [(1, 1, 10.0, False), (1, 2, 12.0, False), (2, 1, 5.0, True), (2, 2, 80.0, True)]
    noise = noise_floor(last_rows(*rows), "likeness")
    assert (noise.sd, noise.df, noise.n_wrecked) == (pytest.approx(math.sqrt(2)), 1, 2)


def test_one_training_under_two_names_is_no_replicate_and_no_second_measurement():
    table = last_rows((1, 1, 10.0, False), (1, 2, 14.0, False), (1, 1, 10.0, False), (1, 2, 14.0, False))
    table["pattern_id"] = [1, 1, 2, 2]  # the same settings in force under two labels
    noise = noise_floor(table, "likeness")
    assert (noise.sd, noise.df, noise.n_patterns) == (pytest.approx(math.sqrt(8)), 1, 1)


def test_without_two_seeds_or_without_any_spread_there_is_no_noise_floor():
    assert noise_floor(last_rows((1, 1, 10.0, False), (2, 2, 12.0, False)), "likeness") is None
    assert noise_floor(last_rows((1, 1, 10.0, False), (1, 2, 10.0, False)), "likeness") is None


def test_the_noise_of_a_difference_grows_with_fewer_runs():
    noise = Noise(2.0, 3, 1, 0)
    assert noise.half_width(2, 2) == pytest.approx(3.1824 * 2.0, abs=1e-3)  # sqrt(1/2 + 1/2) = 1
    assert noise.half_width(1, 1) == pytest.approx(3.1824 * 2.0 * math.sqrt(2), abs=1e-3)
    assert noise.half_width(4) == pytest.approx(3.1824 * 2.0 / 2, abs=1e-3)
