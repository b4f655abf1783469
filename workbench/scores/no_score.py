"""No value, and the reason: what is written down for previews that a judge can't score, so that charts can say why."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlite_utils import Database

from db import results
from workbench.judges import JudgeUnavailable
from workbench.plans.missing import Job
from workbench.scores.look import CLIP_I
from workbench.scores.scoring import CLIP_T, LIKENESS

Row = dict[str, Any]

# Why a job of the engine fails in a way that its previews are told: the photos are to blame, or the judge can't be
# loaded. Trying again is for the next start of a worker.
LASTING = ("not_calibrated", "outside_world", "unavailable")


def write(
    db: Database,
    preview_ids: Collection[int],
    judge_id: int | None,
    metric: str,
    status: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Store "no value, because" for previews. A score that is there stays."""
    row = {"judge_id": judge_id, "calibration_id": None, "metric": metric, "value": None, "status": status}
    if preview_ids:
        row["detail"] = json.dumps(detail or {})
        results.add_scores(db, [{**row, "preview_id": preview_id} for preview_id in preview_ids])


def unavailable(db: Database, project: Row, metric: str, error: JudgeUnavailable) -> None:
    """The judge that the project names for a metric is not on this computer."""
    waiting = results.unscored(db, project["id"], project["plan_id"], metric, None, None)
    detail = {"code": error.code, **error.params, "message": str(error)}
    write(db, [preview["id"] for preview in waiting], None, metric, "unavailable", detail)


def of_job(db: Database, job: Job, status: str, message: str) -> None:
    """What a job was for has no value: ``status``, one of LASTING, says why."""
    if job.command["do"] == "score":
        metrics, previews = tuple(job.about["calibrations"]), [row["preview_id"] for row in job.command["pictures"]]
    else:
        metrics, previews = of_scale(job.command["judge"]["kind"], status), job.about["preview_ids"]
    for metric in metrics:
        write(db, previews, job.about["judge_id"], metric, status, {"message": message})


def of_scale(kind: str, status: str) -> tuple[str, ...]:
    """What has no value without a scale: CLIP can hold words against a picture all the same, if it is fit to."""
    if kind == "face":
        return (LIKENESS,)
    return (CLIP_I,) if status == "not_calibrated" else (CLIP_I, CLIP_T)
