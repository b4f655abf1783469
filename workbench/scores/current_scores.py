"""Which of all stored scores count now: those of the judges that the project names, on the newest scale."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from sqlite_utils import Database

from db import results
from workbench.judges import JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.scores.look import CLIP_I
from workbench.scores.scoring import CLIP_T, LIKENESS

Row = dict[str, Any]
SECOND = "second_likeness"  # also names the reason where that judge is not there; its values are stored as likeness
Judges = dict[str, int | None]  # measure -> the judge whose scores of it count; None = it has made none here


class Measure(NamedTuple):
    """What is shown of a preview, and where it comes from."""

    metric: str  # of table scores
    judge: str  # column of table projects


MEASURES = {
    LIKENESS: Measure(LIKENESS, "face_judge"),
    SECOND: Measure(LIKENESS, "second_face_judge"),
    CLIP_T: Measure(CLIP_T, "clip_judge"),
    CLIP_I: Measure(CLIP_I, "clip_judge"),
}


def current_scores(
    db: Database, project: Row, previews: list[Row]
) -> tuple[dict[tuple[int, str], Row], Judges, Counter[str]]:
    """The score that counts per (preview id, measure), the judges, and how many were left out for which reason.

    It counts if it is by the judge that the project names now and, where photos are compared with, on the newest
    calibration of the run's dataset and the picture's size (for the base row: of the project's dataset). A row
    without a judge or a calibration has no value and only says why.
    """
    stored = results.scores(db, project["id"], project["plan_id"]) if project["plan_id"] else []
    judges = current_judges(project, stored)
    scale = {row["id"]: (row["dataset_id"] or project["dataset_id"], row["size_px"]) for row in previews}
    newest: dict[Any, int] = {}
    for row in stored:
        of = scale[row["preview_id"]]
        if row["calibration_id"] and row["dataset_id"] == of[0]:
            newest[row["judge_id"], *of] = max(row["calibration_id"], newest.get((row["judge_id"], *of), 0))
    chosen: dict[tuple[int, str], Row] = {}
    left_out = Counter(scores_of_other_judges=0, scores_of_other_calibrations=0)
    for row in stored:
        measures = measures_of(row, judges)
        if not measures:
            left_out["scores_of_other_judges"] += 1
        elif row["calibration_id"] not in (None, newest.get((row["judge_id"], *scale[row["preview_id"]]))):
            left_out["scores_of_other_calibrations"] += 1
        else:
            for measure in measures:
                key = (row["preview_id"], measure)
                if key not in chosen or weight(row) > weight(chosen[key]):
                    chosen[key] = row
    return chosen, judges, left_out


def measures_of(score: Row, judges: Judges) -> list[str]:
    """What a stored score counts for; a reason without a judge is stored under the measure's own name."""
    if score["judge_id"] is None:
        return [score["metric"]]
    return [
        name
        for name, judge in judges.items()
        if judge == score["judge_id"] and MEASURES[name].metric == score["metric"]
    ]


def weight(score: Row) -> tuple[bool, bool]:
    """Of two scores of one preview: one on a calibration beats one by a judge beats a bare reason."""
    return score["calibration_id"] is not None, score["judge_id"] is not None


def current_judges(project: Row, scores: list[Row]) -> Judges:
    """The judge of each measure, if it has scored anything here; the second face judge is never the first again."""
    keys = {row["judge_key"]: row["judge_id"] for row in scores if row["judge_id"] is not None}
    columns = dict.fromkeys(measure.judge for measure in MEASURES.values())
    found = {column: current_judge(column, project[column], keys) for column in columns}
    if found["second_face_judge"] == found["face_judge"]:
        found["second_face_judge"] = None
    return {name: found[measure.judge] for name, measure in MEASURES.items()}


def current_judge(column: str, spec: str, keys: dict[str, int]) -> int | None:
    """Id of the judge that a project names, out of those (key -> id) that have scored here.

    Where that judge isn't on this computer (a workspace that was moved), its earlier scores here still count;
    those of another judge never stand in.
    """
    kind, find = ("clip", clip_judge_info) if column == "clip_judge" else ("face", face_judge_info)
    try:
        info = find(spec)
    except JudgeUnavailable:
        return max((judge for key, judge in keys.items() if named(kind, spec, key)), default=None)
    return keys.get(info.key) if info else None


def named(kind: str, spec: str, key: str) -> bool:
    """Whether a judge's key is of the judge that a project names so, whatever its version and files."""
    return key.startswith(tuple(f"{kind}/{name}/" for name in {spec, Path(spec).name}))
