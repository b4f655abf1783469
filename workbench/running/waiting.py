"""Why nothing of a project trains now, in a sentence: for the Queue and Home pages and the command line."""

from sqlite_utils import Database

from db import runs
from workbench.running import hours, queue
from workbench.words import counted

NO_WORKER = "no_worker"  # the page has its own words for that: they depend on how it was started


def why_waiting(db: Database, project_id: int) -> str:
    """The reason why this project's work does not go on now, or empty. Without a worker: NO_WORKER.

    A halt comes before everything: without it a missing worker would be the next thing to hear of.
    """
    halt = hours.halt(db)
    worker = runs.live_workers(db, runs.MISSING_S)
    if halt and (halt.code != "low_disk" or worker):  # what a dead worker noted of the disk is old
        return halt.sentence
    if not worker:
        return NO_WORKER
    return behind(db, project_id)


def behind(db: Database, project_id: int) -> str:
    """That other projects come first, and how many of their runs; empty where this one's turn is now."""
    first = queue.ahead(db, project_id)
    if not first or any(run["project_id"] == project_id for run in runs.with_status(db, "running")):
        return ""
    named = " and ".join(f"{counted(count, 'run')} of '{name}'" for name, count in first.items())
    return f"Waits behind {named}. Move a run up on the Queue page to change the order."
