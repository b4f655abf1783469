"""Tables: what stands in them is the arithmetic that their docstrings promise, and nothing is mixed."""

import json
import math
from dataclasses import replace

import pytest
from filled import BASELINE, PLAN, add_life, fill

from db import library, results, runs
from workbench.findings.analysis import (
    active_settings,
    checkpoint_table,
    evenly,
    pattern_table,
    preview_table,
    tables,
    varied_settings,
)
from workbench.findings.best import best_so_far
from workbench.findings.metrics import METRICS
from workbench.findings.verdicts import verdict
from workbench.plans.plan import EvalPlan, set_plan
from workbench.projects import add_project
from workbench.sweep import patterns
from workbench.workspace import Workspace


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path)


def one_row(table, **columns):
    for name, value in columns.items():
        table = table[table[name] == value]
    assert len(table) == 1, f"{len(table)} rows"
    return table.iloc[0]


def cell(table, run, updates, prompt, seed):
    return one_row(table, run_id=run, updates=updates, prompt=prompt, seed=seed)


# previews


def test_likeness_is_on_the_scale_from_strangers_to_real_photos(read, shared):
    row = cell(read.previews, shared.run_ids[0], 120, prompt=1, seed=102)
    # 60 baseline + 2 training seed + 0 last checkpoint - 6 prompt + 0 both - 1 preview seed
    assert row["likeness"] == pytest.approx(55)
    assert row["likeness_raw"] == pytest.approx(0.02 + 0.8 * 0.55)
    assert row["clip_t"] == pytest.approx(0.303) and row["face_px"] == 33


def test_every_preview_is_a_row_and_the_base_row_has_no_run(read):
    base = read.previews[read.previews["is_base"]]
    assert len(read.previews) == 3 * 2 * 2 * 8 + 8 and len(base) == 8
    assert base["run_id"].isna().all() and base["is_main"].all()
    assert read.previews["token"].is_unique


def test_no_face_and_a_black_picture_have_no_likeness_and_count_as_faces_that_are_missing(read, shared):
    run = shared.run_ids[4]
    black, faceless = (cell(read.previews, run, 60, prompt, 101) for prompt in (0, 1))
    assert (black["picture_status"], black["face_status"], black["face_found"]) == ("black", "black", 0)
    assert (faceless["picture_status"], faceless["face_status"], faceless["face_found"]) == (
        "ok",
        "no_face",
        0,
    )
    assert math.isnan(black["likeness"]) and math.isnan(faceless["likeness"]) and math.isnan(black["clip_t"])


def reasons(row):
    return [(row[f"{judge}_status"], row[f"{judge}_reason"]) for judge in ("face", "clip")]


def test_every_preview_says_why_a_judge_gave_no_value(read, shared):
    black, faceless, sound = (cell(read.previews, shared.run_ids[4], 60, prompt, 101) for prompt in (0, 1, 2))
    assert reasons(black) == [("black", "black picture")] * 2
    assert reasons(faceless) == [("no_face", "no face found"), ("ok", "")]
    assert reasons(sound) == [("ok", "")] * 2


def test_a_judge_that_is_missing_or_failed_is_quoted_and_one_that_has_not_looked_yet_is_not(filled):
    message = json.dumps({"message": "Install open_clip."})
    filled.db.execute("update scores set value = null, status = 'error' where metric = 'likeness'")
    filled.db.execute(
        "update scores set value = null, status = 'unavailable', detail = ? where metric = 'clip_t'", [message]
    )
    table = preview_table(filled.db, filled.project_id)
    sound, broken = (table[(table["picture_status"] == "ok") == ok].iloc[0] for ok in (True, False))
    assert reasons(sound) == [
        ("error", "the judge failed on it"),
        ("unavailable", "the judge is not there. Install open_clip."),
    ]
    assert reasons(broken) == [("black", "black picture")] * 2  # the picture's own, whatever the judges say
    filled.db.execute("delete from scores")
    assert reasons(preview_table(filled.db, filled.project_id).iloc[0]) == [(None, ""), (None, "")]


def test_a_broken_picture_has_no_clip_score_even_if_one_is_stored(filled):
    filled.db.execute("update scores set value = 0.2, status = 'ok' where metric = 'clip_t'")
    table = preview_table(filled.db, filled.project_id)
    assert table.loc[table["picture_status"] == "black", "clip_t"].isna().all() and table["clip_t"].count() == 103


