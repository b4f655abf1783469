"""A workspace with pictures made elsewhere, with known numbers: epochs x strengths, some cells ragged or missing."""

from pathlib import Path

from filled import Filled, add_dataset, add_scores, draw_portrait
from filled_rows import add_calibration, add_judges, add_preview
from sqlite_utils import Database

from db import results, runs
from trainer.config import TrainConfig
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.sweep import patterns
from workbench.workspace import Workspace

BASE = "embedded"
EPOCHS, STRENGTHS, SEEDS = (2, 4, 6, 8), (0.6, 0.8, 1.0), (42, 43)
PROMPTS = (
    Prompt(text="photo of {trigger} {class_noun}"),
    Prompt(text="{trigger} {class_noun} at the beach"),
    Prompt(text="oil painting of {trigger} {class_noun}"),
    Prompt(text="photo of a {class_noun}", role="neutral"),
)
OF_EPOCH = {2: 30.0, 4: 60.0, 6: 71.0, 8: 70.0}  # likeness on the scale, mean over prompts and seeds
OF_STRENGTH = {0.6: -20.0, 0.8: -2.0, 1.0: 0.0}
OF_PROMPT = (0.0, -6.0, 6.0, 0.0)
OF_SEED = {42: 1.0, 43: -1.0}
NOISE = {8: (3.0, -4.0, 1.0, 0.0)}  # of the prompts at one epoch: what keeps it from being told apart


def likeness(epoch: int, strength: float, prompt: int, seed: int) -> float:
    """The likeness that the picture of this cell was given."""
    extra = NOISE.get(epoch, (0.0, 1.0, -1.0, 0.0))[prompt]
    return OF_EPOCH[epoch] + OF_STRENGTH[strength] + OF_PROMPT[prompt] + OF_SEED[seed] + extra


def fill_elsewhere(
    home: Path,
    epochs: tuple[int, ...] = EPOCHS,
    strengths: tuple[float, ...] = STRENGTHS,
    prompts: tuple[Prompt, ...] = PROMPTS,
    base_row: bool = True,
    saw_references: str = "unknown",
) -> Filled:
    """One LoRA's pictures at every epoch and strength. At the first epoch one picture has no face."""
    ws = Workspace(home)
    db = ws.open()
    plan = EvalPlan(prompts=prompts, seeds=SEEDS, strengths=strengths, elsewhere=True)
    project_id = add_project(db, "samples", "zwx", "woman", plan=plan)
    dataset_id = add_dataset(ws, db, project_id)
    face, clip = add_judges(db)
    calibration = add_calibration(db, face, dataset_id)
    pattern = patterns.add_made_elsewhere(
        db,
        project_id,
        TrainConfig(base_model=BASE),
        "anna_v2",
        origin="pictures",
        unknown=tuple(TrainConfig.model_fields),
        apart="anna_v2",
    )
    run_id = runs.add_elsewhere(
        db,
        project_id=project_id,
        pattern_id=pattern,
        dataset_id=dataset_id,
        seed=None,
        origin="pictures",
        session="anna_v2",
        saw_references=saw_references,
        step=0,
    )
    plan_id = int(db["projects"].get(project_id)["plan_id"])
    filled = Filled(ws, db, project_id, dataset_id, plan_id, (pattern,), (run_id,), face, clip, calibration)
    if base_row:
        for prompt, seed, strength in plan.base_row_cells():
            add_picture(filled, plan, None, (prompt, seed, strength), 12.0)
    for epoch in epochs:
        checkpoint = add_checkpoint(db, run_id, epoch, epoch == epochs[-1])
        for cell in plan.cells():
            prompt, seed, strength = cell
            hidden = (epoch, prompt, seed) == (EPOCHS[0], 0, SEEDS[0])
            value = None if hidden else likeness(epoch, strength, prompt, seed)
            add_picture(filled, plan, checkpoint, cell, value)
    return filled


def add_checkpoint(db: Database, run_id: int, epoch: int, is_last: bool) -> int:
    """A checkpoint of which only the pictures are here."""
    return runs.add_checkpoint(
        db,
        run_id,
        updates=epoch,
        images_seen=0,
        epoch=float(epoch),
        file="",
        sha256="",
        bytes=0,
        proof="{}",
        is_last=int(is_last),
        name=f"anna_v2-{epoch:06d}",
    )


def add_picture(
    filled: Filled, plan: EvalPlan, checkpoint: int | None, cell: tuple[int, int, float], value: float | None
) -> int:
    """A picture made elsewhere with its scores (no value: no face in it)."""
    prompt, seed, strength = cell
    folder = filled.ws.preview_folder(filled.plan_id)
    folder.mkdir(parents=True, exist_ok=True)
    token = results.new_token()
    picture = draw_portrait(value or 0.0, background=prompt, seed=seed, face=value is not None)
    picture.save(folder / f"{token}.png")
    picture.save(folder / f"{token}.webp", quality=90)
    preview_id = add_preview(filled, plan, checkpoint, cell, token, seconds=0.0)
    adherence = 0.3 - 0.02 * (strength - 0.6) - 0.01 * (checkpoint or 0) / 10
    add_scores(filled, preview_id, value, "ok" if value is not None else "no_face", adherence)
    return preview_id
