"""A workspace in one file and out of it again: nothing lost, nothing believed unchecked, nothing half done."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from filled import add_life, fill
from test_engine import LONG, PATIENCE_S, new_project, same_lora, start_worker_process, wait_for

from db import DatabaseTooNew, library, ratings, recipes, results, runs
from workbench.keeping import bin, retention
from workbench.keeping.backup import MANIFEST, BackupError, backup, is_safe, restore
from workbench.running.run_log import log_tail
from workbench.running.worker import Worker
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path / "work space é")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A backup that tests damage in copies: (file, the workspace that it is of)."""
    folder = tmp_path_factory.mktemp("made")
    filled = fill(folder / "w")
    backup(filled.ws, folder / "b.zip")
    return folder / "b.zip", filled


def rows(db):
    """Every row of every table but those that say who works now."""
    names = sorted(name for name in db.table_names() if not name.startswith("sqlite_"))
    return {name: list(db.query(f"select * from {name}")) for name in names if name not in ("workers", "runs")}


def files(home):
    skip = ("workbench.db", "logs", "cache")
    found = [path for path in home.rglob("*") if path.is_file()]
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in found
        if not path.relative_to(home).as_posix().startswith(skip)
    }


def test_everything_comes_back_in_another_place(full, tmp_path):
    default, challenger, _ = full.pattern_ids
    recipes.add_default(full.db, default, full.project_id, "baseline")
    recipes.add_challenge(full.db, "begin", default, challenger, project_id=full.project_id, run_ids=[1])
    retention.set_rule(full.db, full.project_id, retention.Rule("last", 1))
    retention.tidy(full.ws, full.db, full.project_id)  # some files lie in the bin
    bin.delete_run(full.db, full.run_ids[3])
    (full.ws.home / "logs").mkdir()
    (full.ws.home / "logs" / "engine.log").write_text("x", encoding="utf-8")
    told = []
    result = backup(full.ws, tmp_path / "b.zip", lambda done, total, name: told.append((done, total)))
    assert result.missing == () and told[-1][0] == told[-1][1] > 0
    count = restore(tmp_path / "b.zip", tmp_path / "other disk" / "here")
    there = Workspace(tmp_path / "other disk" / "here")
    assert files(there.home) == files(full.ws.home) and count == len(files(there.home)) + 1
    assert rows(there.open()) == rows(full.db)
    assert recipes.default(there.open())["label"] == "baseline" and len(recipes.challenges(there.open(), default)) == 1
    assert not (there.home / "logs").exists()
    bin.restore(there, there.open(), f"run {full.run_ids[3]}")
    assert len(runs.of_project(there.open(), 1)) == len(full.run_ids)
    assert len(ratings.marks(there.open(), 1)) > 0


def test_nothing_runs_in_a_restored_workspace_and_what_was_running_waits(full, tmp_path):
    ids = add_life(full)
    backup(full.ws, tmp_path / "b.zip")
    assert runs.get(full.db, ids["running"])["status"] == "running"  # here it goes on
    restore(tmp_path / "b.zip", tmp_path / "x")
    db = Workspace(tmp_path / "x").open()
    assert runs.live_workers(db) == [] and runs.get(db, ids["running"])["status"] == "queued"


def test_a_file_that_is_lost_is_named_and_the_rest_is_saved(full, tmp_path):
    lost = results.previews(full.db, 1, 1)[0]["file"]
    full.ws.path(lost).unlink()
    assert backup(full.ws, tmp_path / "b.zip").missing == (lost,)
    restore(tmp_path / "b.zip", tmp_path / "x")
    assert files(tmp_path / "x") == files(full.ws.home)


def test_the_file_is_a_plain_zip_with_the_hash_of_everything(made):
    import hashlib

    with zipfile.ZipFile(made[0]) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        assert {entry.compress_type for entry in archive.infolist()[:-1]} == {zipfile.ZIP_STORED}
        for name, about in manifest["files"].items():
            content = archive.read(name)
            assert (len(content), hashlib.sha256(content).hexdigest()) == (about["bytes"], about["sha256"])
    assert manifest["schema"] == ["first_schema", "daily_work", "made_elsewhere", "sittings", "recipes"]


def test_a_backup_replaces_nothing_and_leaves_nothing_half(full, tmp_path, monkeypatch):
    (tmp_path / "b.zip").write_text("mine", encoding="utf-8")
    with pytest.raises(BackupError, match="is there already"):
        backup(full.ws, tmp_path / "b.zip")
    with pytest.raises(BackupError, match="no folder"):
        backup(full.ws, tmp_path / "nowhere" / "b.zip")
    with pytest.raises(BackupError, match="no workspace"):
        backup(Workspace(tmp_path / "empty"), tmp_path / "c.zip")
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(BackupError, match=r"needs .* but only 0.0 MB are free"):
        backup(full.ws, tmp_path / "c.zip")
    assert (tmp_path / "b.zip").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.zip", full.ws.home.name]


