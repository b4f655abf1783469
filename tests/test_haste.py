"""Signs of answers given without looking: each is seen, and raters who look hear of none."""

import doctest

import numpy as np
import pandas as pd
import pytest
from filled import fill, rate
from raters_drawn import World as Asked

from db import library, results
from workbench.people import haste
from workbench.people.haste import (
    chance_of_run,
    notices,
    of_answers,
    one_side,
    only_leading,
    repeats_agree,
    same_mark,
    too_short,
)
from workbench.people.marks import COLUMNS
from workbench.people.simulated import Rater, World, compared
from workbench.people.validity import ALIKE, HONEST, told
from workbench.rating.standing import leads


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(haste).failed == 0


def marks(values, axis="likeness", seconds=3.0):
    """A deck of these marks in this order."""
    n = len(values)
    about = {"id": range(n), "position": range(n), "value": np.asarray(values, float), "unit": range(n)}
    about |= {"rater": "anna", "session": "s", "mode": "single", "axis": axis, "is_repeat": False}
    return pd.DataFrame(about | {"first": range(n), "seconds": seconds, "checkpoint_id": 1, "prompt": 0})[COLUMNS]


def said(given):
    return of_answers(given, pd.DataFrame())


VARIED = list(np.random.default_rng(0).permutation(np.arange(20.0, 80.0, 2.0)))


def test_answers_faster_than_a_look_are_noticed_and_a_slip_is_not():
    assert said(marks(VARIED)) == []
    (words,) = said(marks(VARIED, seconds=[0.4] * 10 + [3.0] * 20))
    assert words.startswith("One picture, three sliders: 10 of 30 answers came within 0.7 s (median 3.0 s)")
    assert said(marks(VARIED, seconds=[0.4] * 6 + [3.0] * 24)) == []  # a fifth
    assert too_short("sheet", pd.Series([1.0] * 20)) and not too_short("deck", pd.Series([1.0] * 20))


def test_an_answer_with_several_marks_or_a_best_and_a_worst_is_one():
    few = [marks(VARIED[:18], axis, [0.4] * 9 + [3.0] * 9) for axis in ("likeness", "prompt")]
    assert said(pd.concat(few)) == []  # 18 answers: too few to say so
    grid = {"mode": "best_worst", "session": "s", "is_repeat": False, "shown_at": 0.0, "answered_at": 0.3}
    events = [{**grid, "position": n, "said": word} for n in range(18) for word in ("best", "worst")]
    assert of_answers(marks([]), pd.DataFrame(events)) == []


def test_one_mark_for_nearly_everything_is_noticed():
    (words,) = said(marks([75.0] * 26 + VARIED[:4]))
    assert words.startswith("One picture, three sliders: 26 of 30 marks are 75.")
    (words,) = said(marks([60.0, 61, 62] * 10))
    assert words.startswith("One picture, three sliders: all 30 marks lie close together, 60 to 62.")


def test_only_the_ends_of_the_scale_are_noticed():
    (words,) = said(marks([0.0, 100, 100, 0, 100] * 6))
    assert words.startswith("One picture, three sliders: 30 of 30 marks are 0 or 100.")


def test_a_long_run_is_noticed_when_chance_does_not_explain_it():
    (words,) = said(marks([*VARIED, *[51.0] * 10, *VARIED]))
    assert words.startswith("One picture, three sliders: 10 answers in a row were the same mark (51)")
    assert said(marks([*VARIED, *[51.0] * 7, *VARIED])) == []


def test_the_chance_of_a_run_is_never_less_than_it_is():
    assert chance_of_run([1] * 5 + [2] * 5, 5) == pytest.approx(6 * 2 / 252)  # places x kinds / arrangements
    rng = np.random.default_rng(0)
    answers = [1] * 30 + [2] * 30
    true = np.mean([haste.longest_run(list(rng.permutation(answers)))[0] >= 9 for _ in range(2000)])
    assert true <= chance_of_run(answers, 9) < 3 * true


def test_always_one_side_is_noticed():
    assert one_side(["left"] * 25 + ["right"] * 2 + ["same"] * 9).startswith("In 25 of 27 pairs you chose the left one")
    assert one_side(["left"] * 18 + ["right"] * 9) == ""
    rng = np.random.default_rng(0)
    blind = compared(Rater(side=80), World().pictures(rng), 60, 15, rng)
    assert any("chose the left one" in words for words in of_answers(marks(VARIED), pd.DataFrame(blind)))


