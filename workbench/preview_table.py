"""One row per preview, with what its judges and the raters say of it; two scales never meet in one column."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import library, ratings, results, runs
from trainer.config import parse_config
from workbench.judges import JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.likeness import on_scale
from workbench.metrics import COSINE_ZERO, HUMAN_AXES, STRANGERS
from workbench.plan import EvalPlan, plan_of
from workbench.sentences import score_status
from workbench.wanted import Eyes, main_eyes

Row = dict[str, Any]

FACE_FOUND = ("ok", "several_faces", "small_face")
RUN_COLUMNS = ["run_id", "pattern_id", "label", "train_seed", "dataset_id"]
CHECKPOINT_COLUMNS = [
    "checkpoint_id",
    "updates",
    "images_seen",
    "epoch",
    "is_last",
    "is_base",
    "base_model",
    "clip_skip",
]
INTEGERS = ["run_id", "pattern_id", "train_seed", "dataset_id", "checkpoint_id", "updates", "images_seen"]
HUMAN_COLUMNS = [f"human_{axis}" for axis in HUMAN_AXES]
FACE_NUMBERS = ["face_found", "likeness", "likeness_raw", "copy_gap", "face_px"]
NONE_WHERE_MISSING = ["face_status", "clip_status", "zero"]  # pandas would make it NaN, which is true in an "if"
PREVIEW_COLUMNS = [
    "preview_id",
    "token",
    *RUN_COLUMNS,
    *CHECKPOINT_COLUMNS,
    "prompt",
    "role",
    "text",
    "seed",
    "strength",
    "is_main",
    "is_variant",
    "is_final",
    "picture_status",
    "face_status",
    "face_reason",
    *FACE_NUMBERS,
    "zero",
    "clip_status",
    "clip_reason",
    "clip_t",
    "face_judge",
    "clip_judge",
    *HUMAN_COLUMNS,
    "n_marks",
]


def preview_table(db: Database, project_id: int) -> pd.DataFrame:
    """One row per preview of the current plan, base rows included; columns: PREVIEW_COLUMNS.

    ``likeness`` is on the subject's scale (strangers 0, real photos 100); ``likeness_raw`` and ``clip_t``
    are cosines; ``face_px`` is the side of the face in pixels; ``human_*`` are marks from 0 to 100, mean
    over raters. ``zero`` says what 0 on the scale is, a key of metrics.ZEROS. ``face_status`` and
    ``clip_status`` are the score's (a broken picture's own; None = not scored yet), ``face_reason`` and
    ``clip_reason`` the same as a sentence, empty where there is nothing to say.
    ``face_found`` is 1, 0 (no face, or a broken picture) or missing (not judged).
    ``copy_gap``: by how many points of the scale the face is nearer to the nearest training photo than to
    the nearest reference photo, beyond what is usual for real photos. ``is_variant``: rendered on another base
    or with another clip skip than the plan's main view. ``is_final``: its run was trained on the reference
    photos too. ``is_main``: headline figures are about it, so neither of these, and rendered at the plan's main
    strength (always so on the base row). ``attrs["left_out"]`` counts what is stored but not shown:
    previews of other plans, scores of other judges and of other calibrations.
    """
    project = library.project(db, project_id)
    if project is None:
        raise LookupError(f"There is no project {project_id}. `python -m workbench status` lists them.")
    plan, plan_id = plan_of(db, project_id), project["plan_id"]
    stored = results.previews(db, project_id, plan_id) if plan_id else []
    scores, left_out = current_scores(db, project, stored)
    marks = human_marks(db, project_id)
    headline = main_views(db, project_id, plan)
    rows = []
    for preview in stored:
        is_base, is_final = preview["checkpoint_id"] is None, bool(preview["final"])
        looked = Eyes(preview["base_model"], preview["clip_skip"])
        is_variant = looked not in headline.values() if is_base else looked != headline[preview["run_id"]]
        about = {
            "preview_id": preview["id"],
            "picture_status": preview["status"],
            "is_base": is_base,
            "is_last": bool(preview["is_last"]),
            "role": plan.prompts[preview["prompt"]].role,
            "is_variant": is_variant and bool(headline),
            "is_final": is_final,
            "is_main": not is_variant and not is_final and (is_base or preview["strength"] == plan.main_strength),
        }
        face = face_columns(scores.get((preview["id"], "likeness")), preview["status"])
        clip = clip_columns(scores.get((preview["id"], "clip_t")), preview["status"])
        said = marks.get(preview["same_as"] or preview["id"], {})
        rows.append({"n_marks": 0, **preview, **about, **face, **clip, **said})
    table = pd.DataFrame(rows, columns=PREVIEW_COLUMNS).astype(
        {
            **dict.fromkeys(INTEGERS, "Int64"),
            **dict.fromkeys([*FACE_NUMBERS, "clip_t", "epoch", *HUMAN_COLUMNS], "float64"),
            **dict.fromkeys(["is_main", "is_variant", "is_final", "is_base", "is_last"], "bool"),
            "n_marks": "int64",
        }
    )
    for column in NONE_WHERE_MISSING:
        table[column] = table[column].astype(object).where(table[column].notna(), None)
    others = db.table("previews").count_where("project_id = ? and plan_id is not ?", [project_id, plan_id])
    table.attrs["left_out"] = {"previews_of_other_plans": others, **left_out}
    return table


def main_views(db: Database, project_id: int, plan: EvalPlan) -> dict[int, Eyes]:
    """Run -> what its headline previews are made with."""
    return {run["id"]: main_eyes(plan, parse_config(run["config"])) for run in runs.of_project(db, project_id)}


def face_columns(score: Row | None, picture_status: str) -> Row:
    """What a likeness score says of a preview; a broken picture has no face, whoever looked."""
    status, reason = status_and_reason(score, picture_status)
    broken = picture_status != "ok"
    found = 0.0 if broken or status == "no_face" else 1.0 if status in FACE_FOUND else None
    columns = {"face_status": status, "face_reason": reason, "face_found": found}
    if score is None:
        return columns
    columns["face_judge"] = score["judge"]
    if score["value"] is None or broken:
        return columns
    detail = json.loads(score["detail"])
    columns |= {"likeness_raw": score["value"], "face_px": detail.get("face_px")}
    if score["real"] is None:
        return columns
    zero, real = score["strangers"], score["real"]
    columns |= {"likeness": on_scale(score["value"], zero, real), "zero": COSINE_ZERO if zero is None else STRANGERS}
    if "nearest_train" in detail:
        nearest = [on_scale(detail[name], zero, real) for name in ("nearest_train", "nearest_reference")]
        usual = (detail.get("usual_gap") or 0.0) / (real - (zero or 0.0)) * 100
        columns["copy_gap"] = nearest[0] - nearest[1] - usual
    return columns


def clip_columns(score: Row | None, picture_status: str) -> Row:
    """What a CLIP score says of a preview; a broken picture has none."""
    status, reason = status_and_reason(score, picture_status)
    columns = {"clip_status": status, "clip_reason": reason}
    if score is None:
        return columns
    return {**columns, "clip_t": score["value"] if picture_status == "ok" else None, "clip_judge": score["judge"]}


def status_and_reason(score: Row | None, picture_status: str) -> tuple[str | None, str]:
    """Status of a score and a sentence on it, empty for "ok" and for what isn't scored yet (None)."""
    if picture_status != "ok":
        return picture_status, score_status(picture_status)
    if score is None or score["status"] == "ok":
        return (score["status"] if score else None), ""
    message = json.loads(score["detail"]).get("message")
    return score["status"], ". ".join(part for part in (score_status(score["status"]), message) if part)


