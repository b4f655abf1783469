"""A large workspace: for measuring how quick the pages are."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from filled import BASE_ROW, BASELINE, LEAKAGE, Filled, add_dataset, add_scores, draw_portrait, rate, write_losses
from filled_rows import NOUN, SIDE, TRIGGER, add_calibration, add_checkpoint, add_judges, add_preview, raw_of
from PIL import Image

from db import library, results, runs, vectors
from db.connect import immediate
from trainer.effective import effective
from workbench.plans.plan import EvalPlan, Prompt, set_plan
from workbench.projects import add_project
from workbench.sweep import article, patterns
from workbench.sweep.miniature import ARTICLE
from workbench.workspace import Workspace


def fill_many(home: Path, n_patterns: int = 33, n_checkpoints: int = 4, px: int = 256) -> Filled:
    """A large sweep: patterns x checkpoints x 8 prompts x 1 seed, 1,056 previews unless told, and a base row.

    Every preview has files and addresses of its own and both scores; what they show repeats.
    """
    texts = [f"photo of {{trigger}} {{class_noun}}, place {n}" for n in range(6)]
    neutral = [f"photo of a {{class_noun}}, place {n}" for n in range(2)]
    prompts = [*(Prompt(text=text) for text in texts), *(Prompt(text=text, role="neutral") for text in neutral)]
    plan = EvalPlan(prompts=tuple(prompts), seeds=(101,))
    ws = Workspace(home)
    db = ws.open()
    project_id = add_project(db, "many", TRIGGER, NOUN, plan=plan)
    dataset_id = add_dataset(ws, db, project_id)
    settings = [BASELINE.model_copy(update={"learning_rate": round(1e-4 * 1.15**n, 6)}) for n in range(n_patterns)]
    pattern_ids = tuple(patterns.add(db, project_id, config, f"pattern {n}") for n, config in enumerate(settings, 1))
    face, clip_judge = add_judges(db)
    calibration = add_calibration(db, face, dataset_id, size_px=px)
    plan_id = int(library.project(db, project_id)["plan_id"])
    filled = Filled(ws, db, project_id, dataset_id, plan_id, pattern_ids, (), face, clip_judge, calibration)
    ws.preview_folder(plan_id).mkdir(parents=True, exist_ok=True)
    pictures = [encoded(12.0 * n % 100, n, px) for n in range(16)]

    def add_row(checkpoint: int | None, likeness: float) -> None:
        for cell in plan.base_row_cells():
            picture = pictures[(cell[0] + int(likeness)) % len(pictures)]
            preview_id = add_picture(filled, plan, checkpoint, cell, picture, size_px=px)
            add_scores(filled, preview_id, likeness + cell[0] if cell[0] < 6 else LEAKAGE, "ok", 0.3)

    add_row(None, BASE_ROW)
    run_ids = []
    for number, pattern_id in enumerate(pattern_ids):
        run_id, _ = runs.enqueue(db, project_id, pattern_id, dataset_id, 1)
        runs.started(db, run_id, effective=effective(settings[number], ("no",)), device="cpu", step=0, total=120)
        for place in range(1, n_checkpoints + 1):
            checkpoint = add_checkpoint(db, run_id, 30 * place, 30 * n_checkpoints)
            add_row(checkpoint, 30.0 + number + place)
        runs.end(db, run_id, "done")
        run_ids.append(run_id)
    return Filled(**{**vars(filled), "run_ids": tuple(run_ids)})


def add_picture(
    made: Filled,
    plan: EvalPlan,
    checkpoint: int | None,
    cell: tuple[int, int, float],
    picture: tuple[bytes, bytes],
    **more: Any,
) -> int:
    """One cell of the plan with its two files, as :func:`encoded` gives them; the preview's id."""
    folder, token = made.ws.preview_folder(made.plan_id), results.new_token()
    for data, kind in zip(picture, ("png", "webp"), strict=True):
        (folder / f"{token}.{kind}").write_bytes(data)
    return add_preview(made, plan, checkpoint, cell, token, **more)


def encoded(value: float, seed: int, px: int) -> tuple[bytes, bytes]:
    """A drawn portrait of px x px as PNG and as webp."""
    picture = draw_portrait(value, background=seed, seed=seed).resize((px, px), Image.Resampling.BICUBIC)
    files = []
    for kind in ("png", "webp"):
        out = io.BytesIO()
        picture.save(out, kind)
        files.append(out.getvalue())
    return files[0], files[1]