def test_quality_that_only_repeats_likeness_is_noticed():
    (words,) = said(pd.concat([marks(VARIED), marks(VARIED, "quality")]))
    assert words.startswith("Quality has the same mark as likeness in 30 of 30 answers.")
    assert said(pd.concat([marks(VARIED), marks(VARIED[::-1], "quality")])) == []


def test_few_answers_say_nothing():
    assert said(marks([50.0] * 19, seconds=0.1)) == []
    assert said(marks([])) == []


def test_raters_who_look_hardly_ever_hear_anything():
    rng = np.random.default_rng(8)
    heard = [bool(told(rater, World(), True, rng)) for rater in HONEST.values() for _ in range(20)]
    heard += [bool(told(HONEST[name], ALIKE, True, rng)) for name in ("slider", "keys") for _ in range(20)]
    assert len(heard) == 140 and np.mean(heard) < 0.02


def rows_of_leading_ones(number, careless=False):
    """(marks of a sitting of rows, asked of those that a deck before had left open; what was known before it).

    14 of 20 checkpoints are about as good, the others are far off.
    """
    world = Asked(20, np.random.default_rng([9, number]), spread=0.0, own=3.0, noise=2.5)
    moved = np.where(np.arange(20) < 14, world.draw.normal(7, 1.5, 20), -30.0)
    world.deserves = {key: value + moved[world.by_id[key].checkpoint] for key, value in world.deserves.items()}
    world.prior = {checkpoint: 50.0 + moved[checkpoint] / 2 for checkpoint in world.prior}
    world.answer_items("deck", [(row["id"],) for row in world.rows if row["stage"] == 0], 15)
    before = world.known()
    open_ones = [each for each, may in zip(before.ids, leads(before), strict=True) if may]
    places = [(each, stage) for stage in (1, 2) for each in open_ones]
    rows = [[one for one in world.pictures if (one.checkpoint, one.cell[1]) == place] for place in places]
    pictures = [*rows, *rows[:15]]  # some of it twice
    values = [75.0 if careless else world.mark(each) for each in pictures]
    n = len(pictures)
    about = {"id": range(n), "position": range(n), "value": values, "unit": 0}
    about |= {"checkpoint_id": [row[0].checkpoint for row in pictures], "seconds": 4.0, "prompt": -1}
    about |= {"first": [*range(len(rows)), *range(n - len(rows))], "is_repeat": [at >= len(rows) for at in range(n)]}
    about |= {"rater": "me", "session": "s", "mode": "sheet", "axis": "likeness"}
    return pd.DataFrame(about)[COLUMNS], before


def test_equal_marks_of_leading_checkpoints_whose_repeats_agree_are_believed():
    plain, told = 0, 0
    for number in range(60):
        given, before = rows_of_leading_ones(number)
        plain += bool(same_mark(given["value"].to_numpy()))
        told += bool(of_answers(given, pd.DataFrame(), lambda marks, before=before: asked_of(marks, before)))
    print(plain, told)
    assert plain > 10 and told < 2  # the case is there, and careful raters hear nothing


def asked_of(marks, before):
    return only_leading(before, set(marks["checkpoint_id"]))


def test_equal_marks_are_noticed_where_nothing_says_that_pictures_are_alike():
    given, before = rows_of_leading_ones(0, careless=True)
    assert of_answers(given, pd.DataFrame(), lambda marks: asked_of(marks, before)) == []
    (words,) = of_answers(given, pd.DataFrame())  # of a first sitting
    assert words.startswith(f"A row at a time: {len(given)} of {len(given)} marks are 75.")
    everything = {*before.ids}
    assert not only_leading(before, everything)  # those that had been ruled out are asked about as well
    again = given["is_repeat"] & (given["first"] < 4)
    apart = given.assign(value=given["value"].where(~again, 25.0))
    assert repeats_agree(given) and not repeats_agree(apart) and not repeats_agree(given[~given["is_repeat"]])
    (words,) = of_answers(apart, pd.DataFrame(), lambda marks: asked_of(marks, before))
    assert words.startswith("A row at a time:")


def test_notices_are_of_one_sitting_or_of_all(tmp_path):
    filled = fill(tmp_path, rated=False)
    project = library.project(filled.db, filled.project_id)
    ids = [row["id"] for row in results.previews(filled.db, project["id"], project["plan_id"]) if row["run_id"]]
    for position, preview in enumerate(ids[:30]):
        rate(filled, preview, "anna", position, likeness=100.0)
    (words,) = notices(filled.db, project, "anna")
    assert words.startswith("One picture, three sliders: 30 of 30 marks are 100.")
    assert notices(filled.db, project, "anna", session="filled") == [words]
    assert notices(filled.db, project, "anna", session="another") == notices(filled.db, project, "ben") == []
