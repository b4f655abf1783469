"""Queue trainings, order them, cancel, try again, retrain, train longer: what pages and the command line call."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlite_utils import Database

from db import library, runs
from trainer.config import TrainConfig, parse_config
from trainer.effective import can_continue
from workbench.sentences import can_not_continue
from workbench.sweep import patterns
from workbench.workspace import Workspace

Where = Literal["first", "up", "down", "last"]


class QueueError(ValueError):
    """Something that can't be queued as asked."""


def enqueue(db: Database, project_id: int, pattern_ids: Iterable[int], seeds: Iterable[int]) -> list[int]:
    """Queue every pattern with every seed on the project's current photos; returns the runs' ids.

    Seeds go outside, patterns inside: after the first round every pattern has been tried once. What already waits or
    runs is not queued twice, and what failed or was cancelled is tried again as the same run: it goes on from its
    last saved state, and no training stands there twice. Raises QueueError when there are no photos to train on, or
    for a pattern that was made elsewhere.
    """
    dataset_id = _dataset(db, project_id)
    chosen = list(pattern_ids)
    for pattern_id in chosen:
        _trained_here(db, project_id, pattern_id)
    unfinished = {
        (run["pattern_id"], run["seed"]): run["id"]
        for run in runs.of_project(db, project_id)
        if run["dataset_id"] == dataset_id and not run["final"] and may_go_on(run)
    }
    queued = []
    for seed in seeds:
        for pattern_id in chosen:
            before = unfinished.get((pattern_id, seed))
            if before is not None and runs.retry(db, before):
                queued.append(before)
            else:
                queued.append(runs.enqueue(db, project_id, pattern_id, dataset_id, seed)[0])
    return queued


def may_go_on(run: Mapping[str, Any]) -> bool:
    """Whether trying a run again is better than a new one: it ended early, and its saved state can be read."""
    return run["status"] in ("failed", "cancelled") and run["reason"] != "bad_state"


def _dataset(db: Database, project_id: int) -> int:
    project = library.project(db, project_id)
    if project is None:
        raise QueueError(f"There is no project {project_id}.")
    if project["dataset_id"] is None or not library.photos(db, project["dataset_id"], "train"):
        raise QueueError(f"'{project['name']}' has no photos to train on yet. Add some on the Photos page first.")
    return int(project["dataset_id"])


def _trained_here(db: Database, project_id: int, pattern_id: int) -> None:
    """Refuse a pattern that was made elsewhere: not all that it was trained with is known, nor on which photos."""
    if patterns.made_elsewhere(db, pattern_id):
        label = next((p.label for p in patterns.listed(db, project_id) if p.pattern_id == pattern_id), pattern_id)
        raise QueueError(
            f"'{label}' was trained elsewhere, so it can't be queued as it is. Choose 'Train it here': that makes a "
            "pattern of its own, with what is not known at its defaults."
        )


def cancel(db: Database, run_id: int) -> None:
    """Cancel a run: at once while it waits, after its current update while it trains."""
    runs.request_cancel(db, run_id)


def retry(db: Database, run_id: int) -> None:
    """Queue a failed or cancelled run again; it goes on from its last saved state."""
    if not runs.retry(db, run_id):
        raise QueueError(
            f"Run {run_id} can't be tried again: only a failed or cancelled run can, and only once at a time."
        )


def retrain(
    db: Database,
    run_id: int,
    *,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
    label: str | None = None,
) -> int:
    """Train a run's pattern again as a new run and return its id; the old run and its ratings stay.

    ``seed``: None takes the next one that this pattern has not had. ``changes``: settings to change first, which
    makes a new pattern under ``label``.
    """
    run = _known(db, run_id)
    pattern_id = run["pattern_id"]
    if changes:
        name = label or f"{run['label']}, {', '.join(f'{key} {value}' for key, value in changes.items())}"
        pattern_id = patterns.clone(db, run["project_id"], pattern_id, name, **changes)
    _trained_here(db, run["project_id"], pattern_id)
    if seed is None:
        seed = run["seed"] if changes and run["seed"] >= 0 else next_seed(db, run["project_id"], pattern_id)
    new_id, is_new = runs.enqueue(db, run["project_id"], pattern_id, _dataset(db, run["project_id"]), seed)
    if not is_new:
        raise QueueError(f"This pattern with seed {seed} waits or trains already, as run {new_id}.")
    return new_id


