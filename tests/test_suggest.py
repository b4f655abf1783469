"""What to train next: what is suggested and what never is, in which order, why, and when to stop."""

import math
from dataclasses import replace

import numpy as np
import pytest
from filled import BASELINE, fill

from db import runs
from trainer.config import TrainConfig
from workbench.findings import suggest, suggest_words
from workbench.findings.analysis import tables
from workbench.findings.candidates import Candidate, Sweep, Training, added_up, beyond, cells, changed, corners
from workbench.findings.noise import Noise
from workbench.findings.suggest import Advice, Belief, Suggestion, in_order, knowledge_gradient
from workbench.keeping import bin
from workbench.running import queue
from workbench.sweep import patterns
from workbench.sweep.cost import Cost
from workbench.sweep.patterns import PatternError


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path)


def advised(full):
    return suggest.advice(full.db, full.project_id, tables(full.db, full.project_id))


def kinds(advice):
    return [each.candidate.kind for each in advice.suggestions]


def one(advice, kind):
    [found] = [each for each in advice.suggestions if each.candidate.kind == kind]
    return found


# The filled sweep: baseline 60, alpha 1 45, rate 6e-3 57; two seeds each, 2 above and below: sd 2.828 with df 3.


def test_a_leader_that_is_too_close_to_call_gets_another_seed_and_so_does_its_rival(full):
    found = one(advised(full), "replicate")
    assert [(t.pattern_id, t.seed) for t in found.candidate.trainings] == [
        (full.pattern_ids[0], 3),
        (full.pattern_ids[2], 3),
    ]
    assert found.chance == pytest.approx(0.1866, abs=1e-3)  # t(3) has .1835 below -3 / sqrt(4 + 4)
    # each goes from 8 / 2 to 8 / 3: the difference moves by sd 1.633; pdf(-1.837) + -1.837 x cdf(-1.837) = 0.01299
    assert found.gain == pytest.approx(1.63299 * 0.01299, abs=1e-3)


def test_one_step_beyond_the_best_by_the_same_factor(full):
    found = one(advised(full), "step")
    [first, second] = found.candidate.trainings
    assert first.changes == {"learning_rate": 6.7e-4} and (first.seed, second.seed) == (1, 2)
    assert first.pattern_id is None and first.source == full.pattern_ids[0]
    assert found.expected == pytest.approx(60.0) and found.chance == pytest.approx(0.5)
    # the step is as large as the last one, 3: own variance 8 / 2 + 9, shared with the leader 8 / 2, two runs
    assert found.gain == pytest.approx(0.39894 * math.sqrt(9**2 / (13 + 4)), abs=1e-3)


def test_what_is_dangerous_is_not_suggested(full):
    # of alpha 1 and 16 the best is the last one, too; alpha 64 at dim 16 and rate 2e-3 would break
    found = advised(full)
    everything = [*found.suggestions, *found.left_out]
    assert not [s for s in everything if "alpha" in s.candidate.trainings[0].changes and s.candidate.kind == "step"]


def test_a_corner_without_prospects_is_left_out(full):
    found = advised(full)
    assert "corner" not in kinds(found)
    [corner] = [each for each in found.left_out if each.candidate.kind == "corner"]
    assert corner.expected == pytest.approx(45.0)  # as alpha 1 alone: the smaller change adds nothing
    assert corner.chance == pytest.approx(0.015, abs=1e-3)  # drawn; t(3) has .0092 below -15 / sqrt(4 + 4 + 1.5^2)
    assert corner.chance < suggest.LEAST_CHANCE
    assert corner.candidate.trainings[0].config == BASELINE.model_copy(update={"alpha": 1.0, "learning_rate": 6e-3})


def test_at_most_five_ordered_by_what_is_learned_per_hour(full):
    found = advised(full)
    assert 1 < len(found.suggestions) <= suggest.MOST
    rates = [each.gain / each.price.seconds for each in found.suggestions]
    assert rates == sorted(rates, reverse=True)


def test_what_waits_is_not_suggested_again(full):
    before = kinds(advised(full))
    replicate = one(advised(full), "replicate")
    run_ids = suggest.take_up(full.db, full.project_id, replicate)
    assert [runs.get(full.db, run)["seed"] for run in run_ids] == [3, 3]
    assert set(before) - set(kinds(advised(full))) == {"replicate"}
    suggest.take_back(full.db, run_ids)
    assert {runs.get(full.db, run)["status"] for run in run_ids} == {"cancelled"}
    assert kinds(advised(full)) == before


