"""Defaults, challenges, and which patterns were trained for which project: append-only events and counts."""

import json
from collections.abc import Collection, Sequence

from sqlite_utils import Database

from db.connect import now
from db.library import Row, inserted, one

# the default


def add_default(db: Database, pattern_id: int | None, project_id: int | None, label: str, why: str = "") -> int:
    """Note that a pattern is the default from now on (None: that there is none any more); the event's id."""
    row = {"pattern_id": pattern_id, "project_id": project_id, "label": label, "why": why, "created_at": now()}
    return inserted(db, "defaults", row)


def default(db: Database) -> Row | None:
    """The newest event: its pattern is the default now, unless that is null."""
    return one(db, "select * from defaults order by id desc limit 1", {})


def defaults(db: Database) -> list[Row]:
    """Every change of the default, the newest first."""
    return list(db.query("select * from defaults order by id desc"))


# challenges


def add_challenge(
    db: Database,
    event: str,
    default_id: int,
    challenger_id: int,
    *,
    project_id: int | None = None,
    undoes: int | None = None,
    run_ids: Sequence[int] = (),
) -> int:
    """Append what became of a challenger: begin, undo, stop, resume. ``run_ids``: queued by it, or cancelled."""
    row = {
        "event": event,
        "default_id": default_id,
        "challenger_id": challenger_id,
        "project_id": project_id,
        "undoes": undoes,
        "runs": json.dumps(list(run_ids)),
        "created_at": now(),
    }
    return inserted(db, "challenges", row)


def challenge(db: Database, challenge_id: int) -> Row | None:
    return one(db, "select * from challenges where id = :id", {"id": challenge_id})


def challenges(db: Database, default_id: int) -> list[Row]:
    """Every event of the challengers of a default, oldest first; ``undone``: whether a later event undid it."""
    return list(
        db.query(
            """
            select c.*, exists (select 1 from challenges u where u.undoes = c.id) as undone
            from challenges c where c.default_id = :default order by c.id
            """,
            {"default": default_id},
        )
    )


def begun_in(db: Database, project_id: int) -> list[Row]:
    """Every challenge that was begun in a project, against any default, oldest first; ``undone`` as above."""
    return list(
        db.query(
            """
            select c.*, exists (select 1 from challenges u where u.undoes = c.id) as undone
            from challenges c where c.project_id = :project and c.event = 'begin' order by c.id
            """,
            {"project": project_id},
        )
    )


# what was trained


def trained(db: Database) -> list[Row]:
    """Per pattern and project that are in use: how many seeds are done and how many runs wait or train.

    Columns: pattern_id, project_id, done, waiting, finished_at. Final runs, and what was trained elsewhere, are not
    counted.
    """
    return list(
        db.query(
            """
            select r.pattern_id, r.project_id,
                count(distinct case when r.status = 'done' then r.seed end) as done,
                sum(r.status in ('queued', 'running')) as waiting,
                max(case when r.status = 'done' then r.finished_at end) as finished_at
            from runs r join projects j on j.id = r.project_id join patterns p on p.id = r.pattern_id
            where r.deleted_at is null and j.deleted_at is null and r.final = 0 and r.origin is null
              and p.origin is null
            group by r.pattern_id, r.project_id order by r.pattern_id, r.project_id
            """
        )
    )


def waiting_runs(db: Database, pattern_id: int) -> list[int]:
    """Runs of a pattern that wait, in every project that is in use."""
    rows = db.query(
        """
        select r.id from runs r join projects j on j.id = r.project_id
        where r.pattern_id = :pattern and r.status = 'queued' and r.deleted_at is null and j.deleted_at is null
          and r.final = 0 order by r.id
        """,
        {"pattern": pattern_id},
    )
    return [row["id"] for row in rows]


def still_waiting(db: Database, run_ids: Collection[int]) -> list[int]:
    """Those of some runs that wait or train."""
    rows = db.query(
        """
        select id from runs where status in ('queued', 'running') and deleted_at is null
          and id in (select value from json_each(:ids)) order by id
        """,
        {"ids": json.dumps(list(run_ids))},
    )
    return [row["id"] for row in rows]


def labels(db: Database) -> list[Row]:
    """Every pattern of every project that is in use, under its label there: pattern_id, project_id, label, project."""
    return list(
        db.query(
            """
            select n.pattern_id, n.project_id, n.label, j.name as project
            from pattern_names n join projects j on j.id = n.project_id join patterns p on p.id = n.pattern_id
            where j.deleted_at is null and p.origin is null order by n.project_id, n.position
            """
        )
    )


def photo_hashes(db: Database) -> list[Row]:
    """Every photo of every project that is in use, of all versions, once: project_id, sha256, file."""
    return list(
        db.query(
            """
            select d.project_id, p.sha256, min(p.file) as file
            from photos p join datasets d on d.id = p.dataset_id join projects j on j.id = d.project_id
            where j.deleted_at is null group by d.project_id, p.sha256 order by d.project_id, min(p.id)
            """
        )
    )


def judges(db: Database, project_id: int) -> list[Row]:
    """Every judge that has scored a project's previews: id, key."""
    return list(
        db.query(
            """
            select j.id, j.key from judges j where exists (
                select 1 from scores s join previews v on v.id = s.preview_id
                where s.judge_id = j.id and v.project_id = :project)
            order by j.id
            """,
            {"project": project_id},
        )
    )
