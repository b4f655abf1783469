"""A workspace of several people with planted differences between a default and its challengers, in a few rows each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filled import NOUN, REAL, SIDE, STRANGERS, TRIGGER
from sqlite_utils import Database

from db import library, now, ratings, results, runs
from trainer.config import TrainConfig
from trainer.effective import effective
from workbench.judges import face_judge_info
from workbench.plans.plan import EvalPlan, Prompt
from workbench.projects import add_project
from workbench.sweep import patterns
from workbench.workspace import Workspace

PLAN = EvalPlan(
    prompts=(Prompt(text="photo of {trigger} {class_noun}"), Prompt(text="oil painting of {trigger} {class_noun}")),
    seeds=(101,),
)
DEFAULT = TrainConfig(dim=16, alpha=16.0, learning_rate=2e-3, batch_size=4, epochs=10, save_every=10)
CHALLENGERS = {"alpha 1": {"alpha": 1.0}, "rate 6e-3": {"learning_rate": 6e-3}, "dim 4": {"dim": 4, "alpha": 4.0}}
OF_DEFAULT = 50.0  # likeness; a person's challenger has this and the planted difference
OF_SEED = {1: 2.0, 2: -2.0}  # the sd between two trainings is sqrt(8)
OF_PROMPT = (3.0, -3.0)
UPDATES = 20


@dataclass
class Several:
    """The workspace; projects and patterns by their names."""

    ws: Workspace
    db: Database
    projects: dict[str, int]
    patterns: dict[str, int]


def several(home: Path, people: Mapping[str, Mapping[str, float | None]]) -> Several:
    """People, each with what every challenger adds to the default there; None = it wrecks that person's LoRA."""
    ws = Workspace(home)
    made = Several(ws, ws.open(), {}, {})
    for name, differences in people.items():
        add_person(made, name, differences)
    return made


def add_person(
    made: Several,
    name: str,
    differences: Mapping[str, float | None],
    *,
    photos: Sequence[str] = (),
    face_judge: str = "embedded",
    judge_key: str = "",
    train_seeds: Sequence[int] = (1, 2),
) -> int:
    """One more project. ``photos``: contents of its photos (default: its own); ``judge_key``: another judge's."""
    db = made.db
    project_id = add_project(db, name, TRIGGER, NOUN, face_judge=face_judge, clip_judge="none", plan=PLAN)
    made.projects[name] = project_id
    dataset_id = add_photos(db, project_id, photos or [f"{name} {number}" for number in range(4)])
    if not differences:
        return project_id
    info = face_judge_info("embedded")
    assert info is not None
    about = {each: getattr(info, each) for each in ("kind", "name", "version", "licence", "world")}
    judge = results.add_judge(db, judge_key or info.key, **about)
    scale = results.add_calibration(
        db,
        judge_id=judge,
        dataset_id=dataset_id,
        size_px=SIDE,
        estimator="mean_of_pairs",
        real=REAL,
        strangers=STRANGERS,
        counts="{}",
    )
    for label, difference in {"baseline": 0.0, **differences}.items():
        config = TrainConfig.model_validate({**DEFAULT.model_dump(), **CHALLENGERS.get(label, {})})
        made.patterns[label] = patterns.add(db, project_id, config, label)
        for seed in train_seeds:
            add_run(made, project_id, dataset_id, made.patterns[label], seed, difference, judge, scale, face_judge)
    return project_id


def add_photos(db: Database, project_id: int, contents: Sequence[str]) -> int:
    rows = [
        {
            "position": position,
            "name": f"{content}.jpg",
            "file": f"photos/{content}.png",
            "sha256": content,
            "caption": "",
            "side": "train" if position < 3 else "reference",
            "width": SIDE,
            "height": SIDE,
            "crop": "face",
            "face_px": 30.0,
            "duplicate_group": None,
        }
        for position, content in enumerate(contents)
    ]
    return library.add_dataset(
        db, project_id, hash=" ".join(contents), trigger_word=TRIGGER, class_noun=NOUN, size_px=None, photos=rows
    )


def add_run(
    made: Several,
    project_id: int,
    dataset_id: int,
    pattern_id: int,
    seed: int,
    difference: float | None,
    judge: int,
    scale: int,
    face_judge: str,
) -> None:
    """A finished run with one checkpoint, its previews, and their likeness by the judge or by a person."""
    db = made.db
    run_id, _ = runs.enqueue(db, project_id, pattern_id, dataset_id, seed)
    runs.started(db, run_id, effective=effective(patterns.get(db, pattern_id), ("no",)), device="", step=0, total=1)
    checkpoint = runs.add_checkpoint(
        db,
        run_id,
        updates=UPDATES,
        images_seen=4 * UPDATES,
        epoch=10.0,
        file=f"runs/{run_id}/x.safetensors",
        sha256="",
        bytes=1000,
        proof="{}",
        is_last=1,
    )
    plan_id = int(library.project(db, project_id)["plan_id"])
    for prompt, preview_seed, strength in PLAN.cells():
        token = results.new_token()
        preview = results.add_preview(
            db,
            token=token,
            plan_id=plan_id,
            checkpoint_id=checkpoint,
            base_model="embedded",
            clip_skip=1,
            prompt=prompt,
            seed=preview_seed,
            strength=strength,
            project_id=project_id,
            text=PLAN.text(prompt, TRIGGER, NOUN),
            file=f"previews/{token}.png",
            thumb=f"previews/{token}.webp",
            size_px=SIDE,
            status="ok",
            seconds=0.5,
        )
        value = None if difference is None else OF_DEFAULT + difference + OF_SEED.get(seed, 0.0) + OF_PROMPT[prompt]
        if face_judge == "none":
            rate(db, preview, value)
        else:
            score(db, preview, value, judge, scale)
    runs.report(db, run_id, step=UPDATES, loss=0.1, train_seconds=4.0)
    runs.end(db, run_id, "done")


def score(db: Database, preview: int, value: float | None, judge: int, scale: int) -> None:
    raw = None if value is None else STRANGERS + (REAL - STRANGERS) * value / 100
    row = {"metric": "likeness", "judge_id": judge, "calibration_id": scale, "value": raw, "preview_id": preview}
    status = "no_face" if raw is None else "ok"
    results.add_scores(db, [{**row, "status": status, "detail": json.dumps({} if raw is None else {"face_px": 33.0})}])


def rate(db: Database, preview: int, value: float | None) -> None:
    row = {"preview_id": preview, "rater": "me", "session": "x", "event": "rate", "axis": "likeness", "value": value}
    ratings.add_all(
        db, [{**row, "is_repeat": 0, "position": 0, "shown_at": now(), "answered_at": now(), "protocol": "1"}]
    )
