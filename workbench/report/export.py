"""All figures of a project in one zip file: every table as CSV, and everything once more as JSON."""

import csv
import io
import json
import zipfile
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import results, runs
from workbench import views
from workbench.findings import suggest, suggest_words, two_by_two
from workbench.findings.analysis import Tables
from workbench.findings.author import COLUMNS as MARK_COLUMNS
from workbench.findings.author import beside_ours
from workbench.findings.contrast import CONTRAST_COLUMNS, contrast_table
from workbench.findings.ranking import ranking
from workbench.plans.plan import plan_of
from workbench.rating import revealing
from workbench.rating.export import COLUMNS as EVENT_COLUMNS
from workbench.rating.export import events
from workbench.report.others import challenges, rows_of
from workbench.scores.judge_facts import judge_cards
from workbench.sweep import patterns
from workbench.sweep.marks import of_author
from workbench.workspace import Workspace

Row = dict[str, Any]

FILES = {
    "previews": "a row per preview of the plan, base rows (is_base) included, with what its judges and raters say",
    "scores": "every score as it was measured: raw values (cosines) with judge, and the reason where there is none",
    "checkpoints": "a row per checkpoint with previews: means of every score at the plan's main strength",
    "runs": "every run with its settings in force (effective), device, time and outcome",
    "patterns": "every setting of every pattern as it was asked for; unknown: not known of a training elsewhere",
    "ranking": "patterns at their best checkpoints, best first: interval, chance to be the best, time, every score",
    "contrasts": "pairs that differ in one setting, for every score that was measured, with interval and verdict",
    "suggestions": "what to train next, best first, with reason, cost in seconds, expected gain and chance",
    "interplays": "every full 2x2 of two settings: whether what the first does depends on the second",
    "recipes": "default and challengers over several people; other people without their names",
    "authors_marks": "the article author's marks contrast by contrast, beside this project's own figures",
    "ratings": "every event of every rating, warm-ups (part) and what was taken back (undone) too",
}
SQUARE = ("metric", "at_first", "at_second", "gap", "low", "high", "p", "depends", "sentence")
HEADS = {"ratings": EVENT_COLUMNS, "authors_marks": tuple(MARK_COLUMNS)}  # of tables that may have no row
NOTE = (
    "token: the address of a picture, empty where {rater} may still be asked about it blind. An empty field is a "
    "missing value; base models are named by where they lie. everything.json holds the same tables, the project, its "
    "plan and its judges."
)


def export(ws: Workspace, db: Database, project: Row, tables: Tables, rater: str) -> bytes:
    """The zip file. ``rater``: whose blind rating is kept blind."""
    found = {name: clean(rows) for name, rows in every_table(ws, db, project, tables, rater).items()}
    about = {
        "project": {name: project[name] for name in ("id", "name", "trigger_word", "class_noun", "created_at")},
        "plan": plan_of(db, project["id"]).model_dump(mode="json"),
        "judges": [{"what": card.title, "spec": card.spec, **dict(card.facts)} for card in judge_cards(db, project)],
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        lines = [f"{name}.csv: {words}" for name, words in FILES.items()]
        file.writestr("README.txt", "\n".join([project["name"], "", *lines, "", NOTE.format(rater=rater), ""]))
        for name, rows in found.items():
            file.writestr(f"{name}.csv", as_csv(rows, HEADS.get(name, ())))
        file.writestr("everything.json", as_json({**about, **found}))
    return out.getvalue()


def every_table(ws: Workspace, db: Database, project: Row, tables: Tables, rater: str) -> dict[str, list[Row]]:
    """Name (of FILES) -> rows."""
    asked = revealing.may_be_asked(db, project, rater)
    previews = revealing.nameless(db, project, rater, tables.everything)
    pairs = [contrast_table(tables, metric) for metric in views.measured(tables)]
    said = events(db, project)
    project_id, metric = project["id"], tables.main_metric
    given = of_author(db, project_id)
    return {
        "previews": of_frame(previews),
        "scores": results.scores(db, project["id"], project["plan_id"]) if project["plan_id"] else [],
        "checkpoints": of_frame(tables.checkpoints),
        "runs": [without(row, "worker", "cancel_requested") for row in runs.of_project(db, project["id"])],
        "patterns": [pattern_row(each) for each in patterns.listed(db, project["id"])],
        "ranking": ranking_rows(tables),
        "contrasts": of_frame(pd.concat(pairs) if pairs else pd.DataFrame(columns=CONTRAST_COLUMNS)),
        "suggestions": [] if tables.runs.empty else suggestion_rows(suggest.advice(db, project_id, tables), tables),
        "interplays": [interplay_row(each, tables) for each in two_by_two.interplays(tables, metric)],
        "recipes": [row for each in challenges(ws, db, project_id, tables) for row in rows_of(each)],
        "authors_marks": of_frame(beside_ours(tables, given, metric)) if given else [],
        "ratings": [{**row, "token": "" if row["token"] in asked else row["token"]} for row in said],
    }


def ranking_rows(tables: Tables) -> list[Row]:
    """See :func:`ranking.ranking`, with the scores that patterns are not ranked by."""
    others = [key for key in views.measured(tables) if key in tables.patterns]
    every = tables.patterns[["pattern_id", *others]]
    return of_frame(ranking(tables, tables.main_metric).merge(every, on="pattern_id", how="left"))


def suggestion_rows(advice: suggest.Advice, tables: Tables) -> list[Row]:
    return [
        {
            "kind": each.candidate.kind,
            "title": suggest_words.title(each),
            "reason": suggest_words.reason(advice, each, tables.labels),
            "trainings": len(each.candidate.trainings),
            "seconds": each.price.seconds if each.price else None,
            "updates": each.price.updates if each.price else None,
            "metric": advice.metric,
            "expected": each.expected,
            "gain": each.gain,
            "chance_best": each.chance,
            "chance_matters": each.matters,
        }
        for each in advice.suggestions
    ]


def interplay_row(each: two_by_two.Interplay, tables: Tables) -> Row:
    square = each.square
    labels = {f"label_{name}": tables.labels[corner] for name, corner in zip("abcd", square.corners, strict=True)}
    figures = {name: getattr(each, name) for name in SQUARE}
    return {"first": square.first, "second": square.second, **labels, **figures, "n_runs": list(each.n_runs)}


def pattern_row(pattern: patterns.Pattern) -> Row:
    return {
        "pattern_id": pattern.pattern_id,
        "label": pattern.label,
        "note": pattern.note,
        "hash": pattern.hash,
        "origin": pattern.origin,
        "unknown": sorted(pattern.unknown),
        **pattern.config.model_dump(mode="json"),
    }


def of_frame(table: pd.DataFrame) -> list[Row]:
    return [dict(row) for row in table.to_dict("records")]


def without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def clean(rows: list[Row]) -> list[Row]:
    """Rows as JSON can hold them: a missing value is None, and numbers are Python's own."""
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if value is None or value is pd.NA or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def as_json(tables: dict[str, Any]) -> str:
    """One object, a row of a table per line: without indents Python's quick encoder does it."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    parts = [
        f"{encode(name)}: [\n{f',{chr(10)}'.join(map(encode, found))}\n]"
        if isinstance(found, list)
        else f"{encode(name)}: {encode(found)}"
        for name, found in tables.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_csv(rows: list[Row], columns: tuple[str, ...] = ()) -> str:
    """Rows as CSV, lists in one field; ``columns``: the head where there may be no row."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]) if rows else list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows
    )
    return out.getvalue()
