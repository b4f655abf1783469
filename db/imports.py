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
