"""Queue trainings, cancel them, try again, retrain a pattern: what the Queue and Run pages and the CLI call."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlite_utils import Database

from db import library, runs
from workbench import patterns


class QueueError(ValueError):
    """Something that can't be queued as asked."""


def enqueue(db: Database, project_id: int, pattern_ids: Iterable[int], seeds: Iterable[int]) -> list[int]:
    """Queue every pattern with every seed on the project's current photos; returns the runs' ids.

    Seeds go outside, patterns inside: after the first round every pattern has been tried once. What already waits or
    runs is not queued twice. Raises QueueError when there are no photos to train on.
    """
    dataset_id = _dataset(db, project_id)
    chosen = list(pattern_ids)
    return [runs.enqueue(db, project_id, pattern_id, dataset_id, seed)[0] for seed in seeds for pattern_id in chosen]


def _dataset(db: Database, project_id: int) -> int:
    project = library.project(db, project_id)
    if project is None:
        raise QueueError(f"There is no project {project_id}.")
    if project["dataset_id"] is None or not library.photos(db, project["dataset_id"], "train"):
        raise QueueError(f"'{project['name']}' has no photos to train on yet. Add some on the Photos page first.")
    return int(project["dataset_id"])


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
    run = runs.get(db, run_id)
    if run is None:
        raise QueueError(f"There is no run {run_id}.")
    pattern_id = run["pattern_id"]
    if changes:
        name = label or f"{run['label']}, {', '.join(f'{key} {value}' for key, value in changes.items())}"
        pattern_id = patterns.clone(db, run["project_id"], pattern_id, name, **changes)
    if seed is None:
        seed = run["seed"] if changes else next_seed(db, run["project_id"], pattern_id)
    new_id, is_new = runs.enqueue(db, run["project_id"], pattern_id, _dataset(db, run["project_id"]), seed)
    if not is_new:
        raise QueueError(f"This pattern with seed {seed} waits or trains already, as run {new_id}.")
    return new_id


def next_seed(db: Database, project_id: int, pattern_id: int) -> int:
    """The smallest seed above all that a pattern was trained with."""
    used = [run["seed"] for run in runs.of_project(db, project_id) if run["pattern_id"] == pattern_id]
    return max(used, default=0) + 1
