"""What judges see in previews, as unit vectors: float16 in little-endian order."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from db.connect import immediate
from db.library import Row


def add_vectors(db: Database, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store vectors (preview_id, judge_id, vector as bytes) in one transaction; one that is there stays as it is."""
    with immediate(db):
        for row in rows:
            db.execute(
                """
                insert into vectors (preview_id, judge_id, vector) values (:preview_id, :judge_id, :vector)
                on conflict do nothing
                """,
                dict(row),
            )


def vectors(db: Database, project_id: int, plan_id: int, judge_id: int) -> list[Row]:
    """What a judge sees in the previews of a project under one plan: preview_id and vector (bytes)."""
    return list(
        db.query(
            """
            select x.preview_id, x.vector from vectors x join previews v on v.id = x.preview_id
            where v.project_id = :project and v.plan_id = :plan and x.judge_id = :judge
            """,
            {"project": project_id, "plan": plan_id, "judge": judge_id},
        )
    )
