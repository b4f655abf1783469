"""Patterns of a project: add, clone and change one, and which of them can be compared."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlite_utils import Database

from db import library
from trainer.config import TrainConfig, differing, effective, parse_config
from workbench.bases import base_problem
from workbench.device import known_precisions


class PatternError(ValueError):
    """A pattern that can't be added as asked."""


@dataclass(frozen=True)
class Pattern:
    """A stored pattern under its label in one project."""

    pattern_id: int
    label: str
    note: str
    config: TrainConfig
    hash: str


@dataclass(frozen=True)
class Contrast:
    """Two patterns that differ in exactly one effective setting."""

    setting: str
    a: int
    b: int
    value_a: Any
    value_b: Any


def add(db: Database, project_id: int, config: TrainConfig, label: str, note: str = "") -> int:
    """Store a pattern under a label and return its id.

    Raises PatternError when the label is empty or taken, or when its base model isn't there.
    """
    label = label.strip()
    if not label:
        raise PatternError("The pattern needs a label: a few words that say what it tries.")
    problem = base_problem(config.base_model)
    if problem:
        raise PatternError(problem)
    taken = library.label(db, project_id, label)
    if taken:
        raise PatternError(f"There is a pattern '{label}' already. Choose another label.")
    pattern_id = library.add_pattern(db, config.hash, config.model_dump(mode="json"))
    library.add_label(db, project_id, pattern_id, label, note)
    return pattern_id


def clone(db: Database, project_id: int, pattern_id: int, label: str, note: str = "", **changes: Any) -> int:
    """Store a copy of a pattern with some settings changed. With one change the two make a contrast.

    Raises ConfigError for a bad value, PatternError when nothing differs.
    """
    source = get(db, pattern_id)
    config = parse_config({**source.model_dump(mode="json"), **changes})
    if config == source:
        raise PatternError("Nothing is changed: choose another value for at least one setting.")
    return add(db, project_id, config, label, note)


def get(db: Database, pattern_id: int) -> TrainConfig:
    """The settings of a pattern."""
    row = library.pattern(db, pattern_id)
    if row is None:
        raise PatternError(f"There is no pattern {pattern_id}.")
    return parse_config(row["config"])


def listed(db: Database, project_id: int) -> list[Pattern]:
    """A project's patterns in the order in which they were added; the first is the baseline."""
    return [
        Pattern(row["pattern_id"], row["label"], row["note"], parse_config(row["config"]), row["hash"])
        for row in library.patterns(db, project_id)
    ]


def changes(pattern: Pattern, baseline: Pattern) -> dict[str, Any]:
    """The requested settings in which a pattern differs from the baseline."""
    own, base = pattern.config.model_dump(), baseline.config.model_dump()
    return {name: value for name, value in own.items() if value != base[name]}


def contrasts(db: Database, project_id: int) -> list[Contrast]:
    """Every pair of the project's patterns that differs in exactly one effective setting."""
    precisions = known_precisions(db)
    return [contrast for a, b in combinations(listed(db, project_id), 2) for contrast in _contrast(a, b, precisions)]


def _contrast(a: Pattern, b: Pattern, precisions: Collection[str]) -> Iterator[Contrast]:
    names = differing(effective(a.config, precisions), effective(b.config, precisions))
    if len(names) == 1:
        name = names[0]
        yield Contrast(name, a.pattern_id, b.pattern_id, getattr(a.config, name), getattr(b.config, name))


def same_run(db: Database, project_id: int) -> list[list[Pattern]]:
    """Groups of patterns that train the very same LoRA under several names: they differ in inert settings only."""
    precisions = known_precisions(db)
    groups: dict[str, list[Pattern]] = {}
    for pattern in listed(db, project_id):
        key = repr(sorted(effective(pattern.config, precisions).items(), key=lambda item: item[0]))
        groups.setdefault(key, []).append(pattern)
    return [group for group in groups.values() if len(group) > 1]
