"""Room for the next files: what is needed, when the queue stops, and a save that really fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from filled import fill

from db import runs
from trainer import EMBEDDED
from workbench.dataset.photos import add_folder
from workbench.plans.plan import EvalPlan, Prompt, set_plan
from workbench.projects import add_project
from workbench.running import disk, hours, queue
from workbench.sweep import patterns

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path / "w", rated=False)


def with_free(monkeypatch, size):
    """The disk of this test has so many bytes free: only the figure is made up, the rest is real."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=size))


def save_state(full, run_id, size):
    folder = full.ws.run_folder(run_id) / "state"
    folder.mkdir(exist_ok=True)
    (folder / "state.safetensors").write_bytes(bytes(size))


def test_what_is_needed_is_the_largest_state_the_largest_lora_and_the_margin(full, monkeypatch):
    monkeypatch.delenv(disk.VARIABLE, raising=False)
    assert disk.needed(full.ws, full.db) == 1000 + 10**9  # the LoRA files of the filled workspace have 1,000 bytes
    first, second = full.run_ids[:2]
    save_state(full, first, 5000)
    save_state(full, second, 700)
    assert disk.needed(full.ws, full.db) == 5000 + 1000 + 10**9
    assert disk.needed(full.ws, full.db, second) == 700 + 1000 + 10**9
    monkeypatch.setenv(disk.VARIABLE, "0.5")
    assert disk.needed(full.ws, full.db, second) == 700 + 1000 + 5 * 10**8
    monkeypatch.setenv(disk.VARIABLE, "much")
    assert disk.margin(full.db) == 10**9


def test_the_queue_stops_before_the_disk_is_full_and_goes_on_when_there_is_room(full, monkeypatch):
    needed = disk.needed(full.ws, full.db)
    with_free(monkeypatch, needed)
    assert disk.look(full.ws, full.db) and hours.halt(full.db) is None
    with_free(monkeypatch, needed - 1)
    assert not disk.look(full.ws, full.db)
    assert "1.0 GB are free and 1.0 GB are needed" in hours.halt(full.db).sentence
    with_free(monkeypatch, needed + 1)
    assert not disk.look(full.ws, full.db), "a byte more is no reason to start again"
    with_free(monkeypatch, int(needed * 1.06))
    assert disk.look(full.ws, full.db) and hours.halt(full.db) is None


# The system itself refuses to write more than so many bytes to a file: the same error path as a full disk
# (OSError in the middle of a write), without root and without filling a disk.
LIMITED = """
import resource, sys
from workbench.workspace import Workspace
from workbench.running.worker import Worker
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
Worker(Workspace(Path(sys.argv[1])), echo=print).work(once=True)
"""


SMALL = EvalPlan(prompts=(Prompt(text="photo of {trigger} {class_noun}"),), seeds=(101,), steps=1, cfg=1.0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_save_that_fails_in_the_middle_loses_nothing_and_a_retry_goes_on(tmp_path):
    from test_engine import QUICK, new_project, same_lora

    from workbench.running.worker import Worker

    no_judges = {"face_judge": "none", "clip_judge": "none"}
    ws, db, project, [run] = new_project(tmp_path, QUICK, **no_judges)  # files at 8 and 16 of 16 updates
    set_plan(db, project, SMALL)
    with_limit = [sys.executable, "-c", LIMITED.format(limit=1_000_000), str(ws.home)]  # LoRA and state are larger
    subprocess.run(with_limit, cwd=ROOT, timeout=400, check=True, capture_output=True)
    row = runs.get(db, run)
    assert (row["status"], row["reason"]) == ("failed", "cannot_write")
    assert runs.checkpoints(db, run) == []
    assert not list(ws.run_folder(run).glob("*.safetensors")), "no half file under a final name"

    # The same in a project of its own, which nothing happens to: the worker takes both one after the other.
    other = add_project(db, "whole", "zwx", "woman", plan=SMALL, **no_judges)
    add_folder(ws, other, EMBEDDED / "subjects" / "subject_a")
    [reference] = queue.enqueue(db, other, [patterns.add(db, other, QUICK, "baseline")], [1])
    assert runs.retry(db, run)
    Worker(ws, echo=lambda _: None).work(once=True)
    assert [runs.get(db, each)["status"] for each in (run, reference)] == ["done", "done"]
    resumed, whole = (runs.checkpoints(db, each) for each in (run, reference))
    assert [row["updates"] for row in resumed] == [8, 16]
    assert all(same_lora(ws.path(a["file"]), ws.path(b["file"])) for a, b in zip(resumed, whole, strict=True))
