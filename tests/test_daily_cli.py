"""The command line of the daily work: the same functions as the pages, by name."""

import json

import pytest
from filled import fill

from db import runs
from workbench.cli import main
from workbench.keeping import retention
from workbench.running import hours, queue
from workbench.workspace import Workspace


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path / "w")


@pytest.fixture
def run(full, capsys):
    """run(*words) -> what was printed; the exit code must be 0."""

    def one(*words, code=0):
        assert main(["--home", str(full.ws.home), *map(str, words)]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return one


def test_pause_window_and_order(full, run):
    run("pause")
    assert hours.is_paused(full.db)
    run("resume")
    assert not hours.is_paused(full.db)
    assert run("window", "22:00-07:00").strip() == "22:00-07:00" == run("window").strip()
    assert run("window", "always").strip() == "always"
    assert "no window" in run("window", "at night", code=1)
    first, second = queue.enqueue(full.db, 1, full.pattern_ids[:1], [8, 9])
    run("move", second, "first")
    assert [row["id"] for row in runs.with_status(full.db, "queued")] == [second, first]


def test_longer_and_final(full, run):
    assert "training state of run 1 is gone" in run("extend", 1, "--epochs", 50, code=1)
    state = full.ws.run_folder(1) / "state" / "state.safetensors"
    state.parent.mkdir()
    state.write_bytes(b"x")
    assert "queued as run 7" in run("extend", 1, "--updates", 500)
    assert "queued as run 8" in run("final", 1, "--seed", 5)
    assert runs.get(full.db, 7)["continues"] == 1 and runs.get(full.db, 8)["final"] == 1


def test_the_bin(full, run):
    run("bin", "--delete-run", 6)
    run("bin", "--delete-pattern", "alpha 1")
    listed = json.loads(run("bin", "--json"))
    assert [item["key"] for item in listed] == ["pattern 1 2", "run 6"]
    run("bin", "--restore", "run 6")
    assert runs.get(full.db, 6)
    assert "1 thing in the bin" in run("bin", "--empty", 5, code=1)
    run("bin", "--empty", 1)
    assert json.loads(run("bin", "--json")) == []
    run("bin", "--delete-project", "demo")
    assert "project 'demo'" in run("bin")


def test_tidy_shows_first_and_moves_only_when_told(full, run):
    said = run("tidy", "--keep", "last", "--n", 1)
    assert "6 LoRA files (0.0 MB) would go into the bin" in said and "keep the last 1" in said
    assert retention.going(full.ws, full.db, 1)
    assert "went into the bin" in run("tidy", "--go")
    assert not retention.going(full.ws, full.db, 1)


def test_backup_and_restore(full, run, tmp_path):
    assert "files," in run("backup", tmp_path / "b.zip")
    assert "restored and checked" in run("restore", tmp_path / "b.zip", tmp_path / "x")
    assert len(runs.of_project(Workspace(tmp_path / "x").open(), 1)) == 6
    assert "not empty" in run("restore", tmp_path / "b.zip", tmp_path / "x", code=1)
