"""Files that were uploaded in the browser, kept for as long as their import takes."""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from workbench.workspace import Workspace

FOLDER = "uploads"
KEPT_S = 24 * 3600.0  # what was uploaded and never imported is removed after that
ARCHIVE = ".zip"


class UploadError(ValueError):
    """An upload that can't be read as one source."""


@dataclass(frozen=True)
class Upload:
    """One uploaded file. ``id`` names this upload; ``content`` reads it."""

    id: str
    name: str
    content: Callable[[], bytes]


def keep(ws: Workspace, files: Sequence[Upload]) -> Path:
    """Write uploads to the workspace's cache, once; returns the archive where it is one, else their folder.

    Raises UploadError for an archive among other files.
    """
    archives = [file for file in files if file.name.lower().endswith(ARCHIVE)]
    if archives and len(files) > 1:
        raise UploadError(f"{archives[0].name} is an archive: upload it alone, or the pictures without it.")
    key = hashlib.sha256("\n".join(sorted(file.id for file in files)).encode()).hexdigest()[:16]
    folder = ws.cache / FOLDER / key
    forget_old(ws)
    if not folder.is_dir():
        half = folder.with_name(f"{key}.half")
        half.mkdir(parents=True, exist_ok=True)
        for file in files:
            (half / base_name(file.name)).write_bytes(file.content())
        half.replace(folder)
    return folder / base_name(archives[0].name) if archives else folder


def base_name(name: str) -> str:
    """The last part of a file's name, whatever system it was uploaded from."""
    return PureWindowsPath(name).name or "x"


def forget(ws: Workspace, source: Path) -> None:
    """Remove an upload after its import; other sources are somebody's own files and stay."""
    inside = ws.cache / FOLDER
    folder = source if source.parent == inside else source.parent
    if folder.parent == inside:
        shutil.rmtree(folder, ignore_errors=True)


def forget_old(ws: Workspace) -> None:
    """Remove uploads that nobody imported."""
    folder = ws.cache / FOLDER
    for each in folder.iterdir() if folder.is_dir() else ():
        if time.time() - each.stat().st_mtime > KEPT_S:
            shutil.rmtree(each, ignore_errors=True)
