"""Which judges a project has: whether they can be used here, and what going over to another one costs."""

from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from db import results
from workbench.judges import JudgeInfo, JudgeUnavailable, clip_judge_info, face_judge_info

MEASURES = {"face": ("likeness", "likeness"), "clip": ("clip_t", "prompt adherence")}  # kind -> metric, in words


def judge_problem(kind: str, spec: str) -> str:
    """Why a judge (``face`` or ``clip``) can't be used on this computer, and what to do; empty when it can."""
    try:
        _info(kind, spec)
    except JudgeUnavailable as error:
        return str(error)
    return ""


def judge_cost(db: Database, project: Mapping[str, Any], kind: str, spec: str) -> str:
    """What another judge of a kind means for the previews that there are; empty where nothing changes."""
    if spec == project[f"{kind}_judge"] or not project["plan_id"]:
        return ""
    metric, words = MEASURES[kind]
    try:
        info = _info(kind, spec)
    except JudgeUnavailable:
        return ""
    stays = "Earlier scores stay stored and count again when that judge is chosen again."
    if info is None:
        return f"No judge: {words} is not measured any more. {stays}"
    n = unjudged(db, project, metric, info)
    return f"Another judge of {words}: {n:,} previews will be scored anew, none is rendered anew. {stays}"


def unjudged(db: Database, project: Mapping[str, Any], metric: str, info: JudgeInfo) -> int:
    """Previews of the plan in force that have no score by a judge; those of final runs never get a likeness."""
    scored = {
        row["preview_id"]
        for row in results.scores(db, project["id"], project["plan_id"])
        if row["metric"] == metric and row["judge_key"] == info.key
    }
    return sum(
        row["id"] not in scored and not (metric == "likeness" and row["final"])
        for row in results.previews(db, project["id"], project["plan_id"])
    )


def _info(kind: str, spec: str) -> JudgeInfo | None:
    return face_judge_info(spec) if kind == "face" else clip_judge_info(spec)
