"""The database: what is stored comes back, and nothing that people made can be lost."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

import db as database
from db import immediate, library, meta, migrations, ratings, results, runs, sittings


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


def test_an_error_within_a_nested_block_undoes_all_unless_it_is_caught(db):
    db.execute("create table kept (name text)")

    def add(*given, wrong=False):
        with immediate(db):
            for name in given:
                db.execute("insert into kept values (?)", [name])
            if wrong:
                raise ValueError

    def kept():
        return [row["name"] for row in db.query("select name from kept")]

    with pytest.raises(ValueError), immediate(db):
        add("outside")
        add("inside", wrong=True)
    assert kept() == [] and not db.conn.in_transaction
    with immediate(db):
        add("before")
        with pytest.raises(ValueError):
            add("inside", wrong=True)
        add("after")
    assert kept() == ["before", "after"], "nothing of the block that failed"


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


# an upgrade from the first release

# As the first release stored it: its settings, and the hash that it gave them.
OLD_CONFIG = json.dumps(
    {
        "alpha": 16.0,
        "base_model": "embedded",
        "batch_size": 4,
        "clip_skip": 1,
        "dim": 16,
        "epochs": 10,
        "flip": False,
        "learning_rate": 0.002,
        "lr_scheduler": "constant",
        "max_grad_norm": 1.0,
        "max_updates": None,
        "min_snr_gamma": None,
        "mixed_precision": "no",
        "modules": "kohya",
        "optimizer": "adamw",
        "repeats": 1,
        "resolution": None,
        "save_every": 1,
        "save_precision": "fp16",
        "save_unit": "epochs",
        "text_encoder_lr": None,
        "train_text_encoder": True,
        "warmup_updates": 0,
        "weight_decay": 0.01,
    }
)
OLD_HASH = "42a8c5c56c1de8dd11494d2a714ec8c941f33d9710766224522f0125fe79e7ea"
OLD_ROWS = {
    "plans": {"id": 1, "hash": "p", "config": "{}", "created_at": 1.0},
    "projects": {
        "id": 1,
        "name": "Anna",
        "trigger_word": "zwx",
        "class_noun": "woman",
        "base_model": "embedded",
        "face_judge": "embedded",
        "clip_judge": "none",
        "strangers": "/faces",
        "dataset_id": None,
        "plan_id": 1,
        "created_at": 1.0,
    },
    "datasets": {
        "id": 1,
        "project_id": 1,
        "version": 1,
        "hash": "d",
        "trigger_word": "zwx",
        "class_noun": "woman",
        "size_px": 64,
        "created_at": 1.0,
    },
    "photos": {"id": 1, "dataset_id": 1, **photo(0), "face_px": None},
    "patterns": {"id": 1, "hash": OLD_HASH, "config": OLD_CONFIG, "created_at": 1.0},
    "pattern_labels": {
        "id": 1,
        "project_id": 1,
        "pattern_id": 1,
        "label": "baseline",
        "note": "n",
        "position": 1,
        "created_at": 1.0,
    },
    "workers": {
        "id": "w",
        "pid": 1,
        "device": '{"kind": "cpu", "name": "2 cores", "precisions": ["no"]}',
        "state": "stopped",
        "run_id": 1,
        "started_at": 1.0,
        "seen_at": 1.0,
    },
    "runs": {
        "id": 1,
        "project_id": 1,
        "pattern_id": 1,
        "dataset_id": 1,
        "seed": 7,
        "status": "done",
        "reason": None,
        "reason_params": "{}",
        "effective": '{"dim": 16}',
        "device": "cpu",
        "priority": 2,
        "attempt": 1,
        "worker": "w",
        "cancel_requested": 0,
        "step": 8,
        "total_steps": 8,
        "loss": 0.1,
        "train_seconds": 4.5,
        "queued_at": 1.0,
        "started_at": 2.0,
        "seen_at": 3.0,
        "finished_at": 4.0,
    },
    "checkpoints": {
        "id": 1,
        "run_id": 1,
        "updates": 8,
        "images_seen": 32,
        "epoch": 1.0,
        "file": "runs/1/a.safetensors",
        "sha256": "x",
        "bytes": 9,
        "proof": "{}",
        "is_last": 1,
        "created_at": 1.0,
    },
    "previews": {"id": 1, **cell(1, 1, 1), "token": "t", "size_px": 64, "created_at": 1.0},
    "judges": {
        "id": 1,
        "key": "k",
        "kind": "face",
        "name": "embedded",
        "version": "1",
        "licence": "free",
        "world": "any",
        "created_at": 1.0,
    },
    "calibrations": {
        "id": 1,
        "judge_id": 1,
        "dataset_id": 1,
        "size_px": 64,
        "estimator": "e",
        "real": 0.8,
        "strangers": 0.1,
        "strangers_key": "",
        "counts": "{}",
        "created_at": 1.0,
    },
    "scores": {
        "id": 1,
        "preview_id": 1,
        "judge_id": 1,
        "calibration_id": 1,
        "metric": "likeness",
        "value": 0.5,
        "status": "ok",
        "detail": "{}",
        "created_at": 1.0,
    },
    "ratings": {
        "id": 1,
        "preview_id": 1,
        "rater": "me",
        "session": "s",
        "event": "rate",
        "axis": "likeness",
        "value": 80.0,
        "undoes": None,
        "is_repeat": 0,
        "position": 0,
        "shown_at": 1.0,
        "answered_at": 2.0,
        "protocol": "1",
    },
}


@pytest.fixture
def released(path, monkeypatch):
    """A database as the first release made it, with a row in every table."""
    first = type(migrations.migrations)("workbench")
    first._migrations = migrations.migrations._migrations[:1]
    monkeypatch.setattr("db.connect.migrations", first)
    old = database.open_db(path)
    for table, row in OLD_ROWS.items():
        old.table(table).insert(row)
    old.table("projects").update(1, {"dataset_id": 1})
    monkeypatch.undo()
    tables = {name for name in old.table_names() if not name.startswith(("sqlite_", "_sqlite"))}
    assert tables == {*OLD_ROWS, "meta"}, "a table without a row would not be tested"
    before = {name: list(old.query(f"select * from {name}")) for name in tables}
    old.conn.close()
    return before


def test_an_upgrade_of_a_released_database_loses_nothing(path, released):
    db = database.open_db(path)
    for table, rows in released.items():
        upgraded = list(db.query(f"select * from {table}"))
        kept = [{name: row[name] for name in rows[0]} for row in upgraded]
        if table == "meta":
            assert {row["key"] for row in rows} <= {row["key"] for row in upgraded}
        else:
            assert kept == rows, table
    assert db.query("pragma integrity_check").__next__()["integrity_check"] == "ok"
    assert list(db.query("pragma foreign_key_check")) == []
    copy = database.open_db(path.with_name("workbench.before-daily_work.db"))
    assert library.project(copy, 1)["name"] == "Anna"


def test_a_released_database_works_on_after_its_upgrade(path, released):
    db = database.open_db(path)
    [project], [pattern] = library.projects(db), library.patterns(db, 1)
    assert (project["deleted_at"], project["retention"]) == (None, "{}") and pattern["label"] == "baseline"
    assert library.dataset(db, 1)["traits"] == "[]"
    run = runs.get(db, 1)
    assert (run["final"], run["continues"], run["deleted_at"]) == (0, None, None)
    [preview] = results.previews(db, 1, 1)
    assert preview["final"] == 0 and preview["run_id"] == 1
    [checkpoint] = runs.checkpoints(db, 1)
    assert checkpoint["weight_change"] is None and checkpoint["removed_at"] is None
    assert [row["value"] for row in ratings.marks(db, 1)] == [80.0]
    again, is_new = runs.enqueue(db, 1, 1, 1, 7)
    assert is_new and runs.enqueue(db, 1, 1, 1, 7) == (again, False)
    before = library.revision(db)
    ratings.add(db, **mark(1))
    assert library.revision(db) > before


@pytest.fixture
def with_old_ratings(path, monkeypatch):
    """A database as version 0.3 made it, with marks, a skip, an undo and a repeat; its events."""
    before = type(migrations.migrations)("workbench")
    before._migrations = migrations.migrations._migrations[:3]
    monkeypatch.setattr("db.connect.migrations", before)
    old = database.open_db(path)
    for table, row in OLD_ROWS.items():
        if table != "ratings":
            old.table(table).insert(row)
    said = {**OLD_ROWS["ratings"], "protocol": "sliders-1"}
    nothing = {"axis": None, "value": None}
    for row in (
        {"id": 3, "value": 80.0},
        {"id": 4, "axis": "quality", "value": 40.0},
        {"id": 9, **nothing, "event": "undo", "undoes": 4},
        {"id": 10, "axis": "quality", "value": 45.0},
        {"id": 11, "rater": "Mia", **nothing, "event": "skip", "position": 1},
        {"id": 20, "value": 70.0, "is_repeat": 1, "position": 6},
    ):
        old.table("ratings").insert({**said, **row})
    monkeypatch.undo()
    events = list(old.query("select * from ratings order by id"))
    old.conn.close()
    return events


def test_ratings_from_before_there_were_sittings_keep_their_ids_and_count_as_before(path, with_old_ratings):
    db = database.open_db(path)
    events = ratings.events(db, 1)
    assert [{name: event[name] for name in with_old_ratings[0]} for event in events] == with_old_ratings
    assert {(event["mode"], event["part"], event["item_id"], event["said"]) for event in events} == {
        ("single", "first", None, None)
    }
    marks = ratings.marks(db, 1)
    assert [(row["id"], row["axis"], row["value"], row["is_repeat"], row["mode"]) for row in marks] == [
        (3, "likeness", 80.0, 0, "single"),
        (10, "quality", 45.0, 0, "single"),
        (20, "likeness", 70.0, 1, "single"),
    ]
    assert ratings.raters(db, 1) == ["me", "Mia"]
    assert (ratings.row_marks(db, 1), ratings.choices(db, 1), ratings.flags(db, 1)) == ([], [], [])
    assert list(db.query("pragma foreign_key_check")) == []
    for statement in ("update ratings set value = 1", "delete from ratings"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.conn.rollback()
    assert ratings.add(db, **mark(1)) > 20
    copy = database.open_db(path.with_name("workbench.before-sittings.db"))
    assert len(ratings.events(copy, 1)) == len(with_old_ratings)


def test_a_pattern_of_the_first_release_keeps_its_hash(path, released):
    from trainer.config import parse_config

    [row] = library.patterns(database.open_db(path), 1)
    assert parse_config(row["config"]).hash == row["hash"] == OLD_HASH


# later columns and queries


def test_what_was_measured_at_a_checkpoint_is_kept_and_a_resume_adds_to_it(db, run):
    measured = {"seconds": 3.5, "memory_bytes": 10, "loss_train": 0.2, "loss_reference": 0.3, "weight_change": "{}"}
    add_checkpoint(db, run)
    [row] = runs.checkpoints(db, run)
    assert {name: row[name] for name in measured} == dict.fromkeys(measured)
    both = {"images_seen": 40, "epoch": 1.0, "file": "a", "sha256": "x", "bytes": 9, "proof": "{}", "is_last": 1}
    runs.add_checkpoint(db, run, updates=10, **both, **measured)
    add_checkpoint(db, run)  # told once more by an older state, without the figures
    [row] = runs.checkpoints(db, run)
    assert {name: row[name] for name in measured} == measured


def test_a_dataset_keeps_its_traits(db, project):
    words = {"trigger_word": "zwx", "class_noun": "woman", "size_px": 64, "photos": [photo(0)]}
    made = library.add_dataset(db, project, hash="h9", traits=["red hair", "glasses"], **words)
    assert library.dataset(db, made)["traits"] == '["red hair", "glasses"]'


def test_a_final_run_and_a_plain_one_may_wait_side_by_side(db, run, project, pattern, dataset):
    final, is_new = runs.enqueue(db, project, pattern, dataset, seed=1, final=True)
    assert is_new and final != run
    assert runs.enqueue(db, project, pattern, dataset, seed=1, final=True) == (final, False)
    assert runs.enqueue(db, project, pattern, dataset, seed=1) == (run, False)


def test_what_a_worker_gives_back_is_taken_first_and_costs_no_attempt(db, run, project, pattern, dataset):
    other = runs.enqueue(db, project, pattern, dataset, seed=2)[0]
    runs.worker_started(db, "w", pid=1)
    assert runs.claim_next(db, "w")["id"] == run
    runs.reorder(db, [other])
    runs.put_back(db, run)
    assert [row["id"] for row in runs.with_status(db, "queued")] == [run, other]
    assert runs.claim_next(db, "w")["attempt"] == 1


def test_a_run_that_is_given_back_while_it_was_to_be_cancelled_is_cancelled(db, run):
    runs.worker_started(db, "w", pid=1)
    runs.claim_next(db, "w")
    runs.request_cancel(db, run)
    runs.put_back(db, run)
    assert runs.get(db, run)["status"] == "cancelled"


def test_facts_by_name_are_replaced_and_taken_away(db):
    meta.put(db, "a", "1")
    meta.put(db, "a", 2.5)
    assert meta.value(db, "a") == 2.5
    meta.put(db, "a", None)
    assert meta.value(db, "a") is None and library.revision(db) >= 0


# sittings


@pytest.fixture
def sitting(db, project, preview):
    """A sitting that asks about one picture twice."""
    items = [{"part": "first", "previews": [preview]}, {"part": "repeat", "repeats": 0, "previews": [preview]}]
    plan = results.preview(db, preview)["plan_id"]
    about = {"project_id": project, "plan_id": plan, "rater": "me", "mode": "deck", "minutes": 5.0, "protocol": "2"}
    return sittings.sitting(db, sittings.add_sitting(db, items, **about))


def said(sitting, item, preview, **more):
    return {**mark(preview), "item_id": item["id"], "session": sitting["token"], **more}


def test_what_a_sitting_asks_comes_back_in_its_order_and_never_changes(db, preview, sitting):
    first, repeat = sittings.items(db, sitting["id"])
    assert (first["part"], first["position"], first["previews"]) == ("first", 0, [preview])
    assert (repeat["part"], repeat["position"], repeat["repeats"]) == ("repeat", 1, first["id"])
    assert len({sitting["token"], first["token"], repeat["token"]}) == 3
    for statement in ("update rating_items set previews = '[]'", "delete from rating_items"):
        with pytest.raises(sqlite3.IntegrityError, match="fixed when it begins"):
            db.execute(statement)
    db.conn.rollback()
    assert [row["token"] for row in sittings.of_rater(db, sitting["project_id"], "me")] == [sitting["token"]]
    assert sittings.of_rater(db, sitting["project_id"], "Mia") == []


def test_a_sitting_keeps_when_it_ended_first_until_it_is_taken_up(db, sitting):
    sittings.end(db, sitting["id"])
    ended = sittings.sitting(db, sitting["id"])["ended_at"]
    sittings.end(db, sitting["id"])
    assert sittings.sitting(db, sitting["id"])["ended_at"] == ended is not None
    sittings.take_up(db, sitting["id"])
    assert sittings.sitting(db, sitting["id"])["ended_at"] is None


def test_marks_and_flags_of_sittings_say_in_which_mode_and_undone_ones_fall_away(db, project, preview, sitting):
    first, repeat = sittings.items(db, sitting["id"])
    mistaken = ratings.add(db, **said(sitting, first, preview, value=5.0))
    ratings.add(db, **said(sitting, first, preview, event="undo", axis=None, value=None, undoes=mistaken))
    ratings.add(db, **said(sitting, first, preview, value=10.0))
    ratings.add(db, **said(sitting, repeat, preview, value=20.0, is_repeat=1))
    for item in (first, repeat):
        ratings.add(db, **said(sitting, item, preview, event="flag", axis=None, value=None, said="broken"))
    marks = ratings.marks(db, project)
    assert [(row["value"], row["mode"], row["is_repeat"]) for row in marks] == [(10.0, "deck", 0), (20.0, "deck", 1)]
    [flag] = ratings.flags(db, project)  # the same flag twice is one
    assert (flag["preview_id"], flag["said"], flag["rater"]) == (preview, "broken", "me")
    assert ratings.last_answer(db, project, "me", "deck") == 2.0
    assert ratings.last_answer(db, project, "me", "pair") is None
    assert len(ratings.of_sitting(db, sitting["id"])) == 6 == len(ratings.in_short(db, "me", sitting["token"]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": "choose", "axis": None, "value": None},  # without what was chosen
        {"event": "rate", "said": "left"},
        {"event": "dance", "axis": None, "value": None},
        {"preview_id": None},  # about nothing
    ],
)
def test_an_event_that_says_too_much_or_too_little_is_not_stored(db, preview, wrong):
    with pytest.raises(sqlite3.IntegrityError):
        ratings.add(db, **{**mark(preview), **wrong})


def test_what_was_seen_by_name_is_kept_once_and_under_the_picture_that_was_drawn_first(db, project, preview):
    again = results.add_preview(db, **cell(results.add_plan(db, "plan2", {}), project, None))
    db.execute("update previews set same_as = ? where id = ?", [preview, again])
    sittings.reveal(db, "me", [preview])
    [before] = db.query("select * from reveals")
    sittings.reveal(db, "me", [again, preview])
    assert list(db.query("select * from reveals")) == [before]
    assert sittings.revealed(db, project, "me") == {preview} and sittings.revealed(db, project, "Mia") == set()
