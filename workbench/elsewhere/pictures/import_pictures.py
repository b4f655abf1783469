"""Bring pictures made elsewhere into a project: look first, then import all or nothing."""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from db import immediate, imports, library, runs
from workbench.bases import NO_BASE
from workbench.elsewhere.half_done import half_done
from workbench.elsewhere.names import LARGEST_NUMBER
from workbench.elsewhere.pictures.contents import Contents, opened
from workbench.elsewhere.pictures.copies import Copy, OnProgress, write_copies
from workbench.elsewhere.pictures.found import Found, PicturesError, Reading
from workbench.elsewhere.pictures.infotext import TextProblem, strength
from workbench.elsewhere.pictures.layout import Cell, lay_out
from workbench.elsewhere.pictures.photos_beside import gather, store_photos
from workbench.elsewhere.pictures.read_pictures import read_pictures
from workbench.elsewhere.pictures.reading import PatternProblem
from workbench.elsewhere.pictures.stored import Stored, stored
from workbench.elsewhere.pictures.write_rows import write_rows
from workbench.elsewhere.problem import Problem
from workbench.plans.plan import EvalPlan, plan_of
from workbench.projects import ProjectError, add_project, new_project_problem
from workbench.workspace import Workspace

Row = dict[str, Any]
MOST_LISTED = 100  # of what an import keeps of a list


@dataclass(frozen=True)
class NewProject:
    """The project that is made for the pictures; its base is none: it only judges."""

    name: str
    trigger_word: str
    class_noun: str
    face_judge: str = "embedded"
    clip_judge: str = "embedded"
    second_face_judge: str = "none"
    strangers: Path | None = None


@dataclass(frozen=True)
class Imported:
    """What came of an import: how many pictures are new, the LoRAs that they show, what was left out, what to know.

    ``import_id``: None where there was nothing new.
    """

    project_id: int
    import_id: int | None
    pictures: int
    loras: tuple[str, ...] = ()
    skipped: tuple[Problem, ...] = ()
    told: tuple[str, ...] = ()


def look_into(source: Path, reading: Reading | None = None) -> Found:
    """What lies in a folder, a zip archive or a single picture: recognised pictures, problems, questions.

    Nothing is written; files out of an archive are gone when this returns. Raises PicturesError where nothing is
    there, and for a pattern that can't be used.
    """
    with opened(source) as contents:
        return _look(contents, reading or Reading())


def _look(contents: Contents, reading: Reading) -> Found:
    try:
        strength(str(reading.strength), "the strength of pictures that name none")
        if reading.last is not None and not 0 < reading.last <= LARGEST_NUMBER:
            raise PicturesError(f"The file without a number can't be epoch {reading.last}.")
        return read_pictures(contents, reading)
    except TextProblem as error:
        raise PicturesError(f"The answer {error}") from None
    except PatternProblem as error:
        raise PicturesError(str(error)) from None


def import_pictures(
    ws: Workspace,
    source: Path,
    *,
    project_id: int | None = None,
    new: NewProject | None = None,
    training: Path | None = None,
    unseen: Path | None = None,
    reading: Reading | None = None,
    leave_out: bool = False,
    on_progress: OnProgress | None = None,
) -> Imported:
    """Import pictures into a project, one made elsewhere before by ``project_id`` or a ``new`` one: all or none.

    ``training``: the photos that the LoRAs were trained on; ``unseen``: photos of the person that they were not
    trained on, against which likeness is measured. Without ``unseen`` some training photos are held out, and it
    stays unknown whether the LoRAs saw them. ``leave_out``: leave out what is broken instead of stopping.
    Everything is read and copied before the first row; the rows are one transaction. Pictures that are there
    already are not imported again. Raises PicturesError, PhotosError or ProjectError; then nothing was imported.
    A process that is killed leaves copies in the cache at most, which the next import removes.
    """
    db = ws.open()
    reading = reading or Reading()
    newest = imports.newest(db, project_id)
    project = _project(db, project_id, new)
    with opened(source) as contents:
        found = _look(contents, reading)
        _refuse(found, contents.title, leave_out)
        before = stored(db, project) if project_id is not None else Stored()
        laid = lay_out(found, reading, project["trigger_word"], before.before)
        if laid.problems and (not leave_out or not laid.cells):
            raise PicturesError(problems=laid.problems)
        with _room():
            photos = gather(ws, db, project, training, unseen, before.saw_references)
        fresh = [cell for cell in laid.cells if not before.has(cell)]
        final = ws.home / "previews" / f"import-{secrets.token_hex(8)}"
        with half_done(ws.cache) as folder:
            with _room():
                written, broken = write_copies(fresh, folder, on_progress)
            if broken and not leave_out:
                raise PicturesError(problems=broken)
            left_out = (*found.problems, *laid.problems, *broken)
            if not written and project_id is None:
                raise PicturesError("No picture is left to import.", left_out)
            told = (*found.notes, *laid.told, *photos.told)
            loras = tuple(dict.fromkeys(cell.checkpoint.run for cell, _ in written if cell.checkpoint))
            skipped = (*left_out, *found.skipped)
            if not written and not photos.rows:
                return Imported(project["id"], None, 0, loras, skipped, (*told, "All of it is there already."))
            try:
                with immediate(db):
                    if imports.newest(db, project_id) != newest:
                        raise PicturesError("Another import into this project ended just now. Import these again.")
                    made = project_id if project_id is not None else _make(db, project, laid.plan)
                    store_photos(ws, db, made, photos)
                    if written:
                        _forget_orphans(db, final.parent)
                        folder.replace(final)  # under the write lock: what has no row then is nobody's
                        write_rows(ws, db, made, laid.plan, _moved(written, final), photos.saw_references, before)
                    detail = _detail(found, reading, written, loras, skipped, told)
                    import_id = imports.add_import(db, made, "pictures", contents.title, detail)
            except BaseException:
                shutil.rmtree(final, ignore_errors=True)
                raise
    return Imported(made, import_id, len(written), loras, skipped, told)


