"""Coarse to fine: a few cells of every checkpoint, all of the promising ones, fresh ones of those that lead."""

import math

import pandas as pd
import pytest
from filled import PLAN, fill

from db import library, results, runs
from workbench.findings.analysis import tables
from workbench.findings.best import best_so_far, leaders, on_fresh_seeds
from workbench.findings.verdicts import verdict
from workbench.keeping.retention import Rule, going, set_rule
from workbench.plans import closer as closer_looks
from workbench.plans.closer import AT_LEAST, promising
from workbench.plans.missing import fill_jobs
from workbench.plans.plan import EvalPlan, Prompt, set_plan
from workbench.plans.plan_editor import cost_of
from workbench.running.progress import progress
from workbench.sweep.cost import cost
from workbench.sweep.patterns import get

COARSE = PLAN.model_copy(
    update={"seeds": (101, 102, 103, 104), "scan_seeds": 1, "confirm_seeds": (201, 202), "steps": 10}
)
MORE_UPDATES = (20, 40, 80, 100)  # besides 60 and 120, which is the last
TRUTH = {20: 10.0, 40: 30.0, 60: 58.0, 80: 60.0, 100: 40.0, 120: 35.0}
OF_PATTERN = (0.0, -20.0, -2.0)
OF_PROMPT = (0.0, -6.0, 6.0)
WOBBLE = (0.0, 1.5, -1.5)  # of the second pattern on each prompt, and of the checkpoint with 60 updates
LUCK = 6.0  # of the seeds that are chosen by
ALL, SCAN, FRESH = 4 * 4, 4, 4 * 2  # cells


@pytest.fixture
def full(tmp_path):
    """Three patterns x two seeds, six checkpoints each, under a plan that nothing is rendered of yet."""
    full = fill(tmp_path, rated=False)
    for run in full.run_ids:
        for updates in MORE_UPDATES:
            file = f"runs/{run}/lora-{updates:06d}.safetensors"
            about = {"images_seen": 4 * updates, "epoch": updates / 12, "sha256": f"{run}-{updates}", "bytes": 1000}
            runs.add_checkpoint(full.db, run, updates=updates, file=file, proof="{}", is_last=0, **about)
    set_plan(full.db, full.project_id, COARSE)
    return full


def project_of(full):
    return library.project(full.db, full.project_id)


def jobs_of(full):
    return list(fill_jobs(full.ws, full.db, project_of(full)))


def value_of(full, checkpoint_id, prompt, seed):
    if checkpoint_id is None:
        return 5.0
    checkpoint = runs.checkpoint(full.db, checkpoint_id)
    pattern = full.pattern_ids.index(runs.get(full.db, checkpoint["run_id"])["pattern_id"])
    wobble = WOBBLE[prompt % 3] * ((checkpoint["updates"] == 60) + (pattern == 2))
    return (
        TRUTH[checkpoint["updates"]]
        + OF_PATTERN[pattern]
        + OF_PROMPT[prompt % 3]
        + wobble
        + (LUCK if seed < 200 else 0.0)
    )


def draw(full, judged=("likeness", "clip_t"), status="ok"):
    """Do every job that there is now; returns (updates or None for the base row, cells) of each."""
    done = []
    for job in jobs_of(full):
        checkpoint_id = job.about["checkpoint_id"]
        for cell in job.command["cells"]:
            token = results.new_token()
            preview = results.add_preview(
                full.db,
                **job.about,
                token=token,
                **{name: cell[name] for name in ("prompt", "seed", "strength", "text")},
                file=f"previews/{token}.png",
                thumb=f"previews/{token}.webp",
                size_px=64,
                status="ok",
                seconds=0.5,
            )
            score(full, preview, value_of(full, checkpoint_id, cell["prompt"], cell["seed"]), judged, status)
        updates = runs.checkpoint(full.db, checkpoint_id)["updates"] if checkpoint_id else None
        done.append((updates, len(job.command["cells"])))
    return done


