"""Which way a change is told: all pairs of a setting point alike, whatever came of them."""

from workbench.findings.orientation import MANY, directed, references, shown_first
from workbench.sweep.patterns import Contrast


def pair(setting, value_a, value_b, a=1, b=2):
    return Contrast(setting, a, b, value_a, value_b)


def told(pairs, **baseline):
    return [(each.value_a, each.value_b, each.a) for each in directed(pairs, baseline)]


def test_numbers_go_from_the_smaller_to_the_larger_and_the_patterns_turn_with_them():
    assert told([pair("alpha", 16.0, 1.0), pair("alpha", 1.0, 4.0)]) == [(1.0, 16.0, 2), (1.0, 4.0, 1)]


def test_yes_comes_after_no_and_something_after_nothing():
    assert told([pair("dora", True, False)]) == [(False, True, 2)]
    assert told([pair("conv_dim", 8, None), pair("conv_dim", 4, 8)]) == [(None, 8, 2), (4, 8, 1)]


def test_names_go_from_the_value_that_most_pairs_share_to_the_other():
    pairs = [pair("optimizer", "lion", "adamw"), pair("optimizer", "adamw", "adam"), pair("optimizer", "sgd", "adamw")]
    assert references(pairs, {"optimizer": "lion"}) == {"optimizer": "adamw"}
    assert told(pairs) == [("adamw", "lion", 2), ("adamw", "adam", 1), ("adamw", "sgd", 2)]


def test_where_several_are_shared_alike_the_baseline_s_is_the_reference():
    pairs = [pair("captions", "left_out", "as_written")]
    assert told(pairs, captions="as_written") == [("as_written", "left_out", 2)]
    assert told(pairs, captions="another") == [("left_out", "as_written", 1)]
    assert told(pairs) == [("left_out", "as_written", 1)]


def test_two_that_are_both_not_the_reference_go_one_way_in_every_pair():
    pairs = [pair("optimizer", *two) for two in (("a", "b"), ("a", "c"), ("c", "b"), ("b", "c"))]
    assert {two[:2] for two in told(pairs)[2:]} == {("b", "c")}


def test_of_many_values_only_pairs_with_the_reference_are_shown_first():
    star = [pair("optimizer", "adamw", other) for other in ("lion", "sgd", "adam")]
    across = [
        pair("optimizer", "lion", "sgd"),
        pair("alpha", 4.0, 16.0),
        pair("alpha", 1.0, 4.0),
        pair("alpha", 1.0, 16.0),
    ]
    assert MANY == 4
    assert shown_first([*star, *across], {}) == [True] * 3 + [False] + [True] * 3
    assert shown_first([*star[:2], *across], {}) == [True] * 6  # three values: all of their pairs
