"""One of a project's files as bytes, made from the workspace as it is at that moment."""

from pathlib import Path

from workbench import views
from workbench.findings.analysis import tables
from workbench.pictures.contact_sheet import png
from workbench.rating import pool, revealing
from workbench.report import html, share
from workbench.report.contents import Contents, ReportError, contents
from workbench.report.export import export
from workbench.workspace import Workspace


def made(home: Path, project_id: int, kind: str, rater: str, photos: bool = False) -> bytes:
    """``kind``: html, zip or png. What waits to be rated by ``rater`` is blank; what they see by name is kept."""
    ws = Workspace(home)
    db = ws.open()
    project = views.project(db, project_id)
    if project is None:
        raise ReportError("This project is in the bin. Restore it first.")
    every = tables(db, project_id)
    if kind == "zip":
        return export(ws, db, project, every, rater)
    found = contents(ws, db, project, every, pool.held_back_tokens(db, project, rater), rater)
    revealing.note(db, project, rater, tokens(found, kind) - found.held)
    return drawn(found, kind, photos)


def tokens(found: Contents, kind: str) -> set[str]:
    """Of the pictures that a file shows by name, if they don't wait."""
    return share.tokens(found) if kind == "png" else found.tokens


def drawn(found: Contents, kind: str, photos: bool = False) -> bytes:
    """The report or the picture to share."""
    return png(share.share(found)) if kind == "png" else html.report(found, photos).encode("utf-8")


def write(file: Path, content: bytes) -> None:
    """Write beside the final name, then rename: a crash leaves no half file."""
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    part.replace(file)
