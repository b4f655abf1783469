"""Runs, workers and checkpoints: the queue and the history are the same rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from db.connect import immediate, now
from db.library import Row, inserted, one

STALE_S = 60.0  # a run or worker that was not seen for so long is taken for dead
MISSING_S = 15.0  # and after so long people are told; a worker shows itself every two seconds
MAX_ATTEMPTS = 3  # a run that killed its engine so often is not tried again
MEASURED = ("seconds", "memory_bytes", "loss_train", "loss_reference", "weight_change")  # columns of a checkpoint


def enqueue(
    db: Database,
    project_id: int,
    pattern_id: int,
    dataset_id: int,
    seed: int,
    priority: int = 0,
    *,
    final: bool = False,
    continues: int | None = None,
) -> tuple[int, bool]:
    """Queue one training. Returns the run's id and whether it is new.

    Where the same pattern, dataset and seed already wait or run, that run comes back (a double click queues once).
    ``final``: on all photos, the reference photos too. ``continues``: the finished run from whose end it goes on.
    """
    row = {
        "project": project_id,
        "pattern": pattern_id,
        "dataset": dataset_id,
        "seed": seed,
        "final": int(final),
    }
    cursor = db.execute(
        """
        insert into runs (project_id, pattern_id, dataset_id, seed, final, continues, status, priority, queued_at)
        values (:project, :pattern, :dataset, :seed, :final, :continues, 'queued', :priority, :now)
        on conflict do nothing
        """,
        {**row, "continues": continues, "priority": priority, "now": now()},
    )
    if cursor.rowcount == 1:
        return int(cursor.lastrowid or 0), True
    active = one(
        db,
        """
        select id from runs
        where project_id = :project and pattern_id = :pattern and dataset_id = :dataset and seed = :seed
          and final = :final and status in ('queued', 'running') and deleted_at is null
        """,
        row,
    )
    if active is None:  # it ended between the two statements
        return enqueue(db, project_id, pattern_id, dataset_id, seed, priority, final=final, continues=continues)
    return int(active["id"]), False


def add_elsewhere(
    db: Database,
    *,
    project_id: int,
    pattern_id: int,
    dataset_id: int,
    seed: int | None,
    origin: str,
    session: str | None,
    saw_references: str,
    step: int,
    total_steps: int | None = None,
) -> int:
    """Store a training that was done elsewhere and return its run's id.

    ``seed`` None = not known: the run then gets the next number below 0, so that two such runs of one pattern are
    two trainings. ``origin``: 'lora' or 'pictures'. ``session`` names the training within its project.
    ``saw_references``: 'no', 'unknown' or 'yes'. ``step``: updates of its last checkpoint, 0 = not known.
    """
    if seed is None:
        lowest = one(
            db,
            "select min(seed, 0) as seed from (select min(seed) as seed from runs "
            "where project_id = :project and pattern_id = :pattern)",
            {"project": project_id, "pattern": pattern_id},
        )
        seed = int((lowest or {}).get("seed") or 0) - 1
    moment = now()
    row = {
        "project_id": project_id,
        "pattern_id": pattern_id,
        "dataset_id": dataset_id,
        "seed": seed,
        "status": "done",
        "origin": origin,
        "session": session,
        "saw_references": saw_references,
        "step": step,
        "total_steps": total_steps,
        "queued_at": moment,
        "finished_at": moment,
    }
    return inserted(db, "runs", row)


def of_session(db: Database, project_id: int, session: str, origin: str) -> Row | None:
    """The run of a project that a training elsewhere has become, unless it is in the bin."""
    return one(
        db,
        """
        select * from runs where project_id = :project and session = :session and origin = :origin
          and deleted_at is null order by id
        """,
        {"project": project_id, "session": session, "origin": origin},
    )


def claim_next(db: Database, worker: str) -> Row | None:
    """Take the next queued run (highest priority, then oldest), or None. One statement, so two workers never share.

    What is in the bin stays there, and so does a project's whole queue while the project is.
    """
    claimed = db.query(
        """
        update runs set status = 'running', worker = :worker, attempt = attempt + 1, seen_at = :now,
            started_at = ifnull(started_at, :now), finished_at = null, reason = null, reason_params = '{}'
        where id = (
            select r.id from runs r join projects j on j.id = r.project_id
            where r.status = 'queued' and r.deleted_at is null and j.deleted_at is null
            order by r.priority desc, r.id limit 1)
        returning *
        """,
        {"worker": worker, "now": now()},
    )
    return next(iter(claimed), None)


def get(db: Database, run_id: int) -> Row | None:
    """A run with its pattern's config and label and its project's name; None where it is in the bin."""
    return next(iter(_with_pattern(db, "r.id = :id", {"id": run_id})), None)


def of_project(db: Database, project_id: int, status: str | None = None) -> list[Row]:
    """A project's runs, oldest first; columns as :func:`get`."""
    where = "r.project_id = :project and (:status is null or r.status = :status)"
    return _with_pattern(db, where, {"project": project_id, "status": status})


