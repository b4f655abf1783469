"""A whole workspace in one file, and a workspace out of such a file: checked on the way in and on the way out.

The file is a plain ZIP (stored, ZIP64): the database as it was at one moment, every file that its rows name, each
run's folder and the bin; and last ``manifest.json`` with the size and sha256 of each. Cache and logs stay out: they
come back by themselves.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from db import DatabaseTooNew, copy
from workbench.words import megabytes
from workbench.workspace import DATABASE, Workspace

FORMAT = 1
MANIFEST = "manifest.json"
ROOMS = ("photos", "runs", "previews", "bin")  # folders of a workspace that a backup holds
LEFT_OUT = (".part", ".new")  # files that are being written
CHUNK = 1 << 20  # bytes
MARK = "restoring.txt"  # in a folder that a restore has not finished: it may be removed

OnProgress = Callable[[int, int, str], None]  # bytes done, bytes in all, file at work


class BackupError(ValueError):
    """A backup that can't be made or restored. The text says why and what to do."""


@dataclass(frozen=True)
class Backup:
    """What a backup holds."""

    file: Path
    files: int
    bytes: int
    missing: tuple[str, ...]  # named by the database but not there


def quiet(done: int, total: int, name: str) -> None:
    """Say nothing."""


def suggested_name(ws: Workspace) -> str:
    """A file name with the date and time: workspace-2026-05-01-1830.zip."""
    return f"{ws.home.name or 'workspace'}-{time.strftime('%Y-%m-%d-%H%M')}.zip"


def backup(ws: Workspace, target: Path, on_progress: OnProgress = quiet) -> Backup:
    """Write the workspace to a new file, also while a worker and people go on working in it.

    It is written as TARGET.part and renamed when it is whole. Raises BackupError.
    """
    target = target.expanduser().resolve()
    if not (ws.home / DATABASE).is_file():
        raise BackupError(f"There is no workspace in {ws.home}: it has no {DATABASE}.")
    if target.is_dir() or target.exists():
        raise BackupError(f"{target} is there already. Choose another name; a backup never replaces anything.")
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent}. Make it, or choose another.")
    part = target.with_name(f"{target.name}.part")
    with tempfile.TemporaryDirectory(prefix="workbench-backup-", ignore_cleanup_errors=True) as scratch:
        database = Path(scratch) / DATABASE
        copy.snapshot(ws.open(), database)
        try:
            made = _write(ws, database, part, on_progress)
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return Backup(target, made.files, made.bytes, made.missing)


def _write(ws: Workspace, database: Path, part: Path, on_progress: OnProgress) -> Backup:
    """Fill the .part file: database, files, manifest."""
    named, missing = set(copy.referred_files(database)), []
    names = sorted(named | set(_run_files(ws, copy.kept_runs(database))))
    total = database.stat().st_size + sum(_size(ws.path(name)) for name in names)
    room = shutil.disk_usage(part.parent).free
    if room < total * 1.01:
        raise BackupError(
            f"The backup needs {megabytes(total)}, but only {megabytes(room)} are free in {part.parent}. Choose "
            "another disk."
        )
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "schema": copy.schema(database),
        "files": {},
    }
    done = 0
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, path in [(DATABASE, database), *((name, ws.path(name)) for name in names)]:
            on_progress(done, total, name)
            try:
                about = _add(archive, name, path)
            except FileNotFoundError:  # lost before, or emptied from the bin while we were at work
                if name in named:
                    missing.append(name)
                continue
            manifest["files"][name] = about
            done += about["bytes"]
        manifest["missing"] = missing
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    on_progress(total, total, "")
    return Backup(part, len(manifest["files"]), done, tuple(missing))