def extend(ws: Workspace, db: Database, run_id: int, *, epochs: int | None = None, updates: int | None = None) -> int:
    """Train a finished run on until so many epochs or updates in all, as a new run of a longer pattern; its id.

    It goes on from the end of the old one, with the same seed and photos; the old one and its ratings stay.
    Raises QueueError with the reason where that would not be the same as having trained longer.
    """
    run = _known(db, run_id)
    _trained_here(db, run["project_id"], run["pattern_id"])
    if run["status"] != "done":
        raise QueueError(f"Run {run_id} has not come to its end yet. Only a finished run can be trained longer.")
    old = parse_config(run["config"])
    n_photos = len(photos_of(db, run))
    new = parse_config({**old.model_dump(mode="json"), **longer(old, n_photos, epochs, updates)})
    why_not = can_continue(old, new, n_photos)
    if why_not:
        raise QueueError(f"Run {run_id} can't be trained longer. {can_not_continue(why_not)}")
    if not (ws.run_folder(run_id) / "state" / "state.safetensors").is_file():
        raise QueueError(
            f"The training state of run {run_id} is gone, so it can't go on. If it was tidied away, let the "
            "rule keep states and restore it from the bin; else retrain the pattern with more epochs."
        )
    length = f"{epochs} epochs" if epochs is not None else f"{updates} updates"
    pattern_id = _pattern_named(db, run["project_id"], new, f"{run['label']}, {length}")
    new_id, is_new = runs.enqueue(
        db,
        run["project_id"],
        pattern_id,
        run["dataset_id"],
        run["seed"],
        final=bool(run["final"]),
        continues=run_id,
    )
    if not is_new:
        raise QueueError(f"That waits or trains already, as run {new_id}.")
    return new_id


def longer(config: TrainConfig, n_photos: int, epochs: int | None, updates: int | None) -> dict[str, int | None]:
    """The settings of length that make so many epochs, or so many updates."""
    if (epochs is None) == (updates is None):
        raise QueueError("Say how long the run is to be in all: either epochs or updates.")
    if epochs is not None:
        return {"epochs": epochs, "max_updates": None, "max_images": None}
    assert updates is not None
    enough = math.ceil(updates / config.updates_per_epoch(n_photos))
    return {"epochs": max(config.epochs, enough), "max_updates": updates, "max_images": None}


def photos_of(db: Database, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The photos that a run trains on: the train side, or all of a final run."""
    return library.photos(db, run["dataset_id"], None if run["final"] else "train")


def points_of(db: Database, run: Mapping[str, Any]) -> list[int]:
    """Updates at which a run is to save LoRA files, rising; one that goes on from another saves later ones only."""
    n_photos = len(photos_of(db, run))
    if not n_photos:
        return []
    before = runs.get(db, run["continues"]) if run["continues"] else None
    begun = before["step"] if before else 0
    return [point for point in parse_config(run["config"]).save_points(n_photos) if point > begun]


def _pattern_named(db: Database, project_id: int, config: TrainConfig, label: str) -> int:
    """The project's pattern with these settings; added under the label unless it has one."""
    for pattern in patterns.listed(db, project_id):
        if pattern.hash == config.hash:
            return pattern.pattern_id
    return patterns.add(db, project_id, config, label)


def train_final(db: Database, run_id: int, seed: int | None = None) -> int:
    """Train a run's pattern once more on all photos, the reference photos too; the new run's id.

    For use, not for comparison: no photo is left that it hasn't seen, so its likeness can't be measured. ``seed``:
    None takes the run's own. Raises QueueError where that LoRA is there already: the same once more would be the
    same file.
    """
    run = _known(db, run_id)
    _trained_here(db, run["project_id"], run["pattern_id"])
    wanted = run["seed"] if seed is None else seed
    dataset_id = _dataset(db, run["project_id"])
    asked = (run["pattern_id"], dataset_id, wanted)
    for other in runs.of_project(db, run["project_id"], "done"):
        if other["final"] and (other["pattern_id"], other["dataset_id"], other["seed"]) == asked:
            raise QueueError(f"Run {other['id']} is that already: this pattern on all photos with seed {wanted}.")
    new_id, is_new = runs.enqueue(db, run["project_id"], run["pattern_id"], dataset_id, wanted, final=True)
    if not is_new:
        raise QueueError(f"That waits or trains already, as run {new_id}.")
    return new_id


def _known(db: Database, run_id: int) -> dict[str, Any]:
    run = runs.get(db, run_id)
    if run is None:
        raise QueueError(f"There is no run {run_id}.")
    return run


# the order


def move(db: Database, run_id: int, where: Where) -> None:
    """Move a waiting run within the order of the whole queue: first, up, down or last."""
    order = [run["id"] for run in runs.with_status(db, "queued")]
    if run_id not in order:
        raise QueueError(f"Run {run_id} does not wait in the queue, so it has no place to move to.")
    at = order.index(run_id)
    order.remove(run_id)
    places = {"first": 0, "up": max(0, at - 1), "down": at + 1, "last": len(order)}
    order.insert(places[where], run_id)
    runs.reorder(db, order)


def ahead(db: Database, project_id: int) -> dict[str, int]:
    """Runs of other projects that come before the first waiting run of this one: project's name -> how many."""
    waiting = runs.with_status(db, "queued")
    own = next((place for place, run in enumerate(waiting) if run["project_id"] == project_id), None)
    if own is None:
        return {}
    before = [*runs.with_status(db, "running"), *waiting[:own]]
    return dict(Counter(run["project"] for run in before if run["project_id"] != project_id))


def next_seed(db: Database, project_id: int, pattern_id: int) -> int:
    """The smallest seed above all that a pattern was trained with."""
    used = [run["seed"] for run in runs.of_project(db, project_id) if run["pattern_id"] == pattern_id]
    return max([0, *used]) + 1  # below 0 stand the unknown seeds of runs that were made elsewhere
