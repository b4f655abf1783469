"""Pictures that stand in several plans: what a changed plan shares with an earlier one is not drawn twice."""

import json
from collections.abc import Collection, Mapping

from sqlite_utils import Database

from db.connect import immediate, now
from db.library import Row
from db.results import new_token


def plans_of(db: Database, project_id: int) -> list[Row]:
    """The plans under which a project has previews, oldest first.

    Columns of table plans, ``previews`` (how many), ``rendered`` (how many were drawn for this plan first) and
    ``seconds`` (mean time that one of these took; null without any).
    """
    return list(
        db.query(
            """
            select p.*, count(*) as previews, sum(v.same_as is null) as rendered,
                   avg(case when v.same_as is null then v.seconds end) as seconds
            from plans p join previews v on v.plan_id = p.id
            where v.project_id = :project group by p.id order by p.id
            """,
            {"project": project_id},
        )
    )


def drawn(db: Database, project_id: int, plan_ids: Collection[int]) -> list[Row]:
    """What the previews of some plans show: id, checkpoint_id, base_model, clip_skip, text, seed, strength."""
    return list(
        db.query(
            """
            select id, checkpoint_id, base_model, clip_skip, text, seed, strength from previews
            where project_id = :project and plan_id in (select value from json_each(:plans)) order by id desc
            """,
            {"project": project_id, "plans": json.dumps(sorted(plan_ids))},
        )
    )


def adopt(db: Database, plan_id: int, found: Mapping[tuple[int, int, float], int]) -> None:
    """Fill cells (prompt, seed, strength) of a plan with the pictures of other previews, given by their ids.

    Each gets a row and a token of its own, and what judges made of the picture: the same judge would
    measure the same. Ratings stay where they are and count for both (see ``same_as``).
    """
    with immediate(db):
        for (prompt, seed, strength), source in found.items():
            added = db.execute(
                """
                insert into previews (token, plan_id, checkpoint_id, base_model, clip_skip, prompt, seed, strength,
                                      project_id, text, file, thumb, size_px, status, seconds, created_at, same_as,
                                      saturation, clipping, sharpness, in_fp32, original)
                select :token, :plan, checkpoint_id, base_model, clip_skip, :prompt, :seed, :strength,
                       project_id, text, file, thumb, size_px, status, seconds, :now, ifnull(same_as, id),
                       saturation, clipping, sharpness, in_fp32, original
                from previews where id = :source
                on conflict do nothing
                """,
                {
                    "token": new_token(),
                    "plan": plan_id,
                    "prompt": prompt,
                    "seed": seed,
                    "strength": strength,
                    "now": now(),
                    "source": source,
                },
            )
            if added.rowcount != 1:
                continue
            db.execute(
                """
                insert into scores (preview_id, judge_id, calibration_id, metric, value, status, detail, created_at)
                select :new, judge_id, calibration_id, metric, value, status, detail, :now
                from scores where preview_id = :source
                """,
                {"new": added.lastrowid, "source": source, "now": now()},
            )
            db.execute(
                "insert into vectors (preview_id, judge_id, vector) "
                "select :new, judge_id, vector from vectors where preview_id = :source",
                {"new": added.lastrowid, "source": source},
            )
