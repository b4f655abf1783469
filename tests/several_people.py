"""A workspace of several people with planted differences between a default and its challengers, in a few rows each."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filled import Filled, rate
from filled_rows import NOUN, TRIGGER, add_calibration, add_checkpoint, add_judge, add_photos, add_preview, raw_of
from sqlite_utils import Database

from db import library, results, runs
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


def copy_of(made: Several, home: Path) -> Several:
    """The same workspace once more, to be changed."""
    made.db.execute("pragma wal_checkpoint(truncate)")  # all of it in one file
    shutil.copytree(made.ws.home, home, dirs_exist_ok=True)
    ws = Workspace(home)
    return Several(ws, ws.open(), dict(made.projects), dict(made.patterns))


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
    contents = photos or [f"{name} {number}" for number in range(4)]
    rows = [{"name": f"{each}.jpg", "file": f"photos/{each}.png", "sha256": each} for each in contents]
    dataset_id = add_photos(db, project_id, " ".join(contents), rows, n_train=3)
    if not differences:
        return project_id
    info = face_judge_info("embedded")
    assert info is not None
    judge = add_judge(db, info, judge_key)
    scale = add_calibration(db, judge, dataset_id)
    plan_id = int(library.project(db, project_id)["plan_id"])
    at = Filled(made.ws, db, project_id, dataset_id, plan_id, (), (), judge, 0, scale)
    for label, difference in {"baseline": 0.0, **differences}.items():
        config = TrainConfig.model_validate({**DEFAULT.model_dump(), **CHALLENGERS.get(label, {})})
        made.patterns[label] = patterns.add(db, project_id, config, label)
        for seed in train_seeds:
            add_run(at, made.patterns[label], seed, difference, by_people=face_judge == "none")
    return project_id


def add_run(at: Filled, pattern_id: int, seed: int, difference: float | None, by_people: bool) -> None:
    """A finished run with one checkpoint, its previews, and their likeness by the judge or by a person."""
    db = at.db
    run_id, _ = runs.enqueue(db, at.project_id, pattern_id, at.dataset_id, seed)
    runs.started(db, run_id, effective=effective(patterns.get(db, pattern_id), ("no",)), device="", step=0, total=1)
    checkpoint = add_checkpoint(db, run_id, UPDATES, UPDATES)
    for cell in PLAN.cells():
        preview = add_preview(at, PLAN, checkpoint, cell, results.new_token())
        of_cell = OF_SEED.get(seed, 0.0) + OF_PROMPT[cell[0]]
        value = None if difference is None else OF_DEFAULT + difference + of_cell
        if by_people:
            rate(at, preview, "me", 0, likeness=value)
        else:
            score(at, preview, value)
    runs.report(db, run_id, step=UPDATES, loss=0.1, train_seconds=4.0)
    runs.end(db, run_id, "done")


def score(at: Filled, preview: int, value: float | None) -> None:
    """The likeness by the judge alone; None: no face."""
    row = {"metric": "likeness", "judge_id": at.face_judge, "calibration_id": at.calibration, "preview_id": preview}
    status, detail = ("no_face", {}) if value is None else ("ok", {"face_px": 33.0})
    results.add_scores(at.db, [{**row, "value": raw_of(value), "status": status, "detail": json.dumps(detail)}])
