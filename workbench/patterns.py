"""Patterns of a project: add, clone and change one, and which of them can be compared."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlite_utils import Database

from db import immediate, library
from trainer.config import TrainConfig, parse_config
from trainer.effective import differing, effective
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
class Asked:
    """A pattern that is to be added: its label, its settings and a note."""

    label: str
    config: TrainConfig
    note: str = ""


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
    return add_all(db, project_id, [Asked(label, config, note)])[0]


def add_all(db: Database, project_id: int, asked: Sequence[Asked]) -> list[int]:
    """Store patterns under their labels, all or none, and return their ids. PatternError says all that is wrong."""
    asked = [Asked(each.label.strip(), each.config, each.note) for each in asked]
    wrong = problems(db, project_id, asked)
    if wrong:
        raise PatternError(" ".join(wrong))
    with immediate(db):
        ids = [library.add_pattern(db, each.config.hash, each.config.model_dump(mode="json")) for each in asked]
        for pattern_id, each in zip(ids, asked, strict=True):
            library.add_label(db, project_id, pattern_id, each.label, each.note)
    return ids


def problems(db: Database, project_id: int, asked: Sequence[Asked]) -> list[str]:
    """Why these can't be added: labels that are empty, taken or given twice; base models that aren't there."""
    found = []
    if not all(each.label for each in asked):
        found.append("The pattern needs a label: a few words that say what it tries.")
    counts = Counter(each.label for each in asked if each.label)
    found += [f"The label '{label}' is given {n} times." for label, n in counts.items() if n > 1]
    found += [
        f"There is a pattern '{label}' already. Choose another label."
        for label in counts
        if library.label(db, project_id, label)
    ]
    bases = dict.fromkeys(each.config.base_model for each in asked)
    return found + [problem for base in bases if (problem := base_problem(base))]


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
    return contrasts_among(listed(db, project_id), known_precisions(db))


def contrasts_among(listed: Sequence[Pattern], precisions: Collection[str]) -> list[Contrast]:
    """The same of any patterns, on a device that offers these precisions."""
    return [
        Contrast(name, a.pattern_id, b.pattern_id, getattr(a.config, name), getattr(b.config, name))
        for a, b, (name, *others) in differences(listed, precisions)
        if not others
    ]


def differences(listed: Sequence[Pattern], precisions: Collection[str]) -> Iterator[tuple[Pattern, Pattern, list[str]]]:
    """Every pair of patterns that differ, with the names of the effective settings in which they do."""
    in_force = {pattern.pattern_id: effective(pattern.config, precisions) for pattern in listed}
    for a, b in combinations(listed, 2):
        names = differing(in_force[a.pattern_id], in_force[b.pattern_id])
        if names:
            yield a, b, names


def same_among(listed: Sequence[Pattern], precisions: Collection[str]) -> list[list[Pattern]]:
    """Groups that train the very same LoRA under several names on a device that offers these precisions.

    They differ in nothing that is in force.
    """
    groups: dict[str, list[Pattern]] = {}
    for pattern in listed:
        key = repr(sorted(effective(pattern.config, precisions).items(), key=lambda item: item[0]))
        groups.setdefault(key, []).append(pattern)
    return [group for group in groups.values() if len(group) > 1]


def unsaved(asked: Sequence[Asked]) -> list[Pattern]:
    """Patterns that are only asked for yet, numbered -1, -2 ...: to be looked over like stored ones."""
    return [
        Pattern(-number, each.label, each.note, each.config, each.config.hash) for number, each in enumerate(asked, 1)
    ]
