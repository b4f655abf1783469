"""Bring photos into a project: read, crop, caption, split, and store them as a new version of its dataset."""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from sqlite_utils import Database

from db import library
from workbench.captions import TEMPLATE, caption_for, read_text
from workbench.crop import fitted
from workbench.dataset_warnings import dataset_warnings
from workbench.duplicates import alike_groups, perceptual_hash
from workbench.finder import FaceFinder, face_square
from workbench.judges import JudgeUnavailable, face_judge_info
from workbench.photo_file import SUFFIXES, BrokenPhoto, read_photo
from workbench.split import REFERENCE, TRAIN, split
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from workbench.judges.face import FaceJudge

Row = dict[str, Any]
Source = tuple[str, bytes | Path, str | None]  # name, the file or its content, caption if there is one
OnProgress = Callable[[int, int, str], None]  # done, all, name of the photo at work

COLUMNS = (
    "name",
    "file",
    "sha256",
    "caption",
    "side",
    "width",
    "height",
    "crop",
    "face_px",
    "duplicate_group",
)
TOLD_APART = (".heic", ".heif", ".avif", ".gif")  # not readable, but a person should hear why


class PhotosError(ValueError):
    """Photos that give no dataset. The text says why and what to do."""


@dataclass(frozen=True)
class Import:
    """What came of an import."""

    dataset_id: int
    added: int
    skipped: list[tuple[str, str]] = field(default_factory=list)  # name and why
    warnings: list[str] = field(default_factory=list)


def add_folder(ws: Workspace, project_id: int, folder: Path, **options: Any) -> Import:
    """Import a folder: its pictures with the ``.txt`` captions beside them; options of :func:`add_photos`.

    If it has the sub-folders ``train`` and ``reference``, their pictures are taken too and keep that split.
    """
    sources, sides = folder_sources(folder)
    return add_photos(ws, project_id, sources, **{"split": sides or "auto", **options})


def folder_sources(folder: Path) -> tuple[list[Source], dict[str, str]]:
    """Pictures of a folder with their captions, and the split that its sub-folders make (empty: none)."""
    if not folder.is_dir():
        raise PhotosError(f"There is no folder {folder}. Give the folder that holds the photos.")
    inner = {name: folder / name for name in (TRAIN, REFERENCE) if (folder / name).is_dir()}
    sources: list[Source] = []
    sides: dict[str, str] = {}
    for side, place in {"": folder, **inner}.items():
        for path in pictures_in(place):
            name = f"{side}/{path.name}" if side else path.name
            sources.append((name, path, read_text(path)))
            if side and len(inner) == 2:
                sides[name] = side
    if not sources:
        raise PhotosError(f"There are no pictures in {folder}. JPEG, PNG, WebP, BMP and TIFF files are read.")
    return sources, sides


def pictures_in(folder: Path) -> list[Path]:
    """Picture files of a folder, numbers in names in counting order; hidden files are no photos."""
    suffixes = (*SUFFIXES, *TOLD_APART)
    seen = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    found = [path for path in seen if path.suffix.lower() in suffixes]
    return sorted(found, key=lambda path: counting_order(path.name))


def counting_order(name: str) -> list[tuple[int, str]]:
    """Sort key that puts 2.jpg before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (0, part.lower()) for part in re.split(r"([0-9]+)", name)]


def add_photos(
    ws: Workspace,
    project_id: int,
    sources: Sequence[Source],
    *,
    split: Literal["auto"] | Mapping[str, str] = "auto",
    size: int | None = None,
    judge: "FaceJudge | Literal['project'] | None" = "project",
    template: str = TEMPLATE,
    on_progress: OnProgress | None = None,
) -> Import:
    """Add photos to a project as a new version of its dataset, and make that the current one.

    Photos of the current version stay in it, on their sides. ``split`` gives sides by name; those it doesn't
    name are placed automatically. ``size``: px, side of the prepared squares; None = the current version's,
    or as large as each photo allows. ``judge`` finds the faces: the project's own unless another, or None, is
    given. Broken and repeated photos are skipped by name. The same content again is the same version.
    Raises :class:`PhotosError` when there is nothing to store.
    """
    db = ws.open()
    project = project_row(db, project_id)
    version = library.dataset(db, project["dataset_id"]) if project["dataset_id"] else None
    rows = library.photos(db, version["id"]) if version else []
    size = size or (version["size_px"] if version else None)
    judge, warnings = projects_judge(project) if judge == "project" else (judge, [])
    names = {row["sha256"]: row["name"] for row in rows}
    added, skipped = prepare_all(ws, sources, FaceFinder(judge), size, names, on_progress)
    words = project["trigger_word"], project["class_noun"]
    for row in added:
        row["caption"] = caption_for(Path(row["name"]).name, row["caption"], template, *words)
    if not rows and not added:
        raise PhotosError("No photo could be used. " + " ".join(f"{name} {why}" for name, why in skipped))
    has_face = project["face_judge"] != "none"
    place(ws, rows, added, {} if split == "auto" else split, has_face)
    dataset_id = store(db, project, [*rows, *added], size)
    warnings += dataset_warnings(library.photos(db, dataset_id), size, faces=has_face)
    return Import(dataset_id, len(added), skipped, warnings)


def projects_judge(project: Row) -> tuple["FaceJudge | None", list[str]]:
    """A project's face judge, loaded; None if it wants none, and None with the reason if it isn't there."""
    try:
        info = face_judge_info(project["face_judge"])
        if info is None:
            return None, []
        from workbench.judges.face import FaceJudge

        return FaceJudge(info, "cpu"), []
    except JudgeUnavailable as error:
        return None, [str(error)]


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
    square, how, face_px = face_square(photo, finder)
    picture = fitted(square, size)
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
        "crop": how,
        "face_px": face_px * picture.width / square.width if face_px else None,
    }


def write_once(file: Path, content: bytes) -> None:
    """Write a file beside its final name and rename it, unless it is there already."""
    if file.exists() and file.stat().st_size == len(content):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, file)


def place(ws: Workspace, rows: list[Row], added: list[Row], chosen: Mapping[str, str], has_face: bool) -> None:
    """Fill in sides and duplicate groups: photos that were there keep their side, alike ones share one."""
    everything = [*rows, *added]
    hashes = []
    for row in everything:
        with Image.open(ws.path(row["file"])) as picture:
            hashes.append(perceptual_hash(picture))
    groups = alike_groups(hashes)
    fixed = {i: row["side"] for i, row in enumerate(rows)}
    fixed |= {i: chosen[row["name"]] for i, row in enumerate(added, start=len(rows)) if row["name"] in chosen}
    with_face = [row["face_px"] is not None for row in everything]
    usable = with_face if has_face and any(with_face) else None  # else any photo can be a reference
    for row, side in zip(everything, split(len(everything), groups, usable=usable, fixed=fixed), strict=True):
        row["side"] = side
        row["duplicate_group"] = None
    for number, group in enumerate(groups, start=1):
        for i in group:
            everything[i]["duplicate_group"] = number


def store(db: Database, project: Row, rows: Sequence[Row], size: int | None) -> int:
    """Store photos as the project's current dataset version, return its id; equal content is one version."""
    words = {"trigger_word": project["trigger_word"], "class_noun": project["class_noun"]}
    photos = [{"position": n, **{name: row[name] for name in COLUMNS}} for n, row in enumerate(rows)]
    if not any(row["side"] == TRAIN for row in photos):
        raise PhotosError("No photo is left to train on. Keep at least one photo on the train side.")
    return library.add_dataset(
        db, project["id"], hash=content_hash(photos, words), size_px=size, photos=photos, **words
    )


