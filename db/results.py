"""Plans, previews, judges, calibrations and scores: what came out."""

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from db.connect import immediate, now
from db.library import Row, one

LATER_COLUMNS = ("size_px", "saturation", "clipping", "sharpness", "in_fp32", "original")  # of a preview; may be null


# plans


def add_plan(db: Database, hash: str, config: Mapping[str, Any]) -> int:
    """Store an evaluation plan unless it is already stored; return its id either way."""
    db.execute(
        "insert into plans (hash, config, created_at) values (:hash, :config, :now) on conflict (hash) do nothing",
        {"hash": hash, "config": json.dumps(config, sort_keys=True), "now": now()},
    )
    row = one(db, "select id from plans where hash = :hash", {"hash": hash})
    assert row is not None  # just inserted, or there before
    return int(row["id"])


def plan(db: Database, plan_id: int) -> Row | None:
    return one(db, "select * from plans where id = :id", {"id": plan_id})


# previews


def new_token() -> str:
    """The public name of a preview: says nothing about it."""
    return secrets.token_urlsafe(12)


def add_preview(db: Database, **columns: Any) -> int | None:
    """Store a preview whose files lie under their final names. None if its cell is already filled."""
    cursor = db.execute(
        """
        insert into previews (token, plan_id, checkpoint_id, base_model, clip_skip, prompt, seed, strength,
                              project_id, text, file, thumb, size_px, status, seconds, created_at,
                              saturation, clipping, sharpness, in_fp32, original)
        values (:token, :plan_id, :checkpoint_id, :base_model, :clip_skip, :prompt, :seed, :strength,
                :project_id, :text, :file, :thumb, :size_px, :status, :seconds, :created_at,
                :saturation, :clipping, :sharpness, :in_fp32, :original)
        on conflict do nothing
        """,
        {**dict.fromkeys(LATER_COLUMNS), **columns, "created_at": now()},
    )
    return int(cursor.lastrowid or 0) if cursor.rowcount == 1 else None


def preview_by_token(db: Database, token: str) -> Row | None:
    return one(db, "select * from previews where token = :token", {"token": token})


def first_drawn(db: Database, project_id: int, tokens: Collection[str]) -> set[int]:
    """The ids of previews by their tokens; of a picture that an earlier plan has as well, the id it had there."""
    rows = db.query(
        "select ifnull(same_as, id) as id from previews "
        "where project_id = :project and token in (select value from json_each(:tokens))",
        {"project": project_id, "tokens": json.dumps(sorted(tokens))},
    )
    return {row["id"] for row in rows}


def preview(db: Database, preview_id: int) -> Row | None:
    return one(db, "select * from previews where id = :id", {"id": preview_id})


def filled_cells(
    db: Database, plan_id: int, project_id: int, checkpoint_id: int | None, base_model: str, clip_skip: int
) -> set[tuple[int, int, float]]:
    """(prompt, seed, strength) of the previews that exist for a checkpoint, or for the base row (None)."""
    rows = db.query(
        """
        select prompt, seed, strength from previews
        where plan_id = :plan and project_id = :project and checkpoint_id is :checkpoint
          and base_model = :base and clip_skip = :clip_skip
        """,
        {
            "plan": plan_id,
            "project": project_id,
            "checkpoint": checkpoint_id,
            "base": base_model,
            "clip_skip": clip_skip,
        },
    )
    return {(row["prompt"], row["seed"], row["strength"]) for row in rows}


def previews(db: Database, project_id: int, plan_id: int) -> list[Row]:
    """All previews of a project under one plan, base rows included, with the run, pattern and checkpoint they show.

    Columns of table previews plus run_id, pattern_id, train_seed, label, updates, images_seen, epoch, is_last,
    saw_references (all null on the base row), and final: 1 where the run trained on the reference photos too. Runs in
    the bin are left out.
    """
    return list(
        db.query(
            """
            select v.*, c.run_id, c.updates, c.images_seen, c.epoch, c.is_last, r.pattern_id,
                   r.seed as train_seed, r.dataset_id, r.saw_references, n.label, ifnull(r.final, 0) as final
            from previews v
            left join checkpoints c on c.id = v.checkpoint_id
            left join runs r on r.id = c.run_id
            left join pattern_names n on n.pattern_id = r.pattern_id and n.project_id = v.project_id
            where v.project_id = :project and v.plan_id = :plan and r.deleted_at is null
            order by r.pattern_id, r.seed, c.updates, v.prompt, v.seed, v.strength
            """,
            {"project": project_id, "plan": plan_id},
        )
    )


