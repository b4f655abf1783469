"""Patterns of a project: add, clone and change one, and which of them can be compared."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from sqlite_utils import Database

from db import immediate, library
from trainer.config import DEFAULTS, NOT_WEIGHTS, TrainConfig, parse_config
from trainer.effective import differing, effective, without_effect
from workbench.bases import base_problem
from workbench.running.device import known_precisions


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
    origin: str | None = None  # None = asked for here; lora, pictures = trained elsewhere
    unknown: frozenset[str] = frozenset()  # settings whose value is not known; the config has a stand-in for them
    named_base: str = ""  # hash or name of a base model that is not known here; "" = none is named


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
    taken_as_equal: tuple[str, ...] = ()  # settings that are known of neither


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


def add_made_elsewhere(
    db: Database,
    project_id: int,
    config: TrainConfig,
    label: str,
    note: str = "",
    *,
    origin: Literal["lora", "pictures"],
    unknown: Collection[str],
    apart: str = "",
    named_base: str = "",
) -> int:
    """Store a pattern that was trained elsewhere under a label and return its id; it can't be trained as it is.

    ``unknown``: settings whose value is not known. They stand in the config at their default, but for the base
    model, which is the one that its LoRAs are looked at with. ``apart`` keeps patterns apart whose known settings
    are equal: a name, where nothing else is known. ``named_base``: what the file says of an unknown base model, its
    hash or name; two that say different things of it are no contrast. The same pattern again keeps the labels that it
    has. Raises PatternError for an empty label, one that another pattern has, or an unknown setting that is none.
    """
    label = label.strip()
    if odd := sorted(set(unknown) - TrainConfig.model_fields.keys()):
        raise PatternError(f"There is no setting {odd[0]}, so it can't be unknown.")
    names = sorted(unknown)
    stand_ins = {name: DEFAULTS[name] for name in names if name != "base_model"}
    config = parse_config({**config.model_dump(mode="json"), **stand_ins})
    text = json.dumps([origin, config.hash, names, apart, named_base])
    with immediate(db):
        pattern_id = library.add_pattern(
            db,
            hashlib.sha256(text.encode()).hexdigest(),
            config.model_dump(mode="json"),
            origin=origin,
            unknown={name: named_base if name == "base_model" else "" for name in names},
        )
        if any(row["pattern_id"] == pattern_id for row in library.patterns(db, project_id)):
            return pattern_id
        if wrong := _label_problems(db, project_id, [label]):
            raise PatternError(" ".join(wrong))
        library.add_label(db, project_id, pattern_id, label, note)
    return pattern_id


def free_name(db: Database, project_id: int, label: str) -> str:
    """The label itself where no pattern of the project has it, else with a number after it."""
    number, name = 1, label
    while library.label(db, project_id, name):
        number += 1
        name = f"{label} ({number})"
    return name


def problems(db: Database, project_id: int, asked: Sequence[Asked]) -> list[str]:
    """Why these can't be added: labels that are empty, taken or given twice; base models that aren't there."""
    found = _label_problems(db, project_id, [each.label for each in asked])
    bases = dict.fromkeys(each.config.base_model for each in asked)
    return found + [problem for base in bases if (problem := base_problem(base))]


def _label_problems(db: Database, project_id: int, labels: Sequence[str]) -> list[str]:
    found = []
    if not all(labels):
        found.append("The pattern needs a label: a few words that say what it tries.")
    counts = Counter(label for label in labels if label)
    found += [f"The label '{label}' is given {n} times." for label, n in counts.items() if n > 1]
    return found + [
        f"There is a pattern '{label}' already. Choose another label."
        for label in counts
        if library.label(db, project_id, label)
    ]


def clone(db: Database, project_id: int, pattern_id: int, label: str, note: str = "", **changes: Any) -> int:
    """Store a copy of a pattern with some settings changed. With one change the two make a contrast.

    Of a pattern that was trained elsewhere the unknown settings are at their defaults in the copy. Raises ConfigError
    for a bad value, PatternError when nothing differs.
    """
    source = get(db, pattern_id)
    config = parse_config({**source.model_dump(mode="json"), **changes})
    if config == source and not made_elsewhere(db, pattern_id):
        raise PatternError("Nothing is changed: choose another value for at least one setting.")
    return add(db, project_id, config, label, note)


def train_here(db: Database, project_id: int, pattern_id: int, label: str = "") -> int:
    """A pattern that can be trained out of one that was trained elsewhere; its note names what was not known.

    ``label``: empty takes the label that it has elsewhere, with "trained here" after it.
    """
    found = next((p for p in listed(db, project_id) if p.pattern_id == pattern_id), None)
    if found is None or found.origin is None:
        raise PatternError(f"Pattern {pattern_id} was not made elsewhere: it can be queued as it is.")
    unknown = ", ".join(name for name in TrainConfig.model_fields if name in found.unknown)
    note = f"as '{found.label}'" + (f"; not known of it, so at their defaults here: {unknown}" if unknown else "")
    return clone(db, project_id, pattern_id, label or free_name(db, project_id, f"{found.label}, trained here"), note)


def made_elsewhere(db: Database, pattern_id: int) -> bool:
    """Whether a pattern was trained elsewhere, so that it can't be trained as it is."""
    row = library.pattern(db, pattern_id)
    return row is not None and row["origin"] is not None


