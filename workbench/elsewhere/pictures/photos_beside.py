"""The photos that belong to pictures made elsewhere: those that the LoRAs were trained on, and unseen ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from db import library
from workbench.dataset.captions import TEMPLATE, caption_for
from workbench.dataset.dataset_warnings import group_warnings
from workbench.dataset.finder import FaceFinder
from workbench.dataset.photo_file import PhotosError
from workbench.dataset.photo_folder import Source, photos_in
from workbench.dataset.photos import place, projects_judge, store, traits_of
from workbench.dataset.prepare import prepare_all
from workbench.dataset.split import REFERENCE, TRAIN
from workbench.workspace import Workspace

Row = dict[str, Any]
SIDE_PX = 1024  # of the stored squares; faces are compared at the size of the pictures, which is hardly ever more


@dataclass(frozen=True)
class Photos:
    """Photos ready to be stored: all of the new version, empty where nothing changes; and what to know of them.

    ``saw_references``: 'no' where unseen photos were given, else 'unknown'.
    """

    rows: list[Row] = field(default_factory=list)
    saw_references: str = "unknown"
    size_px: int | None = SIDE_PX
    traits: Sequence[str] = ()
    told: tuple[str, ...] = ()


def gather(
    ws: Workspace, db: Database, project: Row, training: Path | None, unseen: Path | None, saw_references: str
) -> Photos:
    """Read the photos beside the pictures and find their faces; nothing is stored but their squares, by content.

    ``saw_references``: what is known of the project's earlier imports. Without training photos the unseen ones are
    divided. Raises PhotosError where a project would have no photos, or none of them can be used.
    """
    saw = "no" if unseen else saw_references
    if training is None and unseen is None:
        if project["dataset_id"] is None:
            raise PhotosError(
                "Likeness is measured against photos of the person. Give the training photos, and some unseen ones "
                "if you have any."
            )
        return Photos(saw_references=saw)
    version = library.dataset(db, project["dataset_id"]) if project["dataset_id"] else None
    rows = library.photos(db, version["id"]) if version else []
    sources = [*_sources(training, TRAIN), *_sources(unseen, REFERENCE)]
    size_px = version["size_px"] if version else SIDE_PX
    judge, told = projects_judge(project)
    added, skipped = prepare_all(
        ws, sources, FaceFinder(judge), size_px, {row["sha256"]: row["name"] for row in rows}, None
    )
    told += [f"Photo {name} was left out: it {why}" for name, why in skipped]
    if not added and not rows:
        raise PhotosError("No photo could be used. " + " ".join(f"{name} {why}" for name, why in skipped))
    for row in added:
        words = project["trigger_word"], project["class_noun"]
        row["caption"] = caption_for(Path(row["name"]).name, row["caption"], TEMPLATE, *words)
    if not added:
        return Photos(saw_references=saw, told=tuple(told))
    has_face = project["face_judge"] != "none"
    place(ws, rows, added, _sides(rows, added, training, unseen), has_face)
    everything = [*rows, *added]
    if unseen is None and saw == "unknown":
        told.append(
            "No unseen photos were given: some training photos stand in for them, so likeness may reward copying."
        )
    if training is None and not rows:
        told.append("No training photos were given, so copies of them can't be found.")
    told += group_warnings(everything, faces=has_face)
    return Photos(everything, saw, size_px, traits_of(version), tuple(told))


def store_photos(ws: Workspace, db: Database, project_id: int, photos: Photos) -> None:
    """Store the photos as the project's version of them. Part of the caller's transaction."""
    if photos.rows:
        project = library.project(db, project_id)
        assert project is not None  # just made, or looked up
        store(db, project, photos.rows, photos.size_px, photos.traits)


def _sources(folder: Path | None, side: str) -> list[Source]:
    if folder is None:
        return []
    return [(f"{side}/{name}", source, text) for name, source, text in photos_in(folder).sources]


def _sides(rows: Sequence[Row], added: Sequence[Row], training: Path | None, unseen: Path | None) -> dict[str, str]:
    """The side of every photo that was given for one; none where one kind alone was given and has to be divided."""
    has_train = training is not None or any(row["side"] == TRAIN for row in rows)
    has_reference = unseen is not None or any(row["side"] == REFERENCE for row in rows)
    if not (has_train and has_reference):
        return {}
    return {row["name"]: row["name"].partition("/")[0] for row in added}
