"""What the verbs of the command line have in common: how they are declared, and how rows are printed."""

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlite_utils import Database

from workbench.workspace import Workspace

Args = argparse.Namespace
Verb = Callable[[Workspace, Args], int]


class Verbs(Protocol):
    """Declares a verb: its name, what it does, a sentence on it; returns the parser for its own options."""

    def __call__(
        self, name: str, run: Verb, text: str, *, project: bool = False, listing: bool = False
    ) -> argparse.ArgumentParser: ...


def show(args: Args, rows: list[dict[str, Any]], line: Callable[[dict[str, Any]], str]) -> int:
    """Print rows: as JSON, or one line each."""
    if args.json:
        print(json.dumps(rows, indent=1, default=str))
    else:
        for row in rows:
            print(line(row))
    return 0


def run_row(run: dict[str, Any]) -> dict[str, Any]:
    """A run as it is listed, with the reason of its outcome as a sentence."""
    from workbench.sentences import reason

    names = (
        "id",
        "label",
        "seed",
        "status",
        "step",
        "total_steps",
        "attempt",
        "train_seconds",
        "device",
        "loss",
        "final",
        "continues",
    )
    params = json.loads(run["reason_params"])
    effective = json.loads(run["effective"]) if run["effective"] else None
    return {**{n: run[n] for n in names}, "reason": reason(run["reason"], params), "effective": effective}


def run_line(row: dict[str, Any]) -> str:
    steps = f"{row['step']}/{row['total_steps'] or '?'}"
    about = f"  run {row['id']:3}  {row['label']:26}  {seed_words(row['seed'])}"
    notes = ["on all photos"] * bool(row["final"]) + [f"goes on from run {row['continues']}"] * bool(row["continues"])
    said = "; ".join([*notes, row["reason"]] if row["reason"] else notes)
    return f"{about}  {row['status']:9}  {steps:9}  {said}".rstrip()


def seed_words(seed: float) -> str:
    """A training's seed; one that was made elsewhere may not say it (a negative number stands for that)."""
    return f"seed {seed:.0f}" if seed >= 0 else "seed not known"


def by_label(db: Database, project_id: int, label: str) -> int:
    """The pattern of that label."""
    from db import library
    from workbench.sweep.patterns import PatternError

    row = library.label(db, project_id, label)
    if row is None:
        known = ", ".join(f"'{p['label']}'" for p in library.patterns(db, project_id))
        raise PatternError(f"There is no pattern '{label}' here. There are {known or 'none yet'}.")
    return int(row["pattern_id"])


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as settings; values are JSON where they can be, else text."""
    changed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--set needs NAME=VALUE, not '{pair}'.")
        try:
            changed[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            changed[name.strip()] = value
    return changed
