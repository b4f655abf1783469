"""Sittings of raters, what they ask, and what was seen by name beforehand."""

import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from db.connect import immediate, now
from db.library import Row, inserted, one


def add_sitting(db: Database, items: Sequence[dict[str, Any]], **columns: Any) -> int:
    """Store a sitting with all that it asks, in this order, and return its id.

    ``columns``: project_id, plan_id, rater, mode, minutes, foretold, protocol. Each item: ``part``, ``previews`` (ids
    in the order shown) and, of a repeat, ``repeats``: the position of its first time.
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


def last_rater(db: Database) -> str | None:
    """Who began a sitting last, in any project."""
    row = one(db, "select rater from sittings order by id desc limit 1", {})
    return row["rater"] if row else None


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
    """Keep that a rater has seen these previews by name; the first time stands.

    A picture that an earlier plan has as well counts as the one that was drawn first, under which it is asked.
    """
    with db.atomic():
        db.execute(
            """
            insert or ignore into reveals (preview_id, rater, revealed_at)
            select distinct ifnull(same_as, id), :rater, :now from previews
            where id in (select value from json_each(:ids))
            """,
            {"rater": rater, "now": now(), "ids": json.dumps(sorted(preview_ids))},
        )


def revealed(db: Database, project_id: int, rater: str) -> set[int]:
    """Previews that this rater has seen by name before rating them."""
    rows = db.query(
        "select e.preview_id from reveals e join previews v on v.id = e.preview_id "
        "where v.project_id = :project and e.rater = :rater",
        {"project": project_id, "rater": rater},
    )
    return {row["preview_id"] for row in rows}


def asked(db: Database, sitting_id: int) -> list[tuple[Any, ...]]:
    """What a sitting asks, in its order, as plain tuples: id, token, position, part, repeats, previews (JSON)."""
    return db.execute(
        "select id, token, position, part, repeats, previews from rating_items where sitting_id = ? order by position",
        [sitting_id],
    ).fetchall()


def away(db: Database, project_id: int, rater: str) -> dict[int, str]:
    """Previews of a project that this rater can't be asked about now, each with the reason: ``bin`` (its run lies
    there), ``gone`` (for good) or ``seen`` (by name)."""
    rows = db.execute(
        """
        select v.id, case when r.emptied_at is null then 'bin' else 'gone' end
        from runs r join checkpoints c on c.run_id = r.id join previews v on v.checkpoint_id = c.id
        where r.project_id = :project and r.deleted_at is not null
        union all
        select e.preview_id, 'seen' from reveals e join previews v on v.id = e.preview_id
        where e.rater = :rater and v.project_id = :project
        """,
        {"project": project_id, "rater": rater},
    )
    return dict(rows.fetchall())


def pictures(db: Database, preview_ids: Iterable[int]) -> list[Row]:
    """Previews by their ids: rows of table previews."""
    ids = json.dumps(list(preview_ids))
    return list(db.query("select * from previews where id in (select value from json_each(:ids))", {"ids": ids}))


def faces(db: Database, preview_ids: Iterable[int]) -> list[Row]:
    """What face judges found out about these previews: preview_id, calibration_id, detail (JSON), judge_key, and the
    size_px and dataset_id of their scale. Only of faces that were found."""
    return list(
        db.query(
            """
            select s.preview_id, s.calibration_id, s.detail, j.key as judge_key, k.size_px, k.dataset_id
            from scores s join judges j on j.id = s.judge_id join calibrations k on k.id = s.calibration_id
            where s.preview_id in (select value from json_each(:ids)) and s.metric = 'likeness' and s.value is not null
            order by s.id
            """,
            {"ids": json.dumps(list(preview_ids))},
        )
    )


def likeness(db: Database, project_id: int) -> list[Row]:
    """Every likeness that a face judge found in a project's pictures: preview_id (of the one that was drawn first),
    judge_key, value (raw); the newest scale last."""
    return list(
        db.query(
            """
            select ifnull(v.same_as, v.id) as preview_id, j.key as judge_key, s.value
            from previews v join scores s on s.preview_id = v.id join judges j on j.id = s.judge_id
            where v.project_id = :project and s.metric = 'likeness' and s.value is not null
            order by s.calibration_id
            """,
            {"project": project_id},
        )
    )