def _run_files(ws: Workspace, run_ids: list[int]) -> Iterator[str]:
    """What lies in the folders of runs and in the bin, relative to the workspace: states, losses, logs."""
    for folder in [*(ws.run_folder(run_id) for run_id in run_ids), ws.bin]:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if path.is_file() and path.suffix not in LEFT_OUT and not path.is_symlink():
                yield path.relative_to(ws.home).as_posix()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    """Add a file as it is at the moment when it is opened; its size and hash."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source:
        stat = os.fstat(source.fileno())
        entry = zipfile.ZipInfo(name, max(time.localtime(stat.st_mtime)[:6], (1980, 1, 1, 0, 0, 0)))
        entry.file_size = stat.st_size
        with archive.open(entry, "w", force_zip64=stat.st_size > 1 << 30) as target:
            for chunk in _chunks(source, stat.st_size):  # a log that grows meanwhile ends where it ended
                digest.update(chunk)
                size += target.write(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _chunks(source: BinaryIO, most: int) -> Iterator[bytes]:
    while most > 0 and (chunk := source.read(min(CHUNK, most))):
        most -= len(chunk)
        yield chunk


# back again


def restore(file: Path, folder: Path, on_progress: OnProgress = quiet) -> int:
    """Make a workspace out of a backup, in a folder that is empty or not there; returns how many files it has.

    Everything is checked before the folder gets its name: every file against its CRC, size and sha256, the database
    by SQLite itself. Raises BackupError or DatabaseTooNew; then nothing is left behind.
    """
    file, folder = file.expanduser().resolve(), folder.expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty. Choose a new folder; a restore never replaces anything.")
    part = folder.with_name(f"{folder.name}.part")
    if part.exists() and not (part / MARK).is_file():
        raise BackupError(f"{part} is in the way. Rename it, or choose another folder.")
    shutil.rmtree(part, ignore_errors=True)  # of a restore that was killed
    try:
        with zipfile.ZipFile(file) as archive:
            files = _contents(file, archive)
            part.mkdir(parents=True)
            (part / MARK).write_text("A backup is being restored here.\n", encoding="utf-8")
            _unpack(archive, files, part, on_progress)
        trouble = copy.problem(part / DATABASE)
        if trouble:
            raise BackupError(f"The database in {file.name} is broken: {trouble}. Take another backup.")
        (part / MARK).unlink()
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BackupError(f"{file.name} is no whole backup: {error}. Take another one.") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return len(files)


def _contents(file: Path, archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """The files that the manifest lists, which must be exactly those of the archive, all inside a workspace."""
    try:
        manifest = json.loads(archive.read(MANIFEST))
        number, files = manifest["format"], dict(manifest["files"])
        sizes = {name: (int(about["bytes"]), str(about["sha256"])) for name, about in files.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BackupError(f"{file.name} is no backup of a workspace: it has no readable {MANIFEST}.") from error
    if number > FORMAT:
        raise BackupError(f"{file.name} was made by a newer workbench. Update the workbench, then restore it.")
    entries = [entry for entry in archive.infolist() if entry.filename != MANIFEST]
    if len(entries) != len(files) or {entry.filename for entry in entries} != set(files) or DATABASE not in files:
        raise BackupError(f"{file.name} does not hold the files that its manifest lists. Take another backup.")
    for entry in entries:
        if not is_safe(entry.filename):
            raise BackupError(
                f"{file.name} holds '{entry.filename}', which is no place in a workspace. Don't trust it."
            )
        if entry.file_size != sizes[entry.filename][0] or entry.compress_type != zipfile.ZIP_STORED:
            raise BackupError(f"'{entry.filename}' in {file.name} is not as its manifest says. Take another backup.")
    return files


def is_safe(name: str) -> bool:
    """Whether a name of an archive is a file inside a workspace, on every system: no way up, no drive, no root."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and not part.endswith((" ", ".")) for part in parts)
    letters = not any(char in name for char in '\\:*?"<>|') and min(map(ord, name), default=0) >= 32
    place = name == DATABASE or (len(parts) > 1 and parts[0] in ROOMS)
    return plain and letters and place and not PurePosixPath(name).is_absolute()


def _unpack(archive: zipfile.ZipFile, files: dict[str, dict[str, Any]], part: Path, on_progress: OnProgress) -> None:
    """Write every file and compare it with the manifest; zipfile compares the CRC as it reads."""
    total, done = sum(about["bytes"] for about in files.values()), 0
    room = shutil.disk_usage(part).free
    if room < total * 1.01:
        raise BackupError(
            f"The workspace needs {megabytes(total)}, but only {megabytes(room)} are free in {part.parent}."
        )
    for name, about in files.items():
        on_progress(done, total, name)
        path, digest = part / name, hashlib.sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as source, path.open("xb") as target:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                done += target.write(chunk)
        if digest.hexdigest() != about["sha256"]:
            raise BackupError(f"'{name}' is damaged in the backup. Take another one.")
    on_progress(total, total, "")


__all__ = ["Backup", "BackupError", "DatabaseTooNew", "backup", "is_safe", "restore", "suggested_name"]
