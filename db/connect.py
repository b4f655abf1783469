"""Open the database file: WAL, foreign keys, migrations; and one write transaction at a time."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from db.migrations import migrations

BUSY_TIMEOUT_S = 30  # a rating must wait for the worker's write rather than fail


class DatabaseTooNew(RuntimeError):
    """The file was written by a newer workbench."""


def now() -> float:
    """UTC time in seconds since 1970."""
    return time.time()


def open_db(path: Path) -> Database:
    """Open (or make) the database, bring its schema up to date and return it.

    Opening costs under a millisecond: open it per page run, never share a connection between threads.
    Before an older file is upgraded, a copy is kept beside it as ``NAME.before-MIGRATION.db``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    db = Database(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S))
    db.execute("pragma foreign_keys = on")
    db.execute("pragma synchronous = normal")
    if next(iter(db.query("pragma journal_mode")))["journal_mode"] != "wal":
        db.enable_wal()
    refuse_newer(db, path)
    if migrations.pending(db):
        upgrade(db, path)
    return db


def refuse_newer(db: Database, path: Path) -> None:
    """Stop before an older workbench writes into a schema that it doesn't know."""
    known = {m.name for m in migrations._migrations}
    unknown = [m.name for m in migrations.applied(db) if m.name not in known]
    if unknown:
        raise DatabaseTooNew(
            f"{path.name} was written by a newer version of the workbench (it has '{unknown[-1]}'). "
            "Update the workbench, or choose another folder with --home. Nothing was changed."
        )


def upgrade(db: Database, path: Path) -> None:
    """Apply pending migrations in one transaction, after a copy of a file that has data."""
    if migrations.applied(db):
        back_up(db, path.with_name(f"{path.stem}.before-{migrations.pending(db)[0].name}{path.suffix}"))
    with immediate(db):  # the app and the worker may start at the same moment: one upgrades, one waits
        migrations.apply(db)


def back_up(db: Database, target: Path) -> None:
    """Copy the live database, WAL included, to ``target``; an earlier copy there is kept."""
    if target.exists():
        return
    part = target.with_suffix(".part")
    with closing(sqlite3.connect(part)) as copy:
        db.conn.backup(copy)
    part.replace(target)


@contextmanager
def immediate(db: Database) -> Iterator[None]:
    """A write transaction that takes the write lock at once, so read-then-write can't fail half-way.

    A plain ``begin`` that reads first and writes later gets SQLITE_BUSY_SNAPSHOT when another process wrote in
    between, and no busy timeout helps there. Within another one it is a part of that: an error undoes what was written
    inside, and the whole too unless somebody in between catches it.
    """
    if db.conn.in_transaction:
        with nested(db):
            yield
        return
    db.conn.execute("begin immediate")
    try:
        yield
        db.conn.commit()  # a full disk is found out here
    except BaseException:
        if db.conn.in_transaction:
            db.conn.rollback()
        raise


@contextmanager
def durable(db: Database) -> Iterator[None]:
    """The same for what nobody can say again: once it is committed, a power cut doesn't take it away.

    Else a commit waits for no disk, and a power cut may take the last ones, together, from the end. It stays so for
    the connection.
    """
    if not db.conn.in_transaction:
        db.execute("pragma synchronous = full")
        db.execute("pragma fullfsync = on")  # macOS: past the disk's own memory; nothing elsewhere
    with immediate(db):
        yield


@contextmanager
def nested(db: Database) -> Iterator[None]:
    """A part of a transaction that is undone by itself, so that whoever catches its error keeps no half of it."""
    db.conn.execute("savepoint part")  # the name may repeat: the innermost is meant
    try:
        yield
    except BaseException:
        if db.conn.in_transaction:  # a full disk ends all of it
            db.conn.execute("rollback to part")
            db.conn.execute("release part")
        raise
    db.conn.execute("release part")