def test_a_rater_s_repeats_are_averaged_before_the_raters(filled):
    row = preview_table(filled.db, filled.project_id).set_index("preview_id")
    first = results.previews(filled.db, filled.project_id, filled.plan_id)
    rated = next(r for r in first if r["is_last"] and r["prompt"] == 0 and r["seed"] == 101)
    assert row.loc[rated["id"], "human_likeness"] == pytest.approx((68 + 72) / 2)  # 63 + 5 and 63 + 9
    from filled import rate

    rate(filled, rated["id"], "somebody else", 0, likeness=10.0)
    again = preview_table(filled.db, filled.project_id).set_index("preview_id")
    assert again.loc[rated["id"], "human_likeness"] == pytest.approx((70 + 10) / 2)  # not (68 + 72 + 10) / 3
    assert again.loc[rated["id"], "n_marks"] == 5


def test_previews_of_another_plan_are_left_out_and_counted(filled):
    set_plan(filled.db, filled.project_id, EvalPlan(prompts=PLAN.prompts, seeds=(7,)))
    table = preview_table(filled.db, filled.project_id)
    assert len(table) == 0 and table.attrs["left_out"]["previews_of_other_plans"] == 104


def score_again(filled, judge, calibration, raw):
    """A second likeness of every preview, by another judge or on another calibration."""
    stored = results.previews(filled.db, filled.project_id, filled.plan_id)
    common = {"judge_id": judge, "calibration_id": calibration, "metric": "likeness", "detail": "{}"}
    results.add_scores(filled.db, [{**common, "preview_id": row["id"], "value": raw, "status": "ok"} for row in stored])


def calibrate(filled, judge, size_px, real=0.9, strangers=0.1):
    return results.add_calibration(
        filled.db,
        judge_id=judge,
        dataset_id=filled.dataset_id,
        size_px=size_px,
        estimator="mean_of_pairs",
        real=real,
        strangers=strangers,
        counts=json.dumps({}),
    )


def test_another_judge_s_scores_never_meet_the_project_s_judge(filled):
    before = preview_table(filled.db, filled.project_id)["likeness"]
    other = results.add_judge(
        filled.db, "face/other", kind="face", name="other", version="1", licence="free", world="any"
    )
    score_again(filled, other, calibrate(filled, other, 64), 0.5)
    table = preview_table(filled.db, filled.project_id)
    assert table["likeness"].equals(before) and set(table["face_judge"]) == {"embedded"}
    assert table.attrs["left_out"]["scores_of_other_judges"] == 104


def test_the_newest_calibration_counts_and_the_older_one_is_left_out(filled):
    score_again(filled, filled.face_judge, calibrate(filled, filled.face_judge, 128), 0.5)
    table = preview_table(filled.db, filled.project_id)
    assert table["likeness"].dropna().round(6).unique().tolist() == [50.0]  # 100 (.5 - .1) / (.9 - .1)
    assert table.attrs["left_out"]["scores_of_other_calibrations"] == 104


def test_pictures_of_another_size_keep_their_own_scale(filled):
    large = "select id from previews where seed = 102"
    filled.db.execute(f"update previews set size_px = 128 where id in ({large})")
    calibration = calibrate(filled, filled.face_judge, 128)
    filled.db.execute(
        f"update scores set calibration_id = ?, value = 0.5 where metric = 'likeness' and preview_id in ({large})",
        [calibration],
    )
    table = preview_table(filled.db, filled.project_id)
    assert table.loc[table["seed"] == 102, "likeness"].round(6).unique().tolist() == [50.0]
    assert table.loc[table["seed"] == 101, "likeness"].count() == 52 - 2  # all but the two broken ones
    assert table.attrs["left_out"]["scores_of_other_calibrations"] == 0


def test_without_other_people_s_photos_the_zero_is_cosine_zero_and_nothing_says_strangers(filled):
    before = tables(filled.db, filled.project_id)
    assert set(before.previews["zero"].dropna()) == set(before.checkpoints["zero"]) == {"strangers"}
    assert before.metric("likeness") == METRICS["likeness"] and "how alike strangers" in METRICS["likeness"].meaning
    calibration = calibrate(filled, filled.face_judge, 128, real=0.8, strangers=None)
    score_again(filled, filled.face_judge, calibration, 0.4)
    table = preview_table(filled.db, filled.project_id)
    assert table["likeness"].dropna().round(6).unique().tolist() == [50.0]
    after = tables(filled.db, filled.project_id)
    likeness = after.metric("likeness")
    assert "0 = cosine 0 (no photos of other people were given)" in likeness.meaning
    assert "strangers" not in likeness.meaning + likeness.title and "0 = cosine 0" in likeness.title
    assert after.metric("clip_t") == METRICS["clip_t"]


