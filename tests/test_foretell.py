"""What is foretold comes true."""

import numpy as np
import pytest
from filled import fill
from raters_drawn import UsualPace, World

from db import library
from workbench.rating.estimate import Mark, Picture, estimate
from workbench.rating.foretell import foretold, half_width, known_now, leading_of, preferred_at_least, words_now


@pytest.mark.parametrize("mode", ["deck", "sheet", "pair", "best_worst"])
def test_the_width_that_was_foretold_is_there_afterwards_within_a_quarter(mode):
    came = []
    for number in range(12):
        world = World(10, np.random.default_rng([7, number]), keys=False)
        proposal = next(each for each in world.proposals(8, UsualPace()) if each.mode == mode)
        shown = {world.by_id[preview].checkpoint for item in proposal.asked for preview in item}
        leading = leading_of(world.known(), shown)
        world.answer(proposal)
        found = world.known()
        came.append(half_width(found, found.covariance, leading) / proposal.foretold.afterwards)
    assert 0.75 <= np.mean(came) <= 1.25


def test_errors_of_differences_are_no_larger_than_was_foretold():
    share = []
    for number in range(20):
        world = World(10, np.random.default_rng([8, number]))
        proposal = next(each for each in world.proposals(10, UsualPace()) if each.mode == "deck")
        world.answer(proposal)
        means, pairs = world.known().means, np.triu_indices(10, 1)
        away = (means[:, None] - means) - (world.quality[:, None] - world.quality)
        share.append(np.mean(np.abs(away[pairs]) <= proposal.foretold.afterwards))
    assert 0.9 <= np.mean(share) <= 1


def test_a_second_sitting_says_what_is_known_now():
    world = World(10, np.random.default_rng(9))
    first = world.proposals(5, UsualPace())[0]
    assert first.foretold.now is None and "(now" not in first.foretold.words
    assert first.foretold.words.endswith("will show, if you waver as most people do.")  # no repeat has told yet
    world.answer(first)
    second = world.proposals(10, UsualPace())[0]
    assert second.foretold.now > second.foretold.afterwards
    assert f"(now it takes {second.foretold.now:.0f})" in second.foretold.words and "waver" not in second.foretold.words


def test_pairs_say_how_often_each_is_compared_and_which_preference_shows():
    world = World(4, np.random.default_rng(3))
    pair = next(each for each in world.proposals(10, UsualPace()) if each.mode == "pair")
    times = round(2 * len(pair.asked) / 4)
    assert f"Each of the 4 checkpoints will have been compared about {times} times" in pair.foretold.words
    assert f"preferred {preferred_at_least(times)} times out of {times} is more than chance" in pair.foretold.words


def test_a_preference_shows_from_where_the_sign_test_says_so():
    # two-sided, by Pascal's triangle: 10 of 10 and 9 of 10 are 22 / 1024 = 2 %, 8 of 10 is 112 / 1024 = 11 %
    assert preferred_at_least(10) == 9
    assert preferred_at_least(6) == 6 and preferred_at_least(5) is None and preferred_at_least(20) == 15


def test_of_a_lone_checkpoint_no_difference_is_foretold():
    found = estimate({1: 50.0}, [], [], [(0, 1)])
    told = foretold(found, found.covariance, [[1]], choosing=False)
    assert told.afterwards is None and "the one checkpoint" in told.words


def test_what_is_known_is_said_in_sentences(tmp_path):
    def after(*marks: float) -> str:
        said = [Mark((Picture(n, n, (0, 1)),), "me", (value,) * 9) for n, value in enumerate(marks)]
        return words_now(estimate({0: 50.0, 1: 50.0, 2: 50.0, 3: 50.0}, said, []))

    assert after() == "Nothing has been rated yet."
    assert after(50.0) == "One checkpoint has been rated. 3 checkpoints have not been rated yet."
    assert after(95.0, 10.0, 12.0, 5.0) == "One checkpoint is better than all 3 others that were rated."
    assert after(90.0, 91.0, 92.0, 5.0).startswith("3 checkpoints can't be told apart; the other one is worse. Between")
    assert after(90.0, 91.0, 5.0).endswith("would show. 1 checkpoint has not been rated yet.")
    made = fill(tmp_path)
    project = library.project(made.db, made.project_id)
    assert known_now(made.db, project, "me").startswith("2 checkpoints can't be told apart; the other 2 are worse.")
    assert known_now(made.db, project, "Mia") == "Nothing has been rated yet."
