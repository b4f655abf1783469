"""Sittings for tests: what one is begun with, and the pictures of a filled workspace to ask about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from filled import Filled

from db import library, results
from workbench.rating import sitting


@dataclass(frozen=True)
class Asking:
    """What a sitting is begun with, as workbench.rating.choose.Proposal has it."""

    mode: str
    asked: tuple[tuple[int, ...], ...]
    repeats: int = 0
    minutes: float = 5.0
    foretold: dict[str, Any] = field(default_factory=lambda: {"words": "It will show."})


def asking(mode: str, asked: Sequence[Any], repeats: int = 0) -> Asking:
    """Asked: the pictures of each item, or one preview id per item."""
    items = tuple((item,) if isinstance(item, int) else tuple(item) for item in asked)
    return Asking(mode, items, repeats)


def pictures(filled: Filled) -> list[dict[str, Any]]:
    """Whole pictures of identity prompts at the first seed: 35 in the filled workspace, three of each checkpoint."""
    return [
        row
        for row in results.previews(filled.db, filled.project_id, filled.plan_id)
        if row["checkpoint_id"] and row["status"] == "ok" and row["prompt"] < 3 and row["seed"] == 101
    ]


def items_of(filled: Filled, mode: str) -> list[tuple[int, ...]]:
    """Items for a sitting in this mode: single pictures, rows of checkpoints, pairs or grids of one prompt."""
    rows = pictures(filled)
    if mode in ("single", "deck"):
        return [(row["id"],) for row in rows]
    groups: dict[Any, list[int]] = {}
    for row in rows:
        groups.setdefault(row["checkpoint_id"] if mode == "sheet" else row["prompt"], []).append(row["id"])
    if mode == "sheet":
        return [tuple(group) for group in groups.values()]
    most = 2 if mode == "pair" else 6
    return [tuple(group[at : at + most]) for group in groups.values() for at in range(0, len(group) - 1, most)]


def begun(filled: Filled, mode: str = "deck", rater: str = "me", repeats: int = 0, n: int | None = None) -> str:
    """The token of a sitting that asks about (the first ``n`` of) these items."""
    project = library.project(filled.db, filled.project_id)
    return sitting.begin(filled.db, project, rater, asking(mode, items_of(filled, mode)[:n], repeats))