def test_where_the_judge_is_gone_its_earlier_scores_count_and_nobody_elses(filled):
    before = preview_table(filled.db, filled.project_id)["likeness"]
    library.update_project(filled.db, filled.project_id, face_judge="no_such_pack")
    assert preview_table(filled.db, filled.project_id)["likeness"].isna().all()
    filled.db.execute("update judges set key = 'face/no_such_pack/1/abc' where id = ?", [filled.face_judge])
    assert preview_table(filled.db, filled.project_id)["likeness"].equals(before)


def test_with_judge_none_the_charts_live_on_ratings(filled):
    library.update_project(filled.db, filled.project_id, face_judge="none")
    read = tables(filled.db, filled.project_id)
    assert read.previews["likeness"].isna().all() and read.previews["clip_t"].notna().any()
    assert read.main_metric == "human_likeness"
    assert best_so_far(read).label == "baseline"


def test_a_bare_reason_never_hides_a_score(filled):
    before = preview_table(filled.db, filled.project_id)["likeness"]
    stored = results.previews(filled.db, filled.project_id, filled.plan_id)
    reason = {"metric": "likeness", "value": None, "calibration_id": None, "detail": "{}"}
    for judge, status in ((None, "unavailable"), (filled.face_judge, "not_calibrated")):
        rows = [{**reason, "preview_id": row["id"], "judge_id": judge, "status": status} for row in stored]
        results.add_scores(filled.db, rows)
    table = preview_table(filled.db, filled.project_id)
    assert table["likeness"].equals(before) and "unavailable" not in set(table["face_status"])


def test_a_preview_that_was_not_judged_has_no_face_status_of_its_own(filled):
    filled.db.execute("update scores set value = null, status = 'unavailable' where metric = 'likeness'")
    table = preview_table(filled.db, filled.project_id)
    sound = table[table["picture_status"] == "ok"]
    assert set(sound["face_status"]) == {"unavailable"} and sound["face_found"].isna().all()
    assert table.loc[table["picture_status"] == "black", "face_found"].tolist() == [0.0]


@pytest.mark.parametrize(("usual", "points"), [(0.02, 10.0), (None, 12.5)])
def test_copying_is_the_lead_of_the_nearest_training_photo_beyond_the_usual(filled, usual, points):
    # (.60 - .50) / .80 = 12.5 points nearer to a training photo, of which .02 / .80 = 2.5 are usual
    detail = {"face_px": 33.0, "nearest_train": 0.6, "nearest_reference": 0.5, "usual_gap": usual}
    filled.db.execute(
        "update scores set detail = ? where metric = 'likeness' and value is not null", [json.dumps(detail)]
    )
    table = preview_table(filled.db, filled.project_id)
    assert table["copy_gap"].dropna().tolist() == pytest.approx([points] * 102)  # all but the two broken ones
    assert checkpoint_table(filled.db, filled.project_id)["copy_gap"].tolist() == pytest.approx([points] * 13)


def test_an_unknown_project_is_named(shared):
    with pytest.raises(LookupError, match="project 99"):
        preview_table(shared.db, 99)


# checkpoints


def test_a_checkpoint_s_figures_are_means_of_prompt_means(read, shared):
    row = one_row(read.checkpoints, run_id=shared.run_ids[0], updates=120)
    assert row["likeness"] == pytest.approx(62)  # prompts 62, 56, 68
    assert row["likeness_se"] == pytest.approx(6 / math.sqrt(3))  # their sd is 6
    assert row["leakage"] == pytest.approx(10) and row["clip_t"] == pytest.approx(0.303)
    assert row["face_rate"] == 1 and row["broken"] == 0 and not row["wrecked"]
    assert row["n_previews"] == 8 and row["n_prompts"] == 3 and row["complete"]
    # marks: (68 + 72) / 2, 62 and 74 (the plan's first seed adds 1 to each likeness, the rater 5)
    assert row["human_likeness"] == pytest.approx((70 + 62 + 74) / 3) and row["n_rated"] == 3