def content_hash(photos: Sequence[Row], words: Mapping[str, str]) -> str:
    """sha256 over what makes a version: pixels, captions, sides, trigger word, class noun; in any order."""
    content = sorted([row["sha256"], row["caption"], row["side"]] for row in photos)
    return hashlib.sha256(json.dumps([words, content], sort_keys=True).encode()).hexdigest()


def edit_caption(ws: Workspace, photo_id: int, text: str) -> int:
    """Change one caption; returns the new dataset version. An empty caption is refused."""
    return change_photos(ws, captions={photo_id: text})


def set_split(ws: Workspace, sides: Mapping[int, str]) -> int:
    """Put photos (by id) on a side, ``train`` or ``reference``; returns the new dataset version."""
    return change_photos(ws, sides=sides)


def change_photos(
    ws: Workspace,
    *,
    captions: Mapping[int, str] | None = None,
    sides: Mapping[int, str] | None = None,
    remove: Sequence[int] = (),
) -> int:
    """Change captions and sides of photos or leave some out, all by id; returns the new dataset version.

    The ids may be those of an earlier version (a page that was open meanwhile): the same pictures of the
    project's current version are changed. Raises :class:`PhotosError` for unknown ids, empty captions and
    unknown sides.
    """
    captions, sides = dict(captions or {}), dict(sides or {})
    db = ws.open()
    wanted = {photo_id: photo_row(db, photo_id) for photo_id in [*captions, *sides, *remove]}
    datasets = [library.dataset(db, row["dataset_id"]) for row in wanted.values()]
    project_ids = {dataset["project_id"] for dataset in datasets if dataset}
    if len(project_ids) != 1:
        raise PhotosError("Change the photos of one project at a time.")
    project = project_row(db, project_ids.pop())
    version = library.dataset(db, project["dataset_id"])
    assert version is not None  # photos are in a dataset, and a project with datasets has a current one
    new_text = {wanted[photo_id]["sha256"]: " ".join(text.split()) for photo_id, text in captions.items()}
    new_side = {wanted[photo_id]["sha256"]: side for photo_id, side in sides.items()}
    if "" in new_text.values():
        raise PhotosError("A caption can't be empty: the trigger word at least has to stand there.")
    if not set(new_side.values()) <= {TRAIN, REFERENCE}:
        raise PhotosError(f"A photo is on the side '{TRAIN}' or '{REFERENCE}'.")
    gone = {wanted[photo_id]["sha256"] for photo_id in remove}
    rows = [
        {
            **row,
            "caption": new_text.get(row["sha256"], row["caption"]),
            "side": new_side.get(row["sha256"], row["side"]),
        }
        for row in library.photos(db, version["id"])
        if row["sha256"] not in gone
    ]
    return store(db, project, rows, version["size_px"])


def project_row(db: Database, project_id: int) -> Row:
    """A project by id."""
    row = library.project(db, project_id)
    if row is None:
        raise PhotosError(f"There is no project {project_id}.")
    return row


def photo_row(db: Database, photo_id: int) -> Row:
    """A photo by id."""
    row = library.one(db, "select * from photos where id = :id", {"id": photo_id})
    if row is None:
        raise PhotosError(f"There is no photo {photo_id} any more. Reload the page.")
    return row
