"""Differences pooled over people, and the verdicts from them: every figure worked out by hand."""

import math
from dataclasses import replace

import pytest
from several_people import DEFAULT, several

from db import library, runs
from trainer.config import TrainConfig
from workbench.recipes import challenge, default, verdicts
from workbench.recipes.measured import Difference, Scale
from workbench.recipes.people import People, Person
from workbench.recipes.pooled import LEVEL, adjusted, alike, more_people, pool
from workbench.sweep import patterns

SCALE, NAMES = Scale("likeness", "a judge"), {1: "first", 2: "second", 3: "third"}
ANNA, BEN, CLEO = (Person(name, (number,), (name,)) for number, name in enumerate(("Anna", "Ben", "Cleo"), 1))
LABELS = {10: "default", 11: "one", 12: "two", 13: "three"}


def measured(project=1, challenger=11, value=5.0, **other):
    return Difference(project, challenger, other.pop("scale", SCALE), value, **other)


def verdict(*values, **other):
    """A verdict on people with these differences."""
    pooled = pool(values)
    return verdicts.Verdict(11, "one", "default", SCALE, (), (), pooled, **{"p": pooled.p, **other})


def judged(*differences):
    return verdicts.judge(differences, People((ANNA, BEN, CLEO)), NAMES, LABELS, 10)


# the pooled difference


def test_the_interval_over_people_is_the_t_interval_of_their_differences():
    found = pool([2.0, 4.0, 9.0], [2.0, 2.0, 2.0])
    # mean 5, variance (9 + 1 + 16) / 2 = 13, standard error sqrt(13 / 3) = 2.0817, t(2) = 4.3027
    assert found.people == 3 and found.mean == 5
    assert found.half == pytest.approx(4.3027 * 2.0817, abs=1e-3)
    # of the next person: t(2) x sqrt(13) x sqrt(1 + 1/3)
    assert found.next_high - 5 == pytest.approx(4.3027 * math.sqrt(13 * 4 / 3), abs=1e-2)
    # training seeds: sqrt(3 x 4) / 3 = 1.1547, as wide as its share of the interval
    assert found.by_seeds == pytest.approx(4.3027 * 1.1547, abs=1e-3)
    # t = 5 / 2.0817 = 2.4019 on 2 degrees of freedom: P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)) = 0.0691
    assert found.p == pytest.approx(2 * 0.0691, abs=2e-4) and found.chance == pytest.approx(1 - 0.0691, abs=2e-4)


def test_one_person_has_a_difference_and_no_interval_and_two_have_a_wide_one():
    assert pool([3.0]).mean == 3 and not pool([3.0]).has_interval
    assert pool([2.0, 4.0]).half == pytest.approx(12.706, abs=1e-3)  # sd sqrt(2), standard error 1
    assert pool([]).people == 0 and math.isnan(pool([]).mean)


def test_holm_counts_only_the_comparisons_that_have_a_p():
    assert adjusted([0.01, math.nan, 0.04]) == [pytest.approx(0.02), pytest.approx(math.nan, nan_ok=True), 0.04]
    assert [math.isnan(each) for each in adjusted([math.nan])] == [True]


def test_how_many_more_people_would_tell_is_worked_out_by_hand():
    found = pool([1.0, 3.0, 5.0, 7.0])  # mean 4, sd sqrt(20 / 3) = 2.582
    # with n = 8 people: (t(7; .016) 3.12 + .84) x 2.582 / sqrt(8) = 3.62 <= 4; with 7: (3.30 + .84) x .976 = 4.04
    assert more_people(found, 1) == 4
    assert more_people(found, 6) > 4  # more comparisons, more people
    assert more_people(pool([-1.0, 1.1, -0.9, 1.0]), 1) is None  # 0.05 apart: over MOST_PEOPLE
    assert more_people(pool([1.0]), 1) is None


def test_a_difference_is_too_small_to_matter_only_if_all_of_its_interval_is():
    found = pool([0.5, -0.5, 0.2, -0.2])  # sd .44, half-width 3.18 x .22 = .70
    assert alike(found, 0.71) and not alike(found, 0.69) and not alike(found, None) and not alike(pool([0.0]), 9.0)


def test_more_people_are_at_least_one_and_as_many_for_harm_as_for_help():
    assert more_people(pool([10.0, 10.1, 9.9, 10.05]), 1) == 1
    assert more_people(pool([-1.0, -3.0, -5.0, -7.0]), 1) == more_people(pool([1.0, 3.0, 5.0, 7.0]), 1)


def test_the_part_of_training_seeds_is_known_only_if_it_is_for_everybody():
    assert math.isnan(pool([2.0, 4.0, 9.0], [2.0, 2.0]).by_seeds)
    assert math.isnan(pool([2.0, 4.0, 9.0], [2.0, 2.0, math.nan]).by_seeds)


def test_an_interval_that_ends_at_what_matters_is_within_it():
    found = pool([-1.0, 1.0])
    assert found.low == -found.high and alike(found, found.high)


# which project stands for a person


def test_the_project_with_most_trainings_on_its_weaker_side_stands_then_the_newest():
    uneven = measured(1, n_default=1, n_challenger=6)
    even, newer = measured(2, n_default=2, n_challenger=2), measured(3, n_default=2, n_challenger=2)
    broken = measured(3, n_default=9, n_challenger=9, problem="nothing_shared")
    assert verdicts.chosen(ANNA, [even, uneven], NAMES).difference is even
    assert verdicts.chosen(ANNA, [newer, even], NAMES).difference is newer
    found = verdicts.chosen(ANNA, [uneven, broken], NAMES)
    assert found.difference is uneven and found.others == ("third",)


