"""A large workspace: for measuring how quick the pages are."""

import io
import json
from pathlib import Path

from filled import (
    BASE_ROW,
    BASELINE,
    LEAKAGE,
    NOUN,
    REAL,
    STRANGERS,
    TRIGGER,
    Filled,
    add_dataset,
    add_judges,
    add_scores,
    draw_portrait,
)
from PIL import Image

from db import library, results, runs
from trainer.effective import effective
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.sweep import patterns
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
    about = {"judge_id": face, "dataset_id": dataset_id, "size_px": px, "estimator": "mean_of_pairs"}
    counts = json.dumps({"train": 6, "reference": 3, "strangers": 20})
    calibration = results.add_calibration(db, **about, real=REAL, strangers=STRANGERS, counts=counts)
    plan_id = int(library.project(db, project_id)["plan_id"])
    filled = Filled(ws, db, project_id, dataset_id, plan_id, pattern_ids, (), face, clip_judge, calibration)
    folder = ws.preview_folder(plan_id)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [encoded(12.0 * n % 100, n, px) for n in range(16)]

    def add_row(checkpoint: int | None, likeness: float) -> None:
        for prompt, seed, strength in plan.base_row_cells():
            token = results.new_token()
            png, webp = pictures[(prompt + int(likeness)) % len(pictures)]
            (folder / f"{token}.png").write_bytes(png)
            (folder / f"{token}.webp").write_bytes(webp)
            preview_id = results.add_preview(
                db,
                token=token,
                plan_id=plan_id,
                checkpoint_id=checkpoint,
                base_model="embedded",
                clip_skip=1,
                prompt=prompt,
                seed=seed,
                strength=strength,
                project_id=project_id,
                text=plan.text(prompt, TRIGGER, NOUN),
                file=ws.relative(folder / f"{token}.png"),
                thumb=ws.relative(folder / f"{token}.webp"),
                size_px=px,
                status="ok",
                seconds=0.5,
            )
            assert preview_id is not None
            add_scores(filled, preview_id, likeness + prompt if prompt < 6 else LEAKAGE, "ok", 0.3)

    add_row(None, BASE_ROW)
    run_ids = []
    for number, pattern_id in enumerate(pattern_ids):
        run_id, _ = runs.enqueue(db, project_id, pattern_id, dataset_id, 1)
        runs.started(db, run_id, effective=effective(settings[number], ("no",)), device="cpu", step=0, total=120)
        for place in range(1, n_checkpoints + 1):
            checkpoint = runs.add_checkpoint(
                db,
                run_id,
                updates=30 * place,
                images_seen=120 * place,
                epoch=2.5 * place,
                file=f"runs/{run_id}/lora-{30 * place:06d}.safetensors",
                sha256=f"{run_id:032x}{place:032x}",
                bytes=1000,
                proof=json.dumps({"modules": 192}),
                is_last=int(place == n_checkpoints),
            )
            add_row(checkpoint, 30.0 + number + place)
        runs.end(db, run_id, "done")
        run_ids.append(run_id)
    return Filled(**{**vars(filled), "run_ids": tuple(run_ids)})


def encoded(value: float, seed: int, px: int) -> tuple[bytes, bytes]:
    """A drawn portrait of px x px as PNG and as webp."""
    picture = draw_portrait(value, background=seed, seed=seed).resize((px, px), Image.Resampling.BICUBIC)
    files = []
    for kind in ("png", "webp"):
        out = io.BytesIO()
        picture.save(out, kind)
        files.append(out.getvalue())
    return files[0], files[1]
