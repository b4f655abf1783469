"""A small, complete workspace with known numbers, built through public functions: for tests, screenshots."""

import atexit
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from filled_rows import (
    NOUN,
    SIDE,
    TRIGGER,
    add_calibration,
    add_checkpoint,
    add_judges,
    add_photos,
    add_preview,
    raw_of,
)
from PIL import Image, ImageDraw, ImageFilter
from sqlite_utils import Database

from db import library, now, ratings, results, runs
from trainer.config import TrainConfig
from trainer.effective import effective
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.running.device import DeviceInfo
from workbench.sweep import patterns
from workbench.workspace import Workspace

PLAN = EvalPlan(
    prompts=(
        Prompt(text="photo of {trigger} {class_noun}"),
        Prompt(text="photo of {trigger} {class_noun} in a blue shirt, at the beach"),
        Prompt(text="oil painting of {trigger} {class_noun}, portrait"),
        Prompt(text="photo of a {class_noun}, plain background", role="neutral"),
    ),
    seeds=(101, 102),
)
TRAIN_SEEDS = (1, 2)
UPDATES = (60, 120)  # of the two checkpoints of every run
BASELINE = TrainConfig(dim=16, alpha=16.0, learning_rate=2e-3, batch_size=4)
CHANGES: dict[str, dict[str, object]] = {
    "baseline": {},
    "alpha 1": {"alpha": 1.0},
    "rate 6e-3": {"learning_rate": 6e-3},
}

# Likeness on the scale is a sum of these, so means, spreads and differences can be worked out by hand.
OF_PATTERN = (60.0, 45.0, 57.0)  # last checkpoint, mean over identity prompts and training seeds
OF_TRAIN_SEED = {1: 2.0, 2: -2.0}
OF_CHECKPOINT = {60: -10.0, 120: 0.0}
OF_PROMPT = (0.0, -6.0, 6.0)
OF_PREVIEW_SEED = 1.0  # + for the first seed of the plan, - for the second, 0 for others
OF_BOTH = ((0.0, 0.0, 0.0), (0.0, 1.0, -1.0), (0.0, 2.0, -2.0))  # pattern x prompt
LEAKAGE, BASE_ROW = 8.0, 12.0
CLIP = (0.30, 0.32, 0.26)  # of each pattern, for each prompt
CLIP_OF_TRAIN_SEED = {1: 0.003, 2: -0.003}
CLIP_BASE_ROW = 0.24


@dataclass(frozen=True)
class Filled:
    """What was built and under which ids."""

    ws: Workspace
    db: Database
    project_id: int
    dataset_id: int
    plan_id: int
    pattern_ids: tuple[int, ...]
    run_ids: tuple[int, ...]  # the finished ones: pattern by pattern, seed by seed
    face_judge: int
    clip_judge: int
    calibration: int


def likeness(pattern: int, train_seed: int, updates: int, prompt: int, seed: int, plan: EvalPlan = PLAN) -> float:
    """The likeness that the preview of this cell was given (``pattern``: its number from 0)."""
    if plan.prompts[prompt].role == "neutral":
        return LEAKAGE + OF_TRAIN_SEED[train_seed]
    return (
        OF_PATTERN[pattern]
        + OF_TRAIN_SEED[train_seed]
        + OF_CHECKPOINT[updates]
        + OF_PROMPT[prompt % 3]
        + OF_BOTH[pattern][prompt % 3]
        + of_preview_seed(seed, plan)
    )


def clip(pattern: int, train_seed: int, prompt: int) -> float:
    """The CLIP score of every preview of this pattern, training seed and prompt."""
    return CLIP[pattern] + CLIP_OF_TRAIN_SEED[train_seed] + OF_BOTH[pattern][prompt % 3] / 1000


def of_preview_seed(seed: int, plan: EvalPlan) -> float:
    place = plan.seeds.index(seed)
    return OF_PREVIEW_SEED if place == 0 else -OF_PREVIEW_SEED if place == 1 else 0.0


