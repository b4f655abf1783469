"""Ratings: append-only events, and what they add up to."""

from typing import Any

from sqlite_utils import Database

from db.library import Row, inserted


def add(db: Database, **columns: Any) -> int:
    """Commit one rating event (rate, skip or undo) and return its id. It is on disk when this returns."""
    return inserted(db, "ratings", columns)


def add_all(db: Database, rows: list[dict[str, Any]]) -> list[int]:
    """Commit the marks that one picture got (one event per axis) together."""
    with db.atomic():
        return [inserted(db, "ratings", row) for row in rows]


def events(db: Database, project_id: int, rater: str | None = None) -> list[Row]:
    """All events on a project's previews, oldest first; those on runs in the bin come back with their runs."""
    return list(
        db.query(
            """
            select e.* from ratings e join previews v on v.id = e.preview_id
            left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
            where v.project_id = :project and (:rater is null or e.rater = :rater) and r.deleted_at is null
            order by e.id
            """,
            {"project": project_id, "rater": rater},
        )
    )


def marks(db: Database, project_id: int) -> list[Row]:
    """Ratings that stand (given and not undone): preview_id, rater, axis, value, is_repeat, answered_at, id, and the
    checkpoint that was seen (checkpoint_id; null = the base alone)."""
    return list(
        db.query(
            """
            select e.id, e.preview_id, e.rater, e.session, e.axis, e.value, e.is_repeat, e.position, e.answered_at,
                   v.checkpoint_id
            from ratings e join previews v on v.id = e.preview_id
            left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
            where v.project_id = :project and e.event = 'rate' and r.deleted_at is null
              and e.id not in (select undoes from ratings where undoes is not null)
            order by e.id
            """,
            {"project": project_id},
        )
    )
