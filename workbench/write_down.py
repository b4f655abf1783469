"""What the engine says of its work, as rows: LoRA files, pictures, scales, scores. Only the worker calls this."""

import json
from typing import Any

from sqlite_utils import Database

from db import results, runs
from trainer.events import Saved
from workbench.likeness import ESTIMATOR
from workbench.missing import Job
from workbench.workspace import Workspace

Row = dict[str, Any]


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
    )


def calibration(db: Database, job: Job, event: Row) -> None:
    """The ends of a likeness scale."""
    results.add_calibration(
        db,
        **job.about,
        estimator=ESTIMATOR,
        real=event["real"],
        strangers=event["strangers"],
        counts=json.dumps(event["counts"]),
    )


def scores(db: Database, job: Job, event: Row) -> int | None:
    """Scores of previews; returns the project that they are of, None where there were none."""
    rows = [{**job.about, **score, "detail": json.dumps(score["detail"])} for score in event["scores"]]
    results.add_scores(db, rows)
    preview = results.preview(db, rows[0]["preview_id"]) if rows else None
    return preview["project_id"] if preview else None
