"""Eye and judge: rank correlations with intervals that hold, which judge follows, and where the two part."""

import math

import numpy as np
import pandas as pd
import pytest
from filled import fill
from filled_ratings import OF_EYE, add_all_ratings
from scipy import stats

from workbench.findings.analysis import checkpoint_table, tables
from workbench.findings.preview_table import marks_of, preview_table
from workbench.people import eye_and_judge as compare
from workbench.people import found
from workbench.pictures.gallery import facts


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    filled = fill(tmp_path_factory.mktemp("rated"), rated=False)
    add_all_ratings(filled)
    return filled


@pytest.fixture(scope="module")
def previews(rated):
    return preview_table(rated.db, rated.project_id)


def pictures(eye, judge, checkpoints=None, prompts=None):
    n = len(eye)
    return pd.DataFrame(
        {
            "human_likeness": np.asarray(eye, dtype=float),
            "likeness": np.asarray(judge, dtype=float),
            "checkpoint_id": range(n) if checkpoints is None else checkpoints,
            "prompt": [0] * n if prompts is None else prompts,
            "is_base": False,
            "token": [f"t{i}" for i in range(n)],
        }
    )


def simulated(rng, checkpoints, prompts, rho, share=0.3):
    """Eye and judge with correlation rho; ``share`` of the variance is common to the pictures of a checkpoint."""
    both = [[1, rho], [rho, 1]]
    of_checkpoint = rng.multivariate_normal([0, 0], both, size=checkpoints) * share**0.5
    own = rng.multivariate_normal([0, 0], both, size=checkpoints * prompts) * (1 - share) ** 0.5
    values = np.repeat(of_checkpoint, prompts, axis=0) + own
    each = np.repeat(np.arange(checkpoints), prompts)
    return pictures(values[:, 0], values[:, 1], each, np.tile(np.arange(prompts), checkpoints))


# rank correlation


def test_the_estimate_is_spearman_s_with_ties():
    eye, judge = [1, 2, 2, 4, 5, 5], [3, 1, 4, 4, 6, 5]
    sure = compare.correlation(pictures(eye, judge), "human_likeness", "likeness")
    assert sure.rho == pytest.approx(stats.spearmanr(eye, judge).statistic) and (sure.n, sure.checkpoints) == (6, 6)


def test_a_resample_counts_a_picture_as_often_as_it_was_drawn():
    rows = pictures([1, 2, 2, 4, 5], [3, 1, 4, 4, 6])
    times = np.array([2, 0, 1, 3, 1])
    [rho] = compare.resampled(rows, "human_likeness", "likeness", times[None].astype(float), False)
    expanded = rows.loc[np.repeat(rows.index, times)]
    assert rho == pytest.approx(stats.spearmanr(expanded["human_likeness"], expanded["likeness"]).statistic)


def test_whole_checkpoints_are_drawn():
    weights = compare.draws(pd.Series([7, 7, 9, 9, 9, 4]))
    assert (weights[0] == 1).all() and (weights[:, 0] == weights[:, 1]).all() and (weights[:, 2] == weights[:, 4]).all()
    assert (weights[1:, [0, 2, 5]].sum(axis=1) == 3).all()  # as many checkpoints as there are


def test_within_prompts_a_prompt_that_is_hard_for_both_is_no_agreement():
    eye, judge = [10, 11, 12, 90, 91, 92], [22, 21, 20, 82, 81, 80]
    rows = pictures(eye, judge, prompts=[0, 0, 0, 1, 1, 1])
    assert compare.correlation(rows, "human_likeness", "likeness").rho == pytest.approx(1 - 6 * 16 / (6 * 35))
    assert compare.correlation(rows, "human_likeness", "likeness", within_prompts=True).rho == pytest.approx(-1)


