"""The engine and its worker on the real miniature: train, preview, score, cancel, be killed, go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageFilter
from safetensors import safe_open

from db import library, results, runs
from trainer import EMBEDDED
from trainer.config import TrainConfig
from workbench.dataset.photos import add_folder
from workbench.findings.preview_table import preview_table
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.running import hours, queue
from workbench.running.device import DeviceInfo, known_device
from workbench.running.engine_process import EngineDied, EngineProcess
from workbench.running.progress import progress
from workbench.running.run_log import log_tail, losses
from workbench.running.worker import EngineBroken, Worker
from workbench.sweep import patterns
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
PLAN = EvalPlan(
    prompts=(
        Prompt(text="photo of {trigger} {class_noun}, smiling, plain gray background"),
        Prompt(text="photo of a {class_noun}, plain gray background", role="neutral"),
    ),
    seeds=(101, 102),
    steps=6,
    cfg=2.0,
)
QUICK = TrainConfig(learning_rate=2e-3, train_text_encoder=False, batch_size=4, epochs=2, save_every=1)
NO_JUDGES = {"face_judge": "none", "clip_judge": "none"}  # where no score is looked at: loading judges takes seconds
PATIENCE_S = 240


def new_project(home, config=QUICK, seeds=(1,), **more):
    """A workspace with the demo subject and one pattern queued."""
    ws = Workspace(home)
    db = ws.open()
    project = add_project(db, "p", "zwx", "woman", plan=PLAN, **more)
    add_folder(ws, project, EMBEDDED / "subjects" / "subject_a")
    pattern = patterns.add(db, project, config, "baseline")
    return ws, db, project, queue.enqueue(db, project, [pattern], seeds)


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def tensors(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)


def same_lora(a, b):
    one, two = tensors(a), tensors(b)
    return one.keys() == two.keys() and all((one[name] == two[name]).all() for name in one)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A run that went all the way: trained, previewed, scored."""
    ws, _, project, [run] = new_project(tmp_path_factory.mktemp("swept"))
    lines = []
    Worker(ws, echo=lines.append).work(once=True)
    return ws, ws.open(), project, run, lines


def test_a_run_ends_with_checkpoints_previews_and_scores(swept):
    ws, db, project, run, lines = swept
    row = runs.get(db, run)
    assert (row["status"], row["step"], row["total_steps"]) == ("done", 16, 16)
    assert [c["updates"] for c in runs.checkpoints(db, run)] == [8, 16]
    now = progress(db, project)
    assert now.finished and now.previews_done == now.previews_expected == 2 * 4 + 4
    assert len(losses(ws, run)) == 16
    assert "saved" in log_tail(ws, run)
    assert any("first scored previews" in line for line in lines)


def test_every_preview_has_a_likeness_and_a_clip_value_or_the_reason_why_not(swept):
    _, db, project, _, _ = swept
    table = preview_table(db, project)
    assert len(table) == 12
    assert table.clip_t.notna().all()
    assert table.face_status.notna().all()
    assert (table.likeness.notna() | (table.face_status != "ok")).all()


def test_files_lie_where_the_rows_say_and_pictures_carry_no_text(swept):
    from PIL import Image

    ws, db, project, run, _ = swept
    for row in results.previews(db, project, library.project(db, project)["plan_id"]):
        with Image.open(ws.path(row["file"])) as picture:
            assert picture.size == (64, 64) and not picture.info
        assert ws.path(row["thumb"]).is_file()
    assert all(ws.path(c["file"]).is_file() for c in runs.checkpoints(db, run))
    assert not list(ws.home.rglob("*.part"))


def test_another_plan_gets_previews_of_its_own_and_the_earlier_ones_stay(swept):
    from workbench.plans.plan import set_plan

    ws, db, project, _, _ = swept
    set_plan(db, project, PLAN.model_copy(update={"seeds": (101, 102, 103)}))
    Worker(ws, echo=lambda _: None).work(once=True)
    assert progress(db, project).finished
    assert progress(db, project).previews_done == 2 * 6 + 6
    set_plan(db, project, PLAN)
    assert progress(db, project).previews_done == 12


