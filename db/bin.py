"""The bin: projects, labels and runs that are out of sight until they are restored or emptied."""

from typing import Any

from sqlite_utils import Database

from db.connect import immediate, now
from db.library import Row

ACTIVE = "('queued', 'running')"


def running(db: Database, *, project_id: int | None = None, pattern_id: int | None = None) -> list[Row]:
    """Runs in training, of a project or of one of its patterns: these can't be deleted."""
    return list(
        db.query(
            """
            select id, seed from runs where status = 'running' and deleted_at is null
              and (:project is null or project_id = :project) and (:pattern is null or pattern_id = :pattern)
            """,
            {"project": project_id, "pattern": pattern_id},
        )
    )


def delete_project(db: Database, project_id: int) -> None:
    db.execute(
        "update projects set deleted_at = :now where id = :id and deleted_at is null", {"id": project_id, "now": now()}
    )


def delete_run(db: Database, run_id: int) -> bool:
    """Put a run into the bin. False when it is in training or not there."""
    cursor = db.execute(
        "update runs set deleted_at = :now where id = :id and deleted_at is null and status <> 'running'",
        {"id": run_id, "now": now()},
    )
    return cursor.rowcount == 1


def delete_pattern(db: Database, project_id: int, pattern_id: int) -> None:
    """Put a project's labels of a pattern and its runs into the bin, as one deed: one time stands on all."""
    about = {"project": project_id, "pattern": pattern_id, "now": now()}
    with immediate(db):
        for table in ("pattern_labels", "runs"):
            db.execute(
                f"update {table} set deleted_at = :now "
                "where project_id = :project and pattern_id = :pattern and deleted_at is null",
                about,
            )


def deleted_projects(db: Database) -> list[Row]:
    """Projects in the bin, the last deleted first."""
    return list(
        db.query("select * from projects where deleted_at is not null and emptied_at is null order by deleted_at desc")
    )


def deleted_labels(db: Database) -> list[Row]:
    """Labels in the bin whose project is not, with their project's name and how many runs went with each."""
    return list(
        db.query(
            """
            select n.*, j.name as project,
                (select count(*) from runs r where r.project_id = n.project_id and r.pattern_id = n.pattern_id
                    and r.deleted_at = n.deleted_at and r.emptied_at is null) as runs
            from pattern_labels n join projects j on j.id = n.project_id
            where n.deleted_at is not null and j.deleted_at is null order by n.deleted_at desc, n.position
            """
        )
    )


def deleted_runs(db: Database) -> list[Row]:
    """Runs in the bin whose project is not, with project and label; those that went with their pattern too."""
    return list(
        db.query(
            """
            select r.*, j.name as project, ifnull(n.label, (
                    select group_concat(x.label, ' = ') from pattern_labels x where x.project_id = r.project_id
                    and x.pattern_id = r.pattern_id)) as label,
                exists (select 1 from pattern_labels x where x.project_id = r.project_id
                    and x.pattern_id = r.pattern_id and x.deleted_at = r.deleted_at) as with_pattern
            from runs r join projects j on j.id = r.project_id
            left join pattern_names n on n.pattern_id = r.pattern_id and n.project_id = r.project_id
            where r.deleted_at is not null and r.emptied_at is null and j.deleted_at is null
            order by r.deleted_at desc, r.id
            """
        )
    )


def restore_project(db: Database, project_id: int) -> None:
    db.execute("update projects set deleted_at = null where id = :id and emptied_at is null", {"id": project_id})


def restore_run(db: Database, run_id: int) -> None:
    """Take a run out of the bin."""
    with immediate(db):
        _restore_runs(db, "id = :id", {"id": run_id})


def restore_pattern(db: Database, project_id: int, pattern_id: int) -> None:
    """Take a pattern's labels out of the bin, with the runs that went in with them."""
    about = {"project": project_id, "pattern": pattern_id}
    mine = "project_id = :project and pattern_id = :pattern and deleted_at is not null"
    with immediate(db):
        _restore_runs(db, f"{mine} and deleted_at in (select deleted_at from pattern_labels where {mine})", about)
        db.execute(f"update pattern_labels set deleted_at = null where {mine}", about)