def shown(db: Database, project_id: int) -> list[Row]:
    """What every preview of a project shows, under whichever plan: id, checkpoint_id (null = the base alone), prompt,
    text, seed, strength. Runs in the bin are left out."""
    return list(
        db.query(
            """
            select v.id, v.checkpoint_id, v.prompt, v.text, v.seed, v.strength from previews v
            left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
            where v.project_id = :project and r.deleted_at is null
            """,
            {"project": project_id},
        )
    )


def all_previews(db: Database, project_id: int) -> list[Row]:
    """The previews of a project under every plan, also of runs in the bin, with run, pattern and checkpoint."""
    return list(
        db.query(
            """
            select v.id, v.token, v.checkpoint_id, v.prompt, v.text, v.seed, v.strength, c.run_id, c.updates,
                   r.pattern_id, r.seed as train_seed, n.label
            from previews v
            left join checkpoints c on c.id = v.checkpoint_id
            left join runs r on r.id = c.run_id
            left join pattern_names n on n.pattern_id = r.pattern_id and n.project_id = v.project_id
            where v.project_id = :project
            """,
            {"project": project_id},
        )
    )


def seconds_per_preview(db: Database, project_id: int) -> float:
    """How long a preview of this project takes on average, under whichever plan; 0 before the first."""
    row = one(db, "select avg(seconds) as mean from previews where project_id = :id", {"id": project_id})
    return float(row["mean"] or 0.0) if row else 0.0


def without_finish(db: Database, project_id: int) -> list[Row]:
    """Previews whose finish was never measured, under any plan, of runs that are not in the bin: id and file."""
    return list(
        db.query(
            """
            select v.id, v.file from previews v
            left join checkpoints c on c.id = v.checkpoint_id
            left join runs r on r.id = c.run_id
            where v.project_id = :project and v.saturation is null and r.deleted_at is null
            """,
            {"project": project_id},
        )
    )


def set_finish(db: Database, measured: Mapping[int, Mapping[str, float]]) -> None:
    """Store saturation, clipping and sharpness by preview id."""
    if not measured:
        return
    with immediate(db):
        for preview_id, figures in measured.items():
            db.execute(
                "update previews set saturation = :saturation, clipping = :clipping, sharpness = :sharpness "
                "where id = :id",
                {**figures, "id": preview_id},
            )


# judges and scores


def add_judge(db: Database, key: str, **columns: Any) -> int:
    """Store a judge (kind, name, version, licence, world) unless its key is known; return its id either way."""
    db.execute(
        """
        insert into judges (key, kind, name, version, licence, world, created_at)
        values (:key, :kind, :name, :version, :licence, :world, :now) on conflict (key) do nothing
        """,
        {"key": key, **columns, "now": now()},
    )
    row = one(db, "select id from judges where key = :key", {"key": key})
    assert row is not None  # just inserted, or there before
    return int(row["id"])


def add_calibration(db: Database, **columns: Any) -> int:
    """Store the ends of a subject's scale as one judge sees them; an equal measurement is not written twice.

    One from before thresholds were measured gets its threshold and detail; its ends stay.
    """
    values = {"strangers_key": "", "threshold": None, "detail": "{}", **columns, "now": now()}
    db.execute(
        """
        insert into calibrations (judge_id, dataset_id, size_px, estimator, real, strangers, strangers_key, counts,
                                  threshold, detail, created_at)
        values (:judge_id, :dataset_id, :size_px, :estimator, :real, :strangers, :strangers_key, :counts,
                :threshold, :detail, :now)
        on conflict do update set threshold = excluded.threshold, detail = excluded.detail where detail = '{}'
        """,
        values,
    )
    row = one(
        db,
        """
        select id from calibrations where judge_id = :judge_id and dataset_id = :dataset_id
            and size_px = :size_px and estimator = :estimator and strangers_key = :strangers_key
        """,
        {key: values[key] for key in ("judge_id", "dataset_id", "size_px", "estimator", "strangers_key")},
    )
    assert row is not None  # just inserted, or there before
    return int(row["id"])


def calibrations(db: Database, project_id: int) -> list[Row]:
    """Calibrations of a project's datasets with their judge's name and key."""
    return list(
        db.query(
            """
            select k.*, j.name as judge, j.key as judge_key, j.world, j.licence
            from calibrations k join judges j on j.id = k.judge_id join datasets d on d.id = k.dataset_id
            where d.project_id = :project order by k.id
            """,
            {"project": project_id},
        )
    )