def test_a_suggested_pattern_is_added_once_and_queued_with_its_seeds(full):
    step = one(advised(full), "step")
    run_ids = suggest.take_up(full.db, full.project_id, step)
    queued = [runs.get(full.db, run) for run in run_ids]
    assert [row["seed"] for row in queued] == [1, 2] and len({row["pattern_id"] for row in queued}) == 1
    added = patterns.listed(full.db, full.project_id)[3:]
    assert [(p.label, p.config) for p in added] == [
        ("baseline, learning rate 0.00067", BASELINE.model_copy(update={"learning_rate": 6.7e-4}))
    ]
    assert "step" not in kinds(advised(full))
    suggest.take_back(full.db, run_ids)
    again = one(advised(full), "step")  # the pattern is there now, so it is not added a second time
    assert {t.pattern_id for t in again.candidate.trainings} == {added[0].pattern_id}
    assert suggest.take_up(full.db, full.project_id, again) == run_ids
    assert len(patterns.listed(full.db, full.project_id)) == 4


def test_clicking_twice_queues_once(full):
    step = one(advised(full), "step")
    assert suggest.take_up(full.db, full.project_id, step) == suggest.take_up(full.db, full.project_id, step)


def test_what_went_into_the_bin_meanwhile_is_not_queued_from_an_older_window(full):
    step = one(advised(full), "step")
    bin.delete_pattern(full.db, full.project_id, step.candidate.trainings[0].source)
    with pytest.raises(PatternError, match="into the bin"):
        suggest.take_up(full.db, full.project_id, step)
    bin.restore(full.ws, full.db, f"pattern {full.project_id} {step.candidate.trainings[0].source}")
    bin.delete_project(full.db, full.project_id)
    with pytest.raises(PatternError, match="into the bin"):
        suggest.take_up(full.db, full.project_id, step)


def test_what_failed_is_not_suggested_again(full):
    step = one(advised(full), "step")
    for run in suggest.take_up(full.db, full.project_id, step):
        runs.end(full.db, run, "failed", "diverged", {})
    assert "step" not in kinds(advised(full))


def test_a_leader_on_one_seed_gets_a_second_one(full):
    full.db.execute("update runs set deleted_at = 1 where seed = 2")
    full.db.conn.commit()
    found = advised(full)
    assert found.noise is None and not found.stop
    assert found.suggestions[0].candidate.kind == "replicate"  # first, since it makes the noise known
    assert found.suggestions[0].gain is None
    labels = tables(full.db, full.project_id).labels
    assert "by a single training" in suggest_words.reason(found, found.suggestions[0], labels)
    assert suggest_words.learned(found, found.suggestions[0]) == suggest_words.NOT_KNOWN


def test_without_photos_or_scores_nothing_is_suggested(full, tmp_path):
    full.db.execute("update projects set dataset_id = null")
    full.db.conn.commit()
    assert advised(full) == Advice("likeness")


# when to stop


def test_it_says_stop_when_nothing_has_a_chance_and_why(full):
    found = tables(full.db, full.project_id)
    sweep = sweep_of(full)
    tried = replace(sweep, listed={k: v for k, v in sweep.listed.items() if k != full.pattern_ids[2]})
    close = suggest.suggest(found, tried, lambda _: None)
    assert close.stop and kinds(close) == []  # alpha 1 is 15 behind; the step beyond alpha 16 is dangerous
    text = suggest_words.stop(close, found.labels)
    assert text.startswith("Stop: nothing is left to learn here that is worth the hours. 'baseline' is the best")
    assert "The likeliest to be better: Train 'baseline' and 'alpha 1' once more, 1 %." in text


def test_while_runs_wait_it_does_not_say_stop(full):
    queue.enqueue(full.db, full.project_id, full.pattern_ids[1:2], [9])
    sweep = sweep_of(full)
    tried = replace(sweep, listed={k: v for k, v in sweep.listed.items() if k != full.pattern_ids[2]})
    found = suggest.suggest(tables(full.db, full.project_id), tried, lambda _: None)
    assert not found.stop and found.waiting == 1
    assert suggest_words.stop(found, {}) == "Let what is queued come to its end first: 1 run to come."


def test_one_pattern_alone_is_no_reason_to_stop(full):
    sweep = sweep_of(full)
    alone = replace(sweep, listed={full.pattern_ids[0]: sweep.listed[full.pattern_ids[0]]})
    found = suggest.suggest(tables(full.db, full.project_id), alone, lambda _: None)
    assert not found.suggestions and not found.stop
    assert suggest_words.stop(found, {}) == suggest_words.ALONE