def with_status(db: Database, status: str) -> list[Row]:
    """Runs of all projects in the order in which a worker takes them."""
    return _with_pattern(db, "r.status = :status", {"status": status}, "r.priority desc, r.id")


def _with_pattern(db: Database, where: str, params: Mapping[str, Any], order: str = "r.id") -> list[Row]:
    return list(
        db.query(
            f"""
            select r.*, p.config, p.hash as pattern_hash, p.unknown, j.name as project,
                   ifnull(n.label, 'pattern ' || p.id) as label
            from runs r join patterns p on p.id = r.pattern_id join projects j on j.id = r.project_id
            left join pattern_names n on n.pattern_id = p.id and n.project_id = r.project_id
            where ({where}) and r.deleted_at is null and j.deleted_at is null order by {order}
            """,
            dict(params),
        )
    )


def started(db: Database, run_id: int, *, effective: Mapping[str, Any], device: str, step: int, total: int) -> None:
    """Note what the trainer found out at the start: settings in force, device, where it goes on."""
    columns = {
        "effective": json.dumps(effective, sort_keys=True),
        "device": device,
        "step": step,
        "total_steps": total,
    }
    db.table("runs").update(run_id, {**columns, "seen_at": now()})


def report(db: Database, run_id: int, *, step: int, loss: float, train_seconds: float) -> None:
    """Progress, and proof of life."""
    db.table("runs").update(run_id, {"step": step, "loss": loss, "train_seconds": train_seconds, "seen_at": now()})


def end(db: Database, run_id: int, status: str, reason: str | None = None, params: Mapping[str, Any] = {}) -> None:
    """Give a run its outcome: done, failed, cancelled or stopped_early, with a reason code and its parameters."""
    db.table("runs").update(
        run_id,
        {
            "status": status,
            "reason": reason,
            "reason_params": json.dumps(params),
            "finished_at": now(),
            "worker": None,
        },
    )


def request_cancel(db: Database, run_id: int) -> None:
    """A queued run is cancelled at once, a running one as soon as its worker sees the request."""
    with immediate(db):
        db.execute(
            """
            update runs set status = 'cancelled', finished_at = :now,
                reason = case when step = 0 then 'cancelled_early' else 'cancelled' end
            where id = :id and status = 'queued'
            """,
            {"id": run_id, "now": now()},
        )
        db.execute("update runs set cancel_requested = 1 where id = :id and status = 'running'", {"id": run_id})


def retry(db: Database, run_id: int) -> bool:
    """Queue a failed or cancelled run again; it goes on from its last saved state. False if it can't be."""
    cursor = db.execute(
        """
        update or ignore runs set status = 'queued', cancel_requested = 0, attempt = 0, reason = null,
            reason_params = '{}', queued_at = :now, finished_at = null, worker = null
        where id = :id and status in ('failed', 'cancelled') and deleted_at is null
        """,
        {"id": run_id, "now": now()},
    )
    return cursor.rowcount == 1


def requeue_lost(db: Database, worker: str | None = None) -> list[int]:
    """Put runs back whose worker died (or all of ``worker``'s): they resume from their last saved state.

    One that has already failed its engine MAX_ATTEMPTS times fails for good instead. Returns the ids put back.
    """
    lost = """
        status = 'running' and (worker = :worker or (:worker is null and (
            worker is null or worker not in (select id from workers where state <> 'stopped' and seen_at > :fresh))))
    """
    params = {"worker": worker, "fresh": now() - STALE_S, "most": MAX_ATTEMPTS, "now": now()}
    with immediate(db):
        db.execute(
            f"""
            update runs set status = 'failed', reason = 'engine_died', finished_at = :now, worker = null,
                reason_params = json_object('attempts', attempt, 'update', step)
            where {lost} and attempt >= :most
            """,
            params,
        )
        rows = list(db.query(f"update runs set status = 'queued', worker = null where {lost} returning id", params))
    return [row["id"] for row in rows]


# checkpoints


