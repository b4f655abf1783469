"""Delete and undo: what is deleted is out of sight, comes back whole, and goes for good only from the bin."""

import pytest
from filled import PLAN, TRAIN_SEEDS, UPDATES, add_life, fill

from db import library, ratings, results, runs
from workbench.findings.analysis import tables
from workbench.keeping import bin
from workbench.keeping.bin import BinError
from workbench.projects import ProjectError, add_project, find_project
from workbench.running import queue
from workbench.running.progress import progress
from workbench.sweep import patterns


@pytest.fixture
def full(tmp_path):
    return fill(tmp_path / "w")


def seen(full):
    """All that a project shows: runs, pictures, scores, marks, patterns."""
    db, project, plan = full.db, full.project_id, full.plan_id
    return (
        [row["id"] for row in runs.of_project(db, project)],
        [row["token"] for row in results.previews(db, project, plan)],
        len(results.scores(db, project, plan)),
        len(ratings.marks(db, project)),
        [pattern.label for pattern in patterns.listed(db, project)],
        [row["name"] for row in library.projects(db)],
    )


def files(full):
    return {path.relative_to(full.ws.home) for path in full.ws.home.rglob("*") if path.is_file()} - {
        path.relative_to(full.ws.home) for path in full.ws.home.glob("workbench.db*")
    }


def test_a_deleted_run_is_out_of_sight_everywhere_and_comes_back_whole(full):
    before, on_disk, run = seen(full), files(full), full.run_ids[0]
    bin.delete_run(full.db, run)
    listed, pictures, *_ = seen(full)
    assert run not in listed and runs.get(full.db, run) is None
    assert len(pictures) == len(before[1]) - len(UPDATES) * len(PLAN.cells())
    assert run not in set(tables(full.db, full.project_id).checkpoints["run_id"].dropna())
    assert progress(full.db, full.project_id).runs_total == len(full.run_ids) - 1
    [item] = bin.contents(full.ws, full.db)
    assert (item.kind, item.key) == ("run", f"run {run}") and "baseline, seed 1" in item.title and item.bytes > 2000
    assert files(full) == on_disk
    bin.restore(full.ws, full.db, item.key)
    assert seen(full) == before and bin.contents(full.ws, full.db) == []


def test_a_deleted_pattern_takes_its_labels_and_runs_along_and_brings_them_back(full):
    before, pattern = seen(full), full.pattern_ids[0]
    library.add_label(full.db, full.project_id, pattern, "pattern 13")
    with_two = seen(full)
    bin.delete_run(full.db, full.run_ids[0])  # a deed of its own, before
    bin.delete_pattern(full.db, full.project_id, pattern)
    assert len(seen(full)[0]) == len(before[0]) - len(TRAIN_SEEDS) and "baseline" not in str(seen(full)[4])
    pattern_item, run_item = bin.contents(full.ws, full.db)
    assert "'baseline' = 'pattern 13' with 1 run of" in pattern_item.title and run_item.kind == "run"
    bin.restore(full.ws, full.db, pattern_item.key)
    assert full.run_ids[0] not in seen(full)[0] and full.run_ids[1] in seen(full)[0]
    bin.restore(full.ws, full.db, run_item.key)
    assert seen(full) == with_two


def test_a_label_in_the_bin_does_not_block_a_new_one_of_the_same_name(full):
    bin.delete_pattern(full.db, full.project_id, full.pattern_ids[1])
    config = patterns.get(full.db, full.pattern_ids[0]).model_copy(update={"dim": 4})
    patterns.add(full.db, full.project_id, config, "alpha 1")
    [item] = bin.contents(full.ws, full.db)
    bin.restore(full.ws, full.db, item.key)
    labels = [pattern.label for pattern in patterns.listed(full.db, full.project_id)]
    assert "alpha 1" in labels and any(label.startswith("alpha 1 (deleted") for label in labels)


