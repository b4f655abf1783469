"""The schema, one file per change. A change that has been released is never edited: add another."""

from db.migrations import first_schema, daily_work, made_elsewhere, sittings, recipes  # noqa: F401, I001 - in the order in which they run
from db.migrations.registry import migrations

__all__ = ["migrations"]