def test_equal_patterns_are_trained_again_until_what_is_left_does_not_matter():
    """Two patterns without any difference: after enough seeds neither can be better by what a seed makes."""

    def chances(n):
        belief = Belief({1: 60.0, 2: 60.0}, {1: n, 2: n}, 1, Noise(2.0, 2 * (n - 1), 2, 0))
        return Suggestion(None, 60.0, 0.0, *belief.chances(60.0, {2: 1.0}, 0.0))

    worth = {n: chances(n).worth_it for n in (2, 4, 12)}
    assert worth == {2: True, 4: True, 12: False}


# what is learned


def test_the_knowledge_gradient_by_hand():
    assert knowledge_gradient(0.0, 2.0) == pytest.approx(2 * 0.398942, abs=1e-5)
    assert knowledge_gradient(1.0, 1.0) == pytest.approx(0.241971 - 0.158655, abs=1e-5)
    assert knowledge_gradient(3.0, 0.0) == 0.0


def test_the_gain_is_what_a_better_choice_brings_in_a_simulation():
    """Draw true means from the belief and new runs from them; choose by what is believed then."""
    belief = Belief({1: 60.0, 2: 58.0, 3: 50.0}, {1: 2, 2: 2, 3: 1}, 1, Noise(3.0, 10, 3, 0))
    new = Training(TrainConfig(), 1, None, 1)
    candidate = Candidate("corner", (new, new), {1: 0.5, 2: 1.0, 3: -0.5}, 4.0, {})
    rng, n = np.random.default_rng(1), 400_000
    sds = {1: 3 / math.sqrt(2), 2: 3 / math.sqrt(2), 3: 3.0}
    true = {pattern: rng.normal(belief.means[pattern], sd, n) for pattern, sd in sds.items()}
    fourth = 0.5 * true[1] + true[2] - 0.5 * true[3] + rng.normal(0, 4.0, n)
    seen = fourth + rng.normal(0, 3 / math.sqrt(2), n)
    ahead = fourth - true[1]
    slope, start = np.polyfit(seen, ahead, 1)  # what is believed of the difference once the runs are seen
    believed = start + slope * seen
    assert belief.weigh(candidate).gain == pytest.approx(np.maximum(believed, 0).mean(), abs=0.02)
    assert belief.weigh(candidate).gain == pytest.approx(np.where(believed > 0, ahead, 0.0).mean(), abs=0.03)


def test_of_two_changes_that_go_one_way_the_smaller_is_expected_to_add_nothing():
    means = {1: 50.0, 2: 60.0, 3: 54.0, 4: 47.0, 5: 30.0}
    assert added_up(means, 1, 2, 3) == added_up(means, 1, 3, 2) == ({2: 1.0}, pytest.approx(4.0))
    assert added_up(means, 1, 4, 5) == ({5: 1.0}, pytest.approx(1.5))  # two that make it worse: half
    weights, spread = added_up(means, 1, 2, 4)  # one up by 10, one down by 3: 57 give or take 3
    assert sum(w * means[p] for p, w in weights.items()) == pytest.approx(57.0) and spread == pytest.approx(3.0)


def priced(gain, seconds, updates=100, kind="step"):
    price = Cost(1, updates, 400, 2, 16, seconds, None)
    return Suggestion(Candidate(kind, (), {}, 0.0, {}), 60.0, gain, 0.5, 0.5, price)


def test_a_small_gain_that_is_quick_comes_before_a_large_one_that_takes_all_day():
    quick, slow = priced(1.0, 600.0), priced(5.0, 86_400.0)
    assert in_order([slow, quick]) == [quick, slow]


def test_where_hours_are_not_known_of_all_updates_stand_in_for_them():
    short, long = priced(1.0, None, updates=100), priced(2.0, 1.0, updates=1000)
    assert in_order([long, short]) == [short, long]


# candidates


@pytest.mark.parametrize(
    ("setting", "near", "best", "next"),
    [
        ("learning_rate", 1e-4, 3e-4, 9e-4),
        ("learning_rate", 1e-3, 1e-5, 2.5e-6),  # a hundredth: at most a quarter further
        ("alpha", 8.0, 16.0, 32.0),
        ("dim", 16, 48, 64),  # the next power of two
        ("dim", 16, 12, 8),
        ("dim", 16, 8, 4),
        ("batch_size", 2, 1, None),
        ("epochs", 10, 20, 40),
        ("repeats", 3, 5, 8),
        ("clip_skip", 1, 2, 3),
        ("dropout", 0.1, 0.0, -0.1),  # which is refused as a setting
        ("caption_dropout", 0.05, 0.1, 0.15),
        ("weight_decay", 0.01, 0.0, None),
    ],
)
def test_a_step_beyond_by_the_settings_own_scale(setting, near, best, next):
    assert beyond(setting, near, best) == (None if next is None else pytest.approx(next))