@contextmanager
def _room() -> Iterator[None]:
    """What the disk refuses while copies are written, as a sentence."""
    try:
        yield
    except OSError as error:
        why = f"The pictures can't be copied ({error.strerror or error})"
        raise PicturesError(f"{why}. Make room, then import them again.") from error


def _moved(written: Sequence[tuple[Cell, Copy]], folder: Path) -> list[tuple[Cell, Copy]]:
    """Copies under the names that their files have now."""
    return [
        (cell, {**copy, "file": folder / copy["file"].name, "thumb": folder / copy["thumb"].name})
        for cell, copy in written
    ]


def _forget_orphans(db: Database, folder: Path) -> None:
    """Remove imported pictures of which there is no row: their import was killed before its rows were written."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.glob("import-*"):
        if not imports.has_pictures(db, f"previews/{each.name}/"):
            shutil.rmtree(each, ignore_errors=True)


def _project(db: Database, project_id: int | None, new: NewProject | None) -> Row:
    """The project as far as it is known before it is made. Raises ProjectError, PicturesError."""
    if (project_id is None) == (new is None):
        raise PicturesError("Say either the project that the pictures belong to, or the name of a new one.")
    if new is not None:
        problem = new_project_problem(db, new.name, new.trigger_word, new.class_noun)
        if problem:
            raise ProjectError(problem)
        return {**asdict(new), "id": None, "dataset_id": None, "plan_id": None}
    project = library.project(db, project_id or 0)
    if project is None:
        raise ProjectError(f"There is no project {project_id}.")
    if not plan_of(db, project["id"]).elsewhere and runs.of_project(db, project["id"]):
        raise ProjectError(
            f"'{project['name']}' has runs whose previews are made by its plan. Pictures made elsewhere were drawn in "
            "other ways, so they need a project of their own."
        )
    return project


def _make(db: Database, project: Row, plan: EvalPlan) -> int:
    names = ("name", "trigger_word", "class_noun", "face_judge", "clip_judge", "second_face_judge", "strangers")
    return add_project(db, **{name: project[name] for name in names}, base_model=NO_BASE, plan=plan)


def _refuse(found: Found, title: str, leave_out: bool) -> None:
    """Stop where pictures are broken, or where nobody has said what must be known."""
    if found.problems and not leave_out:
        raise PicturesError(problems=found.problems)
    needed = [question.text for question in found.questions if question.needed]
    if needed:
        raise PicturesError(" ".join(needed), found.problems)
    if not found.pictures:
        raise PicturesError(f"There are no pictures in {title} that can be imported.", found.problems)


def _detail(
    found: Found,
    reading: Reading,
    written: Sequence[tuple[Cell, Copy]],
    loras: Sequence[str],
    skipped: Sequence[Problem],
    told: Sequence[str],
) -> Row:
    """What a row of table imports keeps: how it was read, what came in, how it was drawn, what was left out."""
    pictures = [cell.picture for cell, _ in written]
    drawn = {
        name: sorted({str(value) for picture in pictures if (value := getattr(picture, name))})[:MOST_LISTED]
        for name in ("model", "sampler", "cfg", "steps", "negative")
    }
    return {
        "scheme": found.scheme,
        "pictures": len(written),
        "loras": list(loras),
        "reading": asdict(reading),
        "drawn": drawn,
        "skipped": [[problem.name, problem.why] for problem in skipped[:MOST_LISTED]],
        "told": list(told),
    }
