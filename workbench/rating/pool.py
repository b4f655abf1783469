"""Which previews people rate, in which stages, which of them wait for a rater, and what other pages hide until then."""

import hashlib
import math
from collections.abc import Collection, Sequence
from typing import Any

from sqlite_utils import Database

from db import asked, ratings, results, runs, sittings
from trainer.config import parse_config
from workbench.pictures.gallery import checkpoint_text
from workbench.plans.eyes import Eyes, main_eyes
from workbench.plans.plan import EvalPlan, plan_of
from workbench.running.queue import points_of

Row = dict[str, Any]

SITTING = 60  # pictures made elsewhere that are judged at most: about ten minutes


def rating_set(db: Database, project: Row) -> list[Row]:
    """Previews that people judge first: one per identity prompt of few checkpoints, unless the picture is broken.

    Few enough for a sitting: at most two checkpoints per run (see :func:`judged_updates`), the plan's first seed,
    its main strength and main view; none of final runs, which are compared with nothing. Of pictures made elsewhere
    see :func:`elsewhere_set`. Rows as ``db.results.previews`` gives them, but with the id under which a picture that
    an earlier plan has as well was first drawn, so that what was said of it still stands.
    """
    return stage_rows(db, project, plan_of(db, project["id"]), 0)


def stages(plan: EvalPlan) -> tuple[int, ...]:
    """The seeds whose pictures are judged, one stage after the other.

    Not the last one where there are several: pages show its pictures freely. Pictures made elsewhere have one stage,
    whose seeds differ from prompt to prompt.
    """
    return plan.seeds[:1] if plan.elsewhere else plan.seeds[:-1] or plan.seeds


def pictures(db: Database, project: Row) -> list[Row]:
    """All that people can be asked about, stage after stage: rows as :func:`rating_set`, with their ``stage``."""
    plan = plan_of(db, project["id"])
    return [row for stage in range(len(stages(plan))) for row in stage_rows(db, project, plan, stage)]


def stage_rows(db: Database, project: Row, plan: EvalPlan, stage: int) -> list[Row]:
    """The pictures of one stage, made so far."""
    if not project["plan_id"]:
        return []
    if plan.elsewhere:
        rows = elsewhere_set(plan, results.previews(db, project["id"], project["plan_id"]))
    else:
        rows = of_seed(db, project, plan, stages(plan)[stage])
    return [{**row, "id": row["same_as"] or row["id"], "stage": stage} for row in rows]


def of_seed(db: Database, project: Row, plan: EvalPlan, seed: int) -> list[Row]:
    """The judged checkpoints' pictures of identity prompts with one seed; quick, since every page asks."""
    judged = judged_checkpoints(db, project, plan)
    identity = [number for number, prompt in enumerate(plan.prompts) if prompt.role == "identity"]
    about = {"project": project["id"], "plan": project["plan_id"], "seed": seed, "strength": plan.main_strength}
    rows = asked.previews(db, judged, identity, **about)
    return [row for row in rows if (row["base_model"], row["clip_skip"]) == judged[row["checkpoint_id"]]]


def judged_checkpoints(db: Database, project: Row, plan: EvalPlan) -> dict[int, Eyes]:
    """The checkpoints that people judge, and what they are looked at with."""
    saved = asked.saved(db, project["id"])
    eyes: dict[int, Eyes] = {}  # of a pattern
    found: dict[int, Eyes] = {}
    for run in runs.of_project(db, project["id"]):
        rows = saved.get(run["id"], [])
        if run["final"] or not rows:
            continue
        if run["pattern_id"] not in eyes:
            eyes[run["pattern_id"]] = main_eyes(plan, parse_config(run["config"]))
        going = run["status"] in ("queued", "running")
        judged = judged_updates(save_points(db, run) if going else [row["updates"] for row in rows])
        found |= {row["id"]: eyes[run["pattern_id"]] for row in rows if row["updates"] in judged}
    return found


def save_points(db: Database, run: Row) -> list[int]:
    """Updates at which a run has its checkpoints; those to come too, so that the set stays as it is."""
    if run["status"] in ("queued", "running"):
        return points_of(db, run)
    return [checkpoint["updates"] for checkpoint in runs.checkpoints(db, run["id"])]


def judged(db: Database, project: Row) -> list[int]:
    """The checkpoints that people judge, in the order of training; of those with pictures."""
    plan = plan_of(db, project["id"])
    return list(dict.fromkeys(row["checkpoint_id"] for row in stage_rows(db, project, plan, 0)))


def labels(db: Database, project: Row) -> dict[int, str]:
    """Names of the judged checkpoints, for people."""
    rows = rating_set(db, project)
    return {row["checkpoint_id"]: f"{row['label']}, {checkpoint_text({**row, 'is_final': 0})}" for row in rows}


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
    return [row for row in chosen.values() if row["checkpoint_id"] in kept]


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


# what waits


def waiting(db: Database, project: Row, rater: str, still: Collection[int] | None = None) -> list[Row]:
    """Pictures of the current stage of which this rater has said nothing, and those of sittings that can go on.

    None that this rater chose to see by name. In an order of the rater's own. ``still``: the open checkpoints, where
    they are known already (workbench/rating/standing.py, ``at_stake``).
    """
    said = answered_previews(db, project["id"], rater)
    seen = sittings.revealed(db, project["id"], rater)
    begun = asked.still_asked(db, project["id"], rater) - seen
    rows = current(db, project, rater, said | seen, still)
    left = begun - {row["id"] for row in rows}
    if left:
        rows = rows + [row for row in pictures(db, project) if row["id"] in left]
    return sorted(rows, key=lambda row: place(rater, row["token"]))


def current(db: Database, project: Row, rater: str, done: Collection[int], still: Collection[int] | None) -> list[Row]:
    """What is still to be said something of in the first stage that has anything left for the open checkpoints."""
    from workbench.rating.standing import at_stake  # it is about pictures of this room

    plan = plan_of(db, project["id"])
    rows = stage_rows(db, project, plan, 0)
    if still is None:
        still = at_stake(db, project, rater).open if done else {row["checkpoint_id"] for row in rows}
    for stage in range(len(stages(plan))):
        if stage:
            rows = stage_rows(db, project, plan, stage)
        left = [row for row in rows if row["id"] not in done and row["checkpoint_id"] in still]
        if left:
            return left
    return []


def answered_previews(db: Database, project_id: int, rater: str) -> set[int]:
    """Pictures that a rater has said something of, or skipped, alone or beside others, warm-ups apart."""
    events = ratings.events(db, project_id, rater)
    undone = {event["undoes"] for event in events if event["event"] == "undo"}
    stands = [
        event
        for event in events
        if event["event"] != "undo" and event["id"] not in undone and event["part"] != "warm_up"
    ]
    found = {event["preview_id"] for event in stands if event["preview_id"] is not None}
    shown = asked.shown(db, {event["item_id"] for event in stands if event["item_id"] is not None})
    return found | {preview for ids in shown.values() for preview in ids}


def held_back_tokens(db: Database, project: Row, rater: str, still: Collection[int] | None = None) -> set[str]:
    """Tokens of pictures that other pages hide from this rater until they are judged. ``still``: see waiting."""
    return {row["token"] for row in waiting(db, project, rater, still)}


def place(rater: str, token: str) -> str:
    """Where a picture stands in a rater's order: shuffled over patterns, the same after every restart."""
    return hashlib.sha256(f"{rater}:{token}".encode()).hexdigest()