def test_missing_faces_lower_the_face_rate_and_not_the_likeness_of_the_rest(read, shared):
    row = one_row(read.checkpoints, run_id=shared.run_ids[4], updates=60)
    assert row["face_rate"] == pytest.approx(4 / 6) and row["broken"] == pytest.approx(2 / 8)
    # 57 + 2 - 10 = 49, prompts 49, 45, 53; the first two lack their +1 preview and keep the -1 one
    assert row["likeness"] == pytest.approx((48 + 44 + 53) / 3)


def test_the_base_row_comes_first_and_has_no_run(read):
    first = read.checkpoints.iloc[0]
    assert first["is_base"] and first["likeness"] == pytest.approx(12) and first["clip_t"] == pytest.approx(0.24)
    assert read.checkpoints["is_base"].sum() == 1 and len(read.checkpoints) == 13


def test_a_checkpoint_with_few_faces_is_wrecked(filled):
    run = filled.run_ids[0]
    filled.db.execute(
        "update scores set value = null, status = 'no_face' where metric = 'likeness' and preview_id in ("
        "select v.id from previews v join checkpoints c on c.id = v.checkpoint_id "
        "where c.run_id = ? and c.is_last and v.prompt < 2)",
        [run],
    )
    table = checkpoint_table(filled.db, filled.project_id)
    row = one_row(table, run_id=run, updates=120)
    assert row["face_rate"] == pytest.approx(2 / 6) and row["wrecked"]
    assert not one_row(table, run_id=run, updates=60)["wrecked"]


def test_only_the_main_strength_counts_in_a_checkpoint(tmp_path):
    plan = EvalPlan(prompts=PLAN.prompts, seeds=PLAN.seeds, strengths=(0.5, 1.0))
    filled = fill(tmp_path, plan)
    previews = preview_table(filled.db, filled.project_id)
    assert len(previews) == 12 * 16 + 8 and previews["is_main"].sum() == 12 * 8 + 8
    table = checkpoint_table(filled.db, filled.project_id)
    assert set(table["n_previews"]) == {8} and table["complete"].all()


def test_patterns_that_differ_in_inert_settings_only_are_replicates(filled):
    run = runs.get(filled.db, filled.run_ids[2])
    runs.started(
        filled.db,
        run["id"],
        effective=json.loads(runs.get(filled.db, filled.run_ids[0])["effective"]),
        device="cpu",
        step=0,
        total=120,
    )
    table = checkpoint_table(filled.db, filled.project_id).set_index(["run_id", "updates"])["replicate"]
    same = table[filled.run_ids[2], 120] == table[filled.run_ids[0], 120]
    assert same and table[filled.run_ids[3], 120] != table[filled.run_ids[0], 120]


# runs and patterns


def test_a_training_done_twice_counts_once(filled):
    from filled import add_run

    again = add_run(filled, PLAN, 0, 1)
    read = tables(filled.db, filled.project_id)
    assert again in set(read.runs["run_id"]) and filled.run_ids[0] not in set(read.runs["run_id"])
    assert len(read.runs) == 6


def test_patterns_are_ranked_by_the_mean_over_training_seeds(read):
    ranked = read.patterns
    assert ranked["label"].tolist() == ["baseline", "rate 6e-3", "alpha 1"]
    assert ranked["likeness"].tolist() == pytest.approx([60, 57, 45])
    assert ranked["seed_sd"].tolist() == pytest.approx([math.sqrt(8)] * 3)  # seeds at +2 and -2
    assert ranked["n_seeds"].tolist() == [2, 2, 2] and ranked["n_candidates"].tolist() == [2, 2, 2]


def test_leakage_ranks_the_lowest_first(shared):
    ranked = pattern_table(shared.db, shared.project_id, "clip_t")
    assert ranked["label"].tolist() == ["alpha 1", "baseline", "rate 6e-3"]
    assert not METRICS["leakage"].higher_is_better
    lowest = pattern_table(shared.db, shared.project_id, "leakage")["leakage"]
    assert lowest.is_monotonic_increasing


def test_every_run_offers_as_many_checkpoints_as_the_run_with_the_fewest(filled):
    first = runs.checkpoints(filled.db, filled.run_ids[5])[0]
    filled.db.execute(
        "delete from scores where preview_id in (select id from previews where checkpoint_id = ?)",
        [first["id"]],
    )
    filled.db.execute("delete from previews where checkpoint_id = ?", [first["id"]])
    # the first checkpoint of the baseline would win, but one run has only its last checkpoint to offer
    filled.db.execute(
        "update scores set value = 0.8 where metric = 'likeness' and preview_id in (select v.id "
        "from previews v join checkpoints c on c.id = v.checkpoint_id where c.run_id = ? and not c.is_last)",
        [filled.run_ids[0]],
    )
    ranked = pattern_table(filled.db, filled.project_id).set_index("label")
    assert ranked["n_candidates"].unique().tolist() == [1]
    assert ranked.loc["baseline", "likeness"] == pytest.approx(60)