def test_a_restore_replaces_nothing(made, tmp_path):
    (tmp_path / "x").mkdir()
    restore(made[0], tmp_path / "x")  # an empty folder is fine
    with pytest.raises(BackupError, match="is not empty"):
        restore(made[0], tmp_path / "x")
    (tmp_path / "y.part").mkdir()
    with pytest.raises(BackupError, match="in the way"):
        restore(made[0], tmp_path / "y")


def repacked(source, target, change):
    """A copy of a backup in which ``change(name, content)`` gives each entry's new (name, content), None = left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            changed = change(entry.filename, old.read(entry.filename))
            if changed is not None:
                new.writestr(*changed)
    return target


def with_manifest(change):
    """Change the manifest (a dict, in place)."""

    def apply(name, content):
        if name != MANIFEST:
            return name, content
        manifest = json.loads(content)
        change(manifest)
        return name, json.dumps(manifest)

    return apply


def refused(file, tmp_path, match, error=BackupError):
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(error, match=match):
        restore(file, tmp_path / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "something was left behind"


def test_a_damaged_backup_is_refused_whatever_is_damaged(made, tmp_path):
    content = bytearray(made[0].read_bytes())
    flipped = tmp_path / "flipped.zip"
    at = content.index(b"PK\x03\x04", 100_000) + 80  # inside some file
    content[at] ^= 1
    flipped.write_bytes(content)
    refused(flipped, tmp_path, "no whole backup|damaged")
    short = tmp_path / "short.zip"
    short.write_bytes(made[0].read_bytes()[:-5000])
    refused(short, tmp_path, "no whole backup|no backup")
    picture = next(name for name in zipfile.ZipFile(made[0]).namelist() if name.endswith(".png"))
    lacking = repacked(made[0], tmp_path / "a.zip", lambda name, content: None if name == picture else (name, content))
    refused(lacking, tmp_path, "does not hold the files")
    swapped = repacked(
        made[0], tmp_path / "b.zip", lambda name, content: (name, bytes(len(content)) if name == picture else content)
    )
    refused(swapped, tmp_path, "is damaged")
    other = repacked(made[0], tmp_path / "c.zip", lambda name, content: None if name == MANIFEST else (name, content))
    refused(other, tmp_path, "no backup of a workspace")
    (tmp_path / "text.zip").write_text("hello", encoding="utf-8")
    refused(tmp_path / "text.zip", tmp_path, "no whole backup")
    newer = repacked(made[0], tmp_path / "d.zip", with_manifest(lambda manifest: manifest.update(format=99)))
    refused(newer, tmp_path, "newer workbench")


def rebuilt(made, tmp_path, change):
    """A backup whose database was changed by SQL, with a manifest that agrees."""
    import hashlib

    database = tmp_path / "changed.db"
    with zipfile.ZipFile(made[0]) as archive:
        database.write_bytes(archive.read("workbench.db"))
    with sqlite3.connect(database) as db:
        change(db)
    db.close()
    content = database.read_bytes()
    database.unlink()
    about = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    fix = with_manifest(lambda manifest: manifest["files"].update({"workbench.db": about}))
    return repacked(
        made[0],
        tmp_path / "changed.zip",
        lambda name, old: (name, content) if name == "workbench.db" else fix(name, old),
    )


def test_a_database_of_a_newer_workbench_or_a_broken_one_is_refused(made, tmp_path):
    newer = "insert into _sqlite_migrations (migration_set, name, applied_at) values ('workbench', 'from_2030', 'x')"
    refused(rebuilt(made, tmp_path, lambda db: db.execute(newer)), tmp_path, "from_2030", DatabaseTooNew)
    lost = rebuilt(made, tmp_path, lambda db: db.execute("delete from patterns"))
    refused(lost, tmp_path, "rows refer to rows that are not there")


UNSAFE = [
    "../evil.txt",
    "photos/../../evil.txt",
    "/etc/evil",
    "C:/evil",
    "photos\\..\\evil",
    "photos/a:b",
    "photos//a",
    "photos/",
    "photos/. /a",
    "photos/a.",
    "start.py",
    "elsewhere/a",
    "",
    "workbench.db/a",
    "photos/a\0b",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_no_name_leads_out_of_the_folder(name, made, tmp_path):
    assert not is_safe(name)
    if name and "\0" not in name:
        evil = {"bytes": 1, "sha256": "x"}
        fix = with_manifest(lambda manifest: manifest["files"].update({name: evil}))
        file = repacked(made[0], tmp_path / "evil.zip", fix)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(zipfile.ZipInfo(name), b"!")
        refused(file, tmp_path, "no place in a workspace|does not hold")


@pytest.mark.parametrize("name", ["workbench.db", "photos/ab.png", "runs/1/state/state.safetensors", "bin/runs/1/x"])
def test_names_of_a_workspace_are_safe(name):
    assert is_safe(name)


# while others work, and when it is killed


def test_a_backup_while_people_and_workers_write_is_of_one_moment(full, tmp_path):
    stop = threading.Event()

    def write():
        db = full.ws.open()
        while not stop.is_set():
            project = library.add_project(
                db,
                name=os.urandom(8).hex(),
                trigger_word="zwx",
                class_noun="woman",
                base_model="embedded",
                face_judge="none",
                clip_judge="none",
            )
            library.add_label(db, project, full.pattern_ids[0], "x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup(full.ws, tmp_path / f"{number}.zip")
    finally:
        stop.set()
        writer.join()
    counts = []
    for number in range(3):
        restore(tmp_path / f"{number}.zip", tmp_path / str(number))
        counts.append(len(library.projects(Workspace(tmp_path / str(number)).open())))
    assert counts == sorted(counts) and counts[0] >= 1


KILLED = """
import os, signal, sys
from pathlib import Path
from workbench.keeping.backup import {verb}
from workbench.workspace import Workspace

