"""The rows that filled workspaces are made of: judges, scales, photos, checkpoints and previews of the miniature."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from db import library, results, runs
from workbench.judges import JudgeInfo, clip_judge_info, face_judge_info
from workbench.plans.plan import EvalPlan

TRIGGER, NOUN = "zwx", "woman"
REAL, STRANGERS = 0.82, 0.02  # raw cosines: 100 and 0 on the likeness scale
SIDE = 64  # px


def raw_of(likeness: float | None) -> float | None:
    """The cosine of so much likeness on the scale."""
    return None if likeness is None else STRANGERS + (REAL - STRANGERS) * likeness / 100


def add_calibration(db: Database, judge: int, dataset_id: int, **more: Any) -> int:
    """The ends of a judge's scale; the face judge's unless told."""
    columns = {"size_px": SIDE, "estimator": "mean_of_pairs", "real": REAL, "strangers": STRANGERS}
    counts = json.dumps({"train": 6, "reference": 3, "strangers": 20})
    return results.add_calibration(db, judge_id=judge, dataset_id=dataset_id, counts=counts, **{**columns, **more})


def add_judges(db: Database) -> tuple[int, int]:
    """The judges under which the scores are stored: those that the project names."""
    face, clip = face_judge_info("embedded"), clip_judge_info("embedded")
    assert face is not None and clip is not None  # the embedded judges are part of the repository
    return add_judge(db, face), add_judge(db, clip)


def add_judge(db: Database, info: JudgeInfo, key: str = "") -> int:
    about = {name: getattr(info, name) for name in ("kind", "name", "version", "licence", "world")}
    return results.add_judge(db, key or info.key, **about)


def add_photos(db: Database, project_id: int, name: str, photos: Sequence[dict[str, Any]], n_train: int) -> int:
    """A dataset of these photos, the first ones to train on and the others for reference."""
    same = {"caption": "", "width": SIDE, "height": SIDE, "crop": "face", "face_px": 30.0, "duplicate_group": None}
    rows = [
        {**same, "position": position, "side": "train" if position < n_train else "reference", **about}
        for position, about in enumerate(photos)
    ]
    return library.add_dataset(
        db, project_id, hash=name, trigger_word=TRIGGER, class_noun=NOUN, size_px=None, photos=rows
    )


def add_checkpoint(db: Database, run_id: int, updates: int, last: int, **more: Any) -> int:
    """A checkpoint of a run that stops after ``last`` updates in batches of 4, 12 of them an epoch."""
    columns: dict[str, Any] = {
        "images_seen": updates * 4,
        "epoch": updates / 12,
        "file": f"runs/{run_id}/lora-{updates:06d}.safetensors",
        "sha256": f"{run_id:032x}{updates:032x}",
        "bytes": 1000,
        "proof": json.dumps({"modules": 192, "same_output": True}),
        "is_last": int(updates == last),
    }
    return runs.add_checkpoint(db, run_id, updates=updates, **{**columns, **more})


def add_preview(
    filled: Any, plan: EvalPlan, checkpoint: int | None, cell: tuple[int, int, float], token: str, **more: Any
) -> int:
    """The row of a picture that lies, or would lie, in the plan's folder under its token; None: of the base row.

    ``filled``: what has a ws, a db, a project_id and a plan_id.
    """
    prompt, seed, strength = cell
    folder: Path = filled.ws.preview_folder(filled.plan_id)
    columns: dict[str, Any] = {
        "base_model": "embedded",
        "clip_skip": 1,
        "text": plan.text(prompt, TRIGGER, NOUN),
        "file": filled.ws.relative(folder / f"{token}.png"),
        "thumb": filled.ws.relative(folder / f"{token}.webp"),
        "size_px": SIDE,
        "status": "ok",
        "seconds": 0.5,
    }
    preview_id = results.add_preview(
        filled.db,
        token=token,
        plan_id=filled.plan_id,
        project_id=filled.project_id,
        checkpoint_id=checkpoint,
        prompt=prompt,
        seed=seed,
        strength=strength,
        **{**columns, **more},
    )
    assert preview_id is not None
    return preview_id
