"""The order of a sitting: shuffled, sides at random, repeats with a gap, warm-ups first."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from workbench.rating.layout import GAP, lay_out, n_repeats


def asked(n, pictures=1):
    return [tuple(range(pictures * place, pictures * (place + 1))) for place in range(n)]


def part(items, name):
    return [item for item in items if item["part"] == name]


@pytest.mark.parametrize(("n", "repeats"), [(0, 0), (8, 4), (29, 14), (30, 15), (200, 15), (400, 30), (1000, 75)])
def test_a_share_of_the_items_is_repeated(n, repeats):
    assert n_repeats(n) == repeats


def test_repeats_of_earlier_sittings_count_towards_the_fifteen():
    assert [n_repeats(40, had) for had in (0, 5, 10, 15, 99)] == [15, 10, 5, 3, 3]


def test_everything_is_asked_once_and_so_many_times_again():
    items = lay_out("deck", asked(60), 15, [], Random(1))
    firsts, repeats = part(items, "first"), part(items, "repeat")
    assert sorted(item["previews"][0] for item in firsts) == list(range(60))
    assert len(repeats) == 15 == len({item["repeats"] for item in repeats})
    assert all(items[item["repeats"]]["part"] == "first" for item in repeats)
    assert all(items[item["repeats"]]["previews"] == item["previews"] for item in repeats)


def test_the_order_is_shuffled_and_another_one_each_time():
    orders = [[item["previews"][0] for item in lay_out("deck", asked(60), 0, [], Random(seed))] for seed in (1, 2)]
    assert orders[0] != orders[1] and list(range(60)) not in orders
    # as a pattern's pictures come together when asked, ten by ten, they don't when shuffled (48 changes are expected)
    assert sum(a // 10 != b // 10 for a, b in pairwise(orders[0])) > 35


@pytest.mark.parametrize("seed", range(20))
def test_a_repeat_comes_after_a_gap_and_repeats_lie_evenly(seed):
    items = lay_out("deck", asked(60), 15, [(100,), (101,)], Random(seed))
    places = [place for place, item in enumerate(items) if item["part"] == "repeat"]
    assert all(place - items[place]["repeats"] > GAP for place in places)
    assert places[0] < 15 and places[-1] > 60 and max(b - a for a, b in pairwise(places)) <= 8


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", range(15))
def test_a_small_sitting_keeps_the_gap_and_has_as_many_repeats_as_fit(n, seed):
    items = lay_out("deck", asked(n), n // 2, [], Random(seed))
    assert len(part(items, "first")) == n
    repeats = [(place, item["repeats"]) for place, item in enumerate(items) if item["part"] == "repeat"]
    assert all(place - first > GAP for place, first in repeats)
    assert len(repeats) == (n // 2 if n > GAP else 0)


def test_warm_ups_come_first_and_are_never_repeated():
    items = lay_out("deck", asked(30), 15, [(100,), (101,), (102,)], Random(3))
    assert [item["part"] for item in items[:4]] == ["warm_up"] * 3 + ["first"]
    assert {item["previews"][0] for item in items[:3]} == {100, 101, 102}
    assert all(item["repeats"] > 2 for item in part(items, "repeat"))


def test_each_picture_of_a_pair_stands_left_as_often_as_right():
    lefts = Counter(
        item["previews"][0] % 2 for seed in range(50) for item in lay_out("pair", asked(20, 2), 0, [], Random(seed))
    )
    assert 440 < lefts[0] < 560  # of 1,000; four standard deviations are 63


def test_a_repeated_pair_stands_the_other_way_round():
    items = lay_out("pair", asked(40, 2), 15, [], Random(4))
    repeats = part(items, "repeat")
    assert len(repeats) == 15
    assert all(item["previews"] == items[item["repeats"]]["previews"][::-1] for item in repeats)


@pytest.mark.parametrize(("mode", "pictures"), [("sheet", 8), ("best_worst", 6), ("best_worst", 2)])
def test_a_repeated_row_or_grid_shows_its_pictures_in_another_order(mode, pictures):
    items = lay_out(mode, asked(30, pictures), 15, [], Random(5))
    assert len(part(items, "repeat")) == 15
    for item in part(items, "repeat"):
        before = items[item["repeats"]]["previews"]
        assert item["previews"] != before and sorted(item["previews"]) == sorted(before)
