"""Rows that pages show and that no other module hands out."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db.library import dataset, photos, projects, revision
from db.library import project as any_project
from db.results import shown
from db.runs import MISSING_S, checkpoints, live_workers
from db.runs import get as run
from db.runs import of_project as runs
from db.sittings import last_rater
from trainer.config import TrainConfig, parse_config
from workbench.findings.analysis import Tables
from workbench.findings.epoch_map import map_previews
from workbench.findings.metrics import METRICS
from workbench.pictures.gallery import UNSEEN, checkpoint_text, lora_url, preview_url, saved_at
from workbench.plans.plan import plan_of
from workbench.running.progress import Progress, scores_wanted
from workbench.running.queue import photos_of
from workbench.sentences import reason, status_word
from workbench.sweep.settings import field, in_force
from workbench.words import duration

__all__ = [
    "MISSING_S",
    "checkpoint_rows",
    "checkpoints",
    "dataset",
    "how_far",
    "in_queue_order",
    "judged",
    "last_rater",
    "live_workers",
    "look_rows",
    "lora_names",
    "made_elsewhere",
    "mapped",
    "measured",
    "photos",
    "pictured",
    "project",
    "projects",
    "reference_note",
    "revision",
    "run",
    "run_name",
    "run_rows",
    "runs",
    "shown",
    "trained",
    "untried",
    "why",
]


LOOK = ("drift", "diversity", "look", "saturation_change", "clipping_change", "sharpness_change")
SAW_REFERENCES = {
    "yes": "The photos that likeness is measured against were trained on: likeness is too high, and copying can't be "
    "told from learning. Give photos that the training never saw.",
    "unknown": "It isn't known whether the photos that likeness is measured against were trained on. If they were, "
    "likeness is too high, and copying can't be told from learning.",
}


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


def made_elsewhere(db: Database, project: Mapping[str, Any]) -> bool:
    """Whether a project is about what was made elsewhere alone: pictures, or LoRA files and no training of its own."""
    listed = runs(db, project["id"])
    return plan_of(db, project["id"]).elsewhere or (bool(listed) and all(run["origin"] for run in listed))


def reference_note(db: Database, project: Mapping[str, Any]) -> list[str]:
    """What is to be known of the photos that likeness is measured against; empty where no training saw them."""
    saw = {run["saw_references"] for run in runs(db, project["id"])} - {"no"}
    return [SAW_REFERENCES[answer] for answer in ("yes", "unknown") if answer in saw]


def seen_words(db: Database, project: Mapping[str, Any]) -> str:
    """Whether the reference photos were trained on, as short as a row's head needs it."""
    saw = {run["saw_references"] for run in runs(db, project["id"])}
    return "real, trained on" if "yes" in saw else "real, perhaps trained on" if "unknown" in saw else UNSEEN


def lora_names(db: Database, project_id: int, tables: Tables) -> dict[int, str]:
    """Run -> its name, of all that the map of epochs and strengths has pictures of."""
    shown = set(map_previews(tables)["run_id"])
    return {row["id"]: full_name(row) for row in runs(db, project_id) if row["id"] in shown}


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


def full_name(row: Mapping[str, Any]) -> str:
    """The same with its seed; of a training elsewhere that may not be known."""
    return run_name(row) + (f", seed {row['seed']}" if row["seed"] >= 0 else "")


def unknown_settings(run: Mapping[str, Any]) -> list[str]:
    """The settings of a training elsewhere that are not known."""
    return list(json.loads(run.get("unknown") or "[]"))


def judged(tables: Tables) -> bool:
    """Whether any picture has a score, so that no judge has refused the photos."""
    scored = tables.previews[["likeness", "clip_t", "clip_i"]].notna()
    return bool(scored.to_numpy().any())


def judged_share(now: Progress, project: Mapping[str, Any]) -> float:
    """How many of the scores of the pictures that are there have been made, 0 to 1."""
    wanted = now.previews_done * len(scores_wanted(dict(project)))
    return 1.0 - min(1.0, now.scores_missing / wanted) if wanted else 1.0


def known_settings(run: Mapping[str, Any], config: TrainConfig) -> list[dict[str, str]]:
    """Settings as asked for and as in force; of a training elsewhere those that are known."""
    rows = in_force(config, run["effective"])
    if not run["origin"]:
        return rows
    unknown = {field(name).title for name in unknown_settings(run)}
    return [{"setting": r["setting"], "value": r["asked for"]} for r in rows if r["setting"] not in unknown]


