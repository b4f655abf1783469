"""What the engine says of its work, as rows: LoRA files, pictures, scales, scores. Only the worker calls this."""

import contextlib
import json
import time
from base64 import b64decode
from typing import Any

import numpy as np
from sqlite_utils import Database

from db import library, results, runs, vectors
from trainer.events import Saved
from workbench.dataset.photo_file import BrokenPhoto, read_photo
from workbench.plans.missing import Job
from workbench.scores.finish import Finish, finish
from workbench.workspace import Workspace

Row = dict[str, Any]

MOMENT_S = 0.3  # the worker has other things to listen to


def checkpoint(ws: Workspace, db: Database, run_id: int, event: Saved) -> Row:
    """A LoRA file that lies under its final name, with what was measured when it was saved."""
    checkpoint_id = runs.add_checkpoint(
        db,
        run_id,
        updates=event.update,
        images_seen=event.images_seen,
        epoch=event.epoch,
        file=ws.relative(ws.run_folder(run_id) / event.file),
        sha256=event.sha256,
        bytes=event.bytes,
        proof=json.dumps(event.proof),
        is_last=int(event.last),
        seconds=event.seconds,
        memory_bytes=event.memory_bytes,
        loss_train=event.loss_train,
        loss_reference=event.loss_reference,
        weight_change=json.dumps(event.weight_change) if event.weight_change else None,
    )
    row = runs.checkpoint(db, checkpoint_id)
    assert row is not None  # just stored
    return row


def picture(ws: Workspace, db: Database, job: Job, event: Row) -> None:
    """A preview whose files lie under their final names."""
    cell = next(cell for cell in job.command["cells"] if cell["key"] == event["key"])
    folder = ws.preview_folder(job.about["plan_id"])
    results.add_preview(
        db,
        **job.about,
        token=event["token"],
        prompt=cell["prompt"],
        seed=cell["seed"],
        strength=cell["strength"],
        text=cell["text"],
        file=ws.relative(folder / event["file"]),
        thumb=ws.relative(folder / event["thumb"]),
        size_px=event["size_px"],
        status=event["status"],
        seconds=event["seconds"],
        **{name: event.get(name) for name in (*Finish._fields, "in_fp32")},
    )


def calibration(db: Database, job: Job, event: Row) -> int:
    """The ends of a scale, and what is recognised and copied on it; returns the project that it is of."""
    results.add_calibration(
        db,
        **{name: value for name, value in job.about.items() if name != "preview_ids"},
        real=event["real"],
        strangers=event["strangers"],
        counts=json.dumps(event["counts"]),
        threshold=event["threshold"],
        detail=json.dumps(event["detail"]),
    )
    dataset = library.dataset(db, job.about["dataset_id"])
    assert dataset is not None  # its photos were just looked at
    return int(dataset["project_id"])


def scores(db: Database, job: Job, event: Row) -> None:
    """A batch of scores, and what the judge saw (see workbench/scores/look.py)."""
    judge_id, calibrations = job.about["judge_id"], job.about["calibrations"]
    results.add_scores(
        db,
        [
            {
                **score,
                "judge_id": judge_id,
                "calibration_id": calibrations[score["metric"]],
                "detail": json.dumps(score["detail"]),
            }
            for score in event["scores"]
        ],
    )
    seen = {row["preview_id"]: row["vector"] for row in event["scores"] if row.get("vector")}
    vectors.add_vectors(
        db, [{"preview_id": id, "judge_id": judge_id, "vector": b64decode(text)} for id, text in seen.items()]
    )


def finishes(ws: Workspace, db: Database, project: Row) -> bool:
    """Measure the finish of previews from before it was measured, for a moment; whether any was.

    A picture that is lost or broken is passed over: its score has the reason.
    """
    until = time.monotonic() + MOMENT_S
    measured: dict[int, Row] = {}
    for preview in results.without_finish(db, project["id"]):
        if time.monotonic() > until:
            break
        with contextlib.suppress(BrokenPhoto, OSError):
            pixels = np.asarray(read_photo(ws.path(preview["file"])))
            measured[preview["id"]] = finish(pixels)._asdict()
    results.set_finish(db, measured)
    return bool(measured)