def add_scores(db: Database, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store scores (preview_id, judge_id, calibration_id, metric, value, status, detail) in one transaction.

    A value that is already there (same preview, metric, judge, calibration) is kept as it is; a reason for none gives
    way to a value or another reason.
    """
    with immediate(db):
        for row in rows:
            db.execute(
                """
                insert into scores (preview_id, judge_id, calibration_id, metric, value, status, detail, created_at)
                values (:preview_id, :judge_id, :calibration_id, :metric, :value, :status, :detail, :now)
                on conflict do update set value = excluded.value, status = excluded.status, detail = excluded.detail
                    where scores.value is null and (excluded.value is not null or excluded.status <> scores.status)
                """,
                {**row, "now": now()},
            )


def unscored(
    db: Database, project_id: int, plan_id: int, metric: str, judge_id: int | None, calibration_id: int | None
) -> list[Row]:
    """Previews that have no score of this metric by this judge on this calibration yet, with their dataset."""
    return list(
        db.query(
            """
            select v.*, r.dataset_id from previews v
            left join checkpoints c on c.id = v.checkpoint_id
            left join runs r on r.id = c.run_id
            where v.project_id = :project and v.plan_id = :plan and r.deleted_at is null and not exists (
                select 1 from scores s where s.preview_id = v.id and s.metric = :metric
                  and s.judge_id is :judge and s.calibration_id is :calibration)
            order by v.id
            """,
            {
                "project": project_id,
                "plan": plan_id,
                "metric": metric,
                "judge": judge_id,
                "calibration": calibration_id,
            },
        )
    )


def scores(db: Database, project_id: int, plan_id: int) -> list[Row]:
    """Every score of a project under one plan, one row each (long form).

    Columns: preview_id, metric, value (raw), status, detail (JSON), judge, judge_key, calibration_id, real,
    strangers, estimator. Join them to :func:`previews` on preview_id.
    """
    return list(
        db.query(
            """
            select s.preview_id, s.metric, s.value, s.status, s.detail, s.judge_id, s.calibration_id,
                   j.name as judge, j.key as judge_key, k.real, k.strangers, k.estimator, k.dataset_id
            from scores s join previews v on v.id = s.preview_id
            left join judges j on j.id = s.judge_id
            left join calibrations k on k.id = s.calibration_id
            left join checkpoints c on c.id = v.checkpoint_id
            left join runs r on r.id = c.run_id
            where v.project_id = :project and v.plan_id = :plan and r.deleted_at is null
            order by s.preview_id, s.metric, s.id
            """,
            {"project": project_id, "plan": plan_id},
        )
    )


def made_cells(db: Database, project_id: int, plan_id: int) -> list[tuple[Any, ...]]:
    """The previews of :func:`previews` as plain tuples, quick enough for every heartbeat: checkpoint_id (None = the
    base row), base_model, clip_skip, prompt, seed, strength."""
    return db.execute(
        """
        select v.checkpoint_id, v.base_model, v.clip_skip, v.prompt, v.seed, v.strength from previews v
        left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
        where v.project_id = ? and v.plan_id = ? and r.deleted_at is null
        """,
        [project_id, plan_id],
    ).fetchall()


def without_score(
    db: Database, project_id: int, plan_id: int, metric: str, judge_key: str | None, base_too: bool
) -> int:
    """How many previews have no score of a metric by a judge (None: no reason that is stored without one) yet.

    ``base_too``: also of those that belong to no photos.
    """
    row = one(
        db,
        """
        select count(*) as n from previews v
        left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
        where v.project_id = :project and v.plan_id = :plan and r.deleted_at is null
          and (:base_too or r.dataset_id is not null)
          and not exists (
            select 1 from scores s left join judges j on j.id = s.judge_id
            where s.preview_id = v.id and s.metric = :metric and j.key is :key)
        """,
        {"project": project_id, "plan": plan_id, "metric": metric, "key": judge_key, "base_too": base_too},
    )
    return int(row["n"]) if row else 0


def score_statuses(db: Database, project_id: int, plan_id: int) -> list[Row]:
    """What :func:`scores` has, without what was found: preview_id, metric, judge_id, judge_key, calibration_id, status.

    Quick enough for every heartbeat.
    """
    return list(
        db.query(
            """
            select s.preview_id, s.metric, s.judge_id, j.key as judge_key, s.calibration_id, s.status
            from scores s join previews v on v.id = s.preview_id left join judges j on j.id = s.judge_id
            where v.project_id = :project and v.plan_id = :plan
            """,
            {"project": project_id, "plan": plan_id},
        )
    )


def has_scored_checkpoint(db: Database) -> bool:
    """Whether any preview of a LoRA (not only a base row) has a score with a value."""
    found = db.query(
        """
        select 1 from scores s join previews v on v.id = s.preview_id
        where s.value is not null and v.checkpoint_id is not null limit 1
        """
    )
    return next(iter(found), None) is not None
