"""A copy of the whole database while others write to it, and what is to be known of a copy before it is used."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from db.connect import refuse_newer


def snapshot(db: Database, target: Path) -> None:
    """Write the database as it is at one moment to a new file, in which nothing runs.

    Workers are stopped in it and runs in training wait again, so it can be used on another machine at once.
    """
    with closing(sqlite3.connect(target)) as copy:
        db.conn.backup(copy)
        copy.execute("update workers set state = 'stopped', run_id = null")
        copy.execute(
            "update runs set status = 'queued', worker = null, attempt = max(0, attempt - 1) where status = 'running'"
        )
        copy.commit()
        copy.execute("pragma journal_mode = delete")  # one file, without -wal and -shm beside it


def problem(path: Path) -> str | None:
    """What is wrong with a database file; None = it is whole. DatabaseTooNew for one of a newer workbench."""
    try:
        with closing(sqlite3.connect(path)) as copy:
            refuse_newer(Database(copy), path)
            health = copy.execute("pragma integrity_check").fetchone()[0]
            if health != "ok":
                return str(health)
            if copy.execute("pragma foreign_key_check").fetchone():
                return "rows refer to rows that are not there"
            copy.execute("select count(*) from runs")
    except sqlite3.DatabaseError as error:
        return str(error)
    return None


def referred_files(path: Path) -> list[str]:
    """Every file that a database file's rows name, relative to the workspace, sorted: photos, LoRA files, previews.

    What was emptied from the bin, and what a rule took away, is not named.
    """
    with closing(sqlite3.connect(path)) as copy:
        rows = copy.execute(
            """
            select file from photos p join datasets d on d.id = p.dataset_id join projects j on j.id = d.project_id
                where j.emptied_at is null
            union select file from checkpoints where removed_at is null
            union select v.file from previews v join projects j on j.id = v.project_id
                left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
                where ifnull(r.emptied_at, j.emptied_at) is null
            union select v.thumb from previews v join projects j on j.id = v.project_id
                left join checkpoints c on c.id = v.checkpoint_id left join runs r on r.id = c.run_id
                where ifnull(r.emptied_at, j.emptied_at) is null
            order by 1
            """
        )
        return [row[0] for row in rows]


def kept_runs(path: Path) -> list[int]:
    """Runs of a database file whose folders are not emptied."""
    with closing(sqlite3.connect(path)) as copy:
        return [row[0] for row in copy.execute("select id from runs where emptied_at is null order by id")]


def schema(path: Path) -> list[str]:
    """The names of the migrations that a database file has had."""
    with closing(sqlite3.connect(path)) as copy:
        rows = copy.execute("select name from _sqlite_migrations where migration_set = 'workbench' order by rowid")
        return [row[0] for row in rows]
