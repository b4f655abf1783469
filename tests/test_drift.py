"""Whether marks rise or fall within a sitting: by hand, and on simulated raters whose drift is known."""

import doctest

import numpy as np
import pandas as pd
import pytest
from filled import fill, rate

from db import library, results
from workbench.people import drift
from workbench.people.drift import PER, Slope, drift_of, pooled
from workbench.people.drift import drift as drift_in
from workbench.people.simulated import Rater, World, marked


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(drift).failed == 0


def table(rows):
    """Marks of (first, value, position), all of one checkpoint and prompt."""
    given = pd.DataFrame(rows, columns=["first", "value", "position"])
    return given.assign(session="s", checkpoint_id=1, prompt=0)


def test_a_line_without_scatter_is_found_exactly():
    found = drift_of(table([(n, 40 + 0.2 * n, n) for n in range(12)]))
    assert found.slope == pytest.approx(0.2 * PER) and found.found
    assert "Your marks rise in the course of a sitting, by about 10 points per 50 answers" in found.words


def test_the_slope_among_pictures_is_that_of_least_squares():
    values = np.array([50.0, 52, 47, 55, 53, 58, 51, 60, 57, 62, 59, 61])
    found = drift_of(table(list(zip(range(12), values, range(12), strict=True))))
    x, y = np.arange(12) - 5.5, values - values.mean()
    slope = x @ y / (x @ x)
    se = np.sqrt(((y - slope * x) ** 2).sum() / 10 / (x @ x))
    assert found.slope == pytest.approx(PER * slope)
    assert found.high - found.slope == pytest.approx(PER * 2.2281 * se, rel=1e-4)  # t with 10 degrees of freedom


def test_better_checkpoints_that_come_later_are_no_drift():
    rng = np.random.default_rng(4)
    good = [position >= 20 for position in range(40)]
    given = table([(n, 30 + 40 * good[n] + rng.normal(0, 2), n) for n in range(40)])
    assert drift_of(given).found
    assert not drift_of(given.assign(checkpoint_id=[1 + each for each in good])).found
    assert not drift_of(given.assign(prompt=[int(each) for each in good])).found


def test_repeats_alone_tell_a_drift_where_every_checkpoint_is_marked_once():
    rng = np.random.default_rng(0)
    truth = rng.uniform(10, 70, 12)
    rows = [(n, truth[n], n) for n in range(12)] + [(n, truth[n] + 6 + rng.normal(0, 1), 12 + n) for n in range(12)]
    given = table(rows).assign(checkpoint_id=[row[0] for row in rows])
    found = drift_of(given)
    assert (found.repeats, found.df) == (12, 11)
    assert found.slope == pytest.approx(6 / 12 * PER, rel=0.1) and found.found


def test_two_slopes_are_weighed_by_their_certainty():
    value, se, df = pooled([Slope(1.0, 1.0, 10), Slope(4.0, 2.0, 10)])
    assert value == pytest.approx(0.8 * 1 + 0.2 * 4)  # weights 1 and 1/4
    assert se == pytest.approx(np.sqrt((1 + 4 * (0.16 / 10 + 0.16 / 10)) / 1.25))
    assert df == pytest.approx(1 / (0.64 / 10 + 0.04 / 10))


def test_too_few_marks_say_nothing():
    assert drift_of(table([(n, 50.0 + n, n) for n in range(5)])) is None
    assert drift_of(table([])) is None
    assert drift_of(table([(n, 50.0, n) for n in range(40)])) is None  # one mark for everything: no certainty


def test_a_drift_of_less_than_a_point_is_no_rise():
    rng = np.random.default_rng(2)
    found = drift_of(table([(n, 50 + 0.005 * n + rng.normal(0, 0.1), n) for n in range(100)]))
    assert found.found and found.words == "Your marks drift by less than 1 point per 50 answers."


@pytest.mark.parametrize(("slope", "least", "most"), [(0.0, 0.0, 0.09), (12.0, 0.85, 1.0)])
def test_a_drift_is_found_and_none_where_there_is_none(slope, least, most):
    rng = np.random.default_rng(11)
    found = [drift_of(marked(Rater(drift=slope), World().pictures(rng), 15, rng)) for _ in range(150)]
    assert least <= np.mean([each.found for each in found]) <= most  # measured: 5 % and 96 % (docs/validity.md)
    assert np.mean([each.slope for each in found]) == pytest.approx(slope, abs=0.8)
    assert 0.91 <= np.mean([each.low <= slope <= each.high for each in found]) <= 0.985


def test_a_sitting_in_the_database_is_judged_by_itself_or_with_all(tmp_path):
    filled = fill(tmp_path, rated=False)
    project = library.project(filled.db, filled.project_id)
    rng = np.random.default_rng(2)
    rows = [row for row in results.previews(filled.db, project["id"], project["plan_id"]) if row["run_id"]]
    for position, row in enumerate(rows[n] for n in rng.permutation(len(rows))[:40]):  # shuffled over checkpoints
        rate(filled, row["id"], "anna", position, likeness=float(20 + position + rng.normal(0, 1)))
    found = drift_in(filled.db, project, "anna")
    assert found.found and found.marks == 40
    assert drift_in(filled.db, project, "anna", session="filled") == found
    assert drift_in(filled.db, project, "anna", session="another") is None
    assert drift_in(filled.db, project, "anna", axis="quality") is None
