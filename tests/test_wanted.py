"""What a plan asks for: variants beside the main view, final runs apart, and nothing that is drawn already."""

import pytest
from filled import PLAN, fill
from one_sitting import asking

from db import library, results, runs
from trainer.config import TrainConfig
from workbench.findings.analysis import tables
from workbench.findings.contrast import contrast_table
from workbench.findings.matrix import matrix
from workbench.findings.noise import noise_floor
from workbench.findings.preview_table import preview_table
from workbench.pictures import gallery
from workbench.plans.missing import fill_jobs
from workbench.plans.plan import EvalPlan, Prompt, Variant, plan_of, set_plan
from workbench.plans.wanted import Eyes, main_eyes, other_eyes, wanted
from workbench.rating import answers, pool, sitting
from workbench.rating.standing import standings
from workbench.rating.state import state
from workbench.scores.missing_scores import score_jobs
from workbench.sweep import patterns

IDENTITY = 3 * 2  # cells of the identity prompts


@pytest.fixture
def full(tmp_path):
    """Three patterns; the second is made to differ from the first in the clip skip of its training alone."""
    full = fill(tmp_path, rated=False)
    second = patterns.get(full.db, full.pattern_ids[0]).model_copy(update={"clip_skip": 2})
    own = library.add_pattern(full.db, second.hash, second.model_dump(mode="json"))
    full.db.execute("update pattern_labels set pattern_id = ? where pattern_id = ?", [own, full.pattern_ids[1]])
    full.db.execute("update runs set pattern_id = ?, effective = null where pattern_id = ?", [own, full.pattern_ids[1]])
    full.db.execute(
        "update previews set clip_skip = 2 where checkpoint_id in (select c.id from checkpoints c join runs r "
        "on r.id = c.run_id where r.pattern_id = ?)",
        [own],
    )
    full.db.conn.commit()
    return full


def project_of(full):
    return library.project(full.db, full.project_id)


def asked(full):
    return [job.about | {"n": len(job.command["cells"])} for job in fill_jobs(full.ws, full.db, project_of(full))]


def likeness_jobs(full):
    jobs = score_jobs(full.ws, full.db, project_of(full))
    return [job for job in jobs if "likeness" in job.about.get("calibrations", ())]


def runs_of(full):
    return runs.of_project(full.db, full.project_id)


def look_through(full, plan, value):
    """Fill what variants ask for with drawn pictures, all of one likeness (on the scale)."""
    set_plan(full.db, full.project_id, plan)
    plan_id = project_of(full)["plan_id"]
    for job in fill_jobs(full.ws, full.db, project_of(full)):
        for cell in job.command["cells"]:
            token = results.new_token()
            preview = results.add_preview(
                full.db,
                **job.about,
                token=token,
                **{name: cell[name] for name in ("prompt", "seed", "strength", "text")},
                file=f"previews/{plan_id}/{token}.png",
                thumb=f"previews/{plan_id}/{token}.webp",
                size_px=64,
                status="ok",
                seconds=0.5,
            )
            raw = 0.02 + 0.8 * (value if job.about["checkpoint_id"] else 10.0) / 100
            row = {"judge_id": full.face_judge, "calibration_id": full.calibration, "metric": "likeness"}
            results.add_scores(full.db, [{**row, "preview_id": preview, "value": raw, "status": "ok", "detail": "{}"}])


# through which eyes


def test_previews_are_made_with_what_was_trained_with_unless_the_plan_says_otherwise():
    config = TrainConfig(base_model="embedded", clip_skip=2)
    assert main_eyes(PLAN, config) == Eyes("embedded", 2)
    assert main_eyes(PLAN.model_copy(update={"clip_skip": 1, "preview_base": "x"}), config) == Eyes("x", 1)


def test_a_variant_concerns_patterns_that_are_compared_in_what_it_changes():
    config = TrainConfig(base_model="embedded", clip_skip=1)
    plan = PLAN.model_copy(update={"variants": (Variant(clip_skip=2), Variant(preview_base="b"), Variant(clip_skip=1))})
    assert other_eyes(plan, config, ()) == []
    assert other_eyes(plan, config, {"clip_skip"}) == [Eyes("embedded", 2)]  # clip skip 1 is the main view
    assert other_eyes(plan, config, {"base_model", "clip_skip"}) == [Eyes("embedded", 2), Eyes("b", 1)]


