"""Delete with undo: what is deleted is out of sight at once, and its files stay until the bin is emptied."""

import os
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from db import bin as rows
from db import library, runs
from workbench.running.disk import size
from workbench.words import counted, megabytes
from workbench.workspace import Workspace

Kind = Literal["project", "pattern", "run", "files"]


class BinError(ValueError):
    """Something that can't be deleted, restored or emptied as asked."""


@dataclass(frozen=True)
class Item:
    """One thing in the bin. ``key`` names it for :func:`restore`."""

    kind: Kind
    key: str
    title: str
    deleted_at: float
    bytes: int


# into the bin


def delete_project(db: Database, project_id: int) -> None:
    """Put a project with all that belongs to it into the bin. BinError while one of its runs trains."""
    _refuse_running(rows.running(db, project_id=project_id))
    rows.delete_project(db, project_id)


def delete_pattern(db: Database, project_id: int, pattern_id: int) -> None:
    """Put a pattern's labels and its runs in this project into the bin. BinError while one of them trains."""
    _refuse_running(rows.running(db, project_id=project_id, pattern_id=pattern_id))
    rows.delete_pattern(db, project_id, pattern_id)


def delete_run(db: Database, run_id: int) -> None:
    """Put a run with its LoRA files and pictures into the bin. BinError while it trains."""
    run = runs.get(db, run_id)
    if run is None:
        raise BinError(f"There is no run {run_id}, or it is in the bin already.")
    heirs = [other["id"] for other in runs.with_status(db, "queued") if other["continues"] == run_id]
    heirs += [other["id"] for other in runs.with_status(db, "running") if other["continues"] == run_id]
    if heirs:
        raise BinError(f"Run {heirs[0]} goes on from run {run_id}. Cancel it first, or wait for its end.")
    if not rows.delete_run(db, run_id):
        _refuse_running([run])


def _refuse_running(found: list[library.Row]) -> None:
    if found:
        raise BinError(f"Run {found[0]['id']} trains now. Cancel it first, then delete.")


# what is in it


def contents(ws: Workspace, db: Database) -> list[Item]:
    """All that can be restored, the last deleted first, each with the room that its files take."""
    items = [
        Item(
            "project",
            f"project {row['id']}",
            f"project '{row['name']}'",
            row["deleted_at"],
            sum(_run_bytes(ws, run_id) for run_id in rows.run_ids(db, row["id"]))
            + _bytes(ws, rows.preview_files(db, row["id"])),
        )
        for row in rows.deleted_projects(db)
    ]
    patterns: dict[tuple[int, int], list[library.Row]] = defaultdict(list)
    for label in rows.deleted_labels(db):
        patterns[label["project_id"], label["pattern_id"]].append(label)
    deleted = rows.deleted_runs(db)
    for (project_id, pattern_id), labels in patterns.items():
        own = [
            r for r in deleted if r["with_pattern"] and (r["project_id"], r["pattern_id"]) == (project_id, pattern_id)
        ]
        names = " = ".join(f"'{label['label']}'" for label in labels)
        more = f" with {counted(len(own), 'run')}" if own else ""
        items.append(
            Item(
                "pattern",
                f"pattern {project_id} {pattern_id}",
                f"pattern {names}{more} of '{labels[0]['project']}'",
                labels[0]["deleted_at"],
                sum(_run_bytes(ws, r["id"]) + _bytes(ws, rows.preview_files(db, run_id=r["id"])) for r in own),
            )
        )
    items += [
        Item(
            "run",
            f"run {row['id']}",
            f"run {row['id']} ({row['label']}, seed {row['seed']}) of '{row['project']}'",
            row["deleted_at"],
            _run_bytes(ws, row["id"]) + _bytes(ws, rows.preview_files(db, run_id=row["id"])),
        )
        for row in deleted
        if not row["with_pattern"]
    ]
    items += _tidied(ws, db)
    return sorted(items, key=lambda item: -item.deleted_at)


def _tidied(ws: Workspace, db: Database) -> list[Item]:
    """Files that a rule took away, by run."""
    moved: dict[int, list[Path]] = defaultdict(list)
    for file in files_in(ws.bin):
        parts = file.relative_to(ws.bin).parts
        if parts[0] == "runs" and len(parts) > 2:
            moved[int(parts[1])].append(file)
    items = []
    for run_id, files in moved.items():
        run = runs.get(db, run_id)
        if run is not None:  # else it goes and comes with its run
            title = f"{counted(len(files), 'file')} of run {run_id} ({run['label']}, seed {run['seed']})"
            about = f"{title} of '{run['project']}', tidied away"
            newest = max(file.stat().st_ctime for file in files)
            items.append(Item("files", f"files {run_id}", about, newest, sum(map(size, files))))
    return items


def room(items: list[Item]) -> str:
    """How much room the bin takes, in words."""
    return megabytes(sum(item.bytes for item in items))


def files_in(folder: Path) -> list[Path]:
    """Every file under a folder; none where there is no such folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _run_bytes(ws: Workspace, run_id: int) -> int:
    folders = ws.run_folder(run_id), ws.bin / "runs" / str(run_id)
    return sum(size(file) for folder in folders for file in files_in(folder))


def _bytes(ws: Workspace, files: set[str]) -> int:
    return sum(size(ws.path(file)) for file in files)


# out of it


def restore(ws: Workspace, db: Database, key: str) -> None:
    """Take one thing out of the bin, by the key of its item: all is as it was."""
    kind, *numbers = key.split()
    if key not in {item.key for item in contents(ws, db)}:
        raise BinError(f"There is no '{key}' in the bin. `python -m workbench bin` lists what is.")
    ids = [int(number) for number in numbers]
    if kind == "project":
        rows.restore_project(db, ids[0])
    elif kind == "pattern":
        rows.restore_pattern(db, ids[0], ids[1])
    elif kind == "run":
        rows.restore_run(db, ids[0])
    else:
        _restore_files(ws, db, ids[0])


def _restore_files(ws: Workspace, db: Database, run_id: int) -> None:
    """Move a run's files back to where they were; a newer file there stays."""
    for file in files_in(ws.bin / "runs" / str(run_id)):
        target = ws.home / file.relative_to(ws.bin)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            file.unlink()
        else:
            os.replace(file, target)
    for row in runs.checkpoints(db, run_id):
        if row["removed_at"] is not None and ws.path(row["file"]).is_file():
            rows.checkpoint_removed(db, row["id"], False)


def empty(ws: Workspace, db: Database) -> int:
    """Remove the files of all that is in the bin for good; returns the bytes that became free.

    Rows, scores and ratings stay. What can't be removed now (Windows keeps open files) goes the next time.
    """
    freed = sum(item.bytes for item in contents(ws, db))
    rows.empty(db)  # first: nothing may point at files that are half gone
    for file in rows.orphaned_files(db):
        _unlink(ws.path(file))
    for run_id in rows.emptied_runs(db):
        shutil.rmtree(ws.run_folder(run_id), ignore_errors=True)
    shutil.rmtree(ws.bin, ignore_errors=True)
    return freed


def _unlink(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        pass
