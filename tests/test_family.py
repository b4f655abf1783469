"""Families of comparisons: bounds against published tables, adjusted chances by hand, and what is told of each pair."""

import doctest
import math

import numpy as np
import pytest

from workbench.findings import family
from workbench.findings.family import (
    LEVEL,
    MOST_SEEDS,
    PLAUSIBLE,
    Compared,
    Family,
    chance,
    critical,
    family_of,
    holm,
    moderated,
    on_new_prompts,
    seeds_needed,
    standings,
)

POOLED = {"uneven": 0.0, "prior": 1e9}  # the classical case: one spread for all arms


def against_one(others: int, runs: int, **case: float) -> Family:
    return Family(tuple((0, arm) for arm in range(1, others + 1)), (runs,) * (others + 1), **case)


def all_pairs(arms: int, runs: int, **case: float) -> Family:
    return Family(tuple((a, b) for a in range(arms) for b in range(a)), (runs,) * arms, **case)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(family).failed == 0


@pytest.mark.parametrize(("others", "runs", "published"), [(1, 6, 2.23), (2, 5, 2.50), (3, 4, 2.68), (4, 3, 2.89)])
def test_against_a_common_baseline_the_bound_is_dunnetts(others, runs, published):
    """Dunnett 1964, two-sided, 5 %: 10, 12, 12 and 10 degrees of freedom."""
    assert critical(against_one(others, runs, **POOLED), 0.05) == pytest.approx(published, abs=0.04)


def test_among_all_pairs_the_bound_is_tukeys():
    # studentised range, 5 %: q(4 arms, 12 degrees of freedom) = 4.20, q(3, 3) = 5.91; t = q / sqrt(2)
    assert critical(all_pairs(4, 4, **POOLED), 0.05) == pytest.approx(4.20 / math.sqrt(2), abs=0.05)
    assert critical(all_pairs(3, 2, **POOLED), 0.05) == pytest.approx(5.91 / math.sqrt(2), abs=0.15)


def test_the_chance_of_a_difference_agrees_with_scipys_dunnett():
    from scipy.stats import dunnett

    rng = np.random.default_rng(1)
    control, *others = rng.normal(0, 1, (4, 5))
    theirs = dunnett(*others, control=control, random_state=2)
    ours = [chance(against_one(3, 5, **POOLED), t) for t in theirs.statistic]
    assert ours == pytest.approx(theirs.pvalue, abs=0.015)


def test_one_pair_alone_is_a_t_test_and_more_pairs_or_uneven_noise_ask_for_more():
    alone = critical(Family(((0, 1),), (6, 6), **POOLED), 0.05)
    assert alone == pytest.approx(2.228, abs=0.04)  # t(10)
    assert alone < critical(against_one(5, 6, **POOLED), 0.05) < critical(against_one(20, 6, **POOLED), 0.05)
    assert critical(against_one(5, 2)) > critical(against_one(5, 2, uneven=0.0))


def test_other_patterns_that_were_trained_twice_make_the_bound_smaller():
    assert critical(Family(((0, 1),), (2, 2), others=20)) < 0.7 * critical(Family(((0, 1),), (2, 2)))


def test_a_patterns_variance_lies_between_its_own_and_that_of_all():
    assert moderated(9.0, 3.0, 2) == pytest.approx((3 + 9) / 2)
    assert moderated(9.0, 3.0, 5) == pytest.approx((3 + 4 * 9) / 5)


def test_holms_chances_by_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, never falling
    assert holm([0.03, 0.005, 0.04, 0.01]) == pytest.approx([0.06, 0.02, 0.06, 0.03])
    assert holm([[0.5, 0.6], [0.01, 0.9]]) == pytest.approx(np.array([[1.0, 1.0], [0.02, 0.9]]))


def test_on_new_prompts_seeds_and_prompts_both_count():
    # variance 4 on 4 and 4 on 4 degrees of freedom: t = 6 / sqrt(8) = 2.1213 on 64 / (4 + 4) = 8, two-sided p = .0667
    assert float(on_new_prompts(6.0, 4.0, 4, 4.0, 5)) == pytest.approx(0.0667, abs=1e-4)
    assert float(on_new_prompts(6.0, 4.0, 4, 0.0, 5)) == pytest.approx(0.0399, abs=2e-4)  # t(4) = 3


def pair(diff: float, a: str = "A", b: str = "B", **other: float) -> Compared:
    given = {"n_a": 2, "n_b": 2, "variance_a": 4.0, "variance_b": 4.0, "prompt_variance": 0.1, "prompts": 6} | other
    return Compared(a, b, diff=diff, **given)


def test_a_pattern_in_several_pairs_is_one_arm():
    found = family_of([pair(1.0), pair(2.0, "A", "C"), pair(1.0, "B", "C", n_b=3)], df=9)
    assert found.pairs == ((0, 1), (0, 2), (1, 3)) and found.runs == (2, 2, 2, 3)
    assert found.others == 9 - 5


def test_the_band_and_the_verdict_are_the_same_rule():
    family = [pair(5.0), pair(20.0, "A", "C"), pair(-20.0, "A", "D", variance_b=400.0)]
    each = standings(family, sd=2.0, df=10)
    assert [one.matters for one in each] == [False, True, False]
    assert each[0].half == pytest.approx(critical(family_of(family, 10), LEVEL, PLAUSIBLE) * math.sqrt(4 / 2 + 4 / 2))
    assert each[2].half > 2 * each[0].half  # a pattern that varies much has to differ more
    for one, of in zip(each, family, strict=True):
        assert one.matters == (abs(of.diff) > one.half) == (one.p < LEVEL)
    assert standings([], 2.0, 10) == []


def test_on_new_prompts_is_said_only_of_what_matters_and_stands_over_prompts():
    sure, open_ = standings([pair(20.0), pair(20.0, "A", "C", prompt_variance=60.0)], sd=2.0, df=20)
    assert (sure.matters, sure.on_new) == (True, True)
    assert (open_.matters, open_.on_new) == (True, False)


def test_how_many_more_seeds_would_tell_by_hand():
    # error 2 with 2 trainings each, bound 3: n = 2 x (2 x 3.8416 / 5)^2 = 4.72, so 5 in all and 3 more
    assert seeds_needed(pair(5.0), 2.0, 3.0) == 3
    assert seeds_needed(pair(0.5), 2.0, 3.0) is None  # 2 x (2 x 3.8416 / .5)^2 = 472
    assert seeds_needed(pair(0.0), 2.0, 3.0) is None
    assert MOST_SEEDS == 20


def test_so_many_more_seeds_do_tell_in_four_of_five_draws():
    """The bound is kept, though more trainings would lower it: what is said is rather too much than too little."""
    rng = np.random.default_rng(5)
    bound = critical(against_one(4, 2))
    more = seeds_needed(pair(8.0, variance_a=4.0), 2.0, bound)
    assert more is not None
    n = 2 + more
    runs = 2.0 * rng.standard_normal((4000, 2, n))
    diff = runs[:, 1].mean(axis=1) + 8.0 - runs[:, 0].mean(axis=1)
    assert (np.abs(diff) > bound * 2.0 * math.sqrt(2 / n)).mean() == pytest.approx(0.8, abs=0.12)
