"""The versions of a project's photos: what changed from one to the next, and the way back to one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from db import library, runs
from workbench.dataset.photos import PhotosError, traits_of
from workbench.dataset.split import REFERENCE, TRAIN

Row = dict[str, Any]


@dataclass(frozen=True)
class Version:
    """A version of a project's photos. ``change``: against the one before; ``runs``: trained on it, or to be."""

    dataset_id: int
    number: int
    created_at: float
    train: int
    reference: int
    traits: tuple[str, ...]
    change: str
    runs: int
    is_current: bool


def versions(db: Database, project_id: int) -> list[Version]:
    """Every version of a project's photos, newest first. Old ones stay: runs keep the photos that they were given."""
    project = library.project(db, project_id)
    used = Counter(run["dataset_id"] for run in runs.of_project(db, project_id))
    found: list[Version] = []
    before: tuple[Row, list[Row]] | None = None
    for dataset in library.datasets(db, project_id):
        photos = library.photos(db, dataset["id"])
        found.append(
            Version(
                dataset["id"],
                dataset["version"],
                dataset["created_at"],
                train=sum(photo["side"] == TRAIN for photo in photos),
                reference=sum(photo["side"] == REFERENCE for photo in photos),
                traits=tuple(traits_of(dataset)),
                change=what_changed(before, (dataset, photos)) if before else "first import",
                runs=used[dataset["id"]],
                is_current=project is not None and project["dataset_id"] == dataset["id"],
            )
        )
        before = dataset, photos
    return found[::-1]


def what_changed(before: tuple[Row, Sequence[Row]], after: tuple[Row, Sequence[Row]]) -> str:
    """The difference between two versions in words: photos by their content, captions, sides, traits, words, size."""
    (old_set, old_rows), (new_set, new_rows) = before, after
    old, new = ({row["sha256"]: row for row in rows} for rows in (old_rows, new_rows))
    both = old.keys() & new.keys()
    counts = {
        "added": len(new.keys() - old.keys()),
        "left out": len(old.keys() - new.keys()),
        "captions changed": sum(old[key]["caption"] != new[key]["caption"] for key in both),
        "moved to the other side": sum(old[key]["side"] != new[key]["side"] for key in both),
    }
    parts = [f"{n} {what}" for what, n in counts.items() if n]
    if traits_of(old_set) != traits_of(new_set):
        parts.append(f"word list: {', '.join(traits_of(new_set)) or 'empty'}")
    for name, what in (
        ("trigger_word", "trigger word"),
        ("class_noun", "class noun"),
        ("size_px", "side of the squares in px"),
    ):
        if old_set[name] != new_set[name]:
            parts.append(f"{what}: {new_set[name] if new_set[name] is not None else 'as large as each photo allows'}")
    return ", ".join(parts) or "nothing that is trained on"


def go_back(db: Database, dataset_id: int) -> None:
    """Make a version the project's current one: new runs use it. Nothing is deleted; later versions stay."""
    version = library.dataset(db, dataset_id)
    if version is None:
        raise PhotosError(f"There is no version {dataset_id} of any photos. Reload the page.")
    library.update_project(db, version["project_id"], dataset_id=dataset_id)