def current_scores(db: Database, project: Row, previews: list[Row]) -> tuple[dict[tuple[int, str], Row], Counter[str]]:
    """The score that counts per (preview id, metric), and how many were left out for which reason.

    It counts if it is by the judge that the project names now and, for likeness, on the newest calibration
    of the run's dataset and the picture's size (for the base row: of the project's dataset). A row without
    a judge or a calibration has no value and only says why.
    """
    stored = results.scores(db, project["id"], project["plan_id"]) if project["plan_id"] else []
    judges = {metric: current_judge(project, metric, stored) for metric in ("likeness", "clip_t")}
    scale = {row["id"]: (row["dataset_id"] or project["dataset_id"], row["size_px"]) for row in previews}
    newest: dict[Any, int] = {}
    for row in stored:
        of = scale[row["preview_id"]]
        if row["judge_id"] == judges["likeness"] and row["calibration_id"] and row["dataset_id"] == of[0]:
            newest[of] = max(row["calibration_id"], newest.get(of, 0))
    chosen: dict[tuple[int, str], Row] = {}
    left_out = Counter(scores_of_other_judges=0, scores_of_other_calibrations=0)
    for row in stored:
        key = (row["preview_id"], row["metric"])
        if row["judge_id"] not in (None, judges.get(row["metric"])):
            left_out["scores_of_other_judges"] += 1
        elif row["calibration_id"] not in (None, newest.get(scale[row["preview_id"]])):
            left_out["scores_of_other_calibrations"] += 1
        elif key not in chosen or weight(row) > weight(chosen[key]):
            chosen[key] = row
    return chosen, left_out


def weight(score: Row) -> tuple[bool, bool]:
    """Of two scores of one preview: one on a calibration beats one by a judge beats a bare reason."""
    return score["calibration_id"] is not None, score["judge_id"] is not None


def current_judge(project: Row, metric: str, scores: list[Row]) -> int | None:
    """Id of the judge that the project names for a metric, if it has scored anything here.

    Where that judge isn't on this computer (a workspace that was moved), its earlier scores here still count;
    those of another judge never stand in.
    """
    own = {
        row["judge_key"]: row["judge_id"] for row in scores if row["metric"] == metric and row["judge_id"] is not None
    }
    try:
        info = (
            face_judge_info(project["face_judge"]) if metric == "likeness" else clip_judge_info(project["clip_judge"])
        )
    except JudgeUnavailable:
        spec = project["face_judge"] if metric == "likeness" else project["clip_judge"]
        kind = "face" if metric == "likeness" else "clip"
        names = tuple(f"{kind}/{name}/" for name in {spec, Path(spec).name})
        return max((judge for key, judge in own.items() if key.startswith(names)), default=None)
    return own.get(info.key) if info else None


def human_marks(db: Database, project_id: int) -> dict[int, Row]:
    """Mean mark per picture and axis: one rater's repeats are averaged first, then the raters.

    A picture that several plans share has the id of the preview that it was first drawn for.
    """
    stored = ratings.marks(db, project_id)
    if not stored:
        return {}
    marks = pd.DataFrame(stored)
    by_rater = marks.groupby(["preview_id", "axis", "rater"])["value"].mean()
    wide = by_rater.groupby(["preview_id", "axis"]).mean().unstack("axis").add_prefix("human_")
    wide["n_marks"] = marks.groupby("preview_id").size()
    return {int(preview): row for preview, row in wide.to_dict("index").items()}
