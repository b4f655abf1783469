"""Cells of a metric: means over runs, the photos that count, and seeds that agree, by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from test_contrast import changed

from workbench.findings.shared_cells import NOTHING, Cells, Side, cells_of, side

BOTH = Side(np.array([0, 1]), np.array([50.0, 52.0]), wrecked=False)


def cells(*runs, runs_on=None):
    """Two runs with these values in each cell; missing: a picture without a value; None: no picture."""
    values = [np.array([math.nan if value is None else value for value in run]) for run in runs]
    there = [~np.isnan(own) for own in values]
    return Cells(
        "likeness",
        {},
        runs_on or {},
        prompts=np.zeros(len(runs[0]), dtype=int),
        texts={},
        sums=np.array([np.where(has, own, 0.0) for own, has in zip(values, there, strict=True)]),
        counts=np.array(there, dtype=float),
        sizes=np.array([[value is not None for value in run] for run in runs], dtype=float),
        lowest=np.array([np.where(has, own, np.inf) for own, has in zip(values, there, strict=True)]),
        highest=np.array([np.where(has, own, -np.inf) for own, has in zip(values, there, strict=True)]),
    )


def test_a_cell_s_mean_is_over_the_runs_that_have_a_value():
    assert cells([10.0, 40.0, math.nan], [20.0, math.nan, math.nan]).means(BOTH).tolist() == pytest.approx(
        [15.0, 40.0, math.nan], nan_ok=True
    )


def test_the_newest_photos_that_both_were_trained_on_count():
    old, new, newest = (Side(np.array([place]), np.array([]), wrecked=False) for place in (3, 4, 5))
    found = cells([1.0], [1.0], runs_on={1: {10: old, 11: new, 12: newest}, 2: {10: new, 11: newest}, 3: {12: old}})
    assert found.sides(1, 2) == (new, newest)
    assert found.sides(2, 3) == found.sides(1, 9) == (NOTHING, NOTHING)


def test_seeds_agree_only_where_every_cell_has_two_values_and_all_are_equal():
    assert cells([10.0, 20.0], [10.0, 20.0]).seeds_agree(BOTH)
    assert cells([10.0, None], [10.0, None]).seeds_agree(BOTH)  # neither has that picture
    assert not cells([10.0, 20.0], [10.0, 20.5]).seeds_agree(BOTH)
    assert not cells([10.0, 20.0], [10.0, math.nan]).seeds_agree(BOTH)
    assert not cells([10.0, 20.0], [10.0, math.nan]).seeds_agree(Side(np.array([0]), np.array([50.0]), wrecked=False))
    assert not cells([None, None], [None, None]).seeds_agree(BOTH)


def test_a_run_counts_once_and_only_with_its_own_previews():
    own = pd.DataFrame({"checkpoint_id": [5, 5, 6, None], "likeness": [50.0, 50.0, 56.0, None], "wrecked": False})
    found = side(own, "likeness", {4: 0, 5: 1})  # none was rendered of 6
    assert found.places.tolist() == [1] and found.values.tolist() == [50.0, 50.0, 56.0]
    assert found.variance == pytest.approx(12.0)  # 4 + 4 + 16 on 2 degrees of freedom
    assert math.isnan(side(own[:1], "likeness", {5: 0}).variance)


def test_previews_beside_the_main_strength_are_no_cells(read):
    def apart(previews, _):
        previews.loc[previews["seed"] == 102, "is_main"] = False

    whole, half = cells_of(read, "likeness"), cells_of(changed(read, apart), "likeness")
    assert (len(whole.prompts), len(half.prompts)) == (6, 3)
