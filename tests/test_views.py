"""Rows that pages show."""

import pytest
from filled import add_life, fill

from db import library
from workbench import views


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path)


def test_runs_come_in_the_order_of_their_life(full):
    ids = add_life(full)
    order = [row["id"] for row in views.in_queue_order(views.runs(full.db, full.project_id))]
    over = [ids["cancelled"], ids["failed"], *reversed(full.run_ids)]
    assert order == [ids["running"], ids["queued"], *over]


def test_waiting_runs_come_in_the_order_in_which_a_worker_takes_them():
    waiting = [
        {"id": number, "status": "queued", "priority": priority} for number, priority in ((1, 0), (2, 0), (3, 5))
    ]
    assert [row["id"] for row in views.in_queue_order(waiting)] == [3, 1, 2]


def test_a_run_is_shown_with_words_and_its_reason(full):
    ids = add_life(full)
    rows = {row["run"]: row for row in views.run_rows(views.runs(full.db, full.project_id))}
    running, failed = rows[ids["running"]], rows[ids["failed"]]
    assert (running["status"], running["progress"], running["loss"]) == ("training", 0.375, "0.1100")
    assert failed["status"] == "failed"
    assert "update 37" in failed["what happened"]
    assert failed["loss"] == ""


def test_what_is_trained_waits_or_runs_is_not_offered_again(full):
    add_life(full)  # the first pattern's seeds 3 and 4 train and wait; the last one's failed, were cancelled
    project = library.project(full.db, full.project_id)
    second, last = full.pattern_ids[1:]
    assert views.untried(full.db, project, full.pattern_ids, [1, 3, 4]) == {
        1: [],
        3: [second, last],
        4: [second, last],
    }


def test_new_photos_make_everything_worth_training_again(full):
    project = {**library.project(full.db, full.project_id), "dataset_id": 99}
    assert views.untried(full.db, project, full.pattern_ids, [1]) == {1: list(full.pattern_ids)}


def test_finished_runs_are_counted_per_pattern(full):
    add_life(full)
    assert dict(views.trained(full.db, full.project_id)) == dict.fromkeys(full.pattern_ids, 2)


def test_files_are_listed_with_what_was_read_back(full):
    rows = views.checkpoint_rows(full.db, full.run_ids[0])
    assert [row["updates"] for row in rows] == [60, 120]
    assert rows[0]["read back after saving"] == "192 modules"
    assert rows[0]["download"].startswith("/app/static/loras/")


def test_a_proof_is_told_in_a_line():
    proof = {"modules": 192, "scale": 0.0625, "precision": "float16", "change": 0.26, "error": 1.1e-5}
    assert views.read_back(proof) == "192 modules, scale 0.0625, output off by 1e-05"


def test_how_far_a_run_is_counts_updates_and_photos(full):
    ids = add_life(full)  # batches of 4 from 6 photos: an epoch is 2 updates and 6 images
    running, waiting = (views.run(full.db, ids[which]) for which in ("running", "queued"))
    assert views.how_far(full.db, running) == "update 45 of 120 · 136 images seen · 9 s of training"
    assert views.how_far(full.db, waiting) == "not started yet"