def score(full, preview, value, judged, status="ok"):
    raw = 0.02 + 0.8 * value / 100
    rows = [
        {"judge_id": full.face_judge, "calibration_id": full.calibration, "metric": "likeness", "value": raw},
        {"judge_id": full.clip_judge, "calibration_id": None, "metric": "clip_t", "value": 0.3},
    ]
    if status != "ok":
        rows = [{**row, "value": None} for row in rows]
    results.add_scores(
        full.db,
        [{**row, "preview_id": preview, "status": status, "detail": "{}"} for row in rows if row["metric"] in judged],
    )


# what is asked for, and when


def test_every_checkpoint_is_scanned_then_the_promising_ones_get_all_then_the_leaders_fresh_seeds(full):
    assert sorted(draw(full), key=str) == sorted(
        [(None, ALL), *[(u, SCAN) for u in (20, 40, 60, 80, 100)] * 6, *[(120, ALL)] * 6], key=str
    )
    # 60 can't be told apart from 80 by a first look; 100 can; the last has had all of it
    assert sorted(draw(full)) == [(60, ALL - SCAN)] * 6 + [(80, ALL - SCAN)] * 6
    # the second pattern is 20 points behind; the third, 2 points behind with a wobble of 1.5, may be as good
    assert draw(full) == [(80, FRESH)] * 4
    assert draw(full) == []  # and that's it
    stored = results.previews(full.db, full.project_id, project_of(full)["plan_id"])
    assert len(stored) == ALL + 30 * SCAN + 6 * ALL + 12 * (ALL - SCAN) + 4 * FRESH


def test_asking_again_gives_the_same_until_scores_come(full):
    again = [[job.key for job in jobs_of(full)] for _ in range(2)]
    assert again[0] == again[1]
    draw(full, judged=("likeness",))
    assert jobs_of(full) == []  # CLIP has not spoken
    assert closer_looks.closer(full.db, full.project_id, COARSE).undecided == set(full.run_ids)
    for row in results.previews(full.db, full.project_id, project_of(full)["plan_id"]):
        score(full, row["id"], 0.0, ("clip_t",))
    assert len(jobs_of(full)) == 12


def test_a_run_that_still_trains_is_only_scanned(full):
    draw(full)
    full.db.execute("update runs set status = 'running' where id = ?", [full.run_ids[0]])
    full.db.conn.commit()
    assert {job.about["checkpoint_id"] for job in jobs_of(full)}.isdisjoint(
        row["id"] for row in runs.checkpoints(full.db, full.run_ids[0])
    )
    assert len(jobs_of(full)) == 10


@pytest.mark.parametrize("why", ["no judge", "no photos", "final"])
def test_where_nobody_judges_every_checkpoint_gets_all_cells_at_once(full, why):
    if why == "no judge":
        library.update_project(full.db, full.project_id, face_judge="none", clip_judge="none")
    elif why == "no photos":
        library.update_project(full.db, full.project_id, dataset_id=None, clip_judge="none")
    else:
        full.db.execute("update runs set final = 1")
        full.db.conn.commit()
    assert {cells for updates, cells in draw(full) if updates} == {ALL}


def test_judges_that_can_say_nothing_leave_every_checkpoint_promising(full):
    draw(full, status="unavailable")
    assert sorted(draw(full, status="unavailable")) == sorted([(u, ALL - SCAN) for u in (20, 40, 60, 80, 100)] * 6)


def test_nothing_is_asked_for_of_files_that_are_gone_or_never_were(full):
    first, second = runs.checkpoints(full.db, full.run_ids[0])[:2]
    full.db.execute("update checkpoints set removed_at = 1 where id = ?", [first["id"]])
    full.db.execute("update checkpoints set file = '', removed_at = 1 where id = ?", [second["id"]])
    full.db.conn.commit()
    assert len(draw(full)) == 1 + 36 - 2
    assert len(draw(full)) == 12


def test_confirmation_alone_waits_until_all_is_drawn_and_judged(full):
    set_plan(full.db, full.project_id, COARSE.model_copy(update={"scan_seeds": None}))
    first, *_ = jobs_of(full)
    assert first.about["checkpoint_id"] is None
    assert draw(full, judged=("likeness",)) and jobs_of(full) == []
    for row in results.previews(full.db, full.project_id, project_of(full)["plan_id"]):
        score(full, row["id"], 0.0, ("clip_t",))
    lost = "select id from previews where checkpoint_id is not null and plan_id = ? order by id desc limit 1"
    [row] = full.db.query(lost, [project_of(full)["plan_id"]])
    full.db.execute("delete from scores where preview_id = ?", [row["id"]])
    full.db.execute("delete from previews where id = ?", [row["id"]])
    full.db.conn.commit()
    assert [cells for _, cells in draw(full)] == [1]  # before that nothing leads
    assert draw(full) == [(80, FRESH)] * 4 and draw(full) == []


