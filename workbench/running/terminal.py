"""What the worker says in the terminal: one line per happening, and where the sweep stands every few seconds."""

import time
from collections.abc import Callable
from typing import Any

from sqlite_utils import Database

from db import results
from workbench.running.progress import Progress, queue_wide
from workbench.running.waiting import NO_WORKER
from workbench.sentences import status_word
from workbench.words import counted, duration
from workbench.workspace import Workspace

EVERY_S = 10.0


class Terminal:
    """Speaks for one worker."""

    def __init__(self, ws: Workspace, echo: Callable[[str], None]) -> None:
        self.ws = ws
        self.echo = echo
        self.began = time.monotonic()
        self.spoke = 0.0
        self.first_scores = False
        self.was_finished = False

    def say(self, text: str) -> None:
        self.echo(f"[{duration(time.monotonic() - self.began)}] {text}")

    def progress(self, db: Database, now_please: bool = False) -> None:
        """Runs done, the step of the one in training, previews, and the time left; at most every few seconds."""
        if time.monotonic() - self.spoke < EVERY_S and not now_please:
            return
        self.spoke = time.monotonic()
        for project, now in queue_wide(db):
            if now.finished:
                self.finished(project, now)
            elif now.running or now.previews_done < now.previews_expected:
                self.say(f"{project}: {where(now)}")

    def run_ended(self, db: Database, run: dict[str, Any], status: str, sentence: str) -> None:
        self.say(f"{run['project']}: {run['label']}, seed {run['seed']}: {status_word(status)}. {sentence}".strip())

    def scored(self, db: Database) -> None:
        """The first scored previews are worth a line: from now on there is a chart."""
        if not self.first_scores and results.has_scored_checkpoint(db):
            self.first_scores = True
            self.say("first scored previews of a LoRA: the Charts page has its first points")

    def finished(self, project: str, now: Progress) -> None:
        if not self.was_finished:
            self.was_finished = True
            self.say(
                f"{project}: {'all ' if now.runs_total > 1 else ''}{counted(now.runs_total, 'run')} ended "
                f"({outcomes(now)}), {now.previews_done} previews scored"
            )


def where(now: Progress) -> str:
    """One line on where a sweep stands."""
    parts = [f"{now.runs_done + now.runs_failed + now.runs_cancelled} of {now.runs_total} runs ended"]
    if now.running:
        run = now.running
        parts.append(f"{run['label']}, seed {run['seed']}: update {run['step']} of {run['total_steps'] or '?'}")
    parts.append(f"{now.previews_done} of {now.previews_expected} previews")
    if now.waits and now.waits != NO_WORKER and not now.finished:
        parts.append(now.waits)
    elif now.eta_s is not None and not now.finished:
        parts.append(f"about {duration(now.eta_s)} left")
    return " · ".join(parts)


def outcomes(now: Progress) -> str:
    """Counts by outcome: 10 done, 2 failed."""
    counts = (("done", now.runs_done), ("failed", now.runs_failed), ("cancelled", now.runs_cancelled))
    return ", ".join(f"{n} {word}" for word, n in counts if n)
