"""Bring photos into a project and change them: each time a new version of its dataset is stored."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from sqlite_utils import Database

from db import library
from workbench import bases
from workbench.dataset.captions import TEMPLATE, caption_for
from workbench.dataset.dataset_warnings import dataset_warnings
from workbench.dataset.duplicates import alike_groups, perceptual_hash
from workbench.dataset.finder import FaceFinder
from workbench.dataset.photo_file import PhotosError
from workbench.dataset.photo_folder import Source, photos_in
from workbench.dataset.prepare import MEASURED, OnProgress, measured, prepare_all
from workbench.dataset.split import REFERENCE, TRAIN, split
from workbench.dataset.traits import TraitsError, checked_traits
from workbench.judges import JudgeUnavailable, face_judge_info
from workbench.words import counted, few
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from workbench.judges.face import FaceJudge

Row = dict[str, Any]

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
    *MEASURED,
)


@dataclass(frozen=True)
class Import:
    """What came of an import."""

    dataset_id: int
    added: int
    skipped: list[tuple[str, str]] = field(default_factory=list)  # name and why
    warnings: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # those of the warnings that only the import itself can tell


def add_folder(ws: Workspace, project_id: int, folder: Path, *, captions: Path | None = None, **options: Any) -> Import:
    """Import a folder: its pictures with the captions beside them; options of :func:`add_photos`.

    If it has the sub-folders ``train`` and ``reference``, their pictures are taken too and keep that split.
    ``captions``: a file with captions (CSV with the columns file, caption) that go before those beside the photos.
    """
    found = photos_in(folder, captions)
    done = add_photos(ws, project_id, found.sources, **{"split": found.sides or "auto", **options})
    warnings, told = ([*found.warnings, *more] for more in (done.warnings, done.told))
    return Import(done.dataset_id, done.added, done.skipped, warnings, told)


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
    judge, told = projects_judge(project) if judge == "project" else (judge, [])
    names = {row["sha256"]: row["name"] for row in rows}
    added, skipped = prepare_all(ws, sources, FaceFinder(judge), size, names, on_progress)
    words = project["trigger_word"], project["class_noun"]
    for row in added:
        row["caption"] = caption_for(Path(row["name"]).name, row["caption"], template, *words)
    if not rows and not added:
        raise PhotosError("No photo could be used. " + " ".join(f"{name} {why}" for name, why in skipped))
    has_face = project["face_judge"] != "none"
    place(ws, rows, added, {} if split == "auto" else split, has_face)
    dataset_id = store(db, project, [*rows, *added], size, traits_of(version))
    found = dataset_warnings(library.photos(db, dataset_id), size or trained_at(db, project), faces=has_face)
    return Import(dataset_id, len(added), skipped, [*told, *found], told)


def trained_at(db: Database, project: Row) -> int | None:
    """The largest side, px, at which the project's patterns train (without any: its base's own); None = not known."""
    configs = [json.loads(row["config"]) for row in library.patterns(db, project["id"])]
    asked = [(config.get("base_model", "embedded"), config.get("resolution")) for config in configs]
    sides = [
        side or bases.describe(bases.place(db, base)).size_px for base, side in asked or [(project["base_model"], None)]
    ]
    return max((side for side in sides if side), default=None)


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


def place(ws: Workspace, rows: list[Row], added: list[Row], chosen: Mapping[str, str], has_face: bool) -> None:
    """Fill in sides and duplicate groups: photos that were there keep their side, alike ones share one.

    Raises :class:`PhotosError` where files of photos that were there are gone or can't be read.
    """
    everything = [*rows, *added]
    groups = alike_groups(hashes_of(ws, everything))
    fixed = {i: row["side"] for i, row in enumerate(rows)}
    fixed |= {i: chosen[row["name"]] for i, row in enumerate(added, start=len(rows)) if row["name"] in chosen}
    sides = split(len(everything), groups, usable=usable_as_reference(everything, has_face), fixed=fixed)
    for row, side in zip(everything, sides, strict=True):
        row["side"] = side
        row["duplicate_group"] = None
    for number, group in enumerate(groups, start=1):
        for i in group:
            everything[i]["duplicate_group"] = number


def hashes_of(ws: Workspace, rows: Sequence[Row]) -> list[int]:
    """The perceptual hash of each photo's file. Raises :class:`PhotosError` that names those without one."""
    hashes, lost = [], []
    for row in rows:
        try:
            with Image.open(ws.path(row["file"])) as picture:
                hashes.append(perceptual_hash(picture))
        except (OSError, SyntaxError, ValueError):  # Pillow raises these of broken pictures, too
            lost.append(row["name"])
    if lost:
        raise PhotosError(
            f"Nothing was added: of {counted(len(lost), 'photo')} of this project the file in {ws.path('photos')} is "
            f"gone or damaged: {few(lost)}. Add the same again from where you took it, together "
            "with what is new, and its file comes back; or bring it back from a backup; or remove it from this "
            "project's photos first."
        )
    return hashes


