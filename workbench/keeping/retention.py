"""Which LoRA files and training states a project keeps; what a rule doesn't keep goes into the bin, never further."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import pandas as pd
from sqlite_utils import Database

from db import bin as bin_rows
from db import library, ratings, runs
from workbench.findings.analysis import Tables, tables
from workbench.findings.best import best_so_far, leaders
from workbench.plans import missing
from workbench.plans.closer import closer
from workbench.plans.plan import plan_of
from workbench.running.disk import size
from workbench.running.run_log import note
from workbench.words import counted, megabytes
from workbench.workspace import Workspace

Row = dict[str, Any]
Loras = Literal["all", "last", "best", "rated"]
States = Literal["keep", "remove"]
ENDED = ("done", "stopped_early")  # a failed or cancelled run may be tried again: its files stay
SENTENCES = {
    "all": "Keep every LoRA file.",
    "last": "Of each run keep the last {n}.",
    "best": "Of each run keep the {n} with the highest likeness.",
    "rated": "Keep those with rated pictures. Takes effect with 'Tidy up' only: pictures must be rated first.",
}


class RetentionError(ValueError):
    """A rule that makes no sense."""


@dataclass(frozen=True)
class Rule:
    """What is kept of every run that is done. Previews, scores and ratings always stay."""

    loras: Loras = "all"
    n: int = 3  # files per run, for last and best
    states: States = "keep"  # without its state a run can't be trained longer


@dataclass(frozen=True)
class Going:
    """What a rule would move into the bin."""

    checkpoints: tuple[Row, ...] = ()
    states: tuple[int, ...] = ()  # run ids
    bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.states)

    def __str__(self) -> str:
        parts = [(len(self.checkpoints), "LoRA file"), (len(self.states), "training state")]
        named = " and ".join(counted(n, what) for n, what in parts if n)
        return f"{named} ({megabytes(self.bytes)})" if named else "nothing"


def rule_of(db: Database, project_id: int) -> Rule:
    """The rule of a project; every file is kept until somebody says otherwise."""
    project = library.project(db, project_id)
    assert project is not None
    return Rule(**json.loads(project["retention"]))


def set_rule(db: Database, project_id: int, rule: Rule) -> None:
    """Store a project's rule. Nothing moves before the next run ends, or before 'tidy up'."""
    if rule.loras not in get_args(Loras) or rule.states not in get_args(States):
        known = f"{', '.join(get_args(Loras))} for LoRA files, {', '.join(get_args(States))} for states"
        raise RetentionError(f"There is no rule '{rule.loras}, {rule.states}'. Choose among {known}.")
    if rule.n < 1:
        raise RetentionError(f"{rule.n} files of each run would be kept. Keep at least 1.")
    library.update_project(db, project_id, retention=json.dumps(asdict(rule)))


def after_scores(ws: Workspace, db: Database, project_id: int) -> Going:
    """Apply a project's rule to the runs that are done, previewed and scored; returns what went into the bin."""
    return tidy(ws, db, project_id, going(ws, db, project_id, by_itself=True))


def going(ws: Workspace, db: Database, project_id: int, by_itself: bool = False) -> Going:
    """What a project's rule doesn't keep, as things stand: of runs that are done and whose previews are all made.

    Never what somebody rated best, what the charts call best so far, the result of a final run, a state that a
    waiting run goes on from, or a LoRA file made elsewhere: nobody could train that again here. ``by_itself``: as a
    run ends, without anybody asking for it.
    """
    rule, project = rule_of(db, project_id), library.project(db, project_id)
    assert project is not None
    if rule == Rule(n=rule.n):
        return Going()
    listed = runs.of_project(db, project_id)
    ended = [run for run in listed if run["status"] in ENDED and run["origin"] is None]
    wanted = {job.about["checkpoint_id"] for job in missing.fill_jobs(ws, db, project)}
    undecided = closer(db, project_id, plan_of(db, project_id)).undecided
    needed = {run["continues"] for run in listed if run["status"] in ("queued", "running")}
    there = {run["id"]: [c for c in runs.checkpoints(db, run["id"]) if c["removed_at"] is None] for run in ended}
    shown = [run for run in ended if not any(c["id"] in wanted for c in there[run["id"]])]
    finished = [run for run in shown if run["id"] not in undecided]
    states = [
        run["id"]
        for run in finished
        if rule.states == "remove" and run["id"] not in needed and size(_state(ws, run["id"]))
    ]
    checkpoints: list[Row] = []
    if rule.loras in ("last", "best") or (rule.loras == "rated" and not by_itself):
        checkpoints = _not_kept(db, project_id, rule, finished, there)
    total = sum(row["bytes"] for row in checkpoints) + sum(size(_state(ws, run_id)) for run_id in states)
    return Going(tuple(checkpoints), tuple(states), total)


