"""Judge a project's pictures in this process, without a worker: what is scored stays, so it can be stopped any time."""

from collections.abc import Callable

from sqlite_utils import Database

from db import library
from workbench.plans.missing import Job
from workbench.running import write_down
from workbench.running.engine import why
from workbench.scores import missing_scores, no_score
from workbench.scores.studio import Studio
from workbench.workspace import Workspace

OnScores = Callable[[str, int, int], None]  # name of the judge, pictures it has judged now, all of them


def judge_here(ws: Workspace, db: Database, project_id: int, on_scores: OnScores | None = None) -> list[str]:
    """Score all that is missing in a project; called again it goes on where it was stopped.

    Returns why something could not be judged, in sentences (photos that give no scale, for instance); that is
    written down with the pictures too.
    """
    from trainer.device import probe

    studio = Studio("cuda" if probe().kind == "cuda" else "cpu")
    done: set[tuple[object, ...]] = set()
    sentences: list[str] = []
    while True:
        project = library.project(db, project_id)
        assert project is not None  # it was just looked up, or made
        jobs = [job for job in missing_scores.score_jobs(ws, db, project) if job.key not in done]
        if not jobs:
            return list(dict.fromkeys(sentences))
        for job in jobs:
            done.add(job.key)
            try:
                _do(db, studio, job, on_scores)
            except Exception as error:
                reason, params = why(error)
                if reason == "error":
                    raise
                if reason in no_score.LASTING:
                    no_score.of_job(db, job, reason, params["message"])
                sentences.append(params["message"])


def _do(db: Database, studio: Studio, job: Job, on_scores: OnScores | None) -> None:
    """One job of the engine, its results written down as they come."""
    command = job.command
    if command["do"] == "calibrate":
        write_down.calibration(db, job, studio.calibrate(command["judge"], command["photos"]))
        return
    n = 0
    for rows in studio.score(command["judge"], command["photos"], command["pictures"]):
        write_down.scores(db, job, {"scores": rows})
        n += len({row["preview_id"] for row in rows})
        if on_scores:
            on_scores(command["judge"]["name"], n, len(command["pictures"]))
