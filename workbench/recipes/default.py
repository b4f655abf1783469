"""My default: the pattern that is used for every new person, chosen by hand; every change is kept."""

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from db import library, recipes
from workbench.sweep import patterns
from workbench.sweep.patterns import PatternError


@dataclass(frozen=True)
class Default:
    """The default now, or one before it."""

    pattern_id: int
    label: str  # as it is called now where it was chosen; where it is nowhere any more, as it was called then
    why: str
    chosen_at: float
    in_use: bool  # whether any project has it; else all of its labels are in the bin


def current(db: Database) -> Default | None:
    """The default now; None before one was chosen, and after it was taken back."""
    row = recipes.default(db)
    if row is None or row["pattern_id"] is None:
        return None
    named = [each for each in recipes.labels(db) if each["pattern_id"] == row["pattern_id"]]
    there = next((each for each in named if each["project_id"] == row["project_id"]), named[0] if named else None)
    label = there["label"] if there else row["label"]
    return Default(row["pattern_id"], label, row["why"], row["created_at"], bool(named))


def make_default(db: Database, project_id: int, pattern_id: int, why: str = "") -> None:
    """Make a pattern of a project the default; again the same one changes nothing.

    Raises PatternError for a pattern that the project doesn't have, or that was trained elsewhere.
    """
    found = next((each for each in patterns.listed(db, project_id) if each.pattern_id == pattern_id), None)
    if found is None:
        raise PatternError(f"There is no pattern {pattern_id} in this project.")
    if found.origin is not None:
        raise PatternError(
            f"'{found.label}' was trained elsewhere, so not all of its settings are known. Choose 'Train it here' on "
            "its run's page first: that makes a pattern of its own, which can be the default."
        )
    now = recipes.default(db)
    if now is None or now["pattern_id"] != pattern_id:
        recipes.add_default(db, pattern_id, project_id, found.label, why)


def take_back(db: Database) -> None:
    """Go back to the default before the present one (or to none), as one more event."""
    rows = recipes.defaults(db)
    if not rows:
        return
    before = rows[1] if len(rows) > 1 else None
    if before is None or before["pattern_id"] is None:
        recipes.add_default(db, None, None, rows[0]["label"], "taken back")
    else:
        recipes.add_default(db, before["pattern_id"], before["project_id"], before["label"], "taken back")


def history(db: Database) -> list[dict[str, Any]]:
    """Every change, the newest first: label (empty = there was none from then on), project, why, created_at."""
    projects = {row["id"]: row["name"] for row in library.projects(db)}
    return [
        {
            "label": row["label"] if row["pattern_id"] is not None else "",
            "project": projects.get(row["project_id"], ""),
            "why": row["why"],
            "created_at": row["created_at"],
        }
        for row in recipes.defaults(db)
    ]
