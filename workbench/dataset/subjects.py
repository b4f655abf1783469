"""Several subjects at once: a folder with a sub-folder for each becomes a project for each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db import library
from workbench.dataset.photo_file import PhotosError
from workbench.dataset.photo_folder import subjects_in
from workbench.dataset.photos import Import, add_folder
from workbench.projects import ProjectError, add_project
from workbench.workspace import Workspace


@dataclass(frozen=True)
class Subject:
    """A project that was made for a sub-folder, and what came of its photos."""

    name: str
    project_id: int
    photos: Import


def add_subjects(
    ws: Workspace,
    folder: Path,
    trigger_word: str,
    class_noun: str,
    *,
    prefix: str = "",
    on_subject: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> list[Subject]:
    """Make a project for each sub-folder with photos and import them; ``options`` are those of add_project.

    A project is called like its sub-folder, after ``prefix``. Raises PhotosError when there are no such sub-folders,
    and ProjectError when a name is taken, before anything is made.
    """
    folders = subjects_in(folder)
    if not folders:
        raise PhotosError(f"{folder} has no sub-folders with photos. Give the folder that holds one for each subject.")
    db = ws.open()
    names = [" ".join(f"{prefix} {path.name}".split()) for path in folders]
    taken = [name for name in names if library.project_named(db, name)]
    if taken:
        raise ProjectError(
            f"There are projects called {', '.join(taken)} already. Rename the folders, or give a prefix."
        )
    made = []
    for number, (name, path) in enumerate(zip(names, folders, strict=True)):
        if on_subject:
            on_subject(number, len(folders), name)
        project_id = add_project(db, name, trigger_word, class_noun, **options)
        made.append(Subject(name, project_id, add_folder(ws, project_id, path)))
    return made