def run_rows(listed: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Runs as a table shows them: what is trained, how far it is, and why it ended as it did."""
    return [
        {
            "run": row["id"],
            "pattern": run_name(row),
            "seed": row["seed"] if row["seed"] >= 0 else None,
            "status": "made elsewhere" if row["origin"] else status_word(row["status"]),
            "progress": row["step"] / row["total_steps"] if row["total_steps"] else float(bool(row["origin"])),
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
    """A run's LoRA files as a table shows them; what is known of none has no column."""
    rows = [
        {
            **({"name": row["name"], "saved at": saved_at(row)} if row["name"] else {"updates": row["updates"]}),
            "images seen": row["images_seen"] or None,
            "file": where_it_lies(row),
            "size": f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "",
            "read back after saving": read_back(json.loads(row["proof"])),
            "download": lora_url(row) if row["removed_at"] is None else None,
        }
        for row in checkpoints(db, run_id)
    ]
    told = [name for name in (rows[0] if rows else {}) if any(row[name] not in ("", None) for row in rows)]
    return [{name: row[name] for name in told} for row in rows]


def where_it_lies(checkpoint: Mapping[str, Any]) -> str:
    """A checkpoint's file, or why there is none."""
    if not checkpoint["file"]:
        return "made elsewhere: only its pictures are here"
    return checkpoint["file"] if checkpoint["removed_at"] is None else "tidied away; look into the bin"


def read_back(proof: Mapping[str, Any]) -> str:
    """What was found when a saved file was read back: 192 modules, scale 1, output off by 1e-05."""
    parts = [f"{proof['modules']} modules"] if "modules" in proof else []
    if "scale" in proof:
        parts.append(f"scale {proof['scale']:g}")
    if "error" in proof:
        parts.append(f"output off by {proof['error']:.0e}")
    return ", ".join(parts)


def mapped(tables: Tables) -> list[str]:
    """The scores that the map of epochs and strengths can show, the main one first."""
    order = [tables.main_metric, *METRICS]
    had = set(measured(tables))
    rows = map_previews(tables)
    return [key for key in dict.fromkeys(order) if key in had and METRICS[key].column in rows]


def look_rows(tables: Tables) -> list[tuple[list[str], dict[str, Any]]]:
    """What LoRAs do to pictures besides the face: per checkpoint the tokens of its pictures, and its row of a table.

    Only columns in which something was measured; nothing without any.
    """
    rows = tables.checkpoints[~tables.checkpoints["is_base"]]
    shown = [key for key in LOOK if key in METRICS and key in rows and rows[key].notna().any()]
    if not shown:
        return []
    previews = tables.previews[~tables.previews["is_base"] & (tables.previews["picture_status"] == "ok")]
    tokens: dict[int, list[str]] = {}
    for checkpoint_id, token in zip(previews["checkpoint_id"], previews["token"], strict=True):
        tokens.setdefault(checkpoint_id, []).append(token)
    return [
        (
            tokens.get(row["checkpoint_id"], []),
            {
                "LoRA": row["label"],
                "checkpoint": checkpoint_text({**row, "is_final": False}),
                **{METRICS[key].label: "" if pd.isna(row[key]) else METRICS[key].show(row[key]) for key in shown},
                "pictures (n)": row["n_previews"],
            },
        )
        for row in rows.to_dict("records")
    ]


def pictured(rows: Iterable[tuple[list[str], dict[str, Any]]], held: Collection[str] = ()) -> list[dict[str, Any]]:
    """The rows of such a table with the address of a picture each. ``held``: tokens of those that wait to be rated."""
    free = (next((token for token in tokens if token not in held), None) for tokens, _ in rows)
    return [{"picture": token and preview_url(token), **row} for token, (_, row) in zip(free, rows, strict=True)]


def measured(tables: Tables) -> list[str]:
    """The scores that any checkpoint has, in the order of METRICS.

    Broken pictures count as faceless even where nobody looks for faces: that alone is no face rate.
    """
    judged = tables.previews["face_judge"].notna().any()
    found = [key for key in METRICS if tables.checkpoints[key].notna().any()]
    return [key for key in found if judged or key != "face_rate"]
