"""The database: what is stored comes back, and nothing that people made can be lost."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

import db as database
from db import library, migrations, ratings, results, runs


@pytest.fixture
def path(tmp_path):
    return tmp_path / "workbench.db"


@pytest.fixture
def db(path):
    return database.open_db(path)


@pytest.fixture
def project(db):
    return library.add_project(
        db,
        name="demo",
        trigger_word="zwx",
        class_noun="woman",
        base_model="embedded",
        face_judge="embedded",
        clip_judge="embedded",
    )


def photo(position, side="train"):
    return {
        "position": position,
        "name": f"{position}.jpg",
        "file": f"photos/1/{position}.png",
        "sha256": "0" * 64,
        "caption": "photo of zwx woman",
        "side": side,
        "width": 256,
        "height": 256,
        "crop": "none",
        "face_px": 100.0,
        "duplicate_group": None,
    }


@pytest.fixture
def dataset(db, project):
    return library.add_dataset(
        db,
        project,
        hash="h1",
        trigger_word="zwx",
        class_noun="woman",
        size_px=64,
        photos=[photo(0), photo(1, "reference")],
    )


@pytest.fixture
def pattern(db, project):
    pattern_id = library.add_pattern(db, "p1", {"dim": 16})
    library.add_label(db, project, pattern_id, "baseline")
    return pattern_id


@pytest.fixture
def run(db, project, dataset, pattern):
    return runs.enqueue(db, project, pattern, dataset, seed=1)[0]


@pytest.fixture
def preview(db, project, run):
    plan = results.add_plan(db, "plan1", {"prompts": []})
    checkpoint = add_checkpoint(db, run)
    return results.add_preview(db, **cell(plan, project, checkpoint))


def add_checkpoint(db, run, updates=10, file="runs/1/a.safetensors"):
    return runs.add_checkpoint(
        db,
        run,
        updates=updates,
        images_seen=40,
        epoch=1.0,
        file=file,
        sha256="x",
        bytes=9,
        proof="{}",
        is_last=1,
    )


def cell(plan, project, checkpoint, prompt=0):
    return {
        "token": results.new_token(),
        "plan_id": plan,
        "checkpoint_id": checkpoint,
        "base_model": "embedded",
        "clip_skip": 1,
        "prompt": prompt,
        "seed": 1,
        "strength": 1.0,
        "project_id": project,
        "text": "photo of zwx woman",
        "file": "previews/a.png",
        "thumb": "previews/a.webp",
        "status": "ok",
        "seconds": 0.1,
    }


def test_wal_and_foreign_keys_are_on(db):
    assert db.journal_mode == "wal"
    with pytest.raises(sqlite3.IntegrityError):
        runs.enqueue(db, project_id=99, pattern_id=99, dataset_id=99, seed=1)


def test_the_same_dataset_again_is_the_same_version(db, project, dataset):
    again = library.add_dataset(
        db, project, hash="h1", trigger_word="zwx", class_noun="woman", size_px=64, photos=[photo(0)]
    )
    other = library.add_dataset(
        db, project, hash="h2", trigger_word="zwx", class_noun="woman", size_px=64, photos=[photo(0)]
    )
    assert again == dataset and len(library.photos(db, dataset)) == 2
    assert library.dataset(db, other)["version"] == 2
    assert library.project(db, project)["dataset_id"] == other


def test_two_labels_may_mean_one_pattern(db, project, pattern):
    same = library.add_pattern(db, "p1", {"dim": 16})
    library.add_label(db, project, same, "pattern 13")
    [row] = library.patterns(db, project)
    assert same == pattern and row["label"] == "baseline = pattern 13"


def test_a_double_click_queues_once(db, project, pattern, dataset, run):
    assert runs.enqueue(db, project, pattern, dataset, seed=1) == (run, False)
    assert runs.enqueue(db, project, pattern, dataset, seed=2)[1] is True


def test_a_retrain_after_the_end_is_a_new_run(db, project, pattern, dataset, run):
    runs.end(db, run, "done")
    assert runs.enqueue(db, project, pattern, dataset, seed=1) == (run + 1, True)


def test_every_queued_run_is_claimed_once_by_competing_workers(path, db, project, pattern, dataset):
    wanted = {runs.enqueue(db, project, pattern, dataset, seed)[0] for seed in range(40)}

    def claim_all(worker):
        own = database.open_db(path)
        runs.worker_started(own, worker, pid=1)
        claimed = []
        while (row := runs.claim_next(own, worker)) is not None:
            claimed.append(row["id"])
        return claimed

    with ThreadPoolExecutor(4) as pool:
        claimed = [id for ids in pool.map(claim_all, "abcd") for id in ids]
    assert sorted(claimed) == sorted(wanted)


def test_a_run_whose_worker_died_is_queued_again_and_fails_after_three_attempts(db, run):
    for attempt in (1, 2, 3):
        worker = f"w{attempt}"
        runs.worker_started(db, worker, pid=1)
        assert runs.claim_next(db, worker)["attempt"] == attempt
        assert runs.requeue_lost(db) == []  # its worker is alive
        db.execute("update workers set seen_at = seen_at - 3600")
        assert runs.requeue_lost(db) == ([run] if attempt < 3 else [])
    lost = runs.get(db, run)
    assert (lost["status"], lost["reason"]) == ("failed", "engine_died")
    assert runs.retry(db, run) and runs.get(db, run)["status"] == "queued"


def test_cancelling_a_queued_run_is_final_and_a_running_one_is_asked(db, run, project, pattern, dataset):
    running = runs.enqueue(db, project, pattern, dataset, seed=2)[0]
    runs.request_cancel(db, run)
    runs.worker_started(db, "w", pid=1)
    assert runs.claim_next(db, "w")["id"] == running
    runs.request_cancel(db, running)
    assert runs.get(db, run)["status"] == "cancelled"
    assert runs.get(db, running)["status"] == "running" and runs.get(db, running)["cancel_requested"] == 1


def test_higher_priority_goes_first(db, run, project, pattern, dataset):
    urgent = runs.enqueue(db, project, pattern, dataset, seed=2, priority=5)[0]
    runs.worker_started(db, "w", pid=1)
    assert [runs.claim_next(db, "w")["id"], runs.claim_next(db, "w")["id"]] == [urgent, run]


def test_a_cell_is_filled_once(db, project, run, preview):
    row = results.preview(db, preview)
    assert results.add_preview(db, **cell(row["plan_id"], project, row["checkpoint_id"])) is None
    assert results.filled_cells(db, row["plan_id"], project, row["checkpoint_id"], "embedded", 1) == {(0, 1, 1.0)}
    assert results.filled_cells(db, row["plan_id"], project, None, "embedded", 1) == set()
    assert results.add_preview(db, **cell(row["plan_id"], project, None)) is not None


def test_a_checkpoint_saved_again_after_a_resume_keeps_its_id(db, run):
    assert add_checkpoint(db, run) == add_checkpoint(db, run, file="runs/1/b.safetensors")
    assert [row["file"] for row in runs.checkpoints(db, run)] == ["runs/1/b.safetensors"]


def score(preview, judge, calibration, value=0.5, status="ok"):
    return {
        "preview_id": preview,
        "judge_id": judge,
        "calibration_id": calibration,
        "metric": "likeness",
        "value": value,
        "status": status,
        "detail": "{}",
    }


def test_another_judge_or_calibration_adds_scores_and_never_overwrites(db, project, dataset, preview):
    judge = results.add_judge(db, "a", kind="face", name="a", version="1", licence="free", world="any")
    other = results.add_judge(db, "b", kind="face", name="b", version="1", licence="free", world="any")
    plan = results.preview(db, preview)["plan_id"]
    results.add_scores(db, [score(preview, judge, None)])
    results.add_scores(db, [score(preview, judge, None, 0.9), score(preview, other, None, 0.7)])
    assert [row["value"] for row in results.scores(db, project, plan)] == [0.5, 0.7]
    assert results.unscored(db, project, plan, "likeness", judge, None) == []
    assert len(results.unscored(db, project, plan, "clip_t", judge, None)) == 1


def test_a_score_without_a_value_must_say_why(db, preview):
    with pytest.raises(sqlite3.IntegrityError):
        results.add_scores(db, [score(preview, None, None, None, "ok")])
    results.add_scores(db, [score(preview, None, None, None, "no_face")])


def mark(preview, value=50.0, **more):
    row = {
        "preview_id": preview,
        "rater": "me",
        "session": "s",
        "event": "rate",
        "axis": "likeness",
        "value": value,
    }
    return {**row, "position": 0, "shown_at": 1.0, "answered_at": 2.0, "protocol": "1", **more}


def test_ratings_can_be_undone_but_never_changed(db, project, preview):
    first = ratings.add(db, **mark(preview))
    ratings.add(db, **mark(preview, 70.0))
    ratings.add(db, **mark(preview, None, event="undo", axis=None, undoes=first))
    assert [row["value"] for row in ratings.marks(db, project)] == [70.0]
    for statement in ("update ratings set value = 1", "delete from ratings"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)


@pytest.mark.parametrize("value", [-1, 101, None])
def test_a_mark_lies_between_0_and_100(db, preview, value):
    with pytest.raises(sqlite3.IntegrityError):
        ratings.add(db, **mark(preview, value))


def test_the_revision_moves_with_results_and_not_with_heartbeats(db, run, preview):
    before = library.revision(db)
    runs.worker_started(db, "w", pid=1)
    runs.claim_next(db, "w")
    claimed = library.revision(db)
    runs.worker_seen(db, "w", "training", run_id=run)
    runs.report(db, run, step=1, loss=0.1, train_seconds=1.0)
    assert before < claimed == library.revision(db)
    ratings.add(db, **mark(preview))
    assert library.revision(db) > claimed


def test_an_upgrade_keeps_the_data_and_a_copy_of_the_older_file(path, db, project, monkeypatch):
    newer = type(migrations.migrations)("workbench")
    newer._migrations = [*migrations.migrations._migrations]

    @newer()
    def add_notes(db):
        db.table("projects").add_column("notes", str)

    monkeypatch.setattr("db.connect.migrations", newer)
    upgraded = database.open_db(path)
    assert library.project(upgraded, project)["name"] == "demo"
    assert "notes" in upgraded.table("projects").columns_dict
    copy = sqlite3.connect(path.with_name("workbench.before-add_notes.db"))
    assert copy.execute("select name from projects").fetchall() == [("demo",)]


def test_a_failed_upgrade_changes_nothing(path, db, project, monkeypatch):
    newer = type(migrations.migrations)("workbench")
    newer._migrations = [*migrations.migrations._migrations]

    @newer()
    def half_done(db):
        db.table("projects").add_column("notes", str)
        raise OSError("disk full")

    monkeypatch.setattr("db.connect.migrations", newer)
    with pytest.raises(OSError):
        database.open_db(path)
    monkeypatch.undo()
    assert "notes" not in database.open_db(path).table("projects").columns_dict


def test_a_file_from_a_newer_workbench_is_refused(path, db):
    db.table("_sqlite_migrations").insert({"migration_set": "workbench", "name": "from_2030", "applied_at": "x"})
    with pytest.raises(database.DatabaseTooNew, match="from_2030"):
        database.open_db(path)


def test_two_processes_may_open_a_new_file_at_once(tmp_path):
    def open_one(_):
        return len(database.open_db(tmp_path / "new.db").table_names())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(open_one, range(8)))) == 1