def test_candidates_are_spread_evenly_and_end_with_the_last(read):
    rows = read.checkpoints.iloc[:10]
    assert evenly(rows, 1).index.tolist() == [9]
    assert evenly(rows, 2).index.tolist() == [4, 9]
    assert evenly(rows, 3).index.tolist() == [3, 6, 9]
    assert evenly(rows, 10).index.tolist() == list(range(10))


def test_an_unfinished_run_and_one_on_earlier_photos_are_not_ranked(filled):
    add_life(filled)
    before = pattern_table(filled.db, filled.project_id)
    assert before["n_runs"].sum() == 6
    photos = [{key: row[key] for key in row if key not in ("id", "dataset_id")} for row in library.photos(filled.db, 1)]
    library.add_dataset(
        filled.db,
        filled.project_id,
        hash="other",
        trigger_word="zwx",
        class_noun="woman",
        size_px=None,
        photos=photos,
    )
    assert pattern_table(filled.db, filled.project_id).empty


def test_the_best_so_far_is_too_close_to_call_within_the_noise(read):
    best = best_so_far(read)
    assert (best.label, best.value, best.n_seeds) == ("baseline", pytest.approx(60), 2)
    # the luck of the first is taken off: 60 + 60 -> less, toward the mean of 60, 57 and 45
    assert best.low < 54 < 60 < best.high < 66 and 60 - best.low > best.high - 60
    assert best.wording == "best_close" and 0.5 < best.chance < 0.95
    assert "of 100 draws" in verdict(best.wording, best.params) and "takes 24 s" in verdict(best.wording, best.params)


def test_the_best_leads_where_the_second_is_out_of_reach(filled):
    filled.db.execute(
        "update scores set value = value - 0.2 where metric = 'likeness' and preview_id in (select v.id from "
        "previews v join checkpoints c on c.id = v.checkpoint_id join runs r on r.id = c.run_id "
        "where r.pattern_id = ?)",
        [filled.pattern_ids[2]],
    )  # 25 points of the scale
    assert best_so_far(tables(filled.db, filled.project_id)).wording == "best_leads"


def test_two_seeds_that_agree_leave_open_whether_the_best_would_be_so_again(read):
    same = read.checkpoints.copy()
    same["likeness"] = same.groupby(["pattern_id", "updates"])["likeness"].transform("mean").fillna(same["likeness"])
    best = best_so_far(replace(read, checkpoints=same))
    assert best.n_seeds == 2 and best.wording == "best_open" and math.isnan(best.low)
    assert "training seeds" in verdict(best.wording, best.params)


def test_the_second_best_is_never_the_same_lora_under_another_name(read, shared):
    first, _, close = shared.pattern_ids
    runs_of = read.runs.copy()
    twin = runs_of["pattern_id"] == close
    runs_of.loc[twin, "replicate"] = list(runs_of.loc[runs_of["pattern_id"] == first, "replicate"])
    best = best_so_far(replace(read, runs=runs_of))
    assert (best.label, best.params["b"]) == ("baseline", "alpha 1") and best.wording == "best_leads"


def test_settings_that_vary_are_those_that_trained_patterns_differ_in(read):
    assert varied_settings(read)[:2] == ["alpha", "learning_rate"]
    assert "optimizer" not in varied_settings(read)


def test_an_inert_setting_is_not_active_and_an_empty_text_encoder_rate_is_the_learning_rate():
    adafactor = active_settings(BASELINE.model_copy(update={"optimizer": "adafactor"}))
    assert "learning_rate" not in adafactor and "text_encoder_lr" not in adafactor
    assert active_settings(BASELINE)["text_encoder_lr"] == BASELINE.learning_rate


def test_a_project_without_anything_has_empty_tables(tmp_path):
    db = Workspace(tmp_path).open()
    project_id = add_project(db, "empty", "zwx", "woman")
    patterns.add(db, project_id, BASELINE, "baseline")
    read = tables(db, project_id)
    assert read.previews.empty and read.checkpoints.empty and read.runs.empty and read.patterns.empty
    assert best_so_far(read) is None and varied_settings(read) == []