def progress(done, total, name):
    if done > total / 2:
        os.kill(os.getpid(), signal.SIGKILL)

{verb}({first}, Path(sys.argv[2]), progress)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("verb", "first"), [("backup", "Workspace(Path(sys.argv[1]))"), ("restore", "Path(sys.argv[1])")]
)
def test_one_that_is_killed_half_way_leaves_no_result_and_does_not_block_the_next(made, tmp_path, verb, first):
    file, filled = made
    source, target = (filled.ws.home, tmp_path / "b.zip") if verb == "backup" else (file, tmp_path / "x")
    command = [sys.executable, "-c", KILLED.format(verb=verb, first=first), str(source), str(target)]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == -signal.SIGKILL
    assert not target.exists() and (tmp_path / f"{target.name}.part").exists()
    if verb == "backup":
        backup(filled.ws, target)
        restore(target, tmp_path / "again")
        assert files(tmp_path / "again") == files(filled.ws.home)
    else:
        restore(file, target)
        assert files(target) == files(filled.ws.home)
    assert not (tmp_path / f"{target.name}.part").exists()


LIMITED = """
import resource, sys
from pathlib import Path
from workbench.keeping.backup import backup
from workbench.workspace import Workspace
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    backup(Workspace(Path(sys.argv[1])), Path(sys.argv[2]))
except OSError as error:
    sys.exit(f"failed: {error.strerror}")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
def test_a_backup_that_can_not_be_written_to_its_end_leaves_nothing(made, tmp_path):
    command = [sys.executable, "-c", LIMITED, str(made[1].ws.home), str(tmp_path / "b.zip")]
    done = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True, text=True)
    assert done.returncode == 1 and "failed: File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_state_can_be_replaced_after_a_backup_has_read_it(tmp_path, monkeypatch):
    """Windows refuses to replace a file that is being read; the training waits instead of failing."""
    from trainer.state import replace

    (tmp_path / "a").write_text("new", encoding="utf-8")
    refusals, really = [PermissionError(), PermissionError()], os.replace

    def replace_or_refuse(part, path):
        if refusals:
            raise refusals.pop()
        really(part, path)

    monkeypatch.setattr(os, "replace", replace_or_refuse)
    replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text(encoding="utf-8") == "new" and not refusals


def test_training_goes_on_in_a_restored_workspace_as_if_it_had_never_moved(tmp_path):
    """A backup in the middle of a training, restored elsewhere, ends with the very same LoRA."""
    ws, db, _, [run] = new_project(tmp_path / "here", LONG, face_judge="none", clip_judge="none")
    worker = start_worker_process(ws)
    wait_for(lambda: runs.checkpoints(db, run) and "state saved" in log_tail(ws, run), "the first saved state")
    backup(ws, tmp_path / "b.zip")  # while it trains
    assert worker.wait(PATIENCE_S) == 0 and runs.get(db, run)["status"] == "done"

    shutil.move(ws.home, tmp_path / "gone")  # nothing of the old place can be used
    restore(tmp_path / "b.zip", tmp_path / "there")
    there = Workspace(tmp_path / "there")
    assert runs.get(there.open(), run)["status"] == "queued"
    Worker(there, echo=lambda _: None).work(once=True)
    assert runs.get(there.open(), run)["status"] == "done"
    log = there.run_log(run).read_text(encoding="utf-8")
    assert re.findall(r"from update (\d+)", log)[-1] in ("16", "32"), "it went on from the saved state"
    last = runs.checkpoints(there.open(), run)[-1]["file"]
    assert same_lora(there.path(last), tmp_path / "gone" / last)
