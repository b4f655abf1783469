"""Single facts of a workspace by name: is the queue paused, when may it train, is the disk full."""

from typing import Any

from sqlite_utils import Database

from db.library import one


def value(db: Database, key: str) -> Any:
    """What is stored under a name; None = nothing."""
    row = one(db, "select value from meta where key = :key", {"key": key})
    return row["value"] if row else None


def put(db: Database, key: str, value: Any) -> None:
    """Store a text or number under a name; None takes it away."""
    if value is None:
        db.execute("delete from meta where key = :key", {"key": key})
    else:
        db.execute(
            "insert into meta (key, value) values (:key, :value) on conflict (key) do update set value = :value",
            {"key": key, "value": value},
        )
