"""What was brought in from elsewhere: a row for each import, and the rows that only imports write."""

import json
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from db.connect import now
from db.library import Row, inserted


def add_import(db: Database, project_id: int, kind: str, source: str, detail: Mapping[str, Any]) -> int:
    """Note an import ('pictures' or 'loras') and return its id. ``source``: a folder's or file's own name."""
    row = {
        "project_id": project_id,
        "kind": kind,
        "source": source,
        "detail": json.dumps(detail, sort_keys=True),
        "created_at": now(),
    }
    return inserted(db, "imports", row)


def newest(db: Database, project_id: int | None) -> int:
    """The id of a project's latest import, 0 before the first: whether another one came in between."""
    rows = db.query("select ifnull(max(id), 0) as id from imports where project_id = :project", {"project": project_id})
    return int(next(iter(rows))["id"])


def has_pictures(db: Database, folder: str) -> bool:
    """Whether a preview lies in a folder, which is written as in the database, with a slash at its end."""
    params = {"n": len(folder), "folder": folder}
    rows = db.query("select 1 from previews where substr(file, 1, :n) = :folder limit 1", params)
    return next(iter(rows), None) is not None


def of_project(db: Database, project_id: int, kind: str | None = None) -> list[Row]:
    """A project's imports, oldest first; ``detail`` as an object. ``kind``: only 'pictures' or only 'loras'."""
    rows = db.query(
        "select * from imports where project_id = :project and (:kind is null or kind = :kind) order by id",
        {"project": project_id, "kind": kind},
    )
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def mark_last(db: Database, run_id: int) -> None:
    """Of a run made elsewhere, let the checkpoint with the most updates be the last, and the run end there."""
    db.execute(
        "update checkpoints set is_last = (updates = (select max(updates) from checkpoints where run_id = :run)) "
        "where run_id = :run",
        {"run": run_id},
    )
    db.execute(
        "update runs set step = (select max(updates) from checkpoints where run_id = :run) where id = :run",
        {"run": run_id},
    )
