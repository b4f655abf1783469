"""What was measured of earlier work on a base model: the ground for saying what more of it will cost."""

from sqlite_utils import Database

from db.library import Row, one


def trainings(db: Database, device: str | None) -> list[Row]:
    """Runs that made updates on this device (None = on any): config, step, train_seconds; newest first."""
    return list(
        db.query(
            """
            select p.config, r.step, r.train_seconds, r.device
            from runs r join patterns p on p.id = r.pattern_id
            where r.step > 0 and r.train_seconds > 0 and (:device is null or r.device = :device)
            order by r.id desc limit 200
            """,
            {"device": device},
        )
    )


def of_checkpoints(db: Database, project_id: int) -> list[Row]:
    """What the project's checkpoints took and what they came from.

    checkpoint_id, seconds (of training until there), bytes, and of its whole run train_seconds and device; missing
    where it was not measured, as in all that was made elsewhere.
    """
    return list(
        db.query(
            """
            select c.id as checkpoint_id, c.seconds, nullif(c.bytes, 0) as bytes,
                   case when r.origin is null then nullif(r.train_seconds, 0) end as train_seconds,
                   case when r.origin is null then r.device end as device
            from checkpoints c join runs r on r.id = c.run_id
            where r.project_id = :project
            """,
            {"project": project_id},
        )
    )


def files(db: Database) -> list[Row]:
    """LoRA files with the settings that decide their size: config, bytes; newest first."""
    return list(
        db.query(
            """
            select p.config, c.bytes
            from checkpoints c join runs r on r.id = c.run_id join patterns p on p.id = r.pattern_id
            where c.is_last and r.origin is null order by c.id desc limit 200
            """
        )
    )


def seconds_per_preview(db: Database, base_model: str) -> float:
    """How long a preview on this base took on average, in all projects; 0 before the first."""
    row = one(db, "select avg(seconds) as mean from previews where base_model = :base", {"base": base_model})
    return float(row["mean"] or 0.0) if row else 0.0
