"""Marks that somebody gave whole patterns elsewhere: no ratings, since no preview of ours was looked at."""

from sqlite_utils import Database

from db.connect import now
from db.library import Row


def add(
    db: Database,
    project_id: int,
    label: str,
    rater: str,
    *,
    value: float | None = None,
    words: str = "",
    pattern_id: int | None = None,
    source: str = "",
) -> None:
    """Store one mark (0 to 100, or None and words); the same rater's mark of that label again replaces it.

    ``label``: as the pattern is called there; ``pattern_id``: ours, None where its settings are not known.
    """
    db.execute(
        """
        insert or replace into marks (project_id, label, pattern_id, rater, value, words, source, created_at)
        values (:project, :label, :pattern, :rater, :value, :words, :source, :now)
        """,
        {
            "project": project_id,
            "label": label,
            "pattern": pattern_id,
            "rater": rater,
            "value": value,
            "words": words,
            "source": source,
            "now": now(),
        },
    )


def of_project(db: Database, project_id: int) -> list[Row]:
    """Columns: label, pattern_id, rater, value, words, source; in the order in which they were given."""
    return list(
        db.query(
            "select label, pattern_id, rater, value, words, source from marks where project_id = :project order by id",
            {"project": project_id},
        )
    )
