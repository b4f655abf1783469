"""What a project has of pictures made elsewhere already: which cells are filled, and how they were numbered."""

from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database

from db import results, runs
from workbench.elsewhere.pictures.layout import Before, Cell
from workbench.plans.plan import plan_of

Row = dict[str, Any]
Key = tuple[str | None, int, int, int, float | None, str, int]  # run, place, prompt, seed, strength, model, clip skip


@dataclass(frozen=True)
class Stored:
    """Earlier imports of a project; empty for a new one. ``runs``: the run that a LoRA has become, by its name."""

    before: Before | None = None
    cells: frozenset[Key] = frozenset()
    runs: dict[str, Row] = field(default_factory=dict)
    previews: tuple[Row, ...] = ()

    @property
    def saw_references(self) -> str:
        """'no' where the LoRAs are known not to have seen the reference photos, else 'unknown'."""
        return "no" if any(run["saw_references"] == "no" for run in self.runs.values()) else "unknown"

    def has(self, cell: Cell) -> bool:
        """Whether the cell is filled; a base row has no strength."""
        run, place = (cell.checkpoint.run, cell.checkpoint.updates) if cell.checkpoint else (None, 0)
        strength = cell.strength if cell.checkpoint else None
        return (run, place, cell.prompt, cell.seed, strength, cell.model, cell.clip_skip) in self.cells


def stored(db: Database, project: Row) -> Stored:
    """What earlier imports have brought into a project."""
    by_session = {run["session"]: run for run in runs.of_project(db, project["id"]) if run["origin"] == "pictures"}
    plan = plan_of(db, project["id"])
    if not plan.elsewhere:
        return Stored(runs=by_session)
    sessions = {run["id"]: session for session, run in by_session.items()}
    rows = [
        row
        for row in results.previews(db, project["id"], project["plan_id"])
        if row["run_id"] is None or row["run_id"] in sessions
    ]
    cells: set[Key] = set()
    numbered: dict[tuple[object, ...], dict[str, int]] = {}
    for row in rows:
        run = sessions.get(row["run_id"])
        place = row["updates"] if run else 0
        strength = row["strength"] if run else None
        eyes = (row["base_model"], row["clip_skip"])
        cells.add((run, place, row["prompt"], row["seed"], strength, *eyes))
        text = plan.prompts[row["prompt"]].text
        numbered.setdefault((run, place, text, strength, *eyes), {})[row["original"]] = row["seed"]
    return Stored(Before(plan, numbered), frozenset(cells), by_session, tuple(rows))
