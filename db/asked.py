"""What people can be asked about: the judged checkpoints' pictures, and what open sittings still ask.

A cross join in SQLite keeps the order of its tables: few pictures first, then the index of previews.
"""

import json
from collections.abc import Collection
from typing import Any

from sqlite_utils import Database

from db.library import Row

STANDS = "e.event <> 'undo' and e.id not in (select undoes from ratings where undoes is not null)"


def saved(db: Database, project_id: int) -> dict[int, list[Row]]:
    """Checkpoints of a project's runs: run -> its rows (id, run_id, updates), rising."""
    found: dict[int, list[Row]] = {}
    for row in db.query(
        "select c.id, c.run_id, c.updates from checkpoints c join runs r on r.id = c.run_id "
        "where r.project_id = :project order by c.run_id, c.updates",
        {"project": project_id},
    ):
        found.setdefault(row["run_id"], []).append(row)
    return found


def previews(db: Database, checkpoints: Collection[int], prompts: Collection[int], **where: Any) -> list[Row]:
    """Unbroken previews of some checkpoints and prompts. ``where``: project, plan, seed, strength.

    Columns as ``db.results.previews``, in the same order.
    """
    return list(
        db.query(
            """
            select v.*, c.run_id, c.updates, c.images_seen, c.epoch, c.is_last, r.pattern_id,
                   r.seed as train_seed, r.dataset_id, r.saw_references, n.label, r.final
            from json_each(:checkpoints) j cross join previews v on v.checkpoint_id = j.value
            join checkpoints c on c.id = v.checkpoint_id join runs r on r.id = c.run_id
            left join pattern_names n on n.pattern_id = r.pattern_id and n.project_id = v.project_id
            where v.project_id = :project and v.plan_id = :plan and v.seed = :seed and v.strength = :strength
              and v.status = 'ok' and v.prompt in (select value from json_each(:prompts))
            order by r.pattern_id, r.seed, c.updates, v.prompt
            """,
            {"checkpoints": json.dumps(list(checkpoints)), "prompts": json.dumps(list(prompts)), **where},
        )
    )


def shown(db: Database, items: Collection[int]) -> dict[int, list[int]]:
    """The pictures that items show: item -> preview ids."""
    if not items:
        return {}
    rows = db.query(
        "select id, previews from rating_items where id in (select value from json_each(:items))",
        {"items": json.dumps(sorted(items))},
    )
    return {row["id"]: json.loads(row["previews"]) for row in rows}


def still_asked(db: Database, project_id: int, rater: str) -> set[int]:
    """Pictures that this rater's open sittings have still to ask about, warm-ups apart."""
    rows = db.query(
        f"""
        select distinct j.value as preview
        from sittings s join rating_items i on i.sitting_id = s.id, json_each(i.previews) j
        where s.project_id = :project and s.rater = :rater and s.ended_at is null and i.part <> 'warm_up'
          and not exists (select 1 from ratings e where e.item_id = i.id and {STANDS})
        """,
        {"project": project_id, "rater": rater},
    )
    return {row["preview"] for row in rows}


def likeness(db: Database, checkpoints: Collection[int], judge_id: int | None, **where: Any) -> list[Row]:
    """Mean raw likeness by one judge: checkpoint_id, mean, and the ends (real, strangers) of the scale; newest last.

    ``where``: plan, strength, prompts (numbers), seed (None = all).
    """
    return list(
        db.query(
            """
            select v.checkpoint_id, avg(s.value) as mean, k.real, k.strangers
            from json_each(:checkpoints) j cross join previews v on v.checkpoint_id = j.value
            join scores s on s.preview_id = v.id join calibrations k on k.id = s.calibration_id
            where s.metric = 'likeness' and s.value is not null and s.judge_id = :judge and v.plan_id = :plan
              and v.strength = :strength and (:seed is null or v.seed = :seed)
              and v.prompt in (select value from json_each(:prompts))
            group by v.checkpoint_id, k.id order by k.id
            """,
            {
                **where,
                "checkpoints": json.dumps(list(checkpoints)),
                "judge": judge_id,
                "prompts": json.dumps(list(where["prompts"])),
            },
        )
    )


def judges(db: Database) -> dict[str, int]:
    """Key of every judge -> its id."""
    return {row["key"]: row["id"] for row in db.query("select key, id from judges")}


def cells(db: Database, plan_id: int, previews: Collection[int]) -> list[Row]:
    """Where pictures stand in a plan, by the id that ratings name: id, checkpoint_id, prompt, seed."""
    return list(
        db.query(
            """
            select v.id, v.checkpoint_id, v.prompt, v.seed from json_each(:previews) j
            cross join previews v on v.id = j.value where v.plan_id = :plan and v.same_as is null
            union all
            select v.same_as, v.checkpoint_id, v.prompt, v.seed from json_each(:previews) j
            cross join previews v on v.same_as = j.value where v.plan_id = :plan
            """,
            {"previews": json.dumps(list(previews)), "plan": plan_id},
        )
    )
