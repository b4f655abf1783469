"""Recipes over several people as a report passes them on: of other people neither their names nor their projects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from sqlite_utils import Database

from db import recipes
from workbench.findings.analysis import Tables
from workbench.recipes.default import current
from workbench.recipes.measured import Difference
from workbench.recipes.people import Person
from workbench.recipes.verdicts import OnePerson, Verdict, overview
from workbench.workspace import Workspace

ANOTHER = "another person, {n}"


def challenges(ws: Workspace, db: Database, project_id: int, tables: Tables) -> list[Verdict]:
    """The verdicts that this project's person has a part in; the others are numbered, alike in all verdicts."""
    default = current(db)
    if default is None or default.pattern_id not in tables.labels:
        return []
    seen = overview(ws, db)
    own = seen.people.of_project(project_id)
    if own is None:
        return []
    taken = [each for each in seen.verdicts if own in people_of(each)]
    shown = (person for each in taken for person in people_of(each))
    others = dict.fromkeys(person for person in (*shown, *seen.people.persons) if person != own)
    names = {person: ANOTHER.format(n=n) for n, person in enumerate(others, 1)}
    labels = labels_of([each.challenger for each in taken], tables.labels, recipes.labels(db))
    return [nameless(each, names, labels) for each in taken]


def labels_of(
    challengers: Sequence[int], own: Mapping[int, str], rows: Sequence[Mapping[str, Any]]
) -> Mapping[int, str]:
    """Pattern -> label: this project's, else the first project's; where that is taken with a number behind it.

    ``rows``: see :func:`db.recipes.labels`.
    """
    labels = dict(own)
    first: dict[int, str] = {}
    for row in rows:
        first.setdefault(row["pattern_id"], row["label"])
    for pattern in dict.fromkeys(challengers):
        if pattern not in labels:
            label, taken = first[pattern], set(labels.values())
            numbered = (f"{label} ({n})" for n in count(2))
            labels[pattern] = label if label not in taken else next(each for each in numbered if each not in taken)
    return labels


def people_of(verdict: Verdict) -> list[Person]:
    return [row.person for row in (*verdict.counted, *verdict.left_out)]


def nameless(verdict: Verdict, names: Mapping[Person, str], labels: Mapping[int, str]) -> Verdict:
    """A verdict without the names of others, and with the challenger's name in this project where it has one."""

    def hidden(row: OnePerson) -> OnePerson:
        if row.person not in names:
            return row
        return replace(row, person=replace(row.person, name=names[row.person], projects=()), others=())

    hidden_names = {person.name: name for person, name in names.items()}
    return replace(
        verdict,
        label=labels[verdict.challenger],
        wrecked=tuple(hidden_names.get(name, name) for name in verdict.wrecked),
        counted=tuple(map(hidden, verdict.counted)),
        left_out=tuple(map(hidden, verdict.left_out)),
    )


def rows_of(verdict: Verdict) -> list[dict[str, object]]:
    """A row per person and one for all of them together, for the figures."""
    about = {"challenger": verdict.label, "default": verdict.default_label, "metric": verdict.scale.metric}
    each = [
        {**about, "who": row.person.name, **figures(row.difference)} for row in (*verdict.counted, *verdict.left_out)
    ]
    pooled = verdict.pooled
    together = {"people": pooled.people, "chance": pooled.chance, "p": verdict.p, "verdict": verdict.code}
    empty = dict.fromkeys(together)
    last = dict.fromkeys(figures(Difference(0, 0, verdict.scale)))
    last |= {"diff": pooled.mean, "low": pooled.low, "high": pooled.high, "interval_over": "people"}
    return [*({**row, **empty} for row in each), {**about, "who": "all together", **last, **together}]


def figures(difference: Difference) -> dict[str, object]:
    return {
        "diff": difference.value,
        "low": difference.low,
        "high": difference.high,
        "interval_over": difference.over,
        "n_default": difference.n_default,
        "n_challenger": difference.n_challenger,
        "problem": difference.problem,
    }
