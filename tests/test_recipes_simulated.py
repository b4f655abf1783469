"""Simulated people: intervals over people hold, and "better than the default" is hardly ever said falsely."""

import pytest

from workbench.recipes.simulated import World, coverage, falsely_better

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