def test_a_plan_of_pictures_made_elsewhere_asks_for_nothing(full):
    set_plan(full.db, full.project_id, COARSE.model_copy(update={"elsewhere": True}))
    assert jobs_of(full) == []


def test_plans_without_these_fields_keep_their_hash_and_their_cells():
    plan = EvalPlan(prompts=(Prompt(text="x {trigger}"),), seeds=(1, 2), strengths=(0.6, 1.0))
    assert plan.scan_cells() == plan.cells() and plan.confirm_cells() == []
    coarse = plan.model_copy(update={"scan_seeds": 1, "confirm_seeds": (7,)})
    assert coarse.scan_cells() == [(0, 1, 1.0)] and coarse.confirm_cells() == [(0, 7, 1.0)]
    assert coarse.cells() == plan.cells() and coarse.hash != plan.hash


# which are promising


def first_looks(values, wrecked=()):
    """Previews of one run: values[checkpoint] = likeness on each of its identity prompts; the last is the last."""
    return pd.DataFrame(
        [
            {
                "checkpoint_id": number,
                "updates": number * 10,
                "is_last": number == len(values),
                "role": "identity",
                "prompt": prompt,
                "seed": 1,
                "likeness": value,
                "face_found": 0.0 if number in wrecked else 1.0,
            }
            for number, of_prompts in enumerate(values, 1)
            for prompt, value in enumerate(of_prompts)
        ]
    )


def test_what_the_first_look_can_not_rule_out_is_promising_by_hand():
    # against 3: gaps of 2 are (-1, -4, -1), mean -2, sd sqrt(3), t(2) = 4.303: -2 +- 4.30 holds 0
    # gaps of 1 are (-9, -11, -10): -10 +- 2.48 doesn't
    values = [(51, 49, 50), (59, 56, 59), (60, 60, 60), (40, 41, 39)]
    assert promising(first_looks(values), "likeness") == {2, 3, 4}  # 4 is the last


def test_at_least_two_are_promising_and_always_the_last():
    values = [(10, 11, 12), (90, 91, 92), (50, 51, 53), (20, 22, 21)]
    assert AT_LEAST == 2
    assert promising(first_looks(values), "likeness") == {2, 3, 4}
    assert promising(first_looks([(50, 51)]), "likeness") == {1}


def test_one_prompt_rules_nothing_out():
    assert promising(first_looks([(10,), (90,), (20,)]), "likeness") == {1, 2, 3}


def test_checkpoints_without_faces_stand_behind_all_others():
    values = [(90, 91, 92), (50, 51, 50), (49, 51, 50), (20, 22, 21)]
    assert promising(first_looks(values, wrecked=(1,)), "likeness") == {2, 3, 4}


def test_the_choice_does_not_depend_on_the_order_of_the_rows():
    rows = first_looks([(51, 49, 50), (59, 56, 59), (60, 60, 60), (60, 60, 60), (39, 41, 40)])
    mixed = rows.sample(frac=1.0, random_state=3)
    assert promising(rows, "likeness") == promising(mixed, "likeness") == {2, 3, 4, 5}


# what is left on fresh seeds