def test_with_few_checkpoints_there_is_no_interval():
    rows = pictures(range(8), range(8), [1, 1, 2, 2, 3, 3, 4, 4])
    sure = compare.correlation(rows, "human_likeness", "likeness")
    assert sure.rho == pytest.approx(1) and math.isnan(sure.low) and sure.interval == "too few checkpoints"
    assert math.isnan(compare.correlation(rows[:2], "human_likeness", "likeness").rho)


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_the_interval_holds_the_truth_about_95_times_in_100(rho):
    rng, truth = np.random.default_rng(5), 6 / math.pi * math.asin(rho / 2)
    held, narrow, n = 0, 0, 150
    for _ in range(n):
        rows = simulated(rng, checkpoints=10, prompts=6, rho=rho)
        weights = compare.draws(rows["checkpoint_id"], 200)
        resamples = compare.resampled(rows, "human_likeness", "likeness", weights, False)
        low, high = compare.interval(resamples, 10)
        held += low <= truth <= high
        independent = np.tanh(np.arctanh(resamples[0]) + np.array([-1.96, 1.96]) / math.sqrt(60 - 3))
        narrow += independent[0] <= truth <= independent[1]
    assert 0.91 <= held / n <= 0.995, held / n
    assert held >= narrow


# which judge


def test_judges_are_compared_on_the_same_pictures_and_only_a_clear_lead_is_said():
    rng = np.random.default_rng(2)
    rows = simulated(rng, checkpoints=20, prompts=6, rho=0.9)
    same, noise = rows["likeness"] + rng.normal(0, 0.05, len(rows)), rng.normal(0, 1, len(rows))
    [close] = compare.ahead(rows.assign(second_likeness=same))
    assert close.low < 0 < close.high and "can't be told apart" in close.words and close.n == 120
    [clear] = compare.ahead(rows.assign(second_likeness=noise))
    assert clear.low > 0 and "Likeness follows the eye better than likeness by the second judge" in clear.words
    [other] = compare.ahead(rows.assign(second_likeness=rows["likeness"], likeness=noise))
    assert other.high < 0 and "Likeness by the second judge follows the eye better" in other.words


def test_clip_is_compared_within_prompts_only(previews):
    lines = {(one.human, one.judge): one for one in compare.trackings(previews)}
    assert set(lines) == {("human_likeness", "likeness"), ("human_prompt", "clip_t")}
    assert lines["human_likeness", "likeness"].over_all.n == 34  # 36 pictures, a black one, one without a face
    assert lines["human_prompt", "clip_t"].over_all is None and lines["human_prompt", "clip_t"].within.n == 18


# where they part


def test_places_apart_are_hundredths_of_all_pictures():
    rows = compare.seen_by_both(pictures([90, 50, 40, 10], [20, 60, 50, 40]))
    apart = dict(zip(rows["token"], rows["apart"], strict=True))
    assert apart == {"t0": 75.0, "t1": -25.0, "t2": -25.0, "t3": -25.0}
    above, below = compare.furthest(rows, 2, held=["t1"])
    assert list(above["token"]) == ["t0"] and list(below["token"]) == ["t2", "t3"]


def test_a_pattern_that_only_people_see_the_flaw_of_is_found(previews):
    rows = compare.seen_by_both(previews, within_prompts=True)
    table = compare.by_group(rows, rows["label"]).set_index("group")
    [flawed] = OF_EYE
    assert table.loc[flawed, "sure"] and table.loc[flawed, "high"] < 0 and table.index[0] == flawed
    said = compare.group_words(table.reset_index(), "pattern")
    assert said[0].startswith(f"{flawed}: people place its pictures") and "lower than the judge does" in said[0]
    _, below = compare.furthest(compare.seen_by_both(previews), 5)
    assert set(below["label"]) == {flawed}


