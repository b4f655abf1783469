"""How steady a rater is: the figures by hand, recovered from simulated raters, and through real sittings."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest
from filled import fill, rate

from db import library, results
from workbench.people import shares, steadiness
from workbench.people.marks import pairs_of_marks
from workbench.people.simulated import Rater, World, compared, sit
from workbench.people.steadiness import FEWEST, chosen, of_choices, of_marks, repeated
from workbench.people.steadiness import steadiness as steadiness_of
from workbench.people.validity import two_marks, within
from workbench.rating.choose import Proposal
from workbench.rating.foretell import Foretold
from workbench.rating.layout import n_repeats


def test_of_marks_that_jump_over_the_whole_scale_no_difference_means_anything():
    jumping = repeated("deck", "likeness", np.array([0.0, 100] * 4), np.array([100.0, 0] * 4))
    (_, said) = of_marks([jumping])
    assert said.startswith("No difference between two pictures can mean anything then; means over 10")


@pytest.mark.parametrize("module", [steadiness, shares])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_the_figures_of_repeats_by_hand():
    found = repeated("single", "likeness", np.array([50.0, 60, 70, 80]), np.array([54.0, 57, 70, 85]))
    assert found.mean_gap == 3  # 4, -3, 0, 5
    assert found.within == pytest.approx(math.sqrt((16 + 9 + 0 + 25) / 4 / 2))  # 2.5
    assert found.least == pytest.approx(1.96 * math.sqrt(2) * 2.5, abs=0.01)
    assert found.of_means(4) == pytest.approx(found.least / 2)
    # chi-square with 4 degrees of freedom: .4844 and 11.1433; t with 3: 3.1824; sd of the differences 3.6968
    assert (found.low, found.high) == pytest.approx(
        (2.5 * math.sqrt(4 / 11.1433), 2.5 * math.sqrt(4 / 0.4844)), rel=1e-3
    )
    assert found.shift == 1.5 and found.shift_high - found.shift == pytest.approx(3.1824 * 3.6968 / 2, rel=1e-3)


def test_the_answers_between_are_known_within_one_sitting_only():
    about = {"rater": "me", "mode": "deck", "axis": "likeness"}
    rows = [
        {**about, "session": "a", "first": 1, "is_repeat": False, "position": 2, "value": 50.0},
        {**about, "session": "a", "first": 2, "is_repeat": False, "position": 3, "value": 60.0},
        {**about, "session": "a", "first": 1, "is_repeat": True, "position": 9, "value": 55.0},
        {**about, "session": "b", "first": 2, "is_repeat": True, "position": 4, "value": 62.5},
    ]
    pairs = pairs_of_marks(pd.DataFrame(rows))
    assert pairs[["first", "again"]].values.tolist() == [[50, 55], [60, 62.5]]
    assert pairs["gap"].iloc[0] == 7 and math.isnan(pairs["gap"].iloc[1])


def test_one_key_apart_is_counted_and_not_taken_as_normal():
    first = np.full(15, 50.0)
    found = repeated("deck", "likeness", first, first)
    assert found.within == 0 and found.low == 0
    assert found.high == pytest.approx(12.5 * math.sqrt(0.2039 / 2), rel=0.01)  # Wilson of 0 of 15: 0 to 20.4 %
    assert "All 15 repeats got the same mark again" in of_marks([found])[0]


@pytest.mark.parametrize(("rater", "n"), [(Rater(noise=8), 5), (Rater(noise=8), 15), (Rater(noise=4, keys=True), 15)])
def test_the_interval_holds_the_true_sd_as_often_as_it_says(rater, n):
    rng = np.random.default_rng(n)
    true = within(rater, 100_000, rng)
    found = [repeated("deck", "likeness", *two_marks(rater, n, rng)) for _ in range(500)]
    assert 0.93 <= np.mean([each.low <= true <= each.high for each in found]) <= 0.985
    assert abs(np.mean([each.shift for each in found])) < 0.5
    assert np.mean([each.within**2 for each in found]) == pytest.approx(true**2, rel=0.07)


def a_choice(item, said, previews, first=None):
    chosen_one = {"left": previews[0], "right": previews[1]}.get(said)
    about = {"item_id": item, "first_item": first or item, "mode": "pair", "previews": previews}
    return {**about, "preview_id": chosen_one, "said": said, "is_repeat": int(first is not None)}


def test_repeats_of_pairs_by_hand():
    said = [
        a_choice(1, "left", [10, 20]),
        a_choice(2, "same", [11, 21]),
        a_choice(3, "left", [12, 22]),
        a_choice(4, "right", [13, 23]),
        a_choice(5, "right", [20, 10], first=1),  # 10 again
        a_choice(6, "same", [21, 11], first=2),
        a_choice(7, "left", [22, 12], first=3),  # the other picture, on the same side
    ]
    found = chosen("pair", said)
    assert (found.same.k, found.same.n) == (2, 3)
    assert (found.same_side.k, found.same_side.n) == (1, 2)
    assert (found.sides.k, found.sides.n, found.side_p) == (2, 3, 1.0)  # first answers that chose: left, left, right


def test_the_best_and_the_worst_of_a_grid_are_two_choices():
    def grid(item, best, worst, first=None):
        about = {"item_id": item, "first_item": first or item, "mode": "best_worst", "previews": [1, 2, 3, 4]}
        repeat = int(first is not None)
        return [{**about, "preview_id": each, "said": word, "is_repeat": repeat}
                for each, word in ((best, "best"), (worst, "worst"))]  # fmt: skip

    found = chosen("best_worst", [*grid(1, 1, 4), *grid(2, 1, 3, first=1)])
    assert (found.same.k, found.same.n, found.by_chance) == (1, 2, 0.25)
    assert found.same_side is None and found.sides is None


def test_nothing_is_said_of_pairs_that_were_never_chosen_between():
    assert chosen("pair", [a_choice(1, "bad", [1, 2])]) is None


def test_who_goes_by_the_side_hears_it_and_who_looks_does_not():
    rng = np.random.default_rng(3)
    pictures = World().pictures(rng)
    blind = chosen("pair", compared(Rater(side=60), pictures, 60, 15, rng))
    assert "you chose the same side again" in " ".join(of_choices([blind]))
    looks = chosen("pair", compared(Rater(noise=4), pictures, 60, 15, rng))
    assert "side" not in " ".join(of_choices([looks])) and looks.same.share > 0.6


def test_repeats_from_before_there_were_sittings_count(tmp_path):
    filled = fill(tmp_path)
    project = library.project(filled.db, filled.project_id)
    found = steadiness_of(filled.db, project, "me")
    only = found.of("likeness")
    assert (only.n, only.mean_gap) == (1, 4)  # the filled workspace repeats one picture, 4 marks apart
    assert found.words == f"1 picture came twice: from {FEWEST} on it can be said how steady your marks are."
    assert steadiness_of(filled.db, project, "nobody") is None


def test_a_steady_rater_hears_how_far_marks_must_lie_apart(tmp_path):
    filled = fill(tmp_path, rated=False)
    previews = [row["id"] for row in results.previews(filled.db, filled.project_id, filled.plan_id)][:10]
    for position, preview in enumerate(previews):
        rate(filled, preview, "anna", position, likeness=50.0)
        rate(filled, preview, "anna", 10 + position, is_repeat=1, likeness=50.0 + 6 * (-1) ** position)
    words = steadiness_of(filled.db, library.project(filled.db, filled.project_id), "anna").words
    assert words.startswith("Your two marks of the same picture lie 6 points apart on average (10 repeats).")
    assert "has to differ by 12 points to mean something" in words  # 1.96 x 6
    assert "means over 10 pictures by about 4" in words


@pytest.mark.parametrize("mode", ["deck", "sheet", "pair", "best_worst"])
def test_what_a_simulated_rater_says_in_a_real_sitting_comes_back(tmp_path, mode):
    filled = fill(tmp_path, rated=False)
    project = library.project(filled.db, filled.project_id)
    rows = [row for row in results.previews(filled.db, project["id"], project["plan_id"]) if row["run_id"]]
    rng = np.random.default_rng(5)
    truth = {
        row["id"]: float(rng.uniform(20, 80)) for row in results.previews(filled.db, project["id"], project["plan_id"])
    }
    ids = [row["id"] for row in rows]
    size = {"deck": 1, "sheet": 4, "pair": 2, "best_worst": 4}[mode]
    asked = tuple(tuple(ids[at : at + size]) for at in range(0, len(ids) - size, size))[:40]
    proposal = Proposal(mode, asked, n_repeats(len(asked)), 20.0, "", Foretold(None, None, ""))
    sit(filled.db, project, "anna", Rater(noise=0.0, tie=0.0), proposal, truth, rng)
    found = steadiness_of(filled.db, project, "anna")
    if mode in ("deck", "sheet"):
        each = found.of("likeness", mode)
        assert each.n >= 5 and each.within == 0  # without noise the second mark is the first
    else:
        (each,) = found.choices
        assert each.mode == mode and each.same.n >= 5 and each.same.share == 1
    assert isinstance(found.words, str) and pd.notna(found.words) and found.words
