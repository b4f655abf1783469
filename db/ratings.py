"""Ratings: append-only events, and what they add up to."""

import json
from typing import Any

from sqlite_utils import Database

from db.library import Row, inserted, one

# An event of what was asked of a picture, or of a whole item; those of runs in the bin come back with their runs.
OF_PROJECT = """
    from ratings e
    left join rating_items i on i.id = e.item_id
    left join sittings s on s.id = i.sitting_id
    left join previews v on v.id = ifnull(e.preview_id, json_extract(i.previews, '$[0]'))
    left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
    where v.project_id = :project and r.deleted_at is null
"""
STANDS = "and e.id not in (select undoes from ratings where undoes is not null)"
COUNTS = "and ifnull(i.part, 'first') <> 'warm_up'"


def add(db: Database, **columns: Any) -> int:
    """Commit one rating event (rate, choose, flag, skip or undo) and return its id. It is on disk when this returns."""
    return inserted(db, "ratings", columns)


def add_all(db: Database, rows: list[dict[str, Any]]) -> list[int]:
    """Commit all that was said in one answer together."""
    with db.atomic():
        return [inserted(db, "ratings", row) for row in rows]


def events(db: Database, project_id: int, rater: str | None = None) -> list[Row]:
    """All events of a project, warm-ups and undone ones included, oldest first; ``mode`` and ``part`` are their item's
    (single and first where there was none)."""
    return list(
        db.query(
            f"select e.*, ifnull(s.mode, 'single') as mode, ifnull(i.part, 'first') as part, i.repeats {OF_PROJECT} "
            "and (:rater is null or e.rater = :rater) order by e.id",
            {"project": project_id, "rater": rater},
        )
    )


def of_sitting(db: Database, sitting_id: int) -> list[Row]:
    """All events on what a sitting asked, oldest first."""
    return list(
        db.query(
            "select e.* from ratings e join rating_items i on i.id = e.item_id "
            "where i.sitting_id = :sitting order by e.id",
            {"sitting": sitting_id},
        )
    )


def in_short(db: Database, rater: str, session: str) -> list[tuple[Any, ...]]:
    """All events of a sitting (``session``: its token), oldest first, as plain tuples: id, item_id, event, undoes,
    shown_at, answered_at."""
    return db.execute(
        "select id, item_id, event, undoes, shown_at, answered_at from ratings "
        "where rater = ? and session = ? and item_id is not null order by id",
        [rater, session],
    ).fetchall()


def of_item(db: Database, item_id: int) -> list[Row]:
    """All events on one item, oldest first."""
    return list(db.query("select * from ratings where item_id = :item order by id", {"item": item_id}))


def last_answer(db: Database, project_id: int, rater: str, mode: str) -> float | None:
    """When this rater last answered in a mode (seconds since 1970); None = never."""
    row = one(
        db,
        """
        select max(e.answered_at) as last from sittings s
        join rating_items i on i.sitting_id = s.id join ratings e on e.item_id = i.id
        where s.project_id = :project and s.rater = :rater and s.mode = :mode and e.event <> 'undo'
        """,
        {"project": project_id, "rater": rater, "mode": mode},
    )
    return row["last"] if row else None


def marks(db: Database, project_id: int) -> list[Row]:
    """Marks of single pictures that stand (given and not undone), warm-ups apart: preview_id, rater, axis, value,
    is_repeat, answered_at, id, session, position, mode, item_id and first_item (of a repeat: its first time; both null
    before there were sittings), prompt, and the checkpoint that was seen (null = the base alone)."""
    return list(
        db.query(
            f"""
            select e.id, e.preview_id, e.rater, e.session, e.axis, e.value, e.is_repeat, e.position, e.shown_at,
                   e.answered_at, v.checkpoint_id, v.prompt, e.item_id, ifnull(i.repeats, i.id) as first_item,
                   ifnull(s.mode, 'single') as mode
            {OF_PROJECT} and e.event = 'rate' and e.preview_id is not null {STANDS} {COUNTS} order by e.id
            """,
            {"project": project_id},
        )
    )


def row_marks(db: Database, project_id: int) -> list[Row]:
    """Marks of whole rows of pictures (sheet) that stand: item_id, first_item (of a repeat: its first time, else the
    same), checkpoint_id (null = the base alone), rater, axis, value, is_repeat, session, position, shown_at,
    answered_at, id."""
    return list(
        db.query(
            f"""
            select e.id, e.item_id, ifnull(i.repeats, i.id) as first_item, v.checkpoint_id, e.rater, e.session, e.axis,
                   e.value, e.is_repeat, e.position, e.shown_at, e.answered_at
            {OF_PROJECT} and e.event = 'rate' and e.preview_id is null {STANDS} {COUNTS} order by e.id
            """,
            {"project": project_id},
        )
    )


def choices(db: Database, project_id: int) -> list[Row]:
    """What was chosen between pictures (pair, best_worst) and stands: item_id, first_item, mode, previews (ids in the
    order shown), preview_id (the chosen one; null = none), said, rater, is_repeat, session, position, shown_at,
    answered_at, id. A grid has two events, its best and its worst."""
    rows = db.query(
        f"""
        select e.id, e.item_id, ifnull(i.repeats, i.id) as first_item, s.mode, i.previews, e.preview_id, e.said,
               e.rater, e.is_repeat, e.session, e.position, e.shown_at, e.answered_at
        {OF_PROJECT} and e.event = 'choose' {STANDS} {COUNTS} order by e.id
        """,
        {"project": project_id},
    )
    return [{**row, "previews": json.loads(row["previews"])} for row in rows]


def flags(db: Database, project_id: int) -> list[Row]:
    """Flags that stand: preview_id, checkpoint_id, said, rater, answered_at; one per rater, picture and flag."""
    return list(
        db.query(
            f"""
            select e.preview_id, v.checkpoint_id, e.said, e.rater, max(e.answered_at) as answered_at
            {OF_PROJECT} and e.event = 'flag' and e.preview_id is not null {STANDS} {COUNTS}
            group by e.preview_id, e.said, e.rater order by min(e.id)
            """,
            {"project": project_id},
        )
    )


def raters(db: Database, project_id: int) -> list[str]:
    """Names under which anything was said of a project's pictures, in the order of their first word."""
    return [
        row["rater"]
        for row in db.query(f"select e.rater {OF_PROJECT} group by 1 order by min(e.id)", {"project": project_id})
    ]
