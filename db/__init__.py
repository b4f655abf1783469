"""The SQLite file: open, migrate, named queries. Functions take the open database first; rows are plain dicts."""

from db.connect import DatabaseTooNew, durable, immediate, now, open_db

__all__ = ["DatabaseTooNew", "durable", "immediate", "now", "open_db"]
