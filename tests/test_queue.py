"""The queue as people use it, and where a sweep stands."""

import json

import pytest

from db import library, results, runs
from trainer.config import TrainConfig
from workbench import patterns, queue
from workbench.plan import EvalPlan, Prompt
from workbench.progress import progress
from workbench.projects import add_project
from workbench.queue import QueueError
from workbench.run_log import log_tail, losses, note
from workbench.sentences import REASONS, reason
from workbench.terminal import where
from workbench.words import duration, slug
from workbench.workspace import Workspace


@pytest.fixture
def ws(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def db(ws):
    return ws.open()


@pytest.fixture
def project(db):
    plan = EvalPlan(prompts=(Prompt(text="photo of {trigger} {class_noun}"),), seeds=(1, 2))
    return add_project(db, "p", "zwx", "woman", plan=plan)


@pytest.fixture
def photos(db, project):
    row = {"name": "a", "file": "a.png", "sha256": "0", "caption": "", "width": 64, "height": 64, "crop": "none"}
    rows = [{**row, "position": n, "side": "reference" if n == 4 else "train"} for n in range(5)]
    more = {"trigger_word": "zwx", "class_noun": "woman", "size_px": 64, "photos": rows}
    return library.add_dataset(db, project, hash="h", **more)


@pytest.fixture
def baseline(db, project):
    config = TrainConfig(batch_size=2, epochs=4, save_every=2)
    return patterns.add(db, project, config, "baseline")


def test_nothing_can_be_queued_before_there_are_photos(db, project, baseline):
    with pytest.raises(QueueError, match="no photos"):
        queue.enqueue(db, project, [baseline], [1])


def test_every_pattern_is_tried_once_before_the_second_seed(db, project, photos, baseline):
    other = patterns.clone(db, project, baseline, "alpha 1", alpha=1)
    queue.enqueue(db, project, [baseline, other], [1, 2])
    order = [(run["pattern_id"], run["seed"]) for run in runs.with_status(db, "queued")]
    assert order == [(baseline, 1), (other, 1), (baseline, 2), (other, 2)]


def test_a_retrain_takes_the_next_unused_seed_and_leaves_the_old_run(db, project, photos, baseline):
    [first] = queue.enqueue(db, project, [baseline], [7])
    runs.end(db, first, "done")
    again = queue.retrain(db, first)
    assert runs.get(db, again)["seed"] == 8 and runs.get(db, first)["status"] == "done"


def test_a_retrain_with_a_change_is_a_new_pattern_at_the_same_seed(db, project, photos, baseline):
    [first] = queue.enqueue(db, project, [baseline], [7])
    again = runs.get(db, queue.retrain(db, first, changes={"alpha": 1}))
    assert again["seed"] == 7 and json.loads(again["config"])["alpha"] == 1
    assert [c.setting for c in patterns.contrasts(db, project)] == ["alpha"]


def test_what_waits_already_is_not_retrained_twice(db, project, photos, baseline):
    [first] = queue.enqueue(db, project, [baseline], [7])
    with pytest.raises(QueueError, match=f"run {first}"):
        queue.retrain(db, first, seed=7)


def test_only_an_ended_run_can_be_tried_again(db, project, photos, baseline):
    [run] = queue.enqueue(db, project, [baseline], [1])
    with pytest.raises(QueueError, match=str(run)):
        queue.retry(db, run)
    queue.cancel(db, run)
    queue.retry(db, run)
    assert runs.get(db, run)["status"] == "queued"


def test_progress_counts_what_is_done_and_what_is_to_come(db, project, photos, baseline):
    queue.enqueue(db, project, [baseline], [1, 2])
    before = progress(db, project)
    assert (before.runs_total, before.runs_queued, before.eta_s) == (2, 2, None)
    assert before.checkpoints_expected == 4  # each run saves at updates 4 and 8
    assert before.previews_expected == 4 * 2 + 2  # checkpoints x cells + base row
    assert before.updates_expected == 16 and not before.finished

    runs.worker_started(db, "w", pid=1)
    run = runs.claim_next(db, "w")["id"]
    runs.started(db, run, effective={}, device="CPU", step=0, total=8)
    runs.report(db, run, step=4, loss=0.1, train_seconds=2.0)
    now = progress(db, project)
    assert now.running["id"] == run and now.updates_done == 4
    assert now.eta_s == pytest.approx(12 * 0.5)  # 12 updates left at half a second each
    assert "update 4 of 8" in where(now)


def test_a_sweep_is_finished_only_when_its_previews_have_scores(db, project, photos, baseline):
    [run] = queue.enqueue(db, project, [baseline], [1])
    runs.worker_started(db, "w", pid=1)
    runs.claim_next(db, "w")
    checkpoint = runs.add_checkpoint(
        db, run, updates=8, images_seen=16, epoch=4.0, file="x", sha256="x", bytes=1, proof="{}", is_last=1
    )
    runs.end(db, run, "done")
    plan = library.project(db, project)["plan_id"]
    ids = [add_preview(db, project, plan, which, seed) for which in (None, checkpoint) for seed in (1, 2)]
    assert progress(db, project).scores_missing == 8 and not progress(db, project).finished
    library.update_project(db, project, face_judge="/no/such/pack", clip_judge="/no/such.safetensors")
    score = {"judge_id": None, "calibration_id": None, "value": None, "status": "unavailable", "detail": "{}"}
    results.add_scores(
        db, [{**score, "preview_id": id, "metric": metric} for id in ids for metric in ("likeness", "clip_t")]
    )
    assert progress(db, project).finished
    library.update_project(db, project, face_judge="embedded", clip_judge="none")
    assert progress(db, project).scores_missing == 4  # a reason of an absent judge is no score by this one


def add_preview(db, project, plan, checkpoint, seed):
    cell = {"plan_id": plan, "checkpoint_id": checkpoint, "base_model": "embedded", "clip_skip": 1, "prompt": 0}
    files = {"file": "a.png", "thumb": "a.webp", "status": "ok", "seconds": 0.1, "text": "x"}
    token = results.new_token()
    return results.add_preview(db, token=token, seed=seed, strength=1.0, project_id=project, **cell, **files)


def test_the_log_of_a_run_can_be_read_while_it_is_written(ws):
    assert log_tail(ws, 1) == "" and losses(ws, 1) == []
    for n in range(50):
        note(ws, 1, f"line {n}")
    assert [line[-7:] for line in log_tail(ws, 1, 2).splitlines()] == ["line 48", "line 49"]
    (ws.run_folder(1) / "loss.jsonl").write_text('{"update": 1, "loss": 0.5}\n{"update": 2, "lo', encoding="utf-8")
    assert losses(ws, 1) == [(1, 0.5)]


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_makes_a_sentence(code):
    assert "{" not in reason(code, {}) and reason(code, {"what": "x", "update": 3, "attempts": 2})


DURATIONS = [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]


@pytest.mark.parametrize(("seconds", "words"), DURATIONS)
def test_durations_read_well(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(("text", "name"), [("Rate 6e-3, é!", "rate-6e-3-e"), ("被写体", "x"), ("a/../b", "a-b")])
def test_file_names_are_plain(text, name):
    assert slug(text) == name
