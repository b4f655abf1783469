"""Is there room for the next files? The queue stops with a sentence before a save would fail."""

import json
import os
import shutil
from pathlib import Path

from sqlite_utils import Database

from db import meta, runs
from workbench.running.hours import LOW_DISK
from workbench.workspace import Workspace

MARGIN_GB = 1.0  # kept free besides: previews, the database, other programs
VARIABLE, SETTING = "WORKBENCH_MIN_FREE_GB", "min_free_gb"  # in the environment, or in table meta
ENOUGH = 1.05  # what is missing must be there again, and a little more: no stop and go around the limit


def margin(db: Database) -> int:
    """Bytes that are kept free besides the next files; a setting that is no number counts as none."""
    stored = os.environ.get(VARIABLE) or meta.value(db, SETTING)
    try:
        wanted = float(stored) if stored is not None else MARGIN_GB
    except ValueError:
        wanted = MARGIN_GB
    return int(max(0.0, wanted) * 1e9)


def needed(ws: Workspace, db: Database, run_id: int | None = None) -> int:
    """Bytes that must be free to go on: one state and one LoRA file as large as the largest so far, and the margin.

    A new file is written beside the one that it replaces. ``run_id``: only the state of this run is looked at,
    which is quick; else those of all runs.
    """
    folders = [ws.run_folder(run_id)] if run_id is not None else [ws.home / "runs" / name for name in _runs(ws)]
    states = [size(folder / "state" / "state.safetensors") for folder in folders]
    return max(states, default=0) + runs.largest_checkpoint(db) + margin(db)


def _runs(ws: Workspace) -> list[str]:
    folder = ws.home / "runs"
    return os.listdir(folder) if folder.is_dir() else []


def size(file: Path) -> int:
    """Bytes of a file, 0 where it isn't there."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def free(ws: Workspace) -> int:
    """Bytes that are free where the workspace lies."""
    return shutil.disk_usage(ws.home).free


def look(ws: Workspace, db: Database, run_id: int | None = None) -> bool:
    """Whether there is room for the next files; writes down what is missing, and takes it back when there is."""
    there, wanted = free(ws), needed(ws, db, run_id)
    was_low = meta.value(db, LOW_DISK) is not None
    low = there < wanted * (ENOUGH if was_low else 1)
    if low:
        found = json.dumps({"free_gb": round(there / 1e9, 2), "needed_gb": round(wanted / 1e9, 2)})
        if meta.value(db, LOW_DISK) != found:  # a write needs room too
            meta.put(db, LOW_DISK, found)
    elif was_low:
        meta.put(db, LOW_DISK, None)
    return not low