def test_a_variant_is_rendered_of_last_checkpoints_that_are_compared_with_the_base_rows_they_need(full):
    plan = PLAN.model_copy(update={"variants": (Variant(clip_skip=1), Variant(clip_skip=2))})
    items = wanted(full.db, full.project_id, plan)
    # the base rows of both clip skips are main views of a pattern: whole, and each once
    assert [(item.eyes.clip_skip, len(item.cells)) for item in items if item.checkpoint is None] == [(1, 8), (2, 8)]
    main = {run["id"]: main_eyes(plan, patterns.get(full.db, run["pattern_id"])) for run in runs_of(full)}
    beside = [item for item in items if item.checkpoint and item.eyes != main[item.run["id"]]]
    assert {item.run["label"] for item in beside} == {"baseline", "alpha 1"}  # "rate 6e-3" is compared in its rate
    assert all(item.checkpoint["is_last"] and len(item.cells) == IDENTITY for item in beside)
    assert len(beside) == 2 * 2
    assert len([item for item in items if item.checkpoint and item not in beside]) == 12


def test_a_checkpoint_whose_file_was_removed_is_not_asked_for(full):
    set_plan(full.db, full.project_id, PLAN.model_copy(update={"seeds": (7,)}))
    before = len(asked(full))
    full.db.execute("update checkpoints set removed_at = 1 where id = 1")
    full.db.conn.commit()
    assert len(asked(full)) == before - 1
    assert not any(job["checkpoint_id"] == 1 for job in asked(full))


def test_a_vae_goes_into_the_command(full):
    set_plan(full.db, full.project_id, PLAN.model_copy(update={"vae": "/vae.safetensors"}))
    assert {job.command["vae"] for job in fill_jobs(full.ws, full.db, project_of(full))} == {"/vae.safetensors"}


# apart from the headline


def test_variants_stay_out_of_every_headline_figure_and_stand_in_a_matrix(full):
    look_through(full, PLAN, 50.0)  # the missing base row of clip skip 2
    before = tables(full.db, full.project_id)
    plan = PLAN.model_copy(update={"variants": (Variant(clip_skip=1), Variant(clip_skip=2))})
    look_through(full, plan, 30.0)
    after = tables(full.db, full.project_id)
    assert len(after.previews) == len(before.previews)
    assert len(after.variants) == 4 * IDENTITY
    columns = [name for name in after.checkpoints if name not in ("replicate",)]
    assert after.checkpoints[columns].equals(before.checkpoints[columns])
    pairs = [contrast_table(t, "likeness")[["change", "diff", "n_cells"]] for t in (before, after)]
    assert pairs[0].equals(pairs[1])

    found = matrix(after, "clip_skip").set_index(["trained", "preview"])
    assert {name: round(row["likeness"], 6) for name, row in found.iterrows()} == {
        (1, 1): 60.0,
        (1, 2): 30.0,
        (2, 1): 30.0,
        (2, 2): 45.0,
    }
    assert set(found["n"]) == {2} and set(found["n_previews"]) == {2 * IDENTITY}
    assert found["is_main"].to_dict() == {(1, 1): True, (1, 2): False, (2, 1): False, (2, 2): True}
    assert round(found.loc[(1, 2), "base_row"], 6) == 10.0  # the base alone with clip skip 2
    assert round(found.loc[(1, 1), "base_row"], 6) == 12.0
    assert matrix(after, "base_model").empty

    rows = matrix(after, "clip_skip")
    grid = gallery.matrix_grid(rows, "clip_skip", after.everything, prompt=0, seed=102)
    assert [column.text for column in grid.columns] == ["rendered with clip skip 1", "rendered with clip skip 2"]
    assert [(row.head, row.sub, row.badge) for row in grid.rows] == [
        ("trained with clip skip 1", "baseline", "2 runs"),
        ("trained with clip skip 2", "alpha 1", "2 runs"),
    ]
    assert [[tile.note for tile in row.tiles] for row in grid.rows] == [
        ["likeness 60, base alone 12", "likeness 30, base alone 10"],
        ["likeness 30, base alone 12", "likeness 45, base alone 10"],
    ]
    table = after.everything.set_index("token")
    shown = table.loc[[tile.id for row in grid.rows for tile in row.tiles]]
    assert set(zip(shown["prompt"], shown["seed"], strict=True)) == {(0, 102)}
    assert list(shown["clip_skip"]) == [1, 2, 1, 2]
    held = gallery.matrix_grid(rows, "clip_skip", after.everything, 0, 102, {grid.rows[0].tiles[1].id})
    assert held.rows[0].tiles[1] == gallery.Tile(waits=True)


def test_people_rate_the_main_view_only(full):
    look_through(full, PLAN.model_copy(update={"variants": (Variant(clip_skip=1), Variant(clip_skip=2))}), 30.0)
    table = preview_table(full.db, full.project_id).set_index("token")
    rated = [row["token"] for row in pool.rating_set(full.db, project_of(full))]
    assert len(rated) > 20 and not table.loc[rated, "is_variant"].any()