def fill(home: Path, plan: EvalPlan = PLAN, rated: bool = True) -> Filled:
    """3 patterns x 2 seeds x 2 checkpoints, all previews and scores, some ratings, and a base row.

    At the first checkpoint of the last pattern (first seed) one picture is black and one has no face. It is a copy of
    one that this process made before (0.02 s in place of 0.3 s and 1,000 writes that wait for the disk), so two of them
    have the same tokens.
    """
    made = made_once(plan, rated)
    shutil.copytree(made.ws.home, home, dirs_exist_ok=True)
    ws = Workspace(home)
    return replace(made, ws=ws, db=ws.open())


@lru_cache
def made_once(plan: EvalPlan, rated: bool) -> Filled:
    """A workspace to be copied, in a folder that goes with this process."""
    home = Path(tempfile.mkdtemp(prefix="filled-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    made = fill_anew(home, plan, rated)
    made.db.execute("pragma wal_checkpoint(truncate)")  # all of it in one file
    made.db.close()
    return made


def fill_anew(home: Path, plan: EvalPlan, rated: bool) -> Filled:
    """The same, made through public functions: for a test that changes what is made (monkeypatch), too."""
    ws = Workspace(home)
    db = ws.open()
    project_id = add_project(db, "demo", TRIGGER, NOUN, plan=plan)
    dataset_id = add_dataset(ws, db, project_id)
    baseline = patterns.add(db, project_id, BASELINE, "baseline", "what the others are compared with")
    others = [
        patterns.clone(db, project_id, baseline, label, **changed) for label, changed in CHANGES.items() if changed
    ]
    face, clip = add_judges(db)
    calibration = add_calibration(db, face, dataset_id)
    plan_id = int(library.project(db, project_id)["plan_id"])
    filled = Filled(ws, db, project_id, dataset_id, plan_id, (baseline, *others), (), face, clip, calibration)
    add_previews(filled, plan, None, 0, 0, 0)
    run_ids = [add_run(filled, plan, number, seed) for number in range(len(filled.pattern_ids)) for seed in TRAIN_SEEDS]
    if rated:
        add_ratings(filled)
    return Filled(**{**vars(filled), "run_ids": tuple(run_ids)})


def add_dataset(ws: Workspace, db: Database, project_id: int) -> int:
    """Six training photos and three reference photos of the drawn subject."""
    folder = ws.home / "photos" / "1"
    folder.mkdir(parents=True, exist_ok=True)
    photos = []
    for position in range(9):
        file = folder / f"{position:03d}.png"
        draw_portrait(100.0, background=position, seed=position).resize((256, 256)).save(file)
        photos.append(
            {
                "name": f"photo {position}.jpg",
                "file": ws.relative(file),
                "sha256": f"{position:064x}",
                "caption": f"photo of {TRIGGER} {NOUN}, background {position}",
                "width": 1024,
                "height": 768,
                "face_px": 120.0,
            }
        )
    return add_photos(db, project_id, "filled", photos, n_train=6)


def add_run(filled: Filled, plan: EvalPlan, pattern: int, train_seed: int) -> int:
    """A finished run with its files, checkpoints, previews and scores."""
    db = filled.db
    pattern_id = filled.pattern_ids[pattern]
    run_id, _ = runs.enqueue(db, filled.project_id, pattern_id, filled.dataset_id, train_seed)
    folder = filled.ws.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    settings = effective(patterns.get(db, pattern_id), ("no",))
    runs.started(db, run_id, effective=settings, device="cpu", step=0, total=UPDATES[-1])
    for updates in UPDATES:
        file = folder / f"lora-{updates:06d}.safetensors"
        file.write_bytes(bytes(1000))
        checkpoint = add_checkpoint(db, run_id, updates, UPDATES[-1], file=filled.ws.relative(file))
        add_previews(filled, plan, checkpoint, pattern, train_seed, updates)
    write_losses(folder)
    filled.ws.run_log(run_id).write_text("starting\ntraining\ndone\n", encoding="utf-8")
    runs.report(db, run_id, step=UPDATES[-1], loss=0.09, train_seconds=24.0)
    runs.end(db, run_id, "done")
    return run_id


def write_losses(folder: Path) -> None:
    lines = [
        json.dumps({"update": update, "loss": 0.09 + 0.05 / update, "lr": 2e-3}) for update in range(1, UPDATES[-1] + 1)
    ]
    (folder / "loss.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def add_previews(
    filled: Filled, plan: EvalPlan, checkpoint: int | None, pattern: int, train_seed: int, updates: int
) -> None:
    """Every cell of the plan for a checkpoint, or for the base row (None): picture, row and scores."""
    folder = filled.ws.preview_folder(filled.plan_id)
    folder.mkdir(parents=True, exist_ok=True)
    for prompt, seed, strength in plan.base_row_cells() if checkpoint is None else plan.cells():
        value = BASE_ROW if checkpoint is None else likeness(pattern, train_seed, updates, prompt, seed, plan)
        status, face = broken_cell(pattern, train_seed, updates, prompt, seed, plan)
        token = results.new_token()
        picture = (
            Image.new("RGB", (SIDE, SIDE))
            if status == "black"
            else draw_portrait(value, background=prompt, seed=seed, face=face == "ok")
        )
        picture.save(folder / f"{token}.png")
        picture.save(folder / f"{token}.webp", quality=90)
        cell = (prompt, seed, strength)
        preview_id = add_preview(filled, plan, checkpoint, cell, token, status=status)
        scored = value if status == "ok" and face == "ok" else None
        adherence = CLIP_BASE_ROW if checkpoint is None else clip(pattern, train_seed, prompt)
        add_scores(filled, preview_id, scored, status if status != "ok" else face, adherence)


def broken_cell(pattern: int, train_seed: int, updates: int, prompt: int, seed: int, plan: EvalPlan) -> tuple[str, str]:
    """(status of the picture, status of the face) of a cell: two cells of one checkpoint are broken."""
    if (pattern, train_seed, updates, seed) != (2, 1, UPDATES[0], plan.seeds[0]):
        return "ok", "ok"
    return ("black" if prompt == 0 else "ok"), ("no_face" if prompt == 1 else "ok")


def add_scores(filled: Filled, preview_id: int, value: float | None, face: str, adherence: float) -> None:
    """The likeness (on the subject's scale; None = no value, for the reason ``face``) and the CLIP score."""
    raw = raw_of(value)
    broken = face in ("black", "flat", "non_finite")
    rows = [
        {
            "judge_id": filled.face_judge,
            "calibration_id": filled.calibration,
            "metric": "likeness",
            "value": raw,
            "status": face,
            "detail": json.dumps({"face_px": 33.0} if raw is not None else {}),
        },
        {
            "judge_id": filled.clip_judge,
            "calibration_id": None,
            "metric": "clip_t",
            "value": None if broken else adherence,
            "status": face if broken else "ok",
            "detail": "{}",
        },
    ]
    results.add_scores(filled.db, [{**row, "preview_id": preview_id} for row in rows])


def add_ratings(filled: Filled, rater: str = "me") -> None:
    """Marks for the last checkpoints of the first two patterns, first plan seed: the judge's likeness + 5.

    One picture was rated twice, 4 marks apart.
    """
    rows = [
        row
        for row in results.previews(filled.db, filled.project_id, filled.plan_id)
        if row["is_last"] and row["pattern_id"] in filled.pattern_ids[:2] and row["prompt"] < 3
    ]
    first_seed = min(row["seed"] for row in rows)
    rated = [row for row in rows if row["seed"] == first_seed]
    for position, row in enumerate(rated):
        number = filled.pattern_ids.index(row["pattern_id"])
        value = likeness(number, row["train_seed"], row["updates"], row["prompt"], row["seed"]) + 5
        rate(filled, row["id"], rater, position, likeness=value, quality=70.0, prompt=80.0)
    again = rated[0]
    value = likeness(0, again["train_seed"], again["updates"], again["prompt"], again["seed"]) + 9
    rate(filled, again["id"], rater, len(rated), is_repeat=1, likeness=value)


def rate(filled: Filled, preview_id: int, rater: str, position: int, is_repeat: int = 0, **marks: float) -> list[int]:
    """Save marks of one picture as the rating page does."""
    common = {
        "preview_id": preview_id,
        "rater": rater,
        "session": "filled",
        "event": "rate",
        "is_repeat": is_repeat,
        "position": position,
        "shown_at": now() - 6,
        "answered_at": now(),
        "protocol": "1",
    }
    return ratings.add_all(filled.db, [{**common, "axis": axis, "value": value} for axis, value in marks.items()])


def add_life(filled: Filled) -> dict[str, int]:
    """A live worker with a running run, one that failed, one cancelled and one waiting. Returns their ids."""
    db, device = filled.db, DeviceInfo("cpu", "2 cores", ("no",)).to_json()
    first, last = filled.pattern_ids[0], filled.pattern_ids[-1]

    def enqueue(pattern_id: int, seed: int) -> int:
        return runs.enqueue(db, filled.project_id, pattern_id, filled.dataset_id, seed)[0]

    runs.worker_started(db, "worker-1", pid=1)
    failed, cancelled = enqueue(last, 3), enqueue(last, 4)
    runs.end(db, failed, "failed", "diverged", {"what": "loss", "update": 37})
    runs.request_cancel(db, cancelled)
    running = enqueue(first, 3)
    runs.claim_next(db, "worker-1")
    settings = effective(patterns.get(db, first), ("no",))
    runs.started(db, running, effective=settings, device="cpu", step=0, total=UPDATES[-1])
    runs.report(db, running, step=45, loss=0.11, train_seconds=9.0)
    folder = filled.ws.run_folder(running)
    folder.mkdir(parents=True, exist_ok=True)
    write_losses(folder)
    filled.ws.run_log(running).write_text("starting\ntraining\n", encoding="utf-8")
    runs.worker_seen(db, "worker-1", "training", run_id=running, device=device)
    return {"running": running, "failed": failed, "cancelled": cancelled, "queued": enqueue(first, 4)}


def draw_portrait(value: float, background: int, seed: int, face: bool = True) -> Image.Image:
    """A drawn portrait of SIDE px whose hair turns red as the likeness rises. No face: noise."""
    if not face:
        noise = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    share = min(max(value / 100, 0.0), 1.0)
    hair = (int(90 + 100 * share), int(75 - 10 * share), int(70 - 35 * share))
    back = [(170, 180, 190), (150, 190, 215), (190, 175, 140), (200, 200, 200), (165, 185, 160)][background % 5]
    image = Image.new("RGB", (4 * SIDE, 4 * SIDE), back)
    draw = ImageDraw.Draw(image)
    shift = (seed % 5 - 2) * 4
    draw.ellipse((58 + shift, 30, 198 + shift, 210), fill=hair)
    draw.rectangle((50 + shift, 205, 206 + shift, 256), fill=(70, 95, 140))
    draw.ellipse((80 + shift, 58, 176 + shift, 196), fill=(232, 196, 172))
    for x in (106, 150):
        draw.ellipse((x - 8 + shift, 108, x + 8 + shift, 120), fill=(50, 60, 50))
    draw.line((128 + shift, 122, 124 + shift, 146), fill=(196, 150, 128), width=5)
    draw.arc((106 + shift, 140, 150 + shift, 172), 20, 160, fill=(160, 70, 70), width=6)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
