"""Sittings of raters, what they ask, and what was seen by name beforehand."""

import json
import secrets
from collections.abc import Collection, Sequence
from typing import Any

from sqlite_utils import Database

from db.connect import immediate, now
from db.library import Row, inserted, one


def add_sitting(db: Database, items: Sequence[dict[str, Any]], **columns: Any) -> int:
    """Store a sitting with all that it asks, in this order, and return its id.

    ``columns``: project_id, plan_id, rater, mode, minutes, foretold, protocol. Each item: ``part``, ``previews`` (ids in
    the order shown) and, of a repeat, ``repeats``: the position of its first time.
    """
    with immediate(db):
        about = {"token": secrets.token_urlsafe(16), "created_at": now()}
        sitting = inserted(db, "sittings", {**about, **columns})
        ids: list[int] = []
        for position, item in enumerate(items):
            first = item.get("repeats")
            row = {
                "token": secrets.token_urlsafe(12),
                "sitting_id": sitting,
                "position": position,
                "part": item["part"],
                "repeats": None if first is None else ids[first],
                "previews": json.dumps(list(item["previews"])),
            }
            ids.append(inserted(db, "rating_items", row))
    return sitting


def sitting(db: Database, sitting_id: int) -> Row | None:
    return one(db, "select * from sittings where id = :id", {"id": sitting_id})


def by_token(db: Database, token: str) -> Row | None:
    return one(db, "select * from sittings where token = :token", {"token": token})


def of_rater(db: Database, project_id: int, rater: str | None = None) -> list[Row]:
    """Sittings of a project, oldest first; of one rater, or of all."""
    return list(
        db.query(
            "select * from sittings where project_id = :project and (:rater is null or rater = :rater) order by id",
            {"project": project_id, "rater": rater},
        )
    )


def items(db: Database, sitting_id: int) -> list[Row]:
    """What a sitting asks, in its order; ``previews`` as a list of ids."""
    rows = db.query("select * from rating_items where sitting_id = :id order by position", {"id": sitting_id})
    return [{**row, "previews": json.loads(row["previews"])} for row in rows]


def end(db: Database, sitting_id: int) -> None:
    """The sitting is over; when it ended first stays."""
    with db.atomic():
        db.execute(
            "update sittings set ended_at = :now where id = :id and ended_at is null", {"now": now(), "id": sitting_id}
        )


def take_up(db: Database, sitting_id: int) -> None:
    """A sitting that had ended goes on: its last answer was taken back."""
    with db.atomic():
        db.execute("update sittings set ended_at = null where id = :id", {"id": sitting_id})


def reveal(db: Database, rater: str, preview_ids: Collection[int]) -> None:
    """Keep that a rater has seen these previews by name; the first time stands."""
    rows = [(preview, rater, now()) for preview in preview_ids]
    with db.atomic():
        db.conn.executemany("insert or ignore into reveals (preview_id, rater, revealed_at) values (?, ?, ?)", rows)


def revealed(db: Database, project_id: int, rater: str) -> set[int]:
    """Previews that this rater has seen by name before rating them."""
    rows = db.query(
        "select e.preview_id from reveals e join previews v on v.id = e.preview_id "
        "where v.project_id = :project and e.rater = :rater",
        {"project": project_id, "rater": rater},
    )
    return {row["preview_id"] for row in rows}