def _state(ws: Workspace, run_id: int) -> Any:
    return ws.run_folder(run_id) / "state" / "state.safetensors"


def _not_kept(db: Database, project_id: int, rule: Rule, finished: list[Row], there: dict[int, list[Row]]) -> list[Row]:
    offered = [run for run in finished if rule.loras != "last" or len(there[run["id"]]) > rule.n]
    if not offered:
        return []
    found = tables(db, project_id)
    marks = ratings.marks(db, project_id)
    keep = _best(found, marks)
    if plan_of(db, project_id).confirm_seeds:  # these are looked at once more when all runs are done
        keep |= set(leaders(found))
    if rule.loras == "rated":
        keep |= {mark["checkpoint_id"] for mark in marks}
    for run in offered:
        rows = there[run["id"]]
        if run["final"]:
            keep |= {row["id"] for row in rows if row["is_last"]}
        if rule.loras == "last":
            keep |= {row["id"] for row in rows[-rule.n :]}
        elif rule.loras == "best":
            keep |= _most_alike(found.previews, found.checkpoints, run["id"], rows, rule.n)
    return [row for run in offered for row in there[run["id"]] if row["id"] not in keep]


def _best(found: Tables, marks: Iterable[Row]) -> set[int]:
    """Checkpoints that are best by anybody's measure: the charts', and each rater's on each axis."""
    best = best_so_far(found)
    keep = set(best.checkpoint_ids) if best else set()
    values: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for mark in marks:
        if mark["checkpoint_id"] is not None:
            values[mark["rater"], mark["axis"]][mark["checkpoint_id"]].append(mark["value"])
    for of_each in values.values():
        means = {checkpoint: sum(given) / len(given) for checkpoint, given in of_each.items()}
        keep |= {checkpoint for checkpoint, mean in means.items() if mean == max(means.values())}
    return keep


def _most_alike(previews: pd.DataFrame, checkpoints: pd.DataFrame, run_id: int, rows: list[Row], n: int) -> set[int]:
    """The n checkpoints of a run with the highest likeness; all, as long as some picture was not judged."""
    own = previews[previews["run_id"] == run_id]
    measured = checkpoints[checkpoints["run_id"] == run_id].dropna(subset=["likeness"])
    if own.empty or own["face_status"].isna().any() or measured.empty:
        return {row["id"] for row in rows}
    best = measured.sort_values("likeness", ascending=False)["checkpoint_id"].head(n)
    return {int(checkpoint) for checkpoint in best}


def tidy(ws: Workspace, db: Database, project_id: int, wanted: Going | None = None) -> Going:
    """Move into the bin what the rule doesn't keep (``wanted``: what was shown); returns what went."""
    gone = going(ws, db, project_id) if wanted is None else wanted
    for row in bin_rows.removed_checkpoints(db):
        to_bin(ws, row["file"])  # where a crash came between the note and the move
    for row in gone.checkpoints:
        bin_rows.checkpoint_removed(db, row["id"], True)  # first: a file that is gone must never be asked for
        to_bin(ws, row["file"])
        note(ws, row["run_id"], f"into the bin, as the project's rule says: {row['file']}")
    for run_id in gone.states:
        to_bin(ws, ws.relative(_state(ws, run_id)))
        note(ws, run_id, "its training state went into the bin, as the project's rule says")
    return gone


def to_bin(ws: Workspace, relative: str) -> None:
    """Move a file of the workspace into the bin, where it keeps its path."""
    source, target = ws.path(relative), ws.bin / relative
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
