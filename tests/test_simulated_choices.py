"""Simulated raters choose as told, and the intervals of their orders hold the truth."""

import math

import numpy as np
import pytest

from workbench.people.bradley_terry import PROMPT_SPREADS, ranking
from workbench.people.simulated_choices import World, choose, drawn_strengths, measure, needed, simulate


def test_simulated_pairs_are_decided_as_davidson_says():
    # a gap of log 4 and nu = 1: 4 : 1 : 2 of 7
    world = World((math.log(4), 0.0), prompts_sd=0.0, ties=1.0, repeats=0.0)
    table = choose(world, 4000, np.random.default_rng(1))
    won = ((table["winner"] == 0) & ~table["tied"]).mean()
    assert (won, table["tied"].mean()) == pytest.approx((4 / 7, 2 / 7), abs=0.025)
    assert table["both_bad"].sum() / table["tied"].sum() == pytest.approx(world.bad, abs=0.05)


def test_the_best_of_a_simulated_grid_is_drawn_in_proportion_to_its_strength():
    world = World((math.log(2), 0.0, 0.0), prompts_sd=0.0, repeats=0.0, pictures=3)
    table = choose(world, 3000, np.random.default_rng(1))
    wins = table.groupby(["item_id", "winner"]).size()
    best = wins[wins == 2].reset_index()["winner"]  # beats both others
    assert (best == 0).mean() == pytest.approx(2 / 4, abs=0.03) and len(best) == 3000


def test_a_side_that_is_liked_wins_more():
    table = choose(World((0.0, 0.0), side=1.0, ties=0.0), 1000, np.random.default_rng(2))
    assert (table["side"] == "left").mean() == pytest.approx(1 / (1 + math.exp(-1)), abs=0.05)


def test_repeats_from_memory_say_the_same_again():
    table = choose(World((0.0, 0.0), repeats=0.5, remembered=1.0), 100, np.random.default_rng(3))
    again = table[table["is_repeat"]]
    first = table.set_index("item_id").loc[again["first_item"]]
    assert len(again) == 50
    assert again[["winner", "tied"]].to_numpy().tolist() == first[["winner", "tied"]].to_numpy().tolist()


def test_intervals_hold_the_truth_where_naive_ones_do_not():
    world = drawn_strengths(1.0, prompts_sd=1.0)
    here = measure(world, 400, 12, np.random.default_rng(5))
    naive = measure(world, 400, 12, np.random.default_rng(5), PROMPT_SPREADS[:1])
    assert here["strengths"] > 0.88 and here["ranks"] > 0.95
    assert naive["strengths"] < 0.8


def test_equal_checkpoints_are_seldom_said_to_differ():
    found = measure(drawn_strengths(0.0), 60, 15, np.random.default_rng(6))
    assert found["wrong"] <= 0.05 and found["ranks"] > 0.95


def test_a_large_difference_is_found_and_has_the_right_sign():
    rng = np.random.default_rng(7)
    found = ranking(choose(World((2.0, 0.0, -2.0), prompts=8), 150, rng))
    assert found.chance(0, 2).better is True and found.table["checkpoint_id"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("share", "answers"), [(0.6, 194), (0.7, 47), (0.8, 20)])
def test_answers_needed_are_those_of_the_test_of_a_proportion(share, answers):
    # (1.96 / 2 + .8416 sqrt(p q))^2 / (p - .5)^2, e.g. (.98 + .8416 x .4899)^2 / .01 = 193.8
    assert needed(share) == answers
    assert needed(share, ties=0.5) in (2 * answers, 2 * answers - 1)


def test_all_figures_for_the_page_are_there():
    figures = simulate(repetitions=1, seed=3)
    assert [row["answers"] for row in figures["equal"]] == [20, 50, 150, 500]
    assert {row["method"] for row in figures["coverage"]} == {"with prompts", "naive"}
    assert len(figures["other"]) == 7 and [row["share"] for row in figures["needed"]] == [0.6, 0.7, 0.8]


def test_the_same_seed_gives_the_same_figures():
    one, again = (measure(drawn_strengths(1.0), 30, 2, np.random.default_rng(8)) for _ in range(2))
    assert one == again
