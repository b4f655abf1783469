"""Turn photos into what is trained on: read, cut, scaled, stored under their content's hash, and measured."""

import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from workbench.dataset.crop import fitted
from workbench.dataset.finder import FaceFinder, face_square
from workbench.dataset.photo_file import BrokenPhoto, read_photo
from workbench.dataset.photo_folder import Source
from workbench.dataset.sharpness import SIDE_PX, sharpness
from workbench.workspace import Workspace

Row = dict[str, Any]  # of table photos
OnProgress = Callable[[int, int, str], None]  # done, all, name of the photo at work

MEASURED = ("sharpness", "face_cut", "faces")  # columns that photos of the first release lack


def prepare_all(
    ws: Workspace,
    sources: Sequence[Source],
    finder: FaceFinder,
    size: int | None,
    names: Mapping[str, str],
    on_progress: OnProgress | None,
) -> tuple[list[Row], list[tuple[str, str]]]:
    """Rows of photos that are whole and new, and what was skipped; ``names``: known pictures by hash."""
    names, added, skipped = dict(names), [], []
    for number, (name, source, text) in enumerate(sources):
        if on_progress:
            on_progress(number, len(sources), name)
        try:
            row = prepare(ws, name, source, finder, size)
        except BrokenPhoto as error:
            skipped.append((name, error.why))
            continue
        if row["sha256"] in names:
            skipped.append((name, f"is the same picture as {names[row['sha256']]}."))
            continue
        names[row["sha256"]] = name
        added.append({**row, "caption": text})
    return added, skipped


def prepare(ws: Workspace, name: str, source: bytes | Path, finder: FaceFinder, size: int | None) -> Row:
    """Read, crop and scale one photo, write the square under its content's hash, and describe it as a row."""
    photo = read_photo(source, name)
    square = face_square(photo, finder)
    picture = fitted(square.picture, size)
    content = io.BytesIO()
    picture.save(content, format="PNG", compress_level=1)  # lossless either way, and several times as fast
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    file = ws.path(f"photos/{sha256[:24]}.png")  # one file for one content, whichever datasets show it
    write_once(file, content.getvalue())
    return {
        "name": name,
        "file": ws.relative(file),
        "sha256": sha256,
        "width": photo.width,
        "height": photo.height,
        "crop": square.how,
        "face_px": square.face_px * picture.width / square.picture.width if square.face_px else None,
        "face_cut": square.face_cut,
        "faces": square.faces,
        "sharpness": sharpness(square.picture),
    }


def write_once(file: Path, content: bytes) -> None:
    """Write a file beside its final name and rename it, unless it is there already."""
    if file.exists() and file.stat().st_size == len(content):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, file)


def measured(ws: Workspace, rows: Sequence[Row], finder: FaceFinder | None = None) -> list[Row]:
    """Rows with what photos of the first release lack, as far as the stored squares tell, and ``side_px`` of these.

    Sharpness is left open where the square was made small on purpose. Faces are counted only with a ``finder``.
    A row whose file is gone or can't be read gets nothing but ``unreadable``: the path of that file.
    """
    found = []
    for row in rows:
        try:
            found.append(_measured(ws, row, finder))
        except (OSError, SyntaxError, ValueError):  # Pillow raises these of broken pictures, too
            found.append({**row, "unreadable": str(ws.path(row["file"]))})
    return found


def _measured(ws: Workspace, row: Row, finder: FaceFinder | None) -> Row:
    with Image.open(ws.path(row["file"])) as picture:
        new: Row = {**row, "side_px": picture.width}
        shrunk = picture.width < min(SIDE_PX, row["width"], row["height"])
        if row["sharpness"] is None and not shrunk:
            new["sharpness"] = sharpness(picture)
        if row["faces"] is None and finder is not None:
            square = face_square(picture.convert("RGB"), finder)
            new |= {"faces": square.faces, "face_cut": square.face_cut}
    return new