def test_the_best_is_reported_again_on_pictures_that_it_was_not_chosen_by(full):
    for _ in range(2):
        draw(full)
    before = best_so_far(tables(full.db, full.project_id))
    assert before.fresh is None and "fresh" not in verdict(before.wording, before.params)
    draw(full)
    found = tables(full.db, full.project_id)
    best = best_so_far(found)
    assert best.value == before.value == pytest.approx(66.0)  # confirming changes no choice and no figure
    assert (best.checkpoint_ids, best.fresh.n_prompts, best.fresh.n_pictures) == (before.checkpoint_ids, 3, 2 * 6)
    assert best.fresh.value == pytest.approx(60.0)
    # prompt means 60, 54, 66: mean 60, sd 6, half = 4.3027 x 6 / sqrt(3) = 14.9
    assert verdict(best.wording, best.params).endswith(
        " Chosen at 66.0; on fresh pictures 60.0 (95 % interval 45.1 to 74.9)."
    )
    third = next(iter(set(leaders(found)) - set(best.checkpoint_ids)))
    fresh = on_fresh_seeds(found, [third], "likeness")
    # prompt means 58, 53.5, 62.5: mean 58, sd 4.5
    assert fresh.value == pytest.approx(58.0)
    assert fresh.high - fresh.value == pytest.approx(4.302653 * 4.5 / math.sqrt(3), rel=1e-5)


def test_leaders_are_the_best_pattern_and_those_it_can_not_be_told_apart_from(full):
    for _ in range(2):
        draw(full)
    chosen = leaders(tables(full.db, full.project_id))
    assert [runs.get(full.db, runs.checkpoint(full.db, c)["run_id"])["pattern_id"] for c in chosen] == [
        *[full.pattern_ids[0]] * 2,
        *[full.pattern_ids[2]] * 2,
    ]
    assert {runs.checkpoint(full.db, c)["updates"] for c in chosen} == {80}


def test_every_run_is_offered_with_as_many_checkpoints_as_were_looked_at(full):
    for _ in range(2):
        draw(full)
    found = tables(full.db, full.project_id)
    assert set(found.patterns["n_candidates"]) == {6}  # though three were rendered in full
    assert found.checkpoints.groupby("complete")["updates"].nunique().to_dict() == {False: 3, True: 3}


# what it costs


def test_costs_lie_between_what_is_certain_and_all(full):
    set_plan(full.db, full.project_id, PLAN)
    said = cost_of(full.db, full.project_id, COARSE, {})
    # certain: the base row, all of the last and of one more checkpoint of each run, a first look at four,
    # fresh seeds for one pattern of two runs; at most: all of all, fresh seeds for three patterns
    assert said.to_render == ALL + 6 * (2 * ALL + 4 * SCAN) + 2 * FRESH
    assert said.to_render + said.perhaps == ALL + 36 * ALL + 6 * FRESH
    assert (said.each, said.each_perhaps) == (SCAN, ALL - SCAN + FRESH)
    assert f"between {said.to_render:,} and {said.to_render + said.perhaps:,} previews to render" in said.sentence
    set_plan(full.db, full.project_id, COARSE)
    made = sum(cells for _ in range(4) for _, cells in draw(full))
    assert said.to_render <= made <= said.to_render + said.perhaps


def test_runs_to_come_are_estimated_in_the_same_way(full):
    config = get(full.db, full.pattern_ids[0]).model_copy(update={"epochs": 10, "save_every": 2})
    found = cost(full.db, full.project_id, [config, config])
    assert found.files == 10
    assert found.previews == ALL + 2 * (2 * ALL + 3 * SCAN)
    assert found.previews + found.perhaps == ALL + 10 * ALL + 2 * FRESH
    assert "previews; at most about" in found.sentence and "between" in found.sentence


def test_progress_and_retention_wait_for_the_closer_looks(full):
    set_rule(full.db, full.project_id, Rule(loras="last", n=1))
    assert not going(full.ws, full.db, full.project_id)
    draw(full, judged=())
    assert not going(full.ws, full.db, full.project_id)  # nothing is missing, but nothing is decided
    for row in results.previews(full.db, full.project_id, project_of(full)["plan_id"]):
        score(full, row["id"], value_of(full, row["checkpoint_id"], row["prompt"], row["seed"]), ("likeness", "clip_t"))
    now = progress(full.db, full.project_id)
    assert now.previews_expected - now.previews_done == 12 * (ALL - SCAN)
    draw(full)
    waiting = {job.about["checkpoint_id"] for job in jobs_of(full)}
    assert waiting == set(leaders(tables(full.db, full.project_id)))
    draw(full)
    gone = going(full.ws, full.db, full.project_id).checkpoints
    assert {row["updates"] for row in gone} == {20, 40, 60, 80, 100}
    assert waiting.isdisjoint(row["id"] for row in gone)
