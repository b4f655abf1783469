"""Which pictures are judged first, and which are held back on other pages until they are."""

import pytest
from filled import BASELINE, PLAN, add_previews, add_run, fill
from one_sitting import asking

from db import library, results, runs
from trainer.config import TrainConfig
from workbench.findings.preview_table import preview_table
from workbench.plans.plan import set_plan
from workbench.projects import add_project
from workbench.rating import answers, pool, sitting
from workbench.rating.state import state
from workbench.sweep import patterns
from workbench.workspace import Workspace


@pytest.fixture
def filled(tmp_path):
    return fill(tmp_path, rated=False)


@pytest.fixture
def project(filled):
    return library.project(filled.db, filled.project_id)


def answer_all(filled, token, **said):
    while not (told := state(filled.db, token))["over"]:
        answers.save(filled.db, token, {"item": told["items"][0]["token"], "seconds": 1, **said})


def test_two_checkpoints_of_each_run_have_one_picture_per_identity_prompt_in_the_set(filled, project):
    rows = pool.rating_set(filled.db, project)
    # 12 checkpoints x 3 identity prompts at the first seed; one of them is a black picture
    assert len(rows) == 35 and all(row["seed"] == 101 and row["prompt"] < 3 for row in rows)
    assert all(row["checkpoint_id"] and row["status"] == "ok" for row in rows)


@pytest.mark.parametrize(
    ("points", "judged"),
    [
        ([], set()),
        ([120], {120}),
        ([60, 120], {60, 120}),
        ([40, 80, 120], {40, 120}),
        (range(24, 241, 24), {120, 240}),  # ten, evenly spaced: the fifth and the last
        ([100, 200, 300, 310], {200, 310}),  # the last comes early
    ],
)
def test_a_run_s_last_checkpoint_is_judged_and_the_one_nearest_half_way(points, judged):
    assert pool.judged_updates(points) == judged


def test_a_run_with_many_checkpoints_adds_no_more_pictures_than_one_with_two(filled, project):
    run = filled.run_ids[0]
    for updates in (20, 80, 100):
        checkpoint = runs.add_checkpoint(
            filled.db,
            run,
            updates=updates,
            images_seen=updates * 4,
            epoch=updates / 12,
            file=f"lora-{updates}.safetensors",
            sha256=f"{updates:064x}",
            bytes=1000,
            proof="{}",
            is_last=0,
        )
        add_previews(filled, PLAN, checkpoint, 0, 1, 60)
    rows = pool.rating_set(filled.db, project)
    assert len(rows) == 35
    assert {row["updates"] for row in rows if row["run_id"] == run} == {60, 120}


def test_while_a_run_trains_its_early_checkpoints_do_not_pass_for_its_last(filled, project):
    config = TrainConfig(**{**BASELINE.model_dump(), "epochs": 10, "save_every": 1})
    pattern = patterns.add(filled.db, filled.project_id, config, "ten checkpoints")
    run, _ = runs.enqueue(filled.db, filled.project_id, pattern, filled.dataset_id, 1)
    points = config.save_points(6)
    assert pool.save_points(filled.db, runs.get(filled.db, run)) == points
    assert len(points) == 10 and pool.judged_updates(points) == {points[4], points[9]}
    runs.end(filled.db, run, "failed", "diverged", {})
    assert pool.save_points(filled.db, runs.get(filled.db, run)) == []  # it saved none, and none will come


def test_pictures_without_a_face_are_judged_too(filled, project):
    faces = preview_table(filled.db, filled.project_id).set_index("preview_id")["face_status"]
    assert "no_face" in {faces[row["id"]] for row in pool.rating_set(filled.db, project)}


def test_waiting_pictures_are_held_back_until_they_are_judged_skipped_or_flagged(filled, project):
    held = pool.held_back_tokens(filled.db, project, "me")
    assert len(held) == 35
    rows = {row["token"]: row["id"] for row in pool.waiting(filled.db, project, "me")}
    done = list(rows)[:3]
    for token, said in zip(done, ({"skip": True}, {"skip": True}, {"flags": [[0, "broken"]]}), strict=True):
        answer_all(filled, sitting.begin(filled.db, project, "me", asking("deck", [rows[token]])), **said)
    assert pool.held_back_tokens(filled.db, project, "me") == held - set(done)
    assert len(pool.held_back_tokens(filled.db, project, "somebody else")) == 35


def test_an_undone_answer_is_waited_for_again(filled, project):
    row = pool.waiting(filled.db, project, "me")[0]
    token = sitting.begin(filled.db, project, "me", asking("deck", [row["id"]]))
    answer_all(filled, token, marks={"likeness": 50})
    assert row["token"] not in pool.held_back_tokens(filled.db, project, "me")
    answers.undo(filled.db, token)
    assert row["token"] in pool.held_back_tokens(filled.db, project, "me")


def test_pictures_that_appear_later_join_the_set(filled, project):
    add_run(filled, PLAN, 0, 1)
    assert len(pool.waiting(filled.db, project, "me")) == 35 + 6


def test_a_project_without_previews_has_nothing_to_rate(tmp_path):
    db = Workspace(tmp_path).open()
    project = library.project(db, add_project(db, "empty", "zwx", "woman"))
    assert pool.waiting(db, project, "me") == [] and pool.held_back_tokens(db, project, "me") == set()


def test_only_the_current_plan_is_rated(filled, project):
    set_plan(filled.db, filled.project_id, PLAN.model_copy(update={"seeds": (7,)}))
    project = library.project(filled.db, filled.project_id)
    assert pool.rating_set(filled.db, project) == []
    assert pool.held_back_tokens(filled.db, project, "me") == set()
    assert len(results.previews(filled.db, filled.project_id, filled.plan_id)) == 104
