"""Where a sweep stands: runs, previews and scores done and to come, and how long that will take."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from db import library, results, runs
from workbench.judges import JudgeUnavailable, clip_judge_info, face_judge_info
from workbench.plans import plan as plans
from workbench.plans.closer import looks_twice
from workbench.plans.wanted import Wanted, base_row, wanted
from workbench.running.device import DeviceInfo
from workbench.running.queue import points_of
from workbench.running.waiting import why_waiting
from workbench.scores.current_scores import MEASURES, SECOND
from workbench.scores.scoring import CLIP_T

Row = dict[str, Any]
Cell = tuple[Any, ...]  # a preview as db.results.made_cells has it
MOST_KEPT = 16  # projects of which what is there is remembered


@dataclass(frozen=True)
class Progress:
    """Counts of one project, or of all that a worker has before it."""

    runs_total: int = 0
    runs_done: int = 0
    runs_failed: int = 0
    runs_cancelled: int = 0
    runs_queued: int = 0
    running: Row | None = None  # the run in training, as db.runs.get gives it
    checkpoints_expected: int = 0
    previews_done: int = 0
    previews_expected: int = 0
    scores_missing: int = 0  # that previews lack, or the reasons why there is none
    eta_s: float | None = None  # seconds until all is done; None before anything was measured
    worker: Row | None = None  # the live worker that was seen last
    waits: str = ""  # why nothing of it is done now (a sentence, or waiting.NO_WORKER); empty = it goes on
    device: str = ""
    updates_done: int = 0
    updates_expected: int = 0
    failures: list[Row] = field(default_factory=list)

    @property
    def trained(self) -> bool:
        """Nothing is queued or running any more."""
        return bool(self.runs_total) and not self.runs_queued and self.running is None

    @property
    def finished(self) -> bool:
        """It is trained, and every preview and score is there."""
        return self.trained and not self.scores_missing and self.previews_done >= self.previews_expected

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1: updates and previews, each by its part of the time."""
        expected = self.updates_expected + self.previews_expected
        return min(1.0, (self.updates_done + self.previews_done) / expected) if expected else 0.0


def progress(db: Database, project_id: int) -> Progress:
    """Where a project stands. Runs that failed or were cancelled expect no more checkpoints than they have."""
    project = library.project(db, project_id)
    assert project is not None
    there = _there(db, project)
    all_runs = runs.of_project(db, project_id)
    planned = [_planned(db, run) for run in all_runs]
    to_come = _to_come(db, project, planned, there)
    workers = runs.live_workers(db, runs.MISSING_S)
    device = DeviceInfo.from_json(workers[0]["device"]) if workers else None
    counts = {
        status: sum(run["status"] == status for run in all_runs) for status in ("done", "failed", "cancelled", "queued")
    }
    updates_left = sum(p.updates_left for p in planned)
    return Progress(
        runs_total=len(all_runs),
        runs_done=counts["done"],
        runs_failed=counts["failed"],
        runs_cancelled=counts["cancelled"],
        runs_queued=counts["queued"],
        running=next((run for run in all_runs if run["status"] == "running"), None),
        checkpoints_expected=sum(p.saved + p.to_come for p in planned),
        previews_done=there.n_made,
        previews_expected=there.n_made + to_come,
        scores_missing=there.scores_missing,
        eta_s=_eta(all_runs, results.seconds_per_preview(db, project_id), updates_left, to_come) if workers else None,
        worker=workers[0] if workers else None,
        waits=why_waiting(db, project_id),
        device=device.name if device else "",
        updates_done=sum(run["step"] for run in all_runs),
        updates_expected=sum(run["step"] for run in all_runs) + updates_left,
        failures=[run for run in all_runs if run["status"] == "failed"],
    )


@dataclass(frozen=True)
class _There:
    """What a project has, and what the checkpoints that are there still lack."""

    n_made: int  # previews
    base: frozenset[Cell]  # of them those without a LoRA
    lacking: frozenset[Cell]  # that the plan asks for, and that are not made
    scores_missing: int


_last: dict[tuple[Any, ...], tuple[int, _There]] = {}  # by database, project and judges: revision, what was found