def test_a_final_run_is_shown_and_never_judged_for_likeness_nor_compared(full):
    before = tables(full.db, full.project_id)
    full.db.execute("update runs set final = 1 where id = ?", [full.run_ids[0]])
    full.db.execute(
        "delete from scores where metric = 'likeness' and preview_id in (select v.id from previews v "
        "join checkpoints c on c.id = v.checkpoint_id where c.run_id = ?)",
        [full.run_ids[0]],
    )
    full.db.conn.commit()
    assert not likeness_jobs(full)  # the reason is written down instead
    after = tables(full.db, full.project_id)
    final = after.previews[after.previews["run_id"] == full.run_ids[0]]
    assert len(final) == 16 and final["is_final"].all() and not final["is_main"].any()
    assert set(final["face_status"]) == {"final_run"} and final["likeness"].isna().all()
    assert full.run_ids[0] not in set(after.checkpoints["run_id"]) | set(after.runs["run_id"])
    assert noise_floor(after.checkpoints, "likeness").df == noise_floor(before.checkpoints, "likeness").df - 1
    assert full.run_ids[0] not in {row["run_id"] for row in pool.rating_set(full.db, project_of(full))}


# what an earlier plan has already


def test_a_changed_plan_takes_over_what_it_shares_with_an_earlier_one(full):
    look_through(full, PLAN, 50.0)
    files = {row["token"]: row["file"] for row in results.previews(full.db, full.project_id, full.plan_id)}
    prompts = (*PLAN.prompts[1:], Prompt(text="a new photo of {trigger} {class_noun}"))
    set_plan(full.db, full.project_id, PLAN.model_copy(update={"prompts": prompts, "seeds": (102, 103)}))
    jobs = asked(full)
    # 4 prompts x 2 seeds, of which 3 prompts with seed 102 are drawn already
    assert len(jobs) == 12 + 2 and {job["n"] for job in jobs} == {5}
    taken = results.previews(full.db, full.project_id, project_of(full)["plan_id"])
    assert len(taken) == 14 * 3
    assert {row["file"] for row in taken} <= set(files.values())
    assert not {row["token"] for row in taken} & set(files)  # a token says nothing, not even what it was before
    assert {row["prompt"] for row in taken} == {0, 1, 2}
    table = preview_table(full.db, full.project_id)
    assert table[~table["is_base"] & (table["role"] == "identity")]["likeness"].notna().sum() > 20
    assert not likeness_jobs(full)  # the scores came along


@pytest.mark.parametrize("change", [{"steps": 26}, {"cfg": 6.0}, {"sampler": "ddim"}, {"negative": "x"}, {"vae": "/v"}])
def test_what_is_drawn_otherwise_is_rendered_anew(full, change):
    set_plan(full.db, full.project_id, PLAN.model_copy(update=change))
    assert {job["n"] for job in asked(full)} == {8}
    assert results.previews(full.db, full.project_id, project_of(full)["plan_id"]) == []


def test_a_base_row_is_taken_over_whatever_the_strength(full):
    look_through(full, PLAN, 50.0)
    set_plan(full.db, full.project_id, PLAN.model_copy(update={"strengths": (0.5, 0.8)}))
    jobs = asked(full)
    assert all(job["checkpoint_id"] is not None for job in jobs)
    assert {job["n"] for job in jobs} == {16}


def test_marks_stay_with_a_picture_when_the_plan_changes(tmp_path):
    full = fill(tmp_path)  # rated
    marked = preview_table(full.db, full.project_id)["n_marks"].sum()
    waiting = len(pool.waiting(full.db, project_of(full), "me"))
    stood = standings(full.db, project_of(full), "me")["n"].tolist()
    plan = EvalPlan(**{**PLAN.model_dump(), "seeds": (101, 102, 103)})
    set_plan(full.db, full.project_id, plan)
    assert list(fill_jobs(full.ws, full.db, project_of(full)))
    assert plan_of(full.db, full.project_id) == plan
    table = preview_table(full.db, full.project_id)
    assert table["n_marks"].sum() == marked > 0
    assert standings(full.db, project_of(full), "me")["n"].tolist() == stood and sum(stood) > 0
    assert len(pool.waiting(full.db, project_of(full), "me")) == waiting
    row = pool.waiting(full.db, project_of(full), "me")[0]
    token = sitting.begin(full.db, project_of(full), "me", asking("deck", [row["id"]]))
    while not (told := state(full.db, token))["over"]:
        answers.save(full.db, token, {"item": told["items"][0]["token"], "seconds": 1, "marks": {"likeness": 40}})
    assert row["id"] not in still_waiting(full)
    set_plan(full.db, full.project_id, PLAN)  # a mark given under the new plan counts under the old one
    assert still_waiting(full) and row["id"] not in still_waiting(full)


def still_waiting(full):
    return {row["id"] for row in pool.waiting(full.db, project_of(full), "me")}