def test_a_failed_run_keeps_its_reason_and_the_queue_moves_on(tmp_path):
    ws, db, project, [good] = new_project(tmp_path, **NO_JUDGES)
    base = tmp_path / "nowhere"
    shutil.copytree(EMBEDDED / "base", base)
    bad = patterns.add(db, project, QUICK.model_copy(update={"base_model": str(base)}), "bad")
    shutil.rmtree(base / "unet")  # after it was chosen
    db.execute("update runs set priority = -1")
    [failing] = queue.enqueue(db, project, [bad], [1])
    Worker(ws, echo=lambda _: None).work(once=True)
    row = runs.get(db, failing)
    assert row["status"] == "failed" and row["reason"] == "bad_base" and "nowhere" in row["reason_params"]
    assert runs.get(db, good)["status"] == "done"
    assert progress(db, project).finished  # nothing is expected of a run that made nothing


def test_without_judges_there_are_previews_and_reasons_instead_of_scores(tmp_path):
    ws, db, project, _ = new_project(tmp_path, face_judge=str(tmp_path / "no-pack"), clip_judge="none")
    Worker(ws, echo=lambda _: None).work(once=True)
    rows = results.scores(db, project, library.project(db, project)["plan_id"])
    assert len(rows) == 12
    assert {(row["metric"], row["value"], row["status"]) for row in rows} == {("likeness", None, "unavailable")}
    assert "no-pack" in rows[0]["detail"]


