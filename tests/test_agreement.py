"""Krippendorff's alpha against published values and the truth, and two raters of one project held together."""

import doctest

import numpy as np
import pandas as pd
import pytest
from filled import fill, rate

from db import library, results
from workbench.people import validity
from workbench.people.agreement import FEWEST, agreement, agreement_of, decisions_of, verdict
from workbench.people.alpha import alpha, with_interval
from workbench.people.validity import true_alpha

NO = np.nan
# Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, example D: four observers, twelve units
FOUR = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
        [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
    ]
)
# The example of three coders and fifteen units in Wikipedia's article on the measure
THREE = np.array(
    [
        [NO, NO, NO, NO, NO, 3, 4, 1, 2, 1, 1, 3, 3, NO, 3],
        [1, NO, 2, 1, 3, 3, 4, 3, NO, NO, NO, NO, NO, NO, NO],
        [NO, NO, 2, 1, 3, 4, 4, NO, 2, 1, 1, 3, 3, NO, 4],
    ]
)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(validity).failed == 0


@pytest.mark.parametrize(
    ("marks", "level", "published"),
    [
        (FOUR, "nominal", 0.743),
        (FOUR, "ordinal", 0.815),
        (FOUR, "interval", 0.849),
        (THREE, "nominal", 0.691),
        (THREE, "interval", 0.811),
    ],
)
def test_alpha_is_as_published(marks, level, published):
    assert round(alpha(marks, level), 3) == published


def test_alpha_by_hand():
    marks = np.array([[10.0, 20, 30], [12.0, 20, 26]])
    observed = (2 * (2**2 + 0 + 4**2)) / 6  # ordered pairs within a unit, m - 1 = 1
    every = marks.ravel()
    expected = ((every[:, None] - every[None, :]) ** 2).sum() / (6 * 5)
    assert alpha(marks) == pytest.approx(1 - observed / expected)
    assert np.isnan(alpha(np.full((2, 4), 50.0)))  # no difference to be reliable about
    assert np.isnan(alpha(np.array([[1.0, NO], [NO, 2.0]])))  # nothing in common


def test_the_order_alone_counts_on_the_ordinal_scale():
    first = np.array([10.0, 20, 30, 40, 50, 60])
    stretched = np.array([first, first**2 / 36])  # the same order, other distances
    mixed = np.array([first, first**2 / 36 + 5])
    assert alpha(stretched, "ordinal") == pytest.approx(alpha(np.exp(stretched / 50), "ordinal"))
    assert alpha(mixed, "ordinal") != pytest.approx(alpha(mixed, "interval"))


def test_raters_who_always_agree_have_no_interval():
    found = with_interval(np.array([[10.0, 50, 90], [10.0, 50, 90]]))
    assert found.value == 1 and np.isnan(found.low) and found.units == 3


@pytest.mark.parametrize(("noise", "offset"), [(8.0, 0.0), (4.0, 12.0)])
def test_alpha_recovers_the_true_share_and_its_interval_holds_it(noise, offset):
    rng = np.random.default_rng(4)
    true, found = true_alpha(12.0, noise, offset), []
    for _ in range(300):
        truth = rng.normal(50, 12, 40)
        found.append(with_interval(np.array([truth + bias + rng.normal(0, noise, 40) for bias in (0.0, offset)])))
    assert np.mean([each.value for each in found]) == pytest.approx(true, abs=0.03)
    assert 0.91 <= np.mean([each.low <= true <= each.high for each in found]) <= 0.985


def test_what_may_be_concluded_has_krippendorffs_limits():
    assert "aren't to be trusted" in verdict(0.66)
    assert "tentative" in verdict(0.667) and "tentative" in verdict(0.799)
    assert verdict(0.8).startswith("reliable")


def test_who_uses_the_scale_differently_but_in_one_order_hears_that():
    truth = np.linspace(5, 60, 30)
    table = pd.DataFrame([truth, truth + 35], index=["anna", "ben"])
    found = agreement_of(table, {})
    (pair,) = found.pairs
    assert (pair.both, pair.rho, pair.apart) == (30, pytest.approx(1), pytest.approx(35))
    assert "aren't to be trusted" in found.words


def test_decisions_on_the_same_pairs_are_held_together():
    asked = [(n, n + 100, "chosen") for n in range(20)]
    mine = {each: each[0] for each in asked}
    theirs = {each: each[n % 4 == 0] for n, each in enumerate(asked)} | {(500, 501, "chosen"): 500}
    found = agreement_of(pd.DataFrame(), {"anna": mine, "ben": theirs})
    (pair,) = found.pairs
    assert (pair.same.k, pair.same.n, pair.both) == (15, 20, 0)
    assert "anna and ben decided the same in 15 of 20" in found.words


def test_the_first_decision_on_a_pair_counts_and_a_grid_has_two():
    pair = {"rater": "anna", "previews": [4, 2], "said": "left", "preview_id": 4}
    again = {"rater": "anna", "previews": [2, 4], "said": "same", "preview_id": None}
    grid = {"rater": "anna", "previews": [7, 6, 5]}
    said = [pair, again, {**grid, "said": "best", "preview_id": 6}, {**grid, "said": "worst", "preview_id": 7}]
    assert decisions_of(said) == {"anna": {(2, 4, "chosen"): 4, (5, 6, 7, "chosen"): 6, (5, 6, 7, "worst"): 7}}


def test_two_raters_of_one_project(tmp_path):
    filled = fill(tmp_path, rated=False)
    project = library.project(filled.db, filled.project_id)
    assert agreement(filled.db, project) is None
    ids = [row["id"] for row in results.previews(filled.db, project["id"], project["plan_id"]) if row["run_id"]][:20]
    rng = np.random.default_rng(1)
    for position, preview in enumerate(ids):
        truth = rng.uniform(20, 80)
        for rater in ("anna", "ben"):
            rate(filled, preview, rater, position, likeness=float(np.round(truth + rng.normal(0, 4))))
    found = agreement(filled.db, project)
    assert found.interval.units == 20 >= FEWEST and found.interval.value > 0.8
    assert found.words.startswith("Krippendorff's alpha of the marks is 0.9")
    few = agreement_of(pd.DataFrame([[1.0, 2, 3], [1.0, 2, 4]], index=["anna", "ben"]), {})
    assert few.words == f"3 pictures were marked by more than one rater: {FEWEST} are needed to say how far they agree."
