"""Coarse to fine: which checkpoints deserve all of a plan's previews, and which have to stand on fresh ones."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import library, runs
from workbench.findings.analysis import WRECKED_BELOW, of_role, tables
from workbench.findings.best import LEADERS, leaders
from workbench.findings.intervals import told_apart
from workbench.findings.metrics import METRICS
from workbench.findings.preview_table import preview_table
from workbench.plans.plan import EvalPlan

Row = dict[str, Any]

AT_LEAST = 2  # checkpoints of each run that are looked at closer: the best by a first look may be luck
JUDGED_BY = {"likeness": ("face_judge", "face_status"), "clip_t": ("clip_judge", "clip_status")}  # in this order


@dataclass(frozen=True)
class Closer:
    """Where a closer look is due. Checkpoints and runs by their ids."""

    promising: frozenset[int] = frozenset()  # get all cells
    leaders: frozenset[int] = frozenset()  # get the fresh seeds, too
    undecided: frozenset[int] = frozenset()  # runs whose first look is not judged yet


_last: dict[tuple[str, int, str], tuple[int, Closer]] = {}  # by database, project and plan: revision, what was found


def status_columns(project: Mapping[str, Any]) -> dict[str, str]:
    """Metric -> column of the status that its judge gives a preview; likeness needs photos to be judged by."""
    return {
        metric: status
        for metric, (judge, status) in JUDGED_BY.items()
        if project[judge] != "none" and (metric != "likeness" or project["dataset_id"])
    }


def looks_twice(plan: EvalPlan, project: Mapping[str, Any], run: Row | None = None) -> bool:
    """Whether checkpoints get a first look before the closer one: only where somebody will judge it.

    Nobody does without a judge, and of a final run there are no unseen photos left to judge by.
    """
    return bool(plan.scan_seeds and status_columns(project)) and not (run and run["final"])


def closer(db: Database, project_id: int, plan: EvalPlan) -> Closer:
    """Where a closer look is due under the plan in force, from the scores that there are.

    Found again only when the database has changed: an idle worker asks every second.
    """
    project = library.project(db, project_id)
    assert project is not None
    if not plan.confirm_seeds and not looks_twice(plan, project):
        return Closer()
    file = next(iter(db.execute("pragma database_list")))[2]
    key, revision = (file, project_id, plan.hash), library.revision(db)
    if key not in _last or _last[key][0] != revision:
        _last.clear()
        _last[key] = revision, _look(db, project, plan)
    return _last[key][1]


def _look(db: Database, project: Row, plan: EvalPlan) -> Closer:
    listed = [run for run in runs.of_project(db, project["id"]) if not run["final"]]
    going = {run["id"] for run in listed if run["status"] in ("queued", "running")}
    saved = {
        run["id"]: {row["id"] for row in runs.checkpoints(db, run["id"]) if row["removed_at"] is None} for run in listed
    }
    found, undecided = set[int](), set[int]()
    if looks_twice(plan, project):
        first = first_look(preview_table(db, project["id"]), plan)
        metric = judged_by(project, first)
        for run_id, there in saved.items():
            own = first[first["run_id"] == run_id]
            if there and (run_id in going or not _settled(own, there, project, plan)):
                undecided.add(run_id)
            elif there:
                found |= there if metric is None else there & promising(own, metric)
    else:
        found = set[int]().union(*saved.values())
    leading = set[int]()
    if plan.confirm_seeds and not going and not undecided:
        everything = tables(db, project["id"])
        if _all_measured(everything.previews, found, project, plan):
            leading = set(leaders(everything))
    return Closer(frozenset(found), frozenset(leading), frozenset(undecided))


def first_look(previews: pd.DataFrame, plan: EvalPlan) -> pd.DataFrame:
    """The previews that every checkpoint has, base rows aside."""
    seeds = plan.seeds[: plan.scan_seeds]
    return previews[previews["is_main"] & ~previews["is_base"] & previews["seed"].isin(seeds)]


def judged_by(project: Row, previews: pd.DataFrame) -> str | None:
    """The score that checkpoints are chosen by: likeness, without it prompt adherence; None = there is neither."""
    return next((metric for metric in status_columns(project) if previews[METRICS[metric].column].notna().any()), None)


def _settled(own: pd.DataFrame, checkpoints: Collection[int], project: Row, plan: EvalPlan) -> bool:
    """Whether a run's first look is rendered and every judge has said something of it, if only why it can't."""
    each = own.groupby("checkpoint_id").size()
    rendered = all(each.get(checkpoint, 0) >= len(plan.scan_cells()) for checkpoint in checkpoints)
    return rendered and _judged(own, project)


def _judged(previews: pd.DataFrame, project: Row) -> bool:
    return all(previews[status].notna().all() for status in status_columns(project).values())


def _all_measured(previews: pd.DataFrame, promising: Collection[int], project: Row, plan: EvalPlan) -> bool:
    """Whether the choice among the promising checkpoints can be made: all of their cells are there and judged."""
    chosen = previews[previews["is_main"] & ~previews["is_base"] & previews["seed"].isin(plan.seeds)]
    each = chosen.groupby("checkpoint_id").size()
    full = all(each.get(checkpoint, 0) >= len(plan.base_row_cells()) for checkpoint in promising)
    return full and _judged(chosen, project)


def promising(previews: pd.DataFrame, metric: str) -> set[int]:
    """Checkpoints of one run (``previews``: its first look) that the best one of them can't be told apart from.

    Each is compared with the best over the (prompt, seed) pairs that both have: differences averaged per prompt,
    then mean +- t(n - 1) x sd / sqrt(n) over prompts. It is out only if that excludes 0. A first look is short, so
    the best by it is often not the best: hence every checkpoint that it leaves open, never fewer than AT_LEAST, and
    always the last one, which runs are compared at. Checkpoints without a face in half of their previews stand
    behind all others. Only the first look decides, so that what it leads to doesn't change the choice.
    """
    measure = METRICS[metric]
    values = of_role(previews, measure.role).pivot_table(
        index=["prompt", "seed"], columns="checkpoint_id", values=measure.column, dropna=False
    )
    about = previews.groupby("checkpoint_id").agg(updates=("updates", "first"), is_last=("is_last", "first"))
    about["face_rate"] = of_role(previews, "identity").groupby("checkpoint_id")["face_found"].mean()
    means = values.groupby("prompt").mean().mean().reindex(about.index)
    about["value"] = measure.goodness(means)
    about["wrecked"] = about["face_rate"] < WRECKED_BELOW
    order = about.sort_values(["wrecked", "value", "updates"], ascending=[True, False, False], na_position="last")
    found = {int(checkpoint) for checkpoint in order.index[:AT_LEAST]} | {int(c) for c in about.index[about["is_last"]]}
    best = order.index[0]
    for checkpoint in order.index[1:]:
        if order.loc[checkpoint, "wrecked"] == order.loc[best, "wrecked"] and checkpoint in values and best in values:
            gaps = (values[checkpoint] - values[best]).dropna().groupby("prompt").mean()
            if not told_apart(gaps):
                found.add(int(checkpoint))
    return found


def bounds(listed: Iterable[Row], saved: Mapping[int, Collection[Row]]) -> tuple[Closer, Closer]:
    """The least and the most that closer looks can come to, whatever the first look says.

    ``listed``: runs; ``saved``: the checkpoints of each by its id, in the order in which they were saved.
    """
    each = [(run, [row["id"] for row in saved[run["id"]]]) for run in listed if saved[run["id"]] and not run["final"]]
    of_patterns: dict[int, list[int]] = {}
    for run, checkpoints in each:
        of_patterns.setdefault(run["pattern_id"], []).append(checkpoints[-1])
    ranked = sorted(of_patterns.values(), key=len)
    few = frozenset(row for _, checkpoints in each for row in checkpoints[-AT_LEAST:])
    every = frozenset(row for _, checkpoints in each for row in checkpoints)
    return (
        Closer(few, frozenset(row for rows in ranked[:1] for row in rows)),
        Closer(every, frozenset(row for rows in ranked[-LEADERS:] for row in rows)),
    )
