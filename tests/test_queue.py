"""The queue as people use it, and where a sweep stands."""

import json

import pytest

from db import library, meta, results, runs
from trainer.config import TrainConfig
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.running import hours, queue
from workbench.running.progress import progress
from workbench.running.queue import QueueError
from workbench.running.run_log import log_tail, losses, note
from workbench.running.terminal import where
from workbench.running.training import training_command
from workbench.running.waiting import NO_WORKER
from workbench.sentences import REASONS, reason
from workbench.sweep import patterns
from workbench.views import untried
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
    assert progress(db, project).scores_missing == 12 and not progress(db, project).finished
    library.update_project(db, project, face_judge="/no/such/pack", clip_judge="/no/such.safetensors")
    score = {"judge_id": None, "calibration_id": None, "value": None, "status": "unavailable", "detail": "{}"}
    results.add_scores(
        db, [{**score, "preview_id": id, "metric": metric} for id in ids for metric in ("likeness", "clip_t", "clip_i")]
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


# order, halts, other projects


def order(db):
    return [run["id"] for run in runs.with_status(db, "queued")]


def test_waiting_runs_are_moved_first_up_down_and_last(db, project, photos, baseline):
    a, b, c, d = queue.enqueue(db, project, [baseline], [1, 2, 3, 4])
    queue.move(db, d, "first")
    assert order(db) == [d, a, b, c]
    queue.move(db, b, "up")
    assert order(db) == [d, b, a, c]
    queue.move(db, d, "down")
    assert order(db) == [b, d, a, c]
    queue.move(db, b, "last")
    assert order(db) == [d, a, c, b]
    queue.move(db, d, "up")  # it is the first already
    queue.move(db, b, "down")
    [e] = queue.enqueue(db, project, [baseline], [5])
    assert order(db) == [d, a, c, b, e]  # what is queued later comes last
    runs.worker_started(db, "w", pid=1)
    assert runs.claim_next(db, "w")["id"] == d
    with pytest.raises(QueueError, match="does not wait"):
        queue.move(db, d, "first")


def test_a_project_says_that_it_waits_behind_another_one(db, project, photos, baseline):
    other = add_project(db, "other", "zwx", "woman")
    row = {"name": "a", "file": "a.png", "sha256": "0", "caption": "", "width": 64, "height": 64, "crop": "none"}
    words = {"trigger_word": "zwx", "class_noun": "woman", "size_px": 64}
    library.add_dataset(db, other, hash="h", photos=[{**row, "position": 0, "side": "train"}], **words)
    pattern = patterns.add(db, other, TrainConfig(), "theirs")
    theirs = queue.enqueue(db, other, [pattern], [1, 2])
    [mine] = queue.enqueue(db, project, [baseline], [1])
    runs.worker_started(db, "w", pid=1)
    runs.claim_next(db, "w")
    runs.worker_seen(db, "w", "training")
    assert "behind 2 runs of 'other'" in progress(db, project).waits
    assert progress(db, other).waits == ""
    queue.move(db, mine, "first")
    assert "behind 1 run of 'other'" in progress(db, project).waits  # the one that trains
    runs.end(db, theirs[0], "done")
    assert progress(db, project).waits == ""


def test_why_nothing_trains_is_said_and_a_pause_before_a_missing_worker(db, project, photos, baseline):
    queue.enqueue(db, project, [baseline], [1])
    assert progress(db, project).waits == NO_WORKER
    hours.pause(db)
    now = progress(db, project)
    assert "paused" in now.waits and now.waits in where(now)
    hours.resume(db)
    meta.put(db, hours.LOW_DISK, '{"free_gb": 0.4, "needed_gb": 1.9}')
    assert progress(db, project).waits == NO_WORKER  # what a dead worker noted of the disk is old
    runs.worker_started(db, "w", pid=1)
    assert "0.4 GB are free" in progress(db, project).waits


# trying again, training longer, final runs


def test_a_cancelled_training_that_is_queued_again_is_the_same_run(db, project, photos, baseline):
    row = library.project(db, project)
    [first] = queue.enqueue(db, project, [baseline], [1])
    queue.cancel(db, first)
    assert untried(db, row, [baseline], [1]) == {1: [baseline]}
    assert queue.enqueue(db, project, [baseline], [1]) == [first]
    assert runs.get(db, first)["status"] == "queued" and untried(db, row, [baseline], [1]) == {1: []}
    assert len(runs.of_project(db, project)) == 1


def test_a_run_whose_state_is_broken_is_not_tried_again_but_begun_anew(db, project, photos, baseline):
    [first] = queue.enqueue(db, project, [baseline], [1])
    runs.end(db, first, "failed", "bad_state", {"message": "x"})
    [again] = queue.enqueue(db, project, [baseline], [1])
    assert again != first


@pytest.fixture
def finished(ws, db, project, photos, baseline):
    """A finished run with its training state."""
    [run] = queue.enqueue(db, project, [baseline], [7])
    runs.started(db, run, effective={}, device="cpu", step=0, total=8)
    runs.report(db, run, step=8, loss=0.1, train_seconds=4.0)
    runs.end(db, run, "done")
    state = ws.run_folder(run) / "state" / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"x")
    return run