def sweep_of(full):
    listed = {p.pattern_id: p for p in patterns.listed(full.db, full.project_id)}
    return Sweep(listed, runs.of_project(full.db, full.project_id), full.dataset_id, 6, ("no",))


def test_an_invalid_or_inert_or_tried_change_makes_no_training(full):
    sweep = sweep_of(full)
    baseline = full.pattern_ids[0]
    assert changed(sweep, baseline, {"dropout": -0.1}, 1) == ()
    assert changed(sweep, baseline, {"alpha": 1.0}, 1) == ()  # there is that one
    assert changed(sweep, baseline, {"lr_power": 2.0}, 1) == ()  # without effect: it is the baseline again
    assert changed(sweep, baseline, {"learning_rate": 1.0}, 1) == ()  # it would break
    assert len(changed(sweep, baseline, {"dim": 32}, 2)) == 2


def test_what_was_made_elsewhere_is_not_cloned(full):
    sweep = sweep_of(full)
    baseline = full.pattern_ids[0]
    elsewhere = replace(sweep.listed[baseline], origin="lora", unknown=frozenset({"alpha"}))
    there = replace(sweep, listed={**sweep.listed, baseline: elsewhere})
    assert changed(there, baseline, {"dim": 32}, 1) == ()


def test_between_two_that_differ_in_two_settings_both_single_changes_are_offered(full):
    both = patterns.clone(full.db, full.project_id, full.pattern_ids[0], "both", dim=8, batch_size=2)
    sweep = sweep_of(full)
    found = list(cells(sweep, full.pattern_ids[0], {full.pattern_ids[0]: 60.0, both: 50.0}, 1))
    assert [(c.about["setting"], c.trainings[0].changes) for c in found] == [
        ("dim", {"dim": 16}),
        ("batch_size", {"batch_size": 4}),
    ]
    for each in found:
        assert (dict(each.weights), each.spread) == ({full.pattern_ids[0]: 0.5, both: 0.5}, 5.0)


def test_where_one_of_the_two_is_trained_it_is_a_corner_and_no_cell(full):
    baseline, _, rate = full.pattern_ids
    both = patterns.clone(full.db, full.project_id, rate, "both", dim=8)
    runs.end(full.db, queue.enqueue(full.db, full.project_id, [both], [1])[0], "done")
    sweep, found = sweep_of(full), tables(full.db, full.project_id)
    means = {baseline: 60.0, rate: 57.0, both: 50.0}
    assert list(cells(sweep, baseline, means, 1)) == []
    [corner] = list(corners(found, sweep, means, 1))
    assert corner.trainings[0].config == BASELINE.model_copy(update={"dim": 8})


# words


def test_every_kind_has_its_reason_in_words(full):
    found, labels = advised(full), tables(full.db, full.project_id).labels
    said = {s.candidate.kind: suggest_words.reason(found, s, labels) for s in (*found.suggestions, *found.left_out)}
    assert said["step"] == (
        "Of learning rate 0.002, 0.006 the best is the last one tried (0.002: 60.0). Does it go on at 0.00067?"
    )
    assert "'baseline' leads with 60.0; 57.0 of 'rate 6e-3' is too close to call" in said["replicate"]
    assert "'baseline' 60.0" in said["corner"] and "About 45.0 is expected" in said["corner"]
    assert suggest_words.title(one(found, "replicate")) == "Train 'baseline' and 'rate 6e-3' once more"
    assert "2 trainings with previews: about" in suggest_words.price(one(found, "replicate"))
    assert suggest_words.learned(found, one(found, "replicate")).startswith("Chance that it is the best: 19 %.")
    assert "± 2.8" not in suggest_words.reckoned(found, labels) and "2.8 / √runs" in suggest_words.reckoned(
        found, labels
    )


def test_a_cell_in_words(full):
    both = patterns.clone(full.db, full.project_id, full.pattern_ids[0], "both", dim=8, batch_size=2)
    means = {full.pattern_ids[0]: 60.0, both: 50.0}
    [first, _] = cells(sweep_of(full), full.pattern_ids[0], means, 1)
    about = Advice("likeness", full.pattern_ids[0], 60.0, None, means=means)
    said = suggest_words.reason(about, Suggestion(first, 55.0, None, None, None), {**labels_of(full)})
    assert said == (
        "'baseline' (60.0) and 'both' (50.0) differ in two settings, dim (rank) and batch size, so nobody can say "
        "which of them did it. This is 'both' with dim (rank) alone as in 'baseline'."
    )


def labels_of(full):
    return {p.pattern_id: p.label for p in patterns.listed(full.db, full.project_id)}