def test_what_training_seeds_make_of_one_lora_is_the_root_mean_square_over_people():
    # 2 over 1 and 3 trainings: 4 / (1 + 1/3) = 3; 3 over 2 and 2: 9 / 1 = 9; the mean is 6
    rows = [
        measured(1, seed_error=2.0, n_default=1, n_challenger=3),
        measured(2, seed_error=3.0, n_default=2, n_challenger=2),
        measured(3, n_default=1, n_challenger=1),  # not known
    ]
    counted = tuple(verdicts.OnePerson(ANNA, row) for row in rows)
    assert verdicts.seed_sd(replace(verdict(1.0, 2.0), counted=counted)) == pytest.approx(math.sqrt(6))
    assert verdicts.seed_sd(replace(verdict(1.0, 2.0), counted=counted[2:])) is None


# what may be said


def test_a_word_needs_less_than_the_level_and_an_interval_that_touches_zero_tells_nothing():
    told = verdict(2.0, 4.0, 6.0, 8.0, p=LEVEL)
    assert verdicts.code_of(told) == "leans" and verdicts.code_of(replace(told, p=LEVEL - 1e-9)) == "better"
    touching = replace(told, pooled=replace(told.pooled, low=0.0))
    assert verdicts.code_of(touching) == "cannot_tell"


def test_what_is_surely_too_small_is_so_even_where_it_is_not_zero():
    small = verdict(0.2, 0.4, 0.6, 0.8, p=0.5, matters=2.0)
    assert small.pooled.low > 0 and verdicts.code_of(small) == "alike"


def test_of_what_leans_it_is_said_how_many_people_would_tell():
    told = verdicts.settled(verdict(2.0, 4.0, 6.0, 8.0), 0.03, 1, 1.0)
    assert told.code == "leans" and told.more == more_people(told.pooled, 1)
    assert verdicts.settled(verdict(2.0, 4.0, 6.0, 8.0), 0.001, 1, 1.0).more is None  # told already


def test_nothing_is_left_to_learn_of_what_wrecks():
    wrecks = verdict(5.0, 6.0, wrecked=("Anna",))
    assert replace(wrecks, code=verdicts.code_of(wrecks)).nothing_left


# all verdicts together


def test_only_comparisons_with_a_p_are_counted_and_most_people_come_first_then_the_likeliest():
    found = judged(
        *(measured(project, 11, value) for project, value in ((1, 1.0), (2, -3.0))),
        *(measured(project, 12, value) for project, value in ((1, 4.0), (2, 6.0))),
        measured(1, 13, 50.0),
    )
    assert [each.label for each in found] == ["two", "one", "three"]
    assert {each.compared for each in found} == {2}


def test_of_one_person_each_the_larger_difference_comes_first():
    assert [each.label for each in judged(measured(1, 11, 2.0), measured(1, 12, 9.0))] == ["two", "one"]


def test_what_has_no_label_any_more_and_projects_of_nobody_are_left_out():
    assert judged(measured(1, 99), measured(9, 11)) == []


def test_only_a_wrecked_lora_counts_as_wrecked():
    found = judged(measured(1, problem="nothing_shared"), measured(2, problem="challenger_wrecked"), measured(3))
    assert found[0].wrecked == ("Ben",) and len(found[0].left_out) == 2


def test_two_scales_are_said_not_to_be_averaged_and_one_is_not():
    other = replace(SCALE, judge="another")
    everybody = People((ANNA, BEN))
    two, one = judged(measured(1), measured(2, scale=other)), judged(measured(1), measured(2))
    assert (len(two), len(one)) == (2, 1)
    assert "never averaged" in verdicts.notes(everybody, two)[0] and verdicts.notes(everybody, one) == []


def test_what_waits_is_summed_over_projects_and_only_what_is_finished_is_used(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}, "Ben": {}})
    db, pattern = made.db, made.patterns["alpha 1"]
    default.make_default(db, made.projects["Anna"], made.patterns["baseline"])
    for name, seed in (("Anna", 3), ("Ben", 1), ("Ben", 2)):
        project = library.project(db, made.projects[name])
        runs.enqueue(db, project["id"], pattern, project["dataset_id"], seed)
    other = patterns.add(
        db, made.projects["Ben"], TrainConfig.model_validate({**DEFAULT.model_dump(), "dim": 8}), "alpha 1"
    )
    seen = verdicts.overview(made.ws, db)
    assert seen.verdicts[0].waiting == 3 and seen.used[pattern] == ("Anna",)
    assert (seen.labels[pattern], seen.labels[other]) == ("alpha 1 (Anna)", "alpha 1 (Ben)")


def test_a_challenge_that_was_stopped_and_begun_anew_is_under_way(tmp_path):
    made = several(tmp_path, {"Anna": {"alpha 1": 2.0}, "Ben": {}})
    db, pattern = made.db, made.patterns["alpha 1"]
    default.make_default(db, made.projects["Anna"], made.patterns["baseline"])
    now, project = default.current(db), library.project(db, made.projects["Ben"])
    challenge.begin(db, challenge.prepare(db, project, now, pattern))
    challenge.stop(db, now.pattern_id, pattern)
    assert verdicts.stopped_challengers(db, now.pattern_id) == {pattern}
    challenge.begin(db, challenge.prepare(db, project, now, pattern, [5]))
    assert verdicts.stopped_challengers(db, now.pattern_id) == set()
