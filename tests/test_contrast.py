"""Contrasts: paired differences against values worked out by hand, and what may be said of them."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from filled import PLAN, add_run, fill

from workbench.findings.analysis import Tables, tables
from workbench.findings.contrast import Paired, contrast_table, distinct, paired, params, wording
from workbench.findings.family import Family, critical
from workbench.findings.noise import noise_floor
from workbench.findings.verdicts import exploratory, verdict
from workbench.sweep.patterns import Contrast


def changed(read: Tables, change) -> Tables:
    """The tables with other values in them: ``change`` edits copies of previews and checkpoints."""
    previews, checkpoints = read.previews.copy(), read.checkpoints.copy()
    change(previews, checkpoints)
    last = checkpoints[checkpoints["run_id"].isin(read.runs["run_id"]) & checkpoints["is_last"]]
    return replace(read, previews=previews, checkpoints=checkpoints, runs=last)


def clearer(read: Tables, pattern: int) -> Tables:
    """The tables with 15 points less for a pattern, so that its difference is beyond all doubt."""

    def lower(previews, checkpoints):
        for table in (previews, checkpoints):
            table.loc[table["pattern_id"] == pattern, "likeness"] -= 15

    return changed(read, lower)


def critical_for(read: Tables, family: Family) -> float:
    """The bound for a family, given how unevenly these patterns vary."""
    return critical(family, uneven=noise_floor(read.checkpoints, "likeness").uneven)


# paired differences


def test_a_paired_difference_is_averaged_over_seeds_then_over_prompts(read, shared):
    read = clearer(read, shared.pattern_ids[1])
    found = paired(read, shared.pattern_ids[0], shared.pattern_ids[1], "likeness")
    # alpha 1 - baseline per prompt: -30, -29, -31; sd 1, standard error 1/sqrt(3), t(2) = 4.3027
    assert found.per_prompt["diff"].tolist() == pytest.approx([-30, -29, -31])
    assert found.per_prompt["mean_a"].tolist() == pytest.approx([60, 54, 66])
    assert found.diff == pytest.approx(-30)
    assert (found.low, found.high) == (pytest.approx(-32.4841, abs=1e-3), pytest.approx(-27.5159, abs=1e-3))
    assert (found.df, found.prompts, found.n_cells, found.n_a, found.n_b) == (2, 3, 6, 2, 2)
    # noise floor: all patterns have variance 8, so the standard error is sqrt(8 / 2 + 8 / 2)
    assert found.noise == pytest.approx(critical_for(read, Family(((0, 1),), (2, 2), others=1)) * math.sqrt(8))
    assert 9 < found.noise < 15 and found.beyond_noise
    assert found.p < 0.04 and found.on_new_prompts and found.compared == 1 and found.more_seeds is None
    assert found.wording == "seems_to_matter"


def test_the_other_way_round_only_the_sign_changes(read, shared):
    a, b = shared.pattern_ids[:2]
    there, back = paired(read, a, b, "likeness"), paired(read, b, a, "likeness")
    assert back.diff == -there.diff and (back.low, back.high) == (-there.high, -there.low)


def test_a_difference_whose_interval_holds_zero_can_t_be_told(read, shared):
    found = paired(read, shared.pattern_ids[0], shared.pattern_ids[2], "likeness")
    # -3, -1, -5: mean -3, sd 2, 4.3027 x 2 / sqrt(3) = 4.9683
    assert (found.diff, found.high) == (pytest.approx(-3), pytest.approx(1.9683, abs=1e-3))
    assert found.wording == "cannot_tell" and found.beyond_noise is False


def test_cells_without_a_value_on_either_side_do_not_count(read, shared):
    def without_one_face(previews, _):
        run = previews["run_id"].isin(shared.run_ids[:2]) & previews["is_last"]
        previews.loc[run & (previews["prompt"] == 1) & (previews["seed"] == 101), "likeness"] = math.nan

    found = paired(changed(read, without_one_face), *shared.pattern_ids[:2], "likeness")
    assert found.n_cells == 5 and found.per_prompt["n_cells"].tolist() == [2, 1, 2]
    assert found.per_prompt["diff"].tolist() == pytest.approx([-15, -14, -16])  # only like is compared with like


def test_neutral_prompts_count_for_leakage_alone(read, shared):
    a, b = shared.pattern_ids[:2]
    assert paired(read, a, b, "leakage").per_prompt["prompt"].tolist() == [3]
    assert paired(read, a, b, "likeness").per_prompt["prompt"].tolist() == [0, 1, 2]
    assert paired(read, a, b, "clip_t").per_prompt["prompt"].tolist() == [0, 1, 2, 3]


def test_the_face_rate_is_compared_as_a_share(read, shared):
    def two_lost_faces(previews, _):
        lost = previews["run_id"].isin(shared.run_ids[2:4]) & previews["is_last"] & (previews["seed"] == 101)
        previews.loc[lost & (previews["prompt"] == 0), "face_found"] = 0.0

    found = paired(changed(read, two_lost_faces), *shared.pattern_ids[:2], "face_rate")
    assert found.per_prompt["diff"].tolist() == [-0.5, 0, 0]


def lose_faces(*lost):
    """A change of tables in which the given (run, prompts, preview seeds) show no face."""

    def change(previews, checkpoints):
        for run, prompts, seeds in lost:
            here = (previews["run_id"] == run) & previews["is_last"]
            previews.loc[here & previews["prompt"].isin(prompts) & previews["seed"].isin(seeds), "face_found"] = 0.0
            rate = previews[here & (previews["role"] == "identity")]["face_found"].mean()
            checkpoints.loc[(checkpoints["run_id"] == run) & checkpoints["is_last"], "face_rate"] = rate

    return change


def test_a_setting_that_takes_every_face_with_every_seed_seems_to_matter_and_has_no_interval(read, shared):
    _, _, *own, _, _ = shared.run_ids
    gone = changed(read, lose_faces(*[(run, (0, 1, 2), (101, 102)) for run in own]))
    # the noise floor knows two baseline runs and two of the third pattern: a face in every picture
    gone = replace(gone, checkpoints=gone.checkpoints[~gone.checkpoints["run_id"].isin(own)])
    found = paired(gone, *shared.pattern_ids[:2], "face_rate")
    assert noise_floor(gone.checkpoints, "face_rate") is None
    assert found.per_prompt["diff"].tolist() == [-1, -1, -1] and found.diff == -1
    assert math.isnan(found.low) and math.isnan(found.high)
    assert found.beyond_noise and found.wording == "seems_to_matter"
    assert verdict(found.wording, params(found, "baseline", "alpha 1", "alpha from 16 to 1")) == (
        "Changing alpha from 16 to 1 seems to matter here, on these prompts and on new prompts of this kind: face rate "
        "is 100 points lower (worse) (the same difference in all 3 prompts), more than another training seed makes (no "
        "difference on either side)."
    )


def test_equal_rates_of_different_pictures_are_not_identical_seeds(read, shared):
    _, _, one, two, _, _ = shared.run_ids
    # each of the two runs misses half of its faces, but not the same ones: what the seed makes is not nothing
    mixed = changed(read, lose_faces((one, (0, 1, 2), (101,)), (two, (0, 1, 2), (102,))))
    found = paired(mixed, *shared.pattern_ids[:2], "face_rate")
    assert found.per_prompt["diff"].tolist() == [-0.5, -0.5, -0.5] and math.isnan(found.low)
    assert found.noise is None and found.beyond_noise is None and found.wording == "checkpoints_differ"
    sentence = verdict(found.wording, params(found, "baseline", "alpha 1"))
    assert "50 points lower (worse) than of 'baseline' (the same difference in all 3 prompts). How much" in sentence


def test_single_runs_without_spread_do_not_speak_of_the_setting(read, shared):
    gone = changed(read, lose_faces((shared.run_ids[2], (0, 1, 2), (101, 102))))
    found = paired(replace(gone, runs=gone.runs[gone.runs["train_seed"] == 1]), *shared.pattern_ids[:2], "face_rate")
    assert found.diff == -1 and math.isnan(found.low) and found.wording == "checkpoints_differ"


def test_single_runs_can_only_say_that_checkpoints_differ(read, shared):
    one_each = replace(read, runs=read.runs[read.runs["train_seed"] == 1])
    found = paired(one_each, *shared.pattern_ids[:2], "likeness")
    assert found.beyond_noise and found.wording == "checkpoints_differ"
    sentence = verdict(found.wording, params(found, "baseline", "alpha 1"))
    assert "second seed" in sentence and "matter" not in sentence


def test_below_the_noise_floor_nothing_is_said_of_the_setting(read, shared):
    def noisy(_, checkpoints):
        checkpoints.loc[checkpoints["train_seed"] == 1, "likeness"] += 10

    found = paired(changed(read, noisy), *shared.pattern_ids[:2], "likeness")
    assert found.high < 0 and found.beyond_noise is False and found.wording == "checkpoints_differ"
    sentence = verdict(found.wording, params(found, "baseline", "alpha 1"))
    assert "Another training seed alone can make as much" in sentence


def test_patterns_without_common_previews_are_not_compared(read, shared):
    def other_photos(_, checkpoints):
        checkpoints.loc[checkpoints["pattern_id"] == shared.pattern_ids[1], "dataset_id"] = 2

    found = paired(changed(read, other_photos), *shared.pattern_ids[:2], "likeness")
    assert found.wording == "nothing_shared" and math.isnan(found.diff) and found.n_cells == 0


def test_likeness_of_a_wrecked_run_is_not_judged(read, shared):
    def wreck(_, checkpoints):
        checkpoints.loc[checkpoints["run_id"] == shared.run_ids[2], "wrecked"] = True

    wrecked = changed(read, wreck)
    found = paired(wrecked, *shared.pattern_ids[:2], "likeness")
    assert found.wording == "wrecked" and found.wrecked == ("alpha 1",)
    assert paired(wrecked, *shared.pattern_ids[:2], "clip_t").wording == "wrecked"
    assert paired(wrecked, *shared.pattern_ids[:2], "face_rate").wording == "the_same"
    assert paired(wrecked, *shared.pattern_ids[:2], "human_likeness").wording == "checkpoints_differ"


def test_a_wrecked_pair_stands_first_without_a_difference_where_no_face_is_left(read, shared):
    def no_faces(previews, checkpoints):  # of the pair with the smaller difference
        own = previews["pattern_id"] == shared.pattern_ids[2]
        previews.loc[own, ["likeness", "face_found"]] = [math.nan, 0.0]
        own = checkpoints["pattern_id"] == shared.pattern_ids[2]
        checkpoints.loc[own, "likeness"] = math.nan
        checkpoints.loc[own, "wrecked"] = True

    table = contrast_table(changed(read, no_faces), "likeness")
    assert table["pattern_b"].tolist() == [shared.pattern_ids[2], shared.pattern_ids[0]]
    # of two trainings each of two patterns two degrees of freedom are left: too few for a word on the setting
    assert table["wording"].tolist() == ["wrecked", "checkpoints_differ"]
    assert math.isnan(table["diff"][0]) and table["diff"][1] == pytest.approx(15)
    assert table["sentence"][0].startswith("'rate 6e-3' is wrecked") and table["wrecked"][0] == "'rate 6e-3'"
    assert contrast_table(changed(read, no_faces), "clip_t")["label_b"].tolist() == ["rate 6e-3", "baseline"]


def test_the_same_lora_under_two_names_is_compared_once(read, shared):
    a, b, c = shared.pattern_ids

    def twins(_, checkpoints):
        own = checkpoints["pattern_id"] == c
        checkpoints.loc[own, "replicate"] = list(checkpoints.loc[checkpoints["pattern_id"] == b, "replicate"])

    same = changed(read, twins)
    pairs = [
        Contrast("optimizer", a, b, "adamw", "adafactor"),
        Contrast("optimizer", a, c, "adamw", "adafactor"),
    ]
    table = contrast_table(replace(same, contrasts=pairs), "likeness")
    assert table["label_b"].tolist() == ["alpha 1"]
    assert len(contrast_table(replace(read, contrasts=pairs), "likeness")) == 2


def test_a_pattern_equals_itself(read, shared):
    found = paired(read, shared.pattern_ids[0], shared.pattern_ids[0], "likeness")
    assert found.wording == "the_same" and found.diff == 0


@pytest.mark.parametrize(
    ("interval", "prompts", "n_runs", "beyond", "new", "wanted"),
    [
        ((math.nan, math.nan, math.nan), 0, (0, 2), None, False, "nothing_shared"),
        ((5.0, math.nan, math.nan), 1, (2, 2), True, False, "one_prompt"),
        ((0.0, math.nan, math.nan), 3, (2, 2), False, False, "the_same"),
        ((5.0, -1.0, 11.0), 3, (2, 2), False, False, "cannot_tell"),
        ((5.0, -1.0, 11.0), 3, (2, 1), True, False, "cannot_tell"),
        ((5.0, -1.0, 11.0), 3, (2, 2), True, False, "matters_on_these_prompts"),
        ((5.0, 1.0, 9.0), 3, (2, 2), True, False, "matters_on_these_prompts"),
        ((5.0, 1.0, 9.0), 3, (2, 1), True, False, "checkpoints_differ"),
        ((5.0, 1.0, 9.0), 3, (2, 2), None, False, "checkpoints_differ"),
        ((5.0, 1.0, 9.0), 3, (2, 2), False, False, "checkpoints_differ"),
        ((-5.0, -9.0, -1.0), 3, (2, 2), True, True, "seems_to_matter"),
        ((5.0, math.nan, math.nan), 3, (2, 1), True, False, "checkpoints_differ"),
        ((5.0, math.nan, math.nan), 3, (2, 2), None, False, "checkpoints_differ"),
        ((5.0, math.nan, math.nan), 3, (2, 2), False, False, "checkpoints_differ"),
        ((5.0, math.nan, math.nan), 3, (2, 2), True, True, "seems_to_matter"),
    ],
)
def test_no_more_is_said_than_the_numbers_carry(interval, prompts, n_runs, beyond, new, wanted):
    per_prompt = pd.DataFrame({"diff": [0.0] * prompts})
    found = Paired(
        "likeness", *interval, prompts - 1, 6, *n_runs, per_prompt, (1.0, 1.0), 1.0, (), beyond, on_new_prompts=new
    )
    assert wording(found) == wanted


# the table


def test_the_contrast_table_has_a_row_per_pair_with_the_largest_difference_first(read, shared):
    read = clearer(read, shared.pattern_ids[1])
    table = contrast_table(read, "likeness")
    assert table["change"].tolist() == ["alpha: 1 → 16", "learning rate: 0.002 → 0.006"]
    assert table["diff"].tolist() == pytest.approx([30, -3])
    assert table[["label_a", "label_b"]].iloc[0].tolist() == ["alpha 1", "baseline"]
    assert table["noise"].tolist() == pytest.approx(
        [critical_for(read, Family(((0, 1), (1, 2)), (2, 2, 2))) * math.sqrt(8)] * 2
    )
    half = f"±{table['noise'].iloc[0]:.1f}, Dunnett's method over 2 pairs"
    assert table["sentence"].iloc[0] == (
        "Changing alpha from 1 to 16 seems to matter here, on these prompts and on new prompts of this kind: likeness "
        "is 30.0 higher (better) (95 % interval +27.5 to +32.5 over 3 prompts), more than another training seed makes "
        f"({half})."
    )
    assert table["sentence"].iloc[1] == (
        "Can't be told apart: likeness of 'rate 6e-3' is 3.0 lower (worse) than of 'baseline', but anything in the "
        f"95 % interval -8.0 to +2.0 over 3 prompts fits. Another training seed alone can make as much ({half}). If "
        "that is all there is, more than 20 more seeds on each side would be needed to tell."
    )


def test_another_score_than_the_main_one_is_called_exploratory(read):
    main, other = contrast_table(read, "likeness"), contrast_table(read, "clip_t")
    assert read.main_metric == "likeness"
    assert not main["sentence"].str.contains("xploratory").any()
    claimed = other[other["wording"].isin(["seems_to_matter", "matters_on_these_prompts"])]
    caution = "Exploratory: settings are judged by likeness, not by this score."
    assert len(claimed) and claimed["sentence"].str.endswith(caution).all()
    assert "settings are judged by likeness" in exploratory(2, "clip_t", "likeness")
    assert "settings are judged by" not in exploratory(2, "likeness", "likeness")


def test_the_same_pair_under_other_names_counts_once_in_either_order(read, shared):
    a, b, c = shared.pattern_ids

    def twins(_, checkpoints):
        own = checkpoints["pattern_id"] == c
        checkpoints.loc[own, "replicate"] = list(checkpoints.loc[checkpoints["pattern_id"] == a, "replicate"])

    pairs = [Contrast("alpha", a, b, 16.0, 1.0), Contrast("alpha", b, c, 1.0, 16.0)]
    assert distinct(replace(changed(read, twins), contrasts=pairs)) == pairs[:1]


def test_a_higher_leakage_is_called_worse(read, shared):
    def leak(previews, _):
        own = previews["run_id"].isin(shared.run_ids[2:4]) & (previews["role"] == "neutral")
        previews.loc[own, "likeness"] += 30

    found = paired(changed(read, leak), *shared.pattern_ids[:2], "leakage")
    assert "30.0 higher (worse)" in verdict(found.wording, params(found, "baseline", "alpha 1"))


def test_a_training_done_twice_makes_no_interval_narrower(tmp_path):
    filled = fill(tmp_path)
    before = paired(tables(filled.db, filled.project_id), *filled.pattern_ids[:2], "likeness")
    add_run(filled, PLAN, 0, 1)
    after = paired(tables(filled.db, filled.project_id), *filled.pattern_ids[:2], "likeness")
    assert (after.n_a, after.noise) == (before.n_a, before.noise)
