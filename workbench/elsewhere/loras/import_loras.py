"""Bring LoRA files made elsewhere into a project: look first, then import all or nothing."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlite_utils import Database

from db import immediate, imports, library, runs
from workbench import bases
from workbench.elsewhere.half_done import half_done
from workbench.elsewhere.loras.lora_file import CHUNK, LoraFile
from workbench.elsewhere.loras.lora_header import printable, shown
from workbench.elsewhere.loras.loras_found import Around, FoundCheckpoint, FoundLoras, FoundRun, LorasError, found_in
from workbench.elsewhere.names import LAST_EPOCH
from workbench.sweep import patterns
from workbench.words import slug
from workbench.workspace import Workspace

__all__ = ["FoundLoras", "FoundRun", "ImportedLoras", "LorasError", "import_loras", "look_into_loras"]

OnProgress = Callable[[int, int, str], None]  # files done, all, name of the file at work
NO_BASE = "none"  # the base of a project that only judges


@dataclass(frozen=True)
class ImportedLoras:
    """What came of an import; ``import_id``: None where there was nothing new. ``already``: names of such files."""

    project_id: int
    import_id: int | None
    run_ids: tuple[int, ...]
    pattern_ids: tuple[int, ...]
    checkpoints: int  # new ones
    already: tuple[str, ...]
    told: tuple[str, ...]


def look_into_loras(
    ws: Workspace, db: Database, project_id: int, paths: Sequence[Path], same_base: bool = False
) -> FoundLoras:
    """What lies in files and folders, without writing anything. ``same_base``: they were trained on the project's.

    Raises LorasError where the project can't take LoRA files, or nothing lies there.
    """
    project = library.project(db, project_id)
    if project is None:
        raise LorasError(f"There is no project {project_id}.")
    if project["base_model"] == NO_BASE:
        raise LorasError(
            f"'{project['name']}' only judges pictures: it has no base model to make any with. Import LoRA files into "
            "a project with a base model."
        )
    if project["dataset_id"] is None:
        raise LorasError(f"'{project['name']}' has no photos to compare with yet. Add some on the Photos page first.")
    place = bases.place(db, project["base_model"])
    if problem := bases.base_problem(place):
        raise LorasError(problem)
    photos = len(library.photos(db, project["dataset_id"], "train"))
    return found_in(paths, Around(project["base_model"], place, photos, _sources(db, project_id), same_base))


def _sources(db: Database, project_id: int) -> set[str]:
    """sha256 of every LoRA file that the project has from elsewhere, as it came; and of those that were saved here."""
    checkpoints = [row for run in runs.of_project(db, project_id) for row in runs.checkpoints(db, run["id"])]
    return {json.loads(row["proof"]).get("source") or row["sha256"] for row in checkpoints if row["file"]}


def import_loras(
    ws: Workspace,
    project_id: int,
    paths: Sequence[Path],
    *,
    label: str = "",
    same_base: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportedLoras:
    """Import files and folders into a project that has photos and a base; all of them or none. Raises LorasError.

    Each training becomes a run of a pattern; one that is there already gets its new checkpoints. The files are copied
    into the workspace first, then rows and final names are made in one transaction. ``label``: of the pattern; with
    several a number follows.
    """
    db = ws.open()
    newest = imports.newest(db, project_id)
    found = look_into_loras(ws, db, project_id, paths, same_base)
    if found.problems:
        raise LorasError("Nothing was imported.", found.problems)
    already = tuple(c.name for run in found.runs for c in run.checkpoints if c.already)
    new = [run for run in found.runs if not all(checkpoint.already for checkpoint in run.checkpoints)]
    told = [*found.told, *(f"{run.label}: {sentence}" for run in new for sentence in run.told)]
    if not new:
        return ImportedLoras(project_id, None, (), (), 0, already, tuple(told))
    with half_done(ws.cache) as folder:
        copies = _copies([c.file for run in new for c in run.checkpoints if not c.already], folder, on_progress)
        moved: list[Path] = []
        try:
            with immediate(db):
                if imports.newest(db, project_id) != newest:
                    raise LorasError("Another import into this project ended just now. Import these again.")
                rows = [_add_run(ws, db, project_id, run, label, copies, moved) for run in new]
                names = sorted({printable(Path(path).name) for path in paths})
                detail = {"runs": [row[0] for row in rows], "files": len(copies), "already": len(already), "told": told}
                import_id = imports.add_import(db, project_id, "loras", ", ".join(names)[:200], detail)
        except BaseException:
            for path in moved:
                path.unlink(missing_ok=True)
            raise
    return ImportedLoras(
        project_id,
        import_id,
        tuple(row[0] for row in rows),
        tuple(dict.fromkeys(row[1] for row in rows)),
        len(copies),
        already,
        tuple(told),
    )


@dataclass(frozen=True)
class _Copy:
    path: Path
    sha256: str
    bytes: int


def _copies(files: Sequence[LoraFile], folder: Path, on_progress: OnProgress | None) -> dict[str, _Copy]:
    """Copies of files in a folder, by the sha256 of each file as it came. Raises LorasError."""
    need = sum(file.bytes for file in files)
    if (room := shutil.disk_usage(folder).free) < need * 1.01:
        raise LorasError(f"The files need {need:,} bytes, but only {room:,} are free. Make room first.")
    copies = {}
    for number, file in enumerate(files):
        if on_progress:
            on_progress(number, len(files), shown(file.path.name))
        try:
            copies[file.sha256] = _copy(file, folder / f"{number}.safetensors")
        except OSError as error:
            raise LorasError(f"{shown(file.path.name)} can't be copied: {error.strerror or error}.") from error
    return copies


def _copy(file: LoraFile, target: Path) -> _Copy:
    """Copy a file as it was when it was read; one whose alpha stood in a file beside it gets that into its header."""
    came, made, size = hashlib.sha256(), hashlib.sha256(), 0
    with file.path.open("rb") as source, target.open("wb") as copy:
        for chunk in _pieces(source):
            came.update(chunk)
            if size == 0 and file.config_beside:
                chunk = _with_metadata(chunk, source, came, file.metadata)
            made.update(chunk)
            size += copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if came.hexdigest() != file.sha256:
        raise LorasError(f"{shown(file.path.name)} changed while it was copied. Import it again.")
    return _Copy(target, made.hexdigest(), size)


def _pieces(source: BinaryIO) -> Any:
    return iter(lambda: source.read(CHUNK), b"")


def _with_metadata(start: bytes, source: BinaryIO, came: Any, metadata: dict[str, str]) -> bytes:
    """The first piece of a file with another header: the tensors stay as they lie, counted from the header's end."""
    length = int.from_bytes(start[:8], "little")
    rest = source.read(max(0, 8 + length - len(start)))
    came.update(rest)
    start += rest
    header = {**json.loads(start[8 : 8 + length]), "__metadata__": metadata}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + start[8 + length :]