def test_a_deleted_project_trains_nothing_and_comes_back_with_its_queue(full):
    queue.enqueue(full.db, full.project_id, full.pattern_ids[:1], [9])
    before = seen(full)
    bin.delete_project(full.db, full.project_id)
    assert library.projects(full.db) == []
    runs.worker_started(full.db, "w", pid=1)
    assert runs.claim_next(full.db, "w") is None
    with pytest.raises(ProjectError):
        find_project(full.db, "demo")
    [item] = bin.contents(full.ws, full.db)
    assert item.title == "project 'demo'"
    bin.restore(full.ws, full.db, item.key)
    assert seen(full) == before and runs.claim_next(full.db, "w")["seed"] == 9


def test_what_trains_now_must_be_cancelled_first(full):
    running = add_life(full)["running"]
    for delete in (
        lambda: bin.delete_run(full.db, running),
        lambda: bin.delete_pattern(full.db, full.project_id, full.pattern_ids[0]),
        lambda: bin.delete_project(full.db, full.project_id),
    ):
        with pytest.raises(BinError, match=f"Run {running} trains now. Cancel it first"):
            delete()
    assert bin.contents(full.ws, full.db) == []


def test_a_run_that_another_one_goes_on_from_stays(full):
    pattern = patterns.clone(full.db, full.project_id, full.pattern_ids[0], "longer", epochs=99)
    heir, _ = runs.enqueue(full.db, full.project_id, pattern, full.dataset_id, 1, continues=full.run_ids[0])
    with pytest.raises(BinError, match=f"Run {heir} goes on from run {full.run_ids[0]}"):
        bin.delete_run(full.db, full.run_ids[0])


def test_a_waiting_run_whose_twin_was_queued_meanwhile_comes_back_cancelled(full):
    [first] = queue.enqueue(full.db, full.project_id, full.pattern_ids[:1], [9])
    bin.delete_run(full.db, first)
    [twin] = queue.enqueue(full.db, full.project_id, full.pattern_ids[:1], [9])
    assert twin != first
    bin.restore(full.ws, full.db, f"run {first}")
    assert (runs.get(full.db, first)["status"], runs.get(full.db, twin)["status"]) == ("cancelled", "queued")


def test_emptying_removes_files_for_good_and_keeps_rows_scores_and_ratings(full):
    run = full.run_ids[0]
    marks = full.db.execute("select count(*) from ratings").fetchone()[0]
    gone = {full.ws.path(row["file"]) for row in runs.checkpoints(full.db, run)}
    pictures = {
        full.ws.path(row["file"])
        for row in results.previews(full.db, full.project_id, full.plan_id)
        if row["run_id"] == run
    }
    others = files(full) - {path.relative_to(full.ws.home) for path in gone | pictures}
    bin.delete_run(full.db, run)
    assert bin.empty(full.ws, full.db) > 0
    assert not any(path.exists() for path in gone | pictures) and not full.ws.run_folder(run).exists()
    left = files(full)
    assert {path for path in others if path.parts[:2] != ("runs", str(run)) and path.suffix != ".webp"} <= left
    assert full.db.execute("select count(*) from ratings").fetchone()[0] == marks
    assert full.db.execute("select count(*) from runs").fetchone()[0] == len(full.run_ids)
    assert bin.contents(full.ws, full.db) == []
    with pytest.raises(BinError, match="no 'run"):
        bin.restore(full.ws, full.db, f"run {run}")
    assert bin.empty(full.ws, full.db) == 0


def test_emptying_a_project_spares_what_other_projects_use(full, tmp_path):
    other = add_project(full.db, "other", "zwx", "woman", plan=PLAN)
    rows = [{k: v for k, v in row.items() if k not in ("id", "dataset_id")} for row in library.photos(full.db, 1)]
    shared = rows[:3]
    words = {"trigger_word": "zwx", "class_noun": "woman", "size_px": None}
    library.add_dataset(full.db, other, hash="o", photos=shared, **words)
    bin.delete_project(full.db, full.project_id)
    bin.empty(full.ws, full.db)
    assert [full.ws.path(row["file"]).exists() for row in rows] == [True] * 3 + [False] * 6
    assert not any((full.ws.home / "previews").rglob("*.png")) and not any((full.ws.home / "runs").iterdir())
    assert [row["name"] for row in library.projects(full.db)] == ["other"]
    add_project(full.db, "demo", "zwx", "woman")  # its name is free again
    assert len(full.db.execute("select * from ratings").fetchall()) > 0