def _there(db: Database, project: Row) -> _There:
    """Found again only when the database has changed: the open pages and the worker ask every few seconds."""
    file = next(iter(db.execute("pragma database_list")))[2]
    judged, revision = scores_wanted(project), library.revision(db)
    key = (file, project["id"], frozenset(judged))
    known = _last.get(key)
    if known is not None and known[0] == revision:
        return known[1]
    found = _look(db, project, judged)
    if len(_last) >= MOST_KEPT:
        _last.clear()
    _last[key] = revision, found
    return found


def _look(db: Database, project: Row, judged: set[tuple[str, str | None]]) -> _There:
    made = results.made_cells(db, project["id"], project["plan_id"]) if project["plan_id"] else []
    asked = wanted(db, project["id"], plans.plan_of(db, project["id"]))
    base = frozenset(cell for cell in made if cell[0] is None)
    return _There(len(made), base, frozenset(_cells(asked).difference(made)), _scores_missing(db, project, judged))


def _cells(asked: Iterable[Wanted]) -> set[Cell]:
    return {(item.checkpoint and item.checkpoint["id"], *item.eyes, *cell) for item in asked for cell in item.cells}


@dataclass(frozen=True)
class _Planned:
    """What a run will have come to."""

    run: Row
    saved: int  # checkpoints that are there
    to_come: int = 0  # checkpoints
    updates_left: int = 0


def _planned(db: Database, run: Row) -> _Planned:
    saved = {checkpoint["updates"] for checkpoint in runs.checkpoints(db, run["id"])}
    points = points_of(db, run) if run["status"] in ("queued", "running") else []
    if not points:
        return _Planned(run, len(saved))
    before = runs.get(db, run["continues"]) if run["continues"] else None
    step = max(run["step"], before["step"] if before else 0)
    return _Planned(run, len(saved), len(set(points) - saved), max(0, points[-1] - step))


def _to_come(db: Database, project: Row, planned: list[_Planned], there: _There) -> int:
    """Previews that are still to be made: of the checkpoints that are there, and of those to come."""
    coming = [p for p in planned if p.to_come]
    if not coming:
        return len(there.lacking)
    plan = plans.plan_of(db, project["id"])
    beside = _cells(base_row(plan, p.run) for p in coming) - there.base
    return len(there.lacking | beside) + sum(_of_run(plan, project, p) for p in coming)


def _of_run(plan: plans.EvalPlan, project: Row, planned: _Planned) -> int:
    """Previews of the checkpoints that a run has yet to save; how many get a closer look is not known before."""
    first = plan.scan_cells() if looks_twice(plan, project, planned.run) else plan.cells()
    return (planned.to_come - 1) * len(first) + len(plan.cells())


def scores_wanted(project: Row) -> set[tuple[str, str | None]]:
    """What every preview should have a score of, or a reason for none: (metric, key of the judge).

    None in place of a key: that judge is not on this computer, and the reason is stored under the measure's name.
    """
    wanted: set[tuple[str, str | None]] = set()
    for name, measure in MEASURES.items():
        if name == SECOND and project[measure.judge] == project["face_judge"]:
            continue
        find = clip_judge_info if measure.judge == "clip_judge" else face_judge_info
        try:
            info = find(project[measure.judge])
        except JudgeUnavailable:
            wanted.add((name, None))
        else:
            if info is not None:
                wanted.add((measure.metric, info.key))
    return wanted


def _scores_missing(db: Database, project: Row, judged: set[tuple[str, str | None]]) -> int:
    """Scores that previews lack of the judges that the project wants now; without photos there is prompt adherence."""
    if not project["plan_id"]:
        return 0
    return sum(
        results.without_score(
            db, project["id"], project["plan_id"], metric, key, metric == CLIP_T or bool(project["dataset_id"])
        )
        for metric, key in judged
    )


def _eta(all_runs: list[Row], per_preview: float, updates_left: int, previews_left: int) -> float | None:
    """Seconds left, from the measured seconds per update and per preview of this project (whatever the plan)."""
    updates, seconds = sum(r["step"] for r in all_runs), sum(r["train_seconds"] for r in all_runs)
    if not updates or not seconds:
        return None
    return updates_left * seconds / updates + max(0, previews_left) * per_preview


def queue_wide(db: Database) -> list[tuple[str, Progress]]:
    """Every project that has runs, with its name."""
    return [
        (project["name"], progress(db, project["id"]))
        for project in library.projects(db)
        if runs.of_project(db, project["id"])
    ]
