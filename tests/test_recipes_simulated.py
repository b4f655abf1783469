"""Simulated people: intervals over people hold, and "better than the default" is hardly ever said falsely."""

from types import SimpleNamespace

import numpy as np
import pytest

from workbench.recipes.pooled import LEVEL, pool
from workbench.recipes.simulated import World, coverage, falsely_better
from workbench.recipes.words import family

WORLDS = {
    "some people are noisier": World(),
    "all alike": World(uneven=0.0),
    "no true spread between people": World(between=0.0),
    "one training seed": World(seeds=1),
}


@pytest.mark.parametrize("people", range(2, 11))
@pytest.mark.parametrize("name", WORLDS)
def test_nominal_95_percent_holds_for_two_to_ten_people(name, people):
    assert 0.93 <= coverage(WORLDS[name], people, draws=6000) <= 0.975


@pytest.mark.parametrize("challengers", [1, 3, 6])
@pytest.mark.parametrize("name", WORLDS)
def test_a_false_better_is_said_in_5_percent_at_most_though_one_looks_after_every_person(name, challengers):
    assert falsely_better(WORLDS[name], 10, challengers, draws=8000) <= 0.05


def test_without_the_stricter_level_looking_again_would_make_it_more():
    assert falsely_better(World(), 10, 3, draws=8000, level=0.05) > 0.07


def test_the_promise_is_for_people_who_differ_about_normally_and_the_page_says_so():
    rng = np.random.default_rng(3)
    rare_harm = np.where(rng.random((4000, 10)) < 0.1, -9.0, 1.0) + 0.5 * rng.standard_normal((4000, 10))
    heavy = rng.standard_t(3, (4000, 10))

    def said(every):
        looks = [[pool(row[:people]) for people in range(2, 11)] for row in every[:400]]
        return np.mean([any(one.p < LEVEL and one.mean > 0 for one in each) for each in looks])

    assert said(heavy) <= 0.05 < 0.4 < said(rare_harm)
    assert "only if people differ from each other about normally" in family([SimpleNamespace(compared=1)])
