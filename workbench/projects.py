"""A project: one question about one subject."""

from pathlib import Path
from typing import Any

from sqlite_utils import Database

from db import library
from workbench import bases
from workbench.plans.plan import DEFAULT_PLAN, EvalPlan, set_plan
from workbench.sweep import miniature


class ProjectError(ValueError):
    """A project that can't be made or found as asked."""


def add_project(
    db: Database,
    name: str,
    trigger_word: str,
    class_noun: str,
    *,
    base_model: str = "embedded",
    face_judge: str = "embedded",
    clip_judge: str = "embedded",
    second_face_judge: str = "none",
    strangers: Path | None = None,
    plan: EvalPlan | None = None,
) -> int:
    """Make a project and return its id.

    ``base_model``: "none" for a project that only judges pictures made elsewhere. ``strangers``: a folder with other
    people's faces, which sets the zero of the likeness scale. ``plan``: None takes the one that suits the base model.
    Raises ProjectError for an empty word, a name that is taken, or a base model that isn't there.
    """
    problem = new_project_problem(db, name, trigger_word, class_noun) or _base_problem(db, base_model.strip())
    if problem:
        raise ProjectError(problem)
    project_id = library.add_project(
        db,
        name=name.strip(),
        trigger_word=trigger_word.strip(),
        class_noun=class_noun.strip(),
        base_model=base_model.strip(),
        face_judge=face_judge,
        clip_judge=clip_judge,
        second_face_judge=second_face_judge,
        strangers=str(strangers) if strangers else None,
    )
    set_plan(db, project_id, plan or (miniature.PLAN if bases.is_embedded(base_model.strip()) else DEFAULT_PLAN))
    return project_id


def new_project_problem(db: Database, name: str, trigger_word: str, class_noun: str) -> str | None:
    """Why no project can be made of this name and these words; None where it can."""
    words = {"a name": name, "a trigger word": trigger_word, "a class noun (woman, man, dog)": class_noun}
    for what, word in words.items():
        if not word.strip():
            return f"The project needs {what}."
    if trigger_word.strip().lower() == class_noun.strip().lower():
        return (
            f"Trigger word and class noun are both '{trigger_word.strip()}'. The trigger word must be a rare one that "
            "means this subject only, such as zwx."
        )
    taken = library.project_named(db, name.strip())
    if taken:
        where = "in the bin: restore it, empty the bin, or choose" if taken["deleted_at"] else "already. Choose"
        return f"There is a project '{name.strip()}' {where} another name."
    return None


def _base_problem(db: Database, base_model: str) -> str | None:
    """What is wrong with a project's base model; "none" is right for one that only judges."""
    return None if base_model == bases.NO_BASE else bases.base_problem(bases.place(db, base_model))


def change_project(
    db: Database,
    project_id: int,
    *,
    base_model: str | None = None,
    face_judge: str | None = None,
    clip_judge: str | None = None,
    second_face_judge: str | None = None,
    strangers: str | Path | None = None,
) -> None:
    """Change a project's base model (of new patterns), its judges, or its folder with other people's faces.

    None leaves a thing as it is; an empty ``strangers`` takes the folder away. Raises ProjectError for an empty
    name, or for a new base model or folder that is not there.
    """
    changes = {
        "base_model": base_model,
        "face_judge": face_judge,
        "clip_judge": clip_judge,
        "second_face_judge": second_face_judge,
    }
    columns: dict[str, str | None] = {name: value.strip() for name, value in changes.items() if value is not None}
    if "" in columns.values():
        raise ProjectError("The project needs a base model and judges. 'none' is a judge too: nothing is judged.")
    before = library.project(db, project_id)
    if before and columns.get("base_model", before["base_model"]) != before["base_model"]:
        problem = _base_problem(db, str(columns["base_model"]))
        if problem:
            raise ProjectError(problem)
    if strangers is not None:
        folder = Path(str(strangers).strip()).expanduser()
        if str(strangers).strip() and not folder.is_dir():
            raise ProjectError(f"There is no folder {folder}. Correct the path, or leave it empty.")
        columns["strangers"] = str(folder) if str(strangers).strip() else None
    library.update_project(db, project_id, **columns)


def find_project(db: Database, name: str | None) -> dict[str, Any]:
    """The project of that name; without a name, the only one there is."""
    every = library.projects(db)
    if not every:
        raise ProjectError("There is no project yet. Make one on the Home page, or run the demo.")
    if name is None and len(every) == 1:
        return every[0]
    found = [row for row in every if row["name"] == name]
    if not found:
        known = ", ".join(f"'{row['name']}'" for row in every)
        raise ProjectError(f"Which project? Say --project with one of {known}.")
    return found[0]
