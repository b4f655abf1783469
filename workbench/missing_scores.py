"""What is still to be scored: scores are made by filling what is missing, and no other way."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from db import library, results
from trainer import EMBEDDED
from workbench.judges import JudgeInfo, JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.likeness import ESTIMATOR
from workbench.missing import Job
from workbench.scoring import prompt_for_clip
from workbench.workspace import Workspace

Row = dict[str, Any]


def score_jobs(ws: Workspace, db: Database, project: Row) -> Iterator[Job]:
    """Jobs for all missing scores of a project. Where a judge is not there, that is written down as the reason."""
    yield from _likeness_jobs(ws, db, project)
    yield from _clip_jobs(ws, db, project)


def _judge(db: Database, project: Row, metric: str) -> tuple[JudgeInfo, int] | None:
    """The judge that a project wants for a metric, and its row; None for "none" and for one that is not there."""
    spec, find = {
        "likeness": (project["face_judge"], face_judge_info),
        "clip_t": (project["clip_judge"], clip_judge_info),
    }[metric]
    if spec == "none":
        return None
    try:
        info = find(spec)
    except JudgeUnavailable as error:
        note_unavailable(db, project, metric, error)
        return None
    assert info is not None  # only "none" has no judge
    columns = {name: getattr(info, name) for name in ("kind", "name", "version", "licence", "world")}
    return info, results.add_judge(db, info.key, **columns)


def note_unavailable(db: Database, project: Row, metric: str, error: JudgeUnavailable) -> None:
    """Store "no value, because" for every preview without a score, so that charts can say why they are empty."""
    detail = json.dumps({"code": error.code, **error.params, "message": str(error)})
    row = {"judge_id": None, "calibration_id": None, "metric": metric, "value": None, "status": "unavailable"}
    waiting = results.unscored(db, project["id"], project["plan_id"], metric, None, None)
    if waiting:
        results.add_scores(db, [{**row, "preview_id": preview["id"], "detail": detail} for preview in waiting])


def note_final(db: Database, project: Row, judge_id: int) -> None:
    """Store "no value" for previews of runs that were trained on the reference photos: these can't judge them."""
    final = {row["id"] for row in results.previews(db, project["id"], project["plan_id"]) if row["final"]}
    row = {"judge_id": judge_id, "calibration_id": None, "metric": "likeness", "value": None, "status": "final_run"}
    if final:
        waiting = results.unscored(db, project["id"], project["plan_id"], "likeness", judge_id, None)
        results.add_scores(
            db, [{**row, "preview_id": preview["id"], "detail": "{}"} for preview in waiting if preview["id"] in final]
        )


def note_not_calibrated(db: Database, job: Job, message: str) -> None:
    """Store "no value, because the photos give no scale" for every preview that waits for a calibration."""
    dataset = library.dataset(db, job.about["dataset_id"])
    assert dataset is not None
    project = library.project(db, dataset["project_id"])
    assert project is not None
    row = {"judge_id": job.about["judge_id"], "calibration_id": None, "metric": "likeness", "value": None}
    detail = json.dumps({"message": message})
    waiting = results.unscored(db, project["id"], project["plan_id"], "likeness", job.about["judge_id"], None)
    wanted = _by_dataset_and_size(db, project).get((dataset["id"], job.about["size_px"]), set())
    results.add_scores(
        db,
        [
            {**row, "preview_id": preview["id"], "status": "not_calibrated", "detail": detail}
            for preview in waiting
            if preview["id"] in wanted
        ],
    )