SWEEP_PLAN = EvalPlan(
    prompts=(
        Prompt(text="photo of {trigger} {class_noun}"),
        Prompt(text="photo of {trigger} {class_noun} in a blue shirt, at the beach"),
        Prompt(text="oil painting of {trigger} {class_noun}, portrait"),
        Prompt(text="photo of a {class_noun}, plain background", role="neutral"),
    ),
    seeds=(101, 102),
    strengths=(0.7, 1.0),
)
SWEEP_RATERS = ("ada", "bo")


def fill_sweep(home: Path, n_patterns: int = 64, n_checkpoints: int = 5, rated: int = 300) -> Filled:
    """A sweep as somebody would make it: patterns x 2 training seeds x checkpoints x 16 previews, 10,256 unless told.

    The patterns are the article's with its author's marks and a grid of learning rates and alphas, so that there are
    contrasts in many settings; every preview has likeness with its nearest photos, both CLIP scores and a vector, every
    run its losses, and two raters gave marks. Figures are drawn at random around what the settings make.
    """
    rng = np.random.default_rng(1)
    ws = Workspace(home)
    db = ws.open()
    project_id = add_project(db, "sweep", TRIGGER, NOUN, plan=SWEEP_PLAN)
    dataset_id = add_dataset(ws, db, project_id)
    of_article = article.add_article(db, project_id, table=ARTICLE).pattern_ids
    set_plan(db, project_id, SWEEP_PLAN)  # without the variants that the article asks for
    pattern_ids = (*of_article, *patterns.add_all(db, project_id, rate_grid(n_patterns - len(of_article))))
    face, clip_judge = add_judges(db)
    of_face = add_calibration(db, face, dataset_id, threshold=0.35, detail=json.dumps({"popular": 0.3}))
    of_clip = add_calibration(db, clip_judge, dataset_id, real=0.7, strangers=0.04, detail=json.dumps(CLIP_SCALE))
    plan_id = int(library.project(db, project_id)["plan_id"])
    made = Filled(ws, db, project_id, dataset_id, plan_id, pattern_ids, (), face, clip_judge, of_face)
    pictures = [encoded(12.0 * n % 100, n, SIDE) for n in range(16)]
    ws.preview_folder(plan_id).mkdir(parents=True, exist_ok=True)
    good = {pattern: float(rng.normal(55.0, 9.0)) for pattern in pattern_ids}
    run_ids = []
    with immediate(db):
        for clip_skip in (1, 2):
            add_sweep_row(made, None, clip_skip, BASE_ROW, of_clip, pictures, rng)
        for pattern_id in pattern_ids:
            clip_skip = patterns.get(db, pattern_id).clip_skip
            for seed in (1, 2):
                run_ids.append(add_sweep_run(made, pattern_id, seed, n_checkpoints))
                by_chance = float(rng.normal(0.0, 2.0))
                for place, row in enumerate(runs.checkpoints(db, run_ids[-1])):
                    value = good[pattern_id] * (0.6 + 0.4 * (place + 1) / n_checkpoints) + by_chance
                    add_sweep_row(made, row["id"], clip_skip, value, of_clip, pictures, rng)
        rate_sweep(made, rated, rng)
    return Filled(**{**vars(made), "run_ids": tuple(run_ids)})


CLIP_SCALE = {
    "gap_photos": 40,
    "usual_gap": 0.05,
    "gap_spread": 0.05,
    "usual_ratio": 1.2,
    "ratio_limit": 2.2,
    "usual_bits": 11.7,
    "hash_limit": 6.8,
    "popular": 0.2,
    "hash_popular": 0.2,
}


def rate_grid(count: int) -> list[patterns.Asked]:
    """So many patterns that differ in their learning rate and alpha."""
    both = [
        (rate, alpha)
        for rate in (5e-4, 1e-3, 2e-3, 3e-3, 4e-3, 8e-3, 1.6e-2)
        for alpha in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    ]
    return [
        patterns.Asked(
            f"rate {rate:g}, alpha {alpha:g}", BASELINE.model_copy(update={"learning_rate": rate, "alpha": alpha})
        )
        for rate, alpha in both[:count]
    ]