def test_a_finished_run_is_trained_longer_as_a_new_run_of_a_longer_pattern(ws, db, project, finished):
    longer = runs.get(db, queue.extend(ws, db, finished, epochs=6))
    config = json.loads(longer["config"])
    assert (config["epochs"], longer["continues"], longer["seed"]) == (6, finished, 7)
    assert longer["label"] == "baseline, 6 epochs" and runs.get(db, finished)["status"] == "done"
    now = progress(db, project)
    assert now.checkpoints_expected == 1  # at update 12; those at 4 and 8 are the old run's (which saved none here)
    assert now.updates_expected - now.updates_done == 4
    with pytest.raises(QueueError, match=f"run {longer['id']}"):
        queue.extend(ws, db, finished, epochs=6)
    by_updates = json.loads(runs.get(db, queue.extend(ws, db, finished, updates=11))["config"])
    assert (by_updates["epochs"], by_updates["max_updates"]) == (6, 11)


def test_what_can_not_be_trained_longer_is_refused_with_the_reason(ws, db, project, baseline, finished):
    with pytest.raises(QueueError, match="as many updates already"):
        queue.extend(ws, db, finished, epochs=4)
    with pytest.raises(QueueError, match="either epochs or updates"):
        queue.extend(ws, db, finished)
    falling = patterns.clone(db, project, baseline, "cosine", lr_scheduler="cosine")
    [run] = queue.enqueue(db, project, [falling], [7])
    with pytest.raises(QueueError, match="not come to its end"):
        queue.extend(ws, db, run, epochs=9)
    runs.end(db, run, "done")
    with pytest.raises(QueueError, match="learning rate falls"):
        queue.extend(ws, db, run, epochs=9)
    (ws.run_folder(finished) / "state" / "state.safetensors").unlink()
    with pytest.raises(QueueError, match=r"state of run .* is gone"):
        queue.extend(ws, db, finished, epochs=9)


def test_a_final_run_trains_on_all_photos_and_an_ordinary_one_measures_on_the_reference_photos(ws, db, finished):
    final = runs.get(db, queue.train_final(db, finished))
    assert (final["final"], final["seed"]) == (1, 7)
    command = training_command(ws, db, final)
    assert (len(command["photos"]), command["reference"]) == (5, [])
    command = training_command(ws, db, runs.get(db, finished))
    assert (len(command["photos"]), len(command["reference"])) == (4, 1)
    with pytest.raises(QueueError, match="already"):
        queue.train_final(db, finished)
    runs.end(db, final["id"], "done")
    for run_id in (finished, final["id"]):
        with pytest.raises(QueueError, match=f"Run {final['id']} is that already"):
            queue.train_final(db, run_id)
    assert queue.train_final(db, finished, seed=8)


def test_captions_reach_the_trainer_as_the_pattern_wants_them(ws, db, project, baseline):
    caption = "photo of zwx woman with red hair, smiling"
    row = {"name": "a", "file": "a.png", "sha256": "0", "width": 64, "height": 64, "crop": "none"}
    words = {"trigger_word": "zwx", "class_noun": "woman", "size_px": 64, "traits": ["red hair"]}
    photo = {**row, "position": 0, "side": "train", "caption": caption}
    library.add_dataset(db, project, hash="t", photos=[photo], **words)
    said = {}
    for mode in ("as_written", "traits_left_out", "trigger_only"):
        pattern = baseline if mode == "as_written" else patterns.clone(db, project, baseline, mode, captions=mode)
        [run] = queue.enqueue(db, project, [pattern], [1])
        [sent] = training_command(ws, db, runs.get(db, run))["photos"]
        said[mode] = sent["caption"]
    assert said["as_written"] == caption
    assert "hair" not in said["traits_left_out"] and "smiling" in said["traits_left_out"]
    assert "zwx woman" in said["trigger_only"] and "smiling" not in said["trigger_only"]