def _likeness_jobs(ws: Workspace, db: Database, project: Row) -> Iterator[Job]:
    """A scale belongs to a dataset version, a picture size and a set of strangers; so do the scores on it."""
    found = _judge(db, project, "likeness")
    if found is None:
        return
    info, judge_id = found
    note_final(db, project, judge_id)
    strangers = stranger_files(project)
    for (dataset_id, size_px), of_scale in _by_dataset_and_size(db, project).items():
        photos = photo_files(ws, db, dataset_id, strangers, size_px)
        about = {
            "judge_id": judge_id,
            "dataset_id": dataset_id,
            "size_px": size_px,
            "strangers_key": files_key(strangers),
        }
        calibration = _calibration(db, project, about)
        if calibration is None:
            measure = {"do": "calibrate", "judge": asdict(info), "photos": photos}
            yield Job(("calibrate", *about.values()), measure, about)
            continue
        missing = results.unscored(db, project["id"], project["plan_id"], "likeness", judge_id, calibration["id"])
        pictures = [_picture(ws, preview) for preview in missing if preview["id"] in of_scale]
        if pictures:
            command = {
                "do": "score",
                "metric": "likeness",
                "judge": asdict(info),
                "photos": photos,
                "pictures": pictures,
            }
            scored = {"metric": "likeness", "judge_id": judge_id, "calibration_id": calibration["id"]}
            yield Job(("likeness", *about.values()), command, scored)


def _calibration(db: Database, project: Row, about: dict[str, Any]) -> Row | None:
    """The scale that was measured for exactly this, if it was."""
    for row in results.calibrations(db, project["id"]):
        if row["estimator"] == ESTIMATOR and all(row[name] == value for name, value in about.items()):
            return row
    return None


def _clip_jobs(ws: Workspace, db: Database, project: Row) -> Iterator[Job]:
    found = _judge(db, project, "clip_t")
    if found is None:
        return
    info, judge_id = found
    missing = results.unscored(db, project["id"], project["plan_id"], "clip_t", judge_id, None)
    words = project["trigger_word"], project["class_noun"]
    pictures = [{**_picture(ws, preview), "prompt": prompt_for_clip(preview["text"], *words)} for preview in missing]
    if pictures:
        command = {
            "do": "score",
            "metric": "clip_t",
            "judge": asdict(info),
            "photos": None,
            "pictures": pictures,
        }
        yield Job(
            ("clip_t", project["id"], judge_id),
            command,
            {"metric": "clip_t", "judge_id": judge_id, "calibration_id": None},
        )


def _by_dataset_and_size(db: Database, project: Row) -> dict[tuple[int, int], set[int]]:
    """(dataset version, picture size in px) -> ids of its previews; base rows belong to the current version.

    Without those of final runs, whose likeness can't be measured.
    """
    found: dict[tuple[int, int], set[int]] = {}
    for preview in results.previews(db, project["id"], project["plan_id"]):
        dataset_id = preview["dataset_id"] or project["dataset_id"]
        if dataset_id and preview["size_px"] and not preview["final"]:
            found.setdefault((dataset_id, preview["size_px"]), set()).add(preview["id"])
    return found


def _picture(ws: Workspace, preview: Row) -> dict[str, Any]:
    return {"preview_id": preview["id"], "file": str(ws.path(preview["file"])), "status": preview["status"]}


def photo_files(ws: Workspace, db: Database, dataset_id: int, strangers: list[Path], size_px: int) -> dict[str, Any]:
    """The photos that a likeness scale is made from: train, reference, and other people's faces."""

    def files(side: str) -> list[str]:
        return [str(ws.path(photo["file"])) for photo in library.photos(db, dataset_id, side)]

    return {
        "train": files("train"),
        "reference": files("reference"),
        "strangers": [str(path) for path in strangers],
        "size_px": size_px,
    }


def files_key(files: list[Path]) -> str:
    """A short name for a set of files as they are now; empty for none."""
    if not files:
        return ""
    listed = [(file.name, file.stat().st_size) for file in files]
    return hashlib.sha256(repr(listed).encode()).hexdigest()[:16]


def stranger_files(project: Row) -> list[Path]:
    """Photos of other people for the zero of the scale: the project's folder, or the shipped synthetic people
    for the shipped judge (which knows no others)."""
    if project["strangers"]:
        folder = Path(project["strangers"])
    elif project["face_judge"] == "embedded":
        folder = EMBEDDED / "subjects" / "others"
    else:
        return []
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