def add_sweep_run(made: Filled, pattern_id: int, seed: int, n_checkpoints: int) -> int:
    """A finished run with its checkpoints and losses."""
    db = made.db
    run_id, _ = runs.enqueue(db, made.project_id, pattern_id, made.dataset_id, seed)
    settings = effective(patterns.get(db, pattern_id), ("no",))
    runs.started(db, run_id, effective=settings, device="cpu", step=0, total=120)
    for place in range(1, n_checkpoints + 1):
        moved = json.dumps({"all": 0.01 * place})
        add_checkpoint(db, run_id, 24 * place, 24 * n_checkpoints, weight_change=moved)
    folder = made.ws.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_losses(folder)
    made.ws.run_log(run_id).write_text("starting\ntraining\ndone\n", encoding="utf-8")
    runs.report(db, run_id, step=120, loss=0.09, train_seconds=24.0)
    runs.end(db, run_id, "done")
    return run_id


def add_sweep_row(
    made: Filled,
    checkpoint: int | None,
    clip_skip: int,
    value: float,
    of_clip: int,
    pictures: list[tuple[bytes, bytes]],
    rng: np.random.Generator,
) -> None:
    """Every cell of the plan for a checkpoint, or for the base row (None): files, rows, scores, vectors."""
    db, plan = made.db, SWEEP_PLAN
    looks = {"clip_skip": clip_skip, "saturation": 0.4, "clipping": 0.01, "sharpness": 0.004}
    for cell in plan.base_row_cells() if checkpoint is None else plan.cells():
        prompt, _, strength = cell
        picture = pictures[(prompt + int(value)) % len(pictures)]
        preview_id = add_picture(made, plan, checkpoint, cell, picture, **looks)
        neutral = plan.prompts[prompt].role == "neutral"
        likeness = LEAKAGE if neutral else value - 10.0 * (1.0 - strength) + float(rng.normal(0.0, 5.0))
        results.add_scores(db, sweep_scores(made, preview_id, likeness, of_clip, rng))
        seen = rng.standard_normal(128) + 3.0
        vector = (seen / np.linalg.norm(seen)).astype("<f2").tobytes()
        vectors.add_vectors(db, [{"preview_id": preview_id, "judge_id": made.clip_judge, "vector": vector}])


def sweep_scores(
    made: Filled, preview_id: int, likeness: float, of_clip: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """The scores of one preview as the judges store them."""
    raw = raw_of(likeness)
    train, held = raw + float(rng.normal(0.05, 0.05)), raw + float(rng.normal(0.03, 0.05))
    of_face = {"faces": 1, "face_px": 40.6, "box": [14.6, 8.9, 51.7, 53.4], "detector": 0.996, "usual_gap": 0.01}
    of_face |= {"nearest_train": train, "nearest_reference": held}
    of_face |= {"nearest_train_photo": int(rng.integers(6)), "nearest_reference_photo": int(rng.integers(3))}
    of_look = {"nearest_train": 0.6, "nearest_reference": 0.58, "nearest_train_photo": int(rng.integers(6))}
    of_look |= {"usual_gap": 0.045, "hash_train": 12, "hash_reference": 12, "hash_train_photo": int(rng.integers(6))}
    common = {"preview_id": preview_id, "status": "ok"}
    clip = {**common, "judge_id": made.clip_judge}
    face = {**common, "judge_id": made.face_judge, "calibration_id": made.calibration}
    adherence = 0.3 + float(rng.normal(0.0, 0.01))
    return [
        {**face, "metric": "likeness", "value": raw, "detail": json.dumps(of_face)},
        {**clip, "metric": "clip_t", "value": adherence, "calibration_id": None, "detail": "{}"},
        {**clip, "metric": "clip_i", "value": 0.55, "calibration_id": of_clip, "detail": json.dumps(of_look)},
    ]


def rate_sweep(made: Filled, count: int, rng: np.random.Generator) -> None:
    """Marks of both raters for pictures of last checkpoints, some of them the same."""
    rows = [row for row in results.previews(made.db, made.project_id, made.plan_id) if row["is_last"]]
    rows = [row for row in rows if row["strength"] == SWEEP_PLAN.main_strength and row["prompt"] < 3]
    for position, place in enumerate(rng.choice(len(rows), count).tolist()):
        mark = float(np.clip(rng.normal(55.0, 15.0), 0.0, 100.0))
        rate(made, rows[place]["id"], SWEEP_RATERS[position % 2], position, likeness=mark, quality=70.0)