def test_noise_in_marks_alone_makes_few_patterns_stand_out():
    rng, standing_out = np.random.default_rng(3), []
    for _ in range(40):
        of_pattern = np.repeat(rng.normal(0, 10, 6), 36)
        true = of_pattern + rng.normal(0, 6, 216)
        rows = pictures(true + rng.normal(0, 15, 216), true, np.repeat(range(36), 6), np.tile(range(6), 36))
        rows = compare.seen_by_both(rows, within_prompts=True)
        standing_out += list(compare.by_group(rows, rows["checkpoint_id"] // 6)["sure"])  # six checkpoints a pattern
    assert np.mean(standing_out) < 0.05, np.mean(standing_out)


def test_where_no_pattern_stands_out_that_is_said():
    rows = compare.seen_by_both(pictures([1, 2, 3, 4] * 3, [1, 2, 3, 4] * 3, prompts=[0] * 4 + [1] * 4 + [2] * 4))
    table = compare.by_group(rows, pd.Series(["a", "b"] * 6))
    assert not table["sure"].any()
    assert compare.group_words(table, "pattern")[0].startswith("No pattern stands out")
    one = compare.by_group(rows[rows["prompt"] == 0], pd.Series(["a", "b"] * 2))
    assert "rate pictures of more prompts" in compare.group_words(one, "pattern")[0]


# marks, rows and flags in the tables


def test_marks_of_one_rater_stand_alone(rated, previews):
    mine, hers = (marks_of(rated.db, rated.project_id, previews, rater) for rater in ("me", "Mia"))
    both = previews["human_likeness"]
    assert both.notna().sum() == mine["human_likeness"].notna().sum() == 36 - 1
    assert np.allclose((mine["human_likeness"] + hers["human_likeness"])[both.notna()] / 2, both.dropna())
    assert marks_of(rated.db, rated.project_id, previews, None) is previews
    assert marks_of(rated.db, rated.project_id, previews, "nobody")["human_likeness"].isna().all()


def test_row_marks_are_a_checkpoint_s_own_and_flags_count_raters(rated, previews):
    checkpoints = checkpoint_table(rated.db, rated.project_id, previews)
    trained = checkpoints[~checkpoints["is_base"]]
    assert trained["n_row_marks"].sum() == 34 and trained["human_row"].between(0, 100).all()
    assert checkpoints.loc[checkpoints["is_base"], "human_row"].isna().all()
    flagged = previews[previews["flag_not_the_person"] > 0].set_index("train_seed")
    assert flagged["flag_not_the_person"].to_dict() == {1: 2, 2: 1}
    said = dict(facts(flagged.loc[1].to_dict() | {"train_seed": 1}))
    assert said["flagged by raters"] == "not the person (2 raters)"
    assert "flagged by raters" not in dict(facts(previews.iloc[0].to_dict()))


def test_flags_are_counted_by_checkpoint_and_waiting_pictures_are_not_shown(previews):
    counts, rows = found.flagged(previews)
    assert len(rows) == 3 and counts["not the person"].sum() == 2 and counts["broken"].sum() == 1
    again, fewer = found.flagged(previews, held=[rows["token"].iloc[0]])
    assert again.equals(counts) and len(fewer) == 2


def test_checkpoints_are_ordered_by_marks_and_by_choices(rated):
    of_all = tables(rated.db, rated.project_id)
    project = {"id": rated.project_id, **dict(rated.db["projects"].get(rated.project_id))}
    marked = found.marked(rated.db, project, of_all)
    assert len(marked) == 12 and marked["said"].iloc[0] == found.BEST and marked["value"].is_monotonic_decreasing
    assert marked["name"].iloc[0].startswith("baseline") and marked["name"].iloc[-1].startswith("rate 6e-3")
    [order] = found.order_of(found.from_choices(rated.db, project, of_all), found.names_of(of_all))
    assert len(order) == 6 and order["name"].iloc[0].startswith("baseline")
    assert (order["low"] <= order["value"]).all() and (order["value"] <= order["high"]).all()
    assert set(order.loc[order["low"] > 1, "said"]) == {found.WORSE}
    mine = found.from_choices(rated.db, project, of_all, "me")
    assert mine.raters == ("me",)
    assert found.from_choices(rated.db, project, of_all, "nobody") is None
