"""Every challenger against the default, over all people: what is measured, what it says, and whether to go on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlite_utils import Database

from db import library, recipes
from workbench.findings.analysis import Tables, tables
from workbench.findings.metrics import METRICS
from workbench.recipes.default import Default, current
from workbench.recipes.measured import Difference, Scale, differences, scale_of
from workbench.recipes.people import People, Person, people
from workbench.recipes.pooled import LEAST_CHANCE, LEVEL, Pooled, adjusted, alike, more_people, pool
from workbench.workspace import Workspace


@dataclass(frozen=True)
class OnePerson:
    """A person's difference; ``others``: projects about the same person that were not counted."""

    person: Person
    difference: Difference
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A challenger on one scale. ``code``: see :func:`code_of`; its words are in workbench/recipes/words.py."""

    challenger: int
    label: str
    default_label: str
    scale: Scale
    counted: tuple[OnePerson, ...]
    left_out: tuple[OnePerson, ...]  # compared, but without a difference
    pooled: Pooled
    p: float = math.nan  # adjusted for all comparisons with this default
    compared: int = 0  # comparisons in the family
    code: str = ""
    more: int | None = None  # about so many more people would tell; None: told, or too many
    matters: float | None = None  # differences up to this one don't matter; None = not known
    waiting: int = 0  # runs of the challenger that wait or train
    stopped: bool = False
    wrecked: tuple[str, ...] = ()  # people whose LoRA it wrecked, by any judge and in any of their projects

    @property
    def nothing_left(self) -> bool:
        """Whether more people would be a waste: settled, too small to matter, or hardly a chance to be better."""
        unlikely = self.pooled.chance < LEAST_CHANCE  # False where it is not known
        return self.code in ("better", "worse", "wrecked", "alike") or bool(unlikely)


@dataclass(frozen=True)
class Overview:
    """All that the Recipes page and the command line say."""

    default: Default | None
    people: People
    verdicts: tuple[Verdict, ...]
    used: Mapping[int, tuple[str, ...]]  # pattern -> names of the people for whom it is trained to the end
    labels: Mapping[int, str]
    with_default: tuple[str, ...] = ()  # people for whom the default is trained to the end
    notes: tuple[str, ...] = ()


Measured = tuple[Difference, ...]


def measure(ws: Workspace, db: Database, default: int) -> Measured:
    """Every difference to the default in every project where both are trained to the end: the slow part.

    It changes only with ``db.library.revision``.
    """
    done: dict[int, set[int]] = {}
    for row in recipes.trained(db):
        if row["done"]:
            done.setdefault(row["project_id"], set()).add(row["pattern_id"])
    everybody = people(ws, db)
    found: list[Difference] = []
    for project_id, patterns in done.items():
        if default in patterns and len(patterns) > 1 and everybody.of_project(project_id):
            found += of_project(db, project_id, tables(db, project_id), default)
    return tuple(found)


def of_project(db: Database, project_id: int, read: Tables, default: int) -> list[Difference]:
    project = library.project(db, project_id)
    assert project is not None
    return differences(read, project_id, scale_of(db, project, read), default)


def overview(ws: Workspace, db: Database, measured: Measured | None = None, matters: float | None = None) -> Overview:
    """Where every challenger of the default stands.

    ``measured``: what :func:`measure` gave for this default; None measures now. ``matters``: the difference from which
    on a change is worth having, in the main metric's unit; None takes what another training seed makes of one LoRA.
    """
    default, everybody, labels = current(db), people(ws, db), label_of_each(db)
    used = used_for(db, everybody)
    if default is None:
        return Overview(None, everybody, (), used, labels)
    measured = measure(ws, db, default.pattern_id) if measured is None else measured
    waiting: dict[int, int] = {}
    for row in recipes.trained(db):
        waiting[row["pattern_id"]] = waiting.get(row["pattern_id"], 0) + row["waiting"]
    names = {project["id"]: project["name"] for project in library.projects(db)}
    verdicts = judge(
        measured, everybody, names, {**labels, default.pattern_id: default.label}, default.pattern_id, matters
    )
    stopped = stopped_challengers(db, default.pattern_id)
    told = tuple(
        replace(each, waiting=waiting.get(each.challenger, 0), stopped=each.challenger in stopped) for each in verdicts
    )
    return Overview(
        default, everybody, told, used, labels, used.get(default.pattern_id, ()), tuple(notes(everybody, told))
    )


def judge(
    measured: Sequence[Difference],
    everybody: People,
    names: Mapping[int, str],
    labels: Mapping[int, str],
    default: int,
    matters: float | None = None,
) -> list[Verdict]:
    """One verdict per challenger and scale; the words are adjusted over all of them by Holm's method.

    Of a person with several projects the one with the most trainings on its weaker side counts, the newest of equals:
    what decides must not be the difference itself.
    """
    grouped: dict[tuple[int, Scale], dict[Person, list[Difference]]] = {}
    for each in measured:
        person = everybody.of_project(each.project_id)
        if person is not None and each.challenger in labels:
            grouped.setdefault((each.challenger, each.scale), {}).setdefault(person, []).append(each)
    found = []
    for (challenger, scale), by_person in grouped.items():
        rows = [chosen(person, each, names) for person, each in by_person.items()]
        counted = tuple(row for row in rows if not row.difference.problem)
        pooled = pool([row.difference.value for row in counted], [row.difference.seed_error for row in counted])
        left_out = tuple(row for row in rows if row.difference.problem)
        told = Verdict(challenger, labels[challenger], labels[default], scale, counted, left_out, pooled)
        found.append(replace(told, wrecked=wrecked_people(measured, everybody, challenger)))
    p = adjusted([each.pooled.p for each in found])
    compared = sum(not math.isnan(each) for each in p)
    return sorted((settled(each, own, compared, matters) for each, own in zip(found, p, strict=True)), key=in_order)


def wrecked_people(measured: Sequence[Difference], everybody: People, challenger: int) -> tuple[str, ...]:
    """For whom a challenger made a LoRA without faces: whatever judges it, and whichever project counts otherwise."""
    rows = [each for each in measured if each.challenger == challenger and each.problem == "challenger_wrecked"]
    persons = [everybody.of_project(each.project_id) for each in rows]
    return tuple(dict.fromkeys(person.name for person in persons if person))


def chosen(person: Person, each: Sequence[Difference], names: Mapping[int, str]) -> OnePerson:
    """The project that stands for a person, and the others' names."""

    def weight(one: Difference) -> tuple[bool, int, int]:
        return not one.problem, min(one.n_default, one.n_challenger), one.project_id

    best = max(each, key=weight)
    return OnePerson(person, best, tuple(names[one.project_id] for one in each if one is not best))