def get(db: Database, pattern_id: int) -> TrainConfig:
    """The settings of a pattern."""
    row = library.pattern(db, pattern_id)
    if row is None:
        raise PatternError(f"There is no pattern {pattern_id}.")
    return parse_config(row["config"])


def listed(db: Database, project_id: int) -> list[Pattern]:
    """A project's patterns in the order in which they were added; the first is the baseline."""
    return [_pattern(row) for row in library.patterns(db, project_id)]


def _pattern(row: dict[str, Any]) -> Pattern:
    unknown = dict.fromkeys(found, "") if isinstance(found := json.loads(row["unknown"]), list) else found
    return Pattern(
        row["pattern_id"],
        row["label"],
        row["note"],
        parse_config(row["config"]),
        row["hash"],
        row["origin"],
        frozenset(unknown),
        unknown.get("base_model", ""),
    )


def changes(pattern: Pattern, baseline: Pattern) -> dict[str, Any]:
    """The requested settings in which a pattern is known to differ from the baseline."""
    own, base = pattern.config.model_dump(), baseline.config.model_dump()
    unknown = pattern.unknown | baseline.unknown
    return {name: value for name, value in own.items() if value != base[name] and name not in unknown}


def contrasts(db: Database, project_id: int) -> list[Contrast]:
    """Every pair of the project's patterns that differs in exactly one effective setting."""
    return contrasts_among(listed(db, project_id), known_precisions(db))


def contrasts_among(listed: Sequence[Pattern], precisions: Collection[str]) -> list[Contrast]:
    """The same of any patterns, on a device that offers these precisions.

    A setting that is known of neither pattern is taken as equal; one that is known of one alone may differ, so these
    two are no contrast. Nor are two whose files name different base models, though neither is known here.
    """
    return [
        Contrast(
            name, a.pattern_id, b.pattern_id, getattr(a.config, name), getattr(b.config, name), taken_as_equal(a, b)
        )
        for a, b, (name, *others) in differences(listed, precisions)
        if not others and name not in a.unknown | b.unknown
    ]


def differences(listed: Sequence[Pattern], precisions: Collection[str]) -> Iterator[tuple[Pattern, Pattern, list[str]]]:
    """Every pair of patterns that differ, with the names of the effective settings in which they do, or may."""
    in_force = {pattern.pattern_id: effective(pattern.config, precisions) for pattern in listed}
    matters = {pattern.pattern_id: unknown_that_matters(pattern) for pattern in listed}
    for a, b in combinations(listed, 2):
        may_differ = matters[a.pattern_id] ^ matters[b.pattern_id]
        if "base_model" in matters[a.pattern_id] & matters[b.pattern_id] and a.named_base != b.named_base:
            may_differ |= {"base_model"}
        differ = differing(in_force[a.pattern_id], in_force[b.pattern_id])
        names = [name for name in differ if name not in matters[a.pattern_id] | matters[b.pattern_id]]
        if names or may_differ:
            yield a, b, [*names, *sorted(may_differ)]


def unknown_that_matters(pattern: Pattern) -> frozenset[str]:
    """Its unknown settings that decide the weights; not those that the known ones make inert."""
    return pattern.unknown - without_effect(pattern.config).keys() - set(NOT_WEIGHTS)


def taken_as_equal(a: Pattern, b: Pattern) -> tuple[str, ...]:
    """Settings that matter and are known of neither, in their usual order."""
    both = unknown_that_matters(a) & unknown_that_matters(b)
    return tuple(name for name in TrainConfig.model_fields if name in both)


def same_among(listed: Sequence[Pattern], precisions: Collection[str]) -> list[list[Pattern]]:
    """Groups that train the very same LoRA under several names on a device that offers these precisions.

    They differ in nothing that is in force. What was made elsewhere is in no group: nobody trains it here.
    """
    groups: dict[str, list[Pattern]] = {}
    for pattern in listed:
        if pattern.origin is not None:
            continue
        key = repr(sorted(effective(pattern.config, precisions).items(), key=lambda item: item[0]))
        groups.setdefault(key, []).append(pattern)
    return [group for group in groups.values() if len(group) > 1]


def unsaved(asked: Sequence[Asked]) -> list[Pattern]:
    """Patterns that are only asked for yet, numbered -1, -2 ...: to be looked over like stored ones."""
    return [
        Pattern(-number, each.label, each.note, each.config, each.config.hash) for number, each in enumerate(asked, 1)
    ]
