"""Which previews people rate, which of them wait for a rater, and which other pages hide until then."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from db import ratings, results, runs
from trainer.config import parse_config
from workbench.plans.plan import EvalPlan, plan_of
from workbench.plans.wanted import main_eyes
from workbench.running.queue import points_of

Row = dict[str, Any]

SITTING = 60  # pictures made elsewhere that are judged at most: about ten minutes


def rating_set(db: Database, project: Row) -> list[Row]:
    """Previews that people judge: one per identity prompt of few checkpoints, unless the picture is broken.

    Few enough for a sitting: at most two checkpoints per run (see :func:`judged_updates`), the plan's first seed,
    its main strength and main view; none of final runs, which are compared with nothing. Of pictures made elsewhere
    see :func:`elsewhere_set`. Rows as
    ``db.results.previews`` gives them, but with the id under which a picture that an earlier plan has as well was
    first drawn, so that what was said of it still stands.
    """
    if not project["plan_id"]:
        return []
    plan = plan_of(db, project["id"])
    if plan.elsewhere:
        return elsewhere_set(plan, results.previews(db, project["id"], project["plan_id"]))
    judged = {
        (run["id"], updates, *main_eyes(plan, parse_config(run["config"])))
        for run in runs.of_project(db, project["id"])
        if not run["final"]
        for updates in judged_updates(save_points(db, run))
    }
    return [
        {**row, "id": row["same_as"] or row["id"]}
        for row in results.previews(db, project["id"], project["plan_id"])
        if (row["run_id"], row["updates"], row["base_model"], row["clip_skip"]) in judged
        and row["status"] == "ok"
        and plan.prompts[row["prompt"]].role == "identity"
        and (row["seed"], row["strength"]) == (plan.seeds[0], plan.main_strength)
    ]


def elsewhere_set(plan: EvalPlan, previews: Sequence[Row]) -> list[Row]:
    """The same of pictures made elsewhere, where not every checkpoint has every prompt, seed and strength.

    One picture per identity prompt of each checkpoint: at the plan's main strength or the next one to it, of the
    earliest of the plan's seeds. Of more than SITTING pictures those of some checkpoints, spread evenly and ending
    with the last, of every LoRA.
    """

    def preference(row: Row) -> tuple[float, int]:
        return abs(row["strength"] - plan.main_strength), plan.seeds.index(row["seed"])

    chosen: dict[tuple[int, int, int], Row] = {}
    for row in previews:
        if row["run_id"] is None or row["status"] != "ok" or plan.prompts[row["prompt"]].role != "identity":
            continue
        key = (row["run_id"], row["checkpoint_id"], row["prompt"])
        if key not in chosen or preference(row) < preference(chosen[key]):
            chosen[key] = row
    order: dict[int, list[int]] = {}
    for run, checkpoint, _ in chosen:  # previews come in the order of training
        order.setdefault(run, [])
        if checkpoint not in order[run]:
            order[run].append(checkpoint)
    share = min(1.0, SITTING / max(len(chosen), 1))
    kept = {checkpoint for each in order.values() for checkpoint in spread(each, math.ceil(share * len(each)))}
    return [{**row, "id": row["same_as"] or row["id"]} for row in chosen.values() if row["checkpoint_id"] in kept]


def spread(each: Sequence[int], count: int) -> list[int]:
    """``count`` of them, evenly and ending with the last.

    >>> spread([2, 4, 6, 8, 10], 2)
    [6, 10]
    """
    return [each[math.ceil(len(each) * (i + 1) / count) - 1] for i in range(count)]


def judged_updates(points: Sequence[int]) -> set[int]:
    """Of a run's checkpoints (updates, rising) those that people judge: the last, and the one nearest half-way."""
    if not points:
        return set()
    *before, last = points
    return {last, min(before, key=lambda updates: abs(updates - last / 2), default=last)}


def save_points(db: Database, run: Row) -> list[int]:
    """Updates at which a run has its checkpoints; those to come too, so that the set stays as it is."""
    if run["status"] in ("queued", "running"):
        return points_of(db, run)
    return [checkpoint["updates"] for checkpoint in runs.checkpoints(db, run["id"])]


def waiting(db: Database, project: Row, rater: str) -> list[Row]:
    """Previews of the set of which this rater has said nothing, in the order in which they come."""
    said = answered_previews(db, project["id"], rater)
    rows = [row for row in rating_set(db, project) if row["id"] not in said]
    return sorted(rows, key=lambda row: place(rater, row["token"]))


def answered_previews(db: Database, project_id: int, rater: str) -> set[int]:
    """Single pictures that a rater has marked, flagged or skipped, warm-ups apart."""
    events = ratings.events(db, project_id, rater)
    undone = {event["undoes"] for event in events if event["event"] == "undo"}
    return {
        event["preview_id"]
        for event in events
        if event["event"] != "undo" and event["id"] not in undone and event["part"] != "warm_up"
    }


def held_back_tokens(db: Database, project: Row, rater: str) -> set[str]:
    """Tokens of pictures that other pages hide from this rater until they are judged."""
    return {row["token"] for row in waiting(db, project, rater)}


def place(rater: str, token: str) -> str:
    """Where a picture stands in a rater's order: shuffled over patterns, the same after every restart."""
    return hashlib.sha256(f"{rater}:{token}".encode()).hexdigest()