def usable_as_reference(rows: Sequence[Row], has_face: bool) -> list[bool] | None:
    """Which photos can be references: those with a face; None = any, where nobody looks for faces."""
    with_face = [row["face_px"] is not None for row in rows]
    return with_face if has_face and any(with_face) else None


def store(db: Database, project: Row, rows: Sequence[Row], size: int | None, traits: Sequence[str]) -> int:
    """Store photos as the project's current dataset version, return its id; equal content is one version."""
    words = {"trigger_word": project["trigger_word"], "class_noun": project["class_noun"]}
    photos = [{"position": n, **{name: row[name] for name in COLUMNS}} for n, row in enumerate(rows)]
    if not any(row["side"] == TRAIN for row in photos):
        raise PhotosError("No photo is left to train on. Keep at least one photo on the train side.")
    hash = content_hash(photos, words, traits)
    return library.add_dataset(db, project["id"], hash=hash, size_px=size, photos=photos, traits=list(traits), **words)


def content_hash(photos: Sequence[Row], words: Mapping[str, str], traits: Sequence[str] = ()) -> str:
    """sha256 over what makes a version: pixels, captions, sides, trigger word, class noun, traits; in any order."""
    content = sorted([row["sha256"], row["caption"], row["side"]] for row in photos)
    everything: list[Any] = [words, content]
    if traits:  # without, as versions were hashed before there were traits
        everything.append(sorted(traits))
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def traits_of(version: Row | None) -> list[str]:
    """The word list of a dataset version: phrases that captions = traits_left_out leaves out."""
    return list(json.loads(version["traits"])) if version else []


def edit_caption(ws: Workspace, photo_id: int, text: str) -> int:
    """Change one caption; returns the new dataset version. An empty caption is refused."""
    return change_photos(ws, captions={photo_id: text})


def set_split(ws: Workspace, sides: Mapping[int, str]) -> int:
    """Put photos (by id) on a side, ``train`` or ``reference``; returns the new dataset version."""
    return change_photos(ws, sides=sides)


def set_traits(ws: Workspace, project_id: int, traits: Sequence[str]) -> int:
    """Set the word list that captions = traits_left_out leaves out; returns the new dataset version.

    Raises PhotosError for a project without photos, and for phrases that name the subject.
    """
    db = ws.open()
    project, version = current(db, project_id)
    try:
        checked = checked_traits(traits, project["trigger_word"], project["class_noun"])
    except TraitsError as error:
        raise PhotosError(str(error)) from error
    return store(db, project, library.photos(db, version["id"]), version["size_px"], checked)


def split_again(ws: Workspace, project_id: int, seed: int) -> int:
    """Divide all photos anew, at random by ``seed``, near-duplicates together; returns the new dataset version."""
    db = ws.open()
    project, version = current(db, project_id)
    rows = library.photos(db, version["id"])
    groups: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        if row["duplicate_group"] is not None:
            groups.setdefault(row["duplicate_group"], []).append(i)
    usable = usable_as_reference(rows, project["face_judge"] != "none")
    sides = split(len(rows), list(groups.values()), seed=seed, usable=usable)
    rows = [{**row, "side": side} for row, side in zip(rows, sides, strict=True)]
    return store(db, project, rows, version["size_px"], traits_of(version))


def measure_again(ws: Workspace, project_id: int) -> int:
    """Measure what photos of earlier releases lack: sharpness, faces, cut faces. Returns how many were measured.

    The figures are written to the rows that are there: they say something about the photos and change none.
    """
    db = ws.open()
    project, version = current(db, project_id)
    judge, _ = projects_judge(project)
    rows = [row for row in library.photos(db, version["id"]) if row["faces"] is None]
    there = [row for row in measured(ws, rows, FaceFinder(judge)) if "unreadable" not in row]
    for row in there:
        db.table("photos").update(row["id"], {name: row[name] for name in MEASURED})
    return len(there)


def current(db: Database, project_id: int) -> tuple[Row, Row]:
    """A project and its current dataset version."""
    project = project_row(db, project_id)
    version = library.dataset(db, project["dataset_id"]) if project["dataset_id"] else None
    if version is None:
        raise PhotosError(f"The project '{project['name']}' has no photos yet. Import some first.")
    return project, version


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
    project, version = current(db, project_ids.pop())
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
    return store(db, project, rows, version["size_px"], traits_of(version))


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
