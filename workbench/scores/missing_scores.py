"""What is still to be scored: scores are made by filling what is missing, and no other way."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from db import library, results, vectors
from trainer import EMBEDDED
from workbench.judges import JudgeInfo, JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.plans.missing import Job, fill_jobs
from workbench.scores import no_score
from workbench.scores.current_scores import SECOND
from workbench.scores.likeness import ESTIMATOR
from workbench.scores.look import CLIP_I, LOOK_ESTIMATOR
from workbench.scores.scoring import CLIP_T, LIKENESS, prompt_for_clip
from workbench.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """What one judge's values are read against: a dataset version, a picture size and a set of strangers."""

    about: dict[str, Any]  # the columns that tell a calibration from others
    photos: dict[str, Any]  # as the engine takes them
    calibration: Row | None  # None = not measured yet
    previews: list[Row]  # what is to be read against it

    @property
    def calibration_id(self) -> int | None:
        return self.calibration["id"] if self.calibration else None

    @property
    def is_whole(self) -> bool:
        """Whether it was measured, with all that is measured today (version 0.2 knew no threshold)."""
        return self.calibration is not None and self.calibration["detail"] != "{}"


@dataclass(frozen=True)
class Standing:
    """What a project's previews have got."""

    previews: list[Row]
    scored: dict[tuple[int, str, int | None, int | None], str]  # (preview, metric, judge, calibration) -> status

    def lack(self, previews: Iterable[Row], metric: str, judge_id: int, calibration_id: int | None) -> list[Row]:
        """Those of the previews without a score, and without a reason for none."""
        return [p for p in previews if (p["id"], metric, judge_id, calibration_id) not in self.scored]

    def note(self, db: Database, previews: Iterable[Row], metric: str, judge_id: int, status: str) -> None:
        """Write down why some previews get no value."""
        no_score.write(db, [p["id"] for p in self.lack(previews, metric, judge_id, None)], judge_id, metric, status)

    @property
    def final(self) -> list[Row]:
        """Previews of runs that were trained on the reference photos too: these can't judge them."""
        return [preview for preview in self.previews if preview["final"]]


def standing(db: Database, project: Row) -> Standing:
    """The previews of a project's plan and the scores that they have."""
    plan_id = project["plan_id"]
    rows = results.score_statuses(db, project["id"], plan_id)
    scored = {(row["preview_id"], row["metric"], row["judge_id"], row["calibration_id"]): row["status"] for row in rows}
    return Standing(results.previews(db, project["id"], plan_id), scored)


def score_jobs(ws: Workspace, db: Database, project: Row) -> Iterator[Job]:
    """Jobs for all missing scores of a project. Where a judge is not there, that is written down as the reason."""
    if not project["plan_id"]:
        return
    now = standing(db, project)
    if now.previews:
        yield from _face_jobs(ws, db, project, now, project["face_judge"], LIKENESS)
        if project["second_face_judge"] != project["face_judge"]:
            yield from _face_jobs(ws, db, project, now, project["second_face_judge"], SECOND)
        yield from _clip_jobs(ws, db, project, now)


def is_anything_missing(ws: Workspace, db: Database, project: Row) -> bool:
    """Whether a preview or a score of a project is still to be made."""
    return any(next(jobs(ws, db, project), None) for jobs in (fill_jobs, score_jobs))


def _judge(db: Database, project: Row, kind: str, spec: str, metrics: tuple[str, ...]) -> tuple[JudgeInfo, int] | None:
    """A judge and its row; None for "none", and for one that is not there: then that is the metrics' reason."""
    try:
        info = (face_judge_info if kind == "face" else clip_judge_info)(spec)
    except JudgeUnavailable as error:
        for metric in metrics:
            no_score.unavailable(db, project, metric, error)
        return None
    if info is None:
        return None
    columns = {name: getattr(info, name) for name in ("kind", "name", "version", "licence", "world")}
    return info, results.add_judge(db, info.key, **columns)


def _face_jobs(ws: Workspace, db: Database, project: Row, now: Standing, spec: str, metric: str) -> Iterator[Job]:
    """Likeness as one face judge sees it; ``metric`` names the reason where that judge is not there."""
    found = _judge(db, project, "face", spec, (metric,))
    if found is None:
        return
    info, judge_id = found
    now.note(db, now.final, LIKENESS, judge_id, "final_run")
    for scale in _scales(ws, db, project, now, spec, judge_id, ESTIMATOR):
        if not scale.is_whole:
            yield _calibrate_job(info, scale, now, LIKENESS)
        if scale.calibration is None:
            continue
        lacking = now.lack(scale.previews, LIKENESS, judge_id, scale.calibration_id)
        if lacking:
            command = {
                "do": "score",
                "judge": asdict(info),
                "photos": scale.photos,
                "pictures": [_picture(ws, preview, None) for preview in lacking],
            }
            calibrations = {LIKENESS: scale.calibration_id}
            about = {"project_id": project["id"], "judge_id": judge_id, "calibrations": calibrations}
            yield Job((LIKENESS, *scale.about.values()), command, about)