def _add_run(
    ws: Workspace,
    db: Database,
    project_id: int,
    run: FoundRun,
    label: str,
    copies: dict[str, _Copy],
    moved: list[Path],
) -> tuple[int, int]:
    """The rows of one training and its files under their final names; ids of its run and its pattern."""
    run_id, pattern_id = _run_of(db, project_id, run, label)
    taken = {row["updates"] for row in runs.checkpoints(db, run_id)}
    for checkpoint in run.checkpoints:
        if checkpoint.already:
            continue
        file, copy = checkpoint.file, copies[checkpoint.file.sha256]
        order = checkpoint.order
        while order in taken:
            order += 1
        taken.add(order)
        target = ws.run_folder(run_id) / f"{slug(checkpoint.name)}-{copy.sha256[:8]}.safetensors"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(copy.path, target)
        moved.append(target)
        proof: dict[str, Any] = {"modules": len(file.modules), "dialect": file.dialect, "source": file.sha256}
        proof |= {} if file.scale is None else {"scale": file.scale}
        runs.add_checkpoint(
            db,
            run_id,
            updates=order,
            images_seen=images_seen(run, checkpoint),
            epoch=LAST_EPOCH if checkpoint.updates is checkpoint.epoch is None else checkpoint.epoch or 0.0,
            file=ws.relative(target),
            sha256=copy.sha256,
            bytes=copy.bytes,
            proof=json.dumps(proof),
            is_last=0,
            name=checkpoint.name,
        )
    imports.mark_last(db, run_id)
    return run_id, pattern_id


def _run_of(db: Database, project_id: int, run: FoundRun, label: str) -> tuple[int, int]:
    """The run of a training: the one that an earlier import made of it, or a new one of its pattern."""
    session = run.session
    there = runs.of_session(db, project_id, session, "lora")
    if there is not None and not (run.by_name and _collides(db, there["id"], run)):
        return int(there["id"]), int(there["pattern_id"])
    number = 1
    while there is not None:  # another training of the same name
        number += 1
        session = f"{run.session} ({number})"
        there = runs.of_session(db, project_id, session, "lora")
    project = library.project(db, project_id)
    assert project is not None
    pattern_id = patterns.add_made_elsewhere(
        db,
        project_id,
        run.config.model_copy(update={"base_model": project["base_model"]}),
        patterns.free_name(db, project_id, label or run.label),
        " ".join(["LoRA files made elsewhere.", *run.told]),
        origin="lora",
        unknown=run.unknown,
        apart=f"{run.apart}; {session}" if number > 1 else run.apart,
        named_base=run.named_base,
    )
    run_id = runs.add_elsewhere(
        db,
        project_id=project_id,
        pattern_id=pattern_id,
        dataset_id=project["dataset_id"],
        seed=run.seed,
        origin="lora",
        session=session,
        saw_references="unknown",
        step=0,
        total_steps=run.total_updates,
    )
    return run_id, pattern_id


def _collides(db: Database, run_id: int, run: FoundRun) -> bool:
    """Whether a file is of a moment of which the run has another one: then it is another training."""
    taken = {row["updates"]: json.loads(row["proof"]).get("source") for row in runs.checkpoints(db, run_id)}
    return any(taken.get(c.order, c.file.sha256) != c.file.sha256 for c in run.checkpoints)


def images_seen(run: FoundRun, checkpoint: FoundCheckpoint) -> int:
    """Photos shown until then, repeats counted; 0 = not known."""
    if checkpoint.updates is None or {"batch_size", "gradient_accumulation"} & run.unknown.keys():
        return 0
    if run.photos and "repeats" not in run.unknown:
        return run.config.images_seen(checkpoint.updates, run.photos)
    return checkpoint.updates * run.config.photos_per_update