def settled(verdict: Verdict, p: float, compared: int, matters: float | None) -> Verdict:
    """A verdict with its code, and what is to be done."""
    own = seed_sd(verdict) if matters is None else matters
    told = replace(verdict, p=p, compared=compared, matters=own)
    code = code_of(told)
    more = more_people(told.pooled, compared) if code in ("cannot_tell", "leans") else None
    return replace(told, code=code, more=more)


def code_of(verdict: Verdict) -> str:
    """What may be said: nobody, one_person, the_same, wrecked, better, worse, alike, leans, cannot_tell.

    "better" and "worse" only where Holm's adjusted p is below LEVEL. A challenger that wrecks a person's LoRA is never
    called better, whatever it does for the others. "leans": its own interval excludes 0, but that happens by chance too
    often where one looks again after every person, or at several challengers.
    """
    pooled = verdict.pooled
    if verdict.wrecked:
        return "wrecked"
    if pooled.people == 0:
        return "nobody"
    if pooled.people == 1:
        return "one_person"
    if not pooled.has_interval:
        return "the_same"
    if verdict.p < LEVEL:
        return "better" if (pooled.mean > 0) == METRICS[verdict.scale.metric].higher_is_better else "worse"
    if alike(pooled, verdict.matters):
        return "alike"
    return "cannot_tell" if pooled.low <= 0 <= pooled.high else "leans"


def seed_sd(verdict: Verdict) -> float | None:
    """How far another training seed alone moves one LoRA, root mean square over people: less is not worth having.

    From each person's standard error of the difference e by n and m trainings: e / sqrt(1 / n + 1 / m).
    """
    found = [
        row.difference.seed_error**2 / (1 / row.difference.n_default + 1 / row.difference.n_challenger)
        for row in verdict.counted
        if not math.isnan(row.difference.seed_error)
    ]
    return math.sqrt(sum(found) / len(found)) if found else None


def in_order(verdict: Verdict) -> tuple[int, float]:
    """What has most people first, then what is most likely better."""
    chance = verdict.pooled.chance
    mean = 0.0 if math.isnan(verdict.pooled.mean) else verdict.pooled.mean
    return -verdict.pooled.people, -(chance if not math.isnan(chance) else mean / 1e6)


# what the page says besides


def used_for(db: Database, everybody: People) -> dict[int, tuple[str, ...]]:
    """Pattern -> the people for whom it is trained to the end; those of two people or more are recipes."""
    found: dict[int, dict[str, None]] = {}
    for row in recipes.trained(db):
        person = everybody.of_project(row["project_id"])
        if person and row["done"]:
            found.setdefault(row["pattern_id"], {})[person.name] = None
    return {pattern: tuple(names) for pattern, names in found.items()}


def label_of_each(db: Database) -> dict[int, str]:
    """Every pattern under the label of the first project that has it; with that project's name where it isn't clear."""
    first: dict[int, tuple[str, str]] = {}
    for row in recipes.labels(db):
        first.setdefault(row["pattern_id"], (row["label"], row["project"]))
    labels = [label for label, _ in first.values()]
    return {
        pattern: label if labels.count(label) == 1 else f"{label} ({project})"
        for pattern, (label, project) in first.items()
    }


def stopped_challengers(db: Database, default: int) -> set[int]:
    """Challengers whose challenge was stopped, and not taken up again since."""
    found: set[int] = set()
    for row in recipes.challenges(db, default):
        if row["event"] == "stop":
            found.add(row["challenger_id"])
        elif row["event"] in ("resume", "begin"):
            found.discard(row["challenger_id"])
    return found


def notes(everybody: People, verdicts: Sequence[Verdict]) -> list[str]:
    """What is to be known of the lines: who counts once, who not at all, what is not averaged."""
    found = [person.note for person in everybody.persons if person.note]
    found += [f"'{name}' doesn't count: {why}." for name, why in everybody.left_out]
    if len({each.scale for each in verdicts}) > 1:
        found.append(
            "Some people were measured by another judge or another main score than others: differences on two scales "
            "are never averaged, so a challenger has a line for each."
        )
    return found