def add_checkpoint(db: Database, run_id: int, **columns: Any) -> int:
    """Store a checkpoint that lies under its final name and return its id.

    Columns: updates, images_seen, epoch, file, sha256, bytes, proof (JSON), is_last; what was measured when it was
    saved: seconds, memory_bytes, loss_train, loss_reference, weight_change (JSON), each may be left out; and ``name``
    for one that was made elsewhere. A resumed run may save the same checkpoint again: the row then points at the
    newer file. Of one whose pictures alone are here ``file`` is '' and ``removed_at`` is set.
    """
    stored = db.query(
        """
        insert into checkpoints (run_id, updates, images_seen, epoch, file, sha256, bytes, proof, is_last, created_at,
                                 seconds, memory_bytes, loss_train, loss_reference, weight_change, name, removed_at)
        values (:run_id, :updates, :images_seen, :epoch, :file, :sha256, :bytes, :proof, :is_last, :created_at,
                :seconds, :memory_bytes, :loss_train, :loss_reference, :weight_change, :name,
                case when :file = '' then :created_at end)
        on conflict (run_id, updates) do update set
            file = excluded.file, sha256 = excluded.sha256, bytes = excluded.bytes, proof = excluded.proof,
            seconds = ifnull(excluded.seconds, seconds), memory_bytes = ifnull(excluded.memory_bytes, memory_bytes),
            loss_train = ifnull(excluded.loss_train, loss_train),
            loss_reference = ifnull(excluded.loss_reference, loss_reference),
            weight_change = ifnull(excluded.weight_change, weight_change), removed_at = excluded.removed_at
        returning id
        """,
        {"run_id": run_id, "created_at": now(), "name": None, **dict.fromkeys(MEASURED), **columns},
    )
    return int(next(iter(stored))["id"])


def checkpoint(db: Database, checkpoint_id: int) -> Row | None:
    return one(db, "select * from checkpoints where id = :id", {"id": checkpoint_id})


def checkpoints(db: Database, run_id: int) -> list[Row]:
    return list(db.query("select * from checkpoints where run_id = :run order by updates", {"run": run_id}))


def largest_checkpoint(db: Database) -> int:
    """Bytes of the largest LoRA file that was saved here so far, 0 before the first."""
    row = one(
        db,
        """
        select ifnull(max(c.bytes), 0) as bytes from checkpoints c join runs r on r.id = c.run_id
        where r.origin is null
        """,
        {},
    )
    return int(row["bytes"]) if row else 0


# workers


def worker_started(db: Database, worker: str, pid: int) -> None:
    row = {"id": worker, "pid": pid, "state": "starting", "started_at": now(), "seen_at": now()}
    db.table("workers").insert(row)


def worker_seen(db: Database, worker: str, state: str, *, run_id: int | None = None, device: str | None = None) -> None:
    """Heartbeat: what the worker does now; its run is alive too."""
    db.execute(
        """
        update workers set state = :state, run_id = :run, seen_at = :now, device = ifnull(:device, device)
        where id = :worker
        """,
        {"worker": worker, "state": state, "run": run_id, "device": device, "now": now()},
    )


def live_workers(db: Database, within_s: float = STALE_S) -> list[Row]:
    """Workers that were seen within so many seconds, the last seen first."""
    return list(
        db.query(
            "select * from workers where state <> 'stopped' and seen_at > :fresh order by seen_at desc",
            {"fresh": now() - within_s},
        )
    )


def last_worker(db: Database) -> Row | None:
    """The worker that found out about its device most recently, alive or not."""
    return one(db, "select * from workers where device <> '' order by seen_at desc limit 1", {})


def worker_stopped(db: Database, worker: str) -> None:
    db.execute("update workers set state = 'stopped', run_id = null where id = :worker", {"worker": worker})


def put_back(db: Database, run_id: int) -> None:
    """A worker that stops in good order gives its run back: it is the next to be taken, and that costs no attempt.

    If it was to be cancelled meanwhile, it is.
    """
    with immediate(db):
        db.execute(
            """
            update runs set status = 'queued', worker = null, attempt = attempt - 1, priority = ifnull(
                (select max(q.priority) + 1 from runs q where q.status = 'queued'
                    and (q.priority > runs.priority or (q.priority = runs.priority and q.id < runs.id))), priority)
            where id = :id and status = 'running'
            """,
            {"id": run_id},
        )
        db.execute(
            """
            update runs set status = 'cancelled', reason = 'cancelled', finished_at = :now
            where id = :id and status = 'queued' and cancel_requested = 1
            """,
            {"id": run_id, "now": now()},
        )


def put_all_back(db: Database) -> None:
    """In a copy of the database nothing runs: its workers are stopped, and runs in training wait again."""
    with immediate(db):
        db.execute("update workers set state = 'stopped', run_id = null")
        db.execute(
            "update runs set status = 'queued', worker = null, attempt = max(0, attempt - 1) where status = 'running'"
        )


def reorder(db: Database, run_ids: Sequence[int]) -> None:
    """Give waiting runs this order; whatever is queued later comes after them."""
    with immediate(db):
        for place, run_id in enumerate(run_ids):
            db.execute(
                "update runs set priority = :priority where id = :id and status = 'queued'",
                {"id": run_id, "priority": len(run_ids) - place},
            )
