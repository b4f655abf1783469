"""Rows that pages show and that no other module hands out."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from db.library import dataset, photos, projects, revision
from db.library import project as any_project
from db.runs import MISSING_S, checkpoints, live_workers
from db.runs import get as run
from db.runs import of_project as runs
from trainer.config import parse_config
from workbench.analysis import Tables
from workbench.gallery import lora_url
from workbench.metrics import METRICS
from workbench.queue import photos_of
from workbench.sentences import reason, status_word
from workbench.words import duration

__all__ = [
    "MISSING_S",
    "checkpoint_rows",
    "checkpoints",
    "dataset",
    "how_far",
    "in_queue_order",
    "live_workers",
    "measured",
    "photos",
    "project",
    "projects",
    "revision",
    "run",
    "run_name",
    "run_rows",
    "runs",
    "trained",
    "untried",
    "why",
]


def why(run: Mapping[str, Any]) -> str:
    """Why a run ended as it did, in a sentence; empty while there is nothing to explain."""
    return reason(run["reason"], json.loads(run["reason_params"]))


def project(db: Database, project_id: int) -> dict[str, Any] | None:
    """A project that is not in the bin."""
    row = any_project(db, project_id)
    return row if row and row["deleted_at"] is None else None


def untried(
    db: Database, project: Mapping[str, Any], pattern_ids: Iterable[int], seeds: Iterable[int]
) -> dict[int, list[int]]:
    """Seed -> patterns that were not trained to the end with it on the project's current photos, nor wait to be.

    Of these, ``queue.enqueue`` tries a failed or cancelled run again instead of making another. A final run says
    nothing here: it has other photos.
    """
    chosen = list(pattern_ids)
    had = {
        (row["pattern_id"], row["seed"])
        for row in runs(db, project["id"])
        if row["dataset_id"] == project["dataset_id"]
        and row["status"] in ("queued", "running", "done")
        and not row["final"]
    }
    return {seed: [pattern for pattern in chosen if (pattern, seed) not in had] for seed in seeds}


def trained(db: Database, project_id: int) -> Counter[int]:
    """Pattern -> how many of its runs are done."""
    return Counter(row["pattern_id"] for row in runs(db, project_id) if row["status"] == "done")


def in_queue_order(listed: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What trains now, then what waits in the order in which it is taken, then what is over, newest first."""

    def place(row: Mapping[str, Any]) -> tuple[int, int, int]:
        waiting = ["running", "queued"]
        if row["status"] in waiting:
            return waiting.index(row["status"]), -row["priority"], row["id"]
        return len(waiting), 0, -row["id"]

    return sorted(listed, key=place)


def run_name(row: Mapping[str, Any]) -> str:
    """A run's pattern, with what sets the run apart: on all photos, or the continuation of another."""
    final = ", final: on all photos" if row["final"] else ""
    return f"{row['label']}{final}" + (f", from run {row['continues']} on" if row["continues"] else "")


def run_rows(listed: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Runs as a table shows them: what is trained, how far it is, and why it ended as it did."""
    return [
        {
            "run": row["id"],
            "pattern": run_name(row),
            "seed": row["seed"],
            "status": status_word(row["status"]),
            "progress": row["step"] / row["total_steps"] if row["total_steps"] else 0.0,
            "updates": row["step"],
            "loss": f"{row['loss']:.4f}" if row["loss"] is not None else "",
            "trained for": duration(row["train_seconds"]) if row["train_seconds"] else "",
            "what happened": why(row),
        }
        for row in listed
    ]


def how_far(db: Database, row: Mapping[str, Any]) -> str:
    """How far a run is: updates, photos shown, time."""
    if not row["total_steps"]:
        return "not started yet"
    config, n_photos = parse_config(row["config"]), len(photos_of(db, row))
    seen = f"{config.images_seen(row['step'], n_photos):,} images seen · " if n_photos else ""
    trained = duration(row["train_seconds"])
    return f"update {row['step']:,} of {row['total_steps']:,} · {seen}{trained} of training"


def checkpoint_rows(db: Database, run_id: int) -> list[dict[str, Any]]:
    """A run's LoRA files as a table shows them."""
    return [
        {
            "updates": row["updates"],
            "images seen": row["images_seen"],
            "file": row["file"] if row["removed_at"] is None else "tidied away; look into the bin",
            "size": f"{row['bytes'] / 1e6:.1f} MB",
            "read back after saving": read_back(json.loads(row["proof"])),
            "download": lora_url(row) if row["removed_at"] is None else None,
        }
        for row in checkpoints(db, run_id)
    ]


def read_back(proof: Mapping[str, Any]) -> str:
    """What was found when a saved file was read back: 192 modules, scale 1, output off by 1e-05."""
    parts = [f"{proof['modules']} modules"]
    if "scale" in proof:
        parts.append(f"scale {proof['scale']:g}")
    if "error" in proof:
        parts.append(f"output off by {proof['error']:.0e}")
    return ", ".join(parts)


def measured(tables: Tables) -> list[str]:
    """The scores that any checkpoint has, in the order of METRICS.

    Broken pictures count as faceless even where nobody looks for faces: that alone is no face rate.
    """
    judged = tables.previews["face_judge"].notna().any()
    found = [key for key in METRICS if tables.checkpoints[key].notna().any()]
    return [key for key in found if judged or key != "face_rate"]