def _restore_runs(db: Database, where: str, params: dict[str, Any]) -> None:
    """A waiting run whose twin was queued meanwhile comes back as cancelled: one training is wanted, not two."""
    db.execute(
        f"""
        update runs set status = 'cancelled', finished_at = :now, reason = 'cancelled_early'
        where {where} and status = 'queued' and exists (
            select 1 from runs t where t.id <> runs.id and t.project_id = runs.project_id and t.seed = runs.seed
            and t.pattern_id = runs.pattern_id and t.dataset_id = runs.dataset_id and t.final = runs.final
            and t.status in {ACTIVE} and t.deleted_at is null)
        """,
        {**params, "now": now()},
    )
    db.execute(f"update runs set deleted_at = null where {where} and emptied_at is null", params)


def empty(db: Database) -> None:
    """Mark all that is in the bin as gone for good. Rows, scores and ratings stay; labels and names become free."""
    with immediate(db):
        about = {"now": now()}
        db.execute(
            """
            update runs set emptied_at = :now, deleted_at = ifnull(deleted_at, :now),
                status = case when status = 'queued' then 'cancelled' else status end
            where emptied_at is null and (deleted_at is not null
                or project_id in (select id from projects where deleted_at is not null))
            """,
            about,
        )
        db.execute(
            "update checkpoints set removed_at = :now where removed_at is null "
            "and run_id in (select id from runs where emptied_at is not null)",
            about,
        )
        db.execute(
            "update projects set emptied_at = :now, name = name || ' (deleted ' || id || ')' "
            "where deleted_at is not null and emptied_at is null",
            about,
        )
        db.execute("delete from pattern_labels where deleted_at is not null")


def run_ids(db: Database, project_id: int) -> list[int]:
    """Every run of a project whose files are there, in the bin or not."""
    rows = db.query("select id from runs where project_id = :id and emptied_at is null", {"id": project_id})
    return [row["id"] for row in rows]


def preview_files(db: Database, project_id: int | None = None, *, run_id: int | None = None) -> set[str]:
    """Picture files (relative paths) of a project's or of a run's previews."""
    rows = db.query(
        """
        select v.file, v.thumb from previews v left join checkpoints c on c.id = v.checkpoint_id
        where (:project is null or v.project_id = :project) and (:run is null or c.run_id = :run)
        """,
        {"project": project_id, "run": run_id},
    )
    return {file for row in rows for file in (row["file"], row["thumb"])}


def emptied_runs(db: Database) -> list[int]:
    """Runs whose files are to be gone."""
    return [row["id"] for row in db.query("select id from runs where emptied_at is not null")]


def orphaned_files(db: Database) -> set[str]:
    """Pictures (relative paths) that only emptied runs and projects refer to: they can be removed."""
    return _files(db, True) - _files(db, False)


def _files(db: Database, emptied: bool) -> set[str]:
    """Preview files and photos of what was emptied, or of everything else."""
    gone = "is not null" if emptied else "is null"
    rows = db.query(
        f"""
        select v.file as file from previews v join projects j on j.id = v.project_id
            left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
            where ifnull(r.emptied_at, j.emptied_at) {gone}
        union select v.thumb from previews v join projects j on j.id = v.project_id
            left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
            where ifnull(r.emptied_at, j.emptied_at) {gone}
        union select p.file from photos p join datasets d on d.id = p.dataset_id
            join projects j on j.id = d.project_id where j.emptied_at {gone}
        """
    )
    return {row["file"] for row in rows}


def removed_checkpoints(db: Database) -> list[Row]:
    """Checkpoints whose file a rule took away, of runs that are in sight, with run, label and project."""
    return list(
        db.query(
            """
            select c.*, r.project_id, r.seed, r.pattern_id, j.name as project, n.label
            from checkpoints c join runs r on r.id = c.run_id join projects j on j.id = r.project_id
            left join pattern_names n on n.pattern_id = r.pattern_id and n.project_id = r.project_id
            where c.removed_at is not null and c.file <> '' and r.deleted_at is null and j.deleted_at is null
            order by c.removed_at desc, c.id
            """
        )
    )


def checkpoint_removed(db: Database, checkpoint_id: int, removed: bool) -> None:
    """Note that a checkpoint's file was taken away, or is there again."""
    db.execute(
        "update checkpoints set removed_at = case when :removed then :now end where id = :id",
        {"id": checkpoint_id, "removed": int(removed), "now": now()},
    )