@pytest.fixture
def copied(swept, tmp_path):
    """The run that went all the way in a workspace that may be changed: its folder, database, project and run."""
    swept[1].execute("pragma wal_checkpoint(truncate)")  # all of it in one file
    shutil.copytree(swept[0].home, tmp_path / "copied", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    ws = Workspace(tmp_path / "copied")
    return ws, ws.open(), swept[2], swept[3]


def test_a_lost_or_unreadable_picture_stops_nothing_and_says_so(copied):
    ws, db, project, _ = copied
    db.execute("delete from scores")
    rows = results.previews(db, project, library.project(db, project)["plan_id"])
    ws.path(rows[0]["file"]).unlink()
    ws.path(rows[1]["file"]).write_bytes(b"not a picture")
    assert not progress(db, project).finished
    assert Worker(ws, echo=lambda _: None).work(once=True)
    table = preview_table(db, project).set_index("preview_id")
    lost = [rows[0]["id"], rows[1]["id"]]
    assert set(table.face_status[lost]) == {"error"} and table.clip_t[lost].isna().all()
    assert table.clip_t.drop(lost).notna().all() and progress(db, project).finished


def noise(n):
    return Image.effect_noise((64, 64), 20 + 20 * n).convert("RGB")


def blurred(n):
    photo = sorted((EMBEDDED / "subjects" / "subject_a" / "train").glob("*.jpg"))[n]
    return Image.open(photo).filter(ImageFilter.GaussianBlur(20))


def test_photos_that_give_no_scale_give_a_reason_to_every_preview_even_to_later_ones(tmp_path):
    ws = Workspace(tmp_path / "w")
    db = ws.open()
    reasons = {}
    for drawn, reason in ((noise, "outside_world"), (blurred, "not_calibrated")):
        project = add_project(db, reason, "zwx", "woman", plan=PLAN)
        reasons[project] = reason
        folder = tmp_path / reason
        folder.mkdir()
        for n in range(8):
            drawn(n).save(folder / f"{n}.png")
        add_folder(ws, project, folder)
        pattern = patterns.add(db, project, QUICK, "baseline")
        queue.enqueue(db, project, [pattern], [1, 2])
    Worker(ws, echo=lambda _: None).work(once=True)
    for project, reason in reasons.items():
        table = preview_table(db, project)
        assert len(table) == 4 + 2 * 2 * 4
        assert set(table.face_status) == {reason}
        assert progress(db, project).finished


def test_an_engine_that_can_not_start_is_given_up_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DEVICE", "cuda:7")
    ws, db, _, [run] = new_project(tmp_path)
    lines = []
    with pytest.raises(EngineBroken, match="cuda:7"):
        Worker(ws, echo=lines.append).work(once=True)
    assert any("didn't start" in line for line in lines)
    assert runs.live_workers(db) == [] and runs.get(db, run)["status"] == "queued"


def test_an_event_that_was_cut_short_is_the_end_of_the_engine(tmp_path, monkeypatch):
    half = 'import sys; sys.stdout.write(\'{"event": "Rea\'); sys.stdout.flush()'
    monkeypatch.setattr("workbench.running.engine_process.COMMAND", [sys.executable, "-c", half])
    engine = EngineProcess(tmp_path / "engine.log")
    with pytest.raises(EngineDied):
        engine.receive(timeout=30)


LONG = QUICK.model_copy(update={"epochs": 6, "save_every": 2})  # 48 updates, files at 16, 32, 48


@pytest.fixture
def in_thread():
    """Start a worker in a thread of its own; it is stopped at the end."""
    started = []

    def start(ws):
        def work():
            worker = Worker(ws, echo=lambda _: None)
            started.append(worker)
            worker.work()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        wait_for(lambda: started, "the worker starts")
        return started[-1], thread

    yield start
    for worker in started:
        worker.stopping.set()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The LoRA file that a run of LONG makes when nothing happens to it."""
    ws, db, _, [run] = new_project(tmp_path_factory.mktemp("whole"), LONG, **NO_JUDGES)
    Worker(ws, echo=lambda _: None).work(once=True)
    return ws.path(runs.checkpoints(db, run)[-1]["file"])


def test_a_killed_engine_is_restarted_and_its_run_ends_as_if_nothing_had_happened(tmp_path, uninterrupted, in_thread):
    ws, db, _, [run] = new_project(tmp_path, LONG, **NO_JUDGES)
    worker, thread = in_thread(ws)
    wait_for(lambda: runs.checkpoints(db, run), "the first checkpoint")
    wait_for(lambda: runs.get(db, run)["step"] > 18, "some updates more")
    worker.engine.process.kill()
    wait_for(lambda: runs.get(db, run)["status"] == "done", "the run is done")
    assert runs.get(db, run)["attempt"] == 2
    assert "the engine died" in log_tail(ws, run, 200)
    assert same_lora(ws.path(runs.checkpoints(db, run)[-1]["file"]), uninterrupted)
    worker.stopping.set()
    thread.join(60)


# An engine that is killed when a file is written and has not got its name yet: once at a LoRA file, once at a state.
DIES_WHILE_SAVING = """
import os, signal
from pathlib import Path

really, marks = os.replace, Path({marks!r})

def replace(part, path):
    kind = "state" if Path(path).name == "state.safetensors" else Path(path).suffix
    if kind in ("state", ".safetensors") and not (marks / kind).exists():
        (marks / kind).write_text(str(part))
        os.kill(os.getpid(), signal.SIGKILL)
    really(part, path)

os.replace = replace
from workbench.running.engine import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_an_engine_that_is_killed_while_it_saves_loses_nothing(tmp_path, uninterrupted, monkeypatch):
    marks = tmp_path / "marks"
    marks.mkdir()
    code = DIES_WHILE_SAVING.format(marks=str(marks))
    monkeypatch.setattr("workbench.running.engine_process.COMMAND", [sys.executable, "-c", code])
    ws, db, _, [run] = new_project(tmp_path / "w", LONG, **NO_JUDGES)
    Worker(ws, echo=lambda _: None).work(once=True)
    died_at = {file.name: Path(file.read_text(encoding="utf-8")) for file in marks.iterdir()}
    assert {*died_at} == {"state", ".safetensors"} and all(".part" in part.name for part in died_at.values())
    row = runs.get(db, run)
    assert (row["status"], row["attempt"]) == ("done", 3)
    assert [c["updates"] for c in runs.checkpoints(db, run)] == [16, 32, 48]
    assert same_lora(ws.path(runs.checkpoints(db, run)[-1]["file"]), uninterrupted)
    assert not list(ws.run_folder(run).rglob("*.part"))


def start_worker_process(ws):
    return subprocess.Popen(
        [sys.executable, "-m", "workbench", "--home", str(ws.home), "worker", "--once"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )


def test_a_killed_worker_leaves_no_engine_and_its_run_is_recovered_by_the_next(tmp_path, uninterrupted):
    ws, db, project, [run] = new_project(tmp_path, LONG)
    first = start_worker_process(ws)
    wait_for(lambda: runs.checkpoints(db, run), "the first checkpoint")
    engines = psutil.Process(first.pid).children()
    first.kill()
    first.wait()
    assert engines
    wait_for(lambda: not any(engine.is_running() for engine in engines), "the orphaned engine ends by itself")
    assert runs.get(db, run)["status"] == "running"  # nobody has noticed yet

    assert start_worker_process(ws).wait(PATIENCE_S) == 0
    row = runs.get(db, run)
    assert (row["status"], row["attempt"]) == ("done", 2)
    assert same_lora(ws.path(runs.checkpoints(db, run)[-1]["file"]), uninterrupted)
    assert progress(db, project).finished


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch; start.py closes standard input there")
def test_a_worker_that_is_told_to_stop_puts_its_run_back(tmp_path):
    ws, db, _, [run] = new_project(tmp_path, LONG, **NO_JUDGES)
    worker = start_worker_process(ws)
    wait_for(lambda: runs.get(db, run)["step"] > 2, "some updates")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(24) == 0  # in good order: a kill comes after 25 s
    row = runs.get(db, run)
    assert (row["status"], row["attempt"]) == ("queued", 0)
    assert (ws.run_folder(run) / "state" / "state.safetensors").is_file()
    assert runs.live_workers(db) == []


def test_a_running_training_can_be_cancelled_and_tried_again(tmp_path, in_thread):
    ws, db, _, [run] = new_project(tmp_path, LONG, **NO_JUDGES)
    worker, thread = in_thread(ws)
    wait_for(lambda: runs.get(db, run)["step"] > 2, "some updates")
    queue.cancel(db, run)
    wait_for(lambda: runs.get(db, run)["status"] == "cancelled", "the run is cancelled")
    stopped_at = runs.get(db, run)["step"]
    assert 0 < stopped_at < 48
    queue.retry(db, run)
    wait_for(lambda: runs.get(db, run)["step"] > stopped_at, "it goes on")
    assert "from update 0" not in log_tail(ws, run, 1)
    worker.stopping.set()
    thread.join(60)
    assert not thread.is_alive()


# halts, final runs, training longer


def test_a_pause_puts_the_training_back_and_a_resume_ends_it_as_if_nothing_had_happened(
    tmp_path, uninterrupted, in_thread
):
    ws, db, project, [run] = new_project(tmp_path, LONG)
    worker, thread = in_thread(ws)
    wait_for(lambda: runs.checkpoints(db, run), "the first checkpoint")
    hours.pause(db)
    wait_for(lambda: runs.get(db, run)["status"] == "queued", "the run is put back")
    wait_for(lambda: not worker.resting and not worker.jobs, "previews and scores have stopped too")
    assert runs.get(db, run)["attempt"] == 0 and "paused" in progress(db, project).waits
    stopped_at, made = runs.get(db, run)["step"], progress(db, project).previews_done
    time.sleep(4)
    assert (runs.get(db, run)["step"], progress(db, project).previews_done) == (stopped_at, made)
    assert [row["state"] for row in runs.live_workers(db)] == ["halted"]
    hours.resume(db)
    wait_for(lambda: runs.get(db, run)["status"] == "done", "the run is done")
    wait_for(lambda: progress(db, project).finished, "all is scored")
    assert same_lora(ws.path(runs.checkpoints(db, run)[-1]["file"]), uninterrupted)
    worker.stopping.set()
    thread.join(60)


def test_a_halted_worker_says_so_also_when_the_optimisers_have_been_tried_meanwhile(tmp_path):
    ws, db, _, _ = new_project(tmp_path)
    worker = Worker(ws)
    runs.worker_started(db, worker.id, os.getpid())
    hours.pause(db)
    assert worker.look_for_halt()
    worker.device = DeviceInfo("cpu", "CPU", ("no",))
    worker.act_on({"event": "Optimizers", "found": {"adamw": ""}})
    assert [row["state"] for row in runs.live_workers(db)] == ["halted"]


def test_the_end_of_the_window_puts_the_training_back_and_a_full_disk_too(tmp_path, in_thread, monkeypatch):
    ws, db, project, [run] = new_project(tmp_path, LONG, **NO_JUDGES)
    worker, thread = in_thread(ws)
    wait_for(lambda: runs.get(db, run)["step"] > 0, "some updates")
    ahead = datetime.now() + timedelta(hours=2)
    hours.set_window(db, hours.Window(ahead.time(), (ahead + timedelta(hours=1)).time()))
    wait_for(lambda: runs.get(db, run)["status"] == "queued", "the run is put back")
    assert "Outside its hours" in progress(db, project).waits

    monkeypatch.setenv("WORKBENCH_MIN_FREE_GB", "1000000")
    hours.set_window(db, None)
    wait_for(lambda: "disk is nearly full" in progress(db, project).waits, "the disk is looked at")
    time.sleep(2.5)
    assert runs.get(db, run)["status"] == "queued"
    monkeypatch.setenv("WORKBENCH_MIN_FREE_GB", "0.001")
    wait_for(lambda: runs.get(db, run)["status"] == "running", "it goes on by itself")
    worker.stopping.set()
    thread.join(60)
    assert runs.get(db, run)["attempt"] == 0


def test_with_once_a_halt_is_waited_out(tmp_path, in_thread):
    ws, db, _, [run] = new_project(tmp_path, QUICK, **NO_JUDGES)
    hours.pause(db)
    worker = start_worker_process(ws)
    wait_for(lambda: runs.live_workers(db), "the worker is there")
    time.sleep(3)
    assert worker.poll() is None and runs.get(db, run)["status"] == "queued"
    hours.resume(db)
    assert worker.wait(PATIENCE_S) == 0 and runs.get(db, run)["status"] == "done"


def test_a_run_trained_longer_ends_as_if_it_had_been_longer_from_the_start(copied, uninterrupted):
    ws, db, project, run = copied  # 16 updates of the 48 that LONG has
    library.update_project(db, project, **NO_JUDGES)
    longer = queue.extend(ws, db, run, epochs=6)
    Worker(ws, echo=lambda _: None).work(once=True)
    assert runs.get(db, longer)["status"] == "done"
    assert min(c["updates"] for c in runs.checkpoints(db, longer)) > 16
    assert len(losses(ws, longer)) == 48
    assert same_lora(ws.path(runs.checkpoints(db, longer)[-1]["file"]), uninterrupted)
    assert len(runs.checkpoints(db, run)) == 2  # the old run is as it was
    assert progress(db, project).finished


def test_a_final_run_has_pictures_and_a_file_and_no_likeness(tmp_path):
    ws, db, project, [run] = new_project(tmp_path, QUICK)
    runs.end(db, run, "cancelled")
    final = queue.train_final(db, run)
    Worker(ws, echo=lambda _: None).work(once=True)
    assert runs.get(db, final)["status"] == "done" and progress(db, project).finished
    assert runs.get(db, final)["total_steps"] == 2 * 10  # 40 photos in batches of 4
    table = preview_table(db, project)
    own = table[table.run_id == final]
    assert len(own) == 2 * 4 and own.likeness.isna().all() and own.is_final.all()


def test_what_was_measured_at_a_checkpoint_is_written_down(swept):
    _, db, _, run, _ = swept
    for row in runs.checkpoints(db, run):
        assert row["seconds"] > 0 and row["loss_train"] > 0 and row["loss_reference"] > 0
        assert json.loads(row["weight_change"])["all"] > 0


def test_an_idle_engine_tries_the_optimisers_and_a_later_worker_knows_what_came_of_it(tmp_path, in_thread):
    ws = Workspace(tmp_path)
    db = ws.open()
    worker, thread = in_thread(ws)
    wait_for(lambda: (device := known_device(db)) and device.optimizers, "the optimisers are tried")
    found = known_device(db).optimizers
    assert found["adamw"] == "" and set(found) >= {"lion", "prodigy", "adamw8bit"}
    worker.stopping.set()
    thread.join(60)
    device = DeviceInfo("cpu", known_device(db).name, ("no",))
    assert device.knowing(known_device(db)).optimizers == found
    assert DeviceInfo("cuda", "another", ("no",)).knowing(known_device(db)).optimizers == {}