def _clip_jobs(ws: Workspace, db: Database, project: Row, now: Standing) -> Iterator[Job]:
    """Prompt adherence, look and vectors: a picture is encoded once for all of them."""
    found = _judge(db, project, "clip", project["clip_judge"], (CLIP_T, CLIP_I))
    if found is None:
        return
    info, judge_id = found
    now.note(db, now.final, CLIP_I, judge_id, "final_run")
    now.note(db, (p for p in now.previews if not p["text"]), CLIP_T, judge_id, "no_prompt")
    seen = {row["preview_id"] for row in vectors.vectors(db, project["id"], project["plan_id"], judge_id)}
    words = project["trigger_word"], project["class_noun"]

    def lacks(preview: Row, calibration_id: int | None) -> bool:
        adherence = now.scored.get((preview["id"], CLIP_T, judge_id, None))
        refused = calibration_id is not None and adherence == "outside_world"  # the photos have changed since
        if preview["text"] and (adherence in (None, "unavailable") or refused):
            return True
        if calibration_id is not None and (preview["id"], CLIP_I, judge_id, calibration_id) not in now.scored:
            return True
        return adherence == "ok" and preview["id"] not in seen

    def job(previews: list[Row], photos: Row | None, calibration_id: int | None, key: tuple[Any, ...]) -> Job:
        pictures = [_picture(ws, p, prompt_for_clip(p["text"], *words) if p["text"] else None) for p in previews]
        command = {"do": "score", "judge": asdict(info), "photos": photos, "pictures": pictures}
        calibrations = {CLIP_T: None, CLIP_I: calibration_id}
        about = {"project_id": project["id"], "judge_id": judge_id, "calibrations": calibrations}
        return Job(key, command, about)

    plain = {preview["id"]: preview for preview in now.previews}  # what can't be compared with photos
    for scale in _scales(ws, db, project, now, project["clip_judge"], judge_id, LOOK_ESTIMATOR):
        if not scale.is_whole:
            yield _calibrate_job(info, scale, now, CLIP_I)
        in_vain = {p["id"] for p in scale.previews if now.scored.get((p["id"], CLIP_I, judge_id, None))}
        for preview in scale.previews:
            if scale.calibration or preview["id"] not in in_vain:
                del plain[preview["id"]]
        lacking = [p for p in scale.previews if scale.calibration and lacks(p, scale.calibration_id)]
        if lacking:
            yield job(lacking, scale.photos, scale.calibration_id, (CLIP_I, *scale.about.values()))
    lacking = [preview for preview in plain.values() if lacks(preview, None)]
    if lacking:
        yield job(lacking, None, None, (CLIP_T, project["id"], judge_id))


def _calibrate_job(info: JudgeInfo, scale: Scale, now: Standing, metric: str) -> Job:
    """Measure a scale; ``preview_ids``: what waits for it, and hears of it if that fails."""
    waiting = [] if scale.calibration else now.lack(scale.previews, metric, scale.about["judge_id"], None)
    command = {"do": "calibrate", "judge": asdict(info), "photos": scale.photos}
    about = {**scale.about, "preview_ids": [preview["id"] for preview in waiting]}
    return Job(("calibrate", *scale.about.values()), command, about)


def _scales(
    ws: Workspace, db: Database, project: Row, now: Standing, spec: str, judge_id: int, estimator: str
) -> Iterator[Scale]:
    """The scales that a project's previews need from a judge, each with its calibration where it was measured."""
    strangers = stranger_files(project, spec)
    stored = results.calibrations(db, project["id"])
    for (dataset_id, size_px), previews in by_dataset_and_size(project, now.previews).items():
        about = {
            "judge_id": judge_id,
            "dataset_id": dataset_id,
            "size_px": size_px,
            "estimator": estimator,
            "strangers_key": files_key(strangers),
        }
        same = [row for row in stored if all(row[name] == value for name, value in about.items())]
        photos = photo_files(ws, db, dataset_id, strangers, size_px)
        yield Scale(about, photos, same[0] if same else None, previews)


def by_dataset_and_size(project: Row, previews: list[Row]) -> dict[tuple[int, int], list[Row]]:
    """(dataset version, picture size in px) -> its previews; base rows belong to the current version.

    Without those of final runs, which can't be compared with photos that they were trained on.
    """
    found: dict[tuple[int, int], list[Row]] = {}
    for preview in previews:
        dataset_id = preview["dataset_id"] or project["dataset_id"]
        if dataset_id and preview["size_px"] and not preview["final"]:
            found.setdefault((dataset_id, preview["size_px"]), []).append(preview)
    return found


def _picture(ws: Workspace, preview: Row, prompt: str | None) -> dict[str, Any]:
    file = str(ws.path(preview["file"]))
    return {"preview_id": preview["id"], "file": file, "status": preview["status"], "prompt": prompt}


def photo_files(ws: Workspace, db: Database, dataset_id: int, strangers: list[Path], size_px: int) -> dict[str, Any]:
    """The photos that a scale is made from: train, reference, and other people's faces."""

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


def stranger_files(project: Row, judge: str) -> list[Path]:
    """Photos of other people for the zero of a scale: the project's folder, or the shipped synthetic people
    for the shipped judges (which know no others)."""
    if project["strangers"]:
        folder = Path(project["strangers"])
    elif judge == "embedded":
        folder = EMBEDDED / "subjects" / "others"
    else:
        return []
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
