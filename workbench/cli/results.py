"""Where things stand, every score, and all patterns in one picture."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from workbench.cli.shared import Args, Verbs, run_line, run_row, seed_words, show
from workbench.words import counted
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    verb("status", status_verb, "where every project stands", listing=True)
    verb("scores", scores_verb, "every preview with its scores", project=True, listing=True)
    verb(
        "matrix", matrix_verb, "trained with one base or clip skip, looked at with another", project=True, listing=True
    )
    sheet = verb("sheet", sheet_verb, "all patterns in one picture", project=True)
    sheet.add_argument("file", type=Path, metavar="FILE.png", help="where to write it")
    sheet.add_argument("--seeds", type=int, nargs="+", help="preview seeds (default: the plan's last)")
    hold_back_options(sheet)


def hold_back_options(parser: ArgumentParser) -> None:
    """Whose waiting pictures are left blank, or shown all the same."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--hide-from",
        metavar="RATER",
        help="leave blank what waits to be rated by this person (default: who rated here last, else 'me')",
    )
    choice.add_argument(
        "--show-to",
        metavar="RATER",
        help="show what waits to be rated by this person, who can't rate it blind then and isn't asked about it",
    )


def who_rates(db: Database) -> str:
    """Whose blind rating is kept blind where nobody is named: who rated here last."""
    from db import sittings

    return sittings.last_rater(db) or "me"


def held_back(db: Database, project: dict[str, Any], args: Args, here: Collection[str]) -> set[str]:
    """Tokens of pictures that wait to be rated, after those of ``here`` were given up; says what it did."""
    from workbench.rating import pool, revealing

    if args.show_to:
        n = revealing.reveal(db, project, args.show_to, here)
        if n:
            print(f"{counted(n, 'picture')}: {args.show_to} isn't asked about them any more.", file=sys.stderr)
    rater = args.show_to or args.hide_from or who_rates(db)
    held = pool.held_back_tokens(db, project, rater)
    revealing.note(db, project, rater, set(here) - held)
    n = len(held.intersection(here))
    if n:
        print(f"{revealing.hidden(n, rater)} They are left blank; --show-to {rater} shows them.", file=sys.stderr)
    return held


def status_verb(ws: Workspace, args: Args) -> int:
    from db import library, runs
    from workbench.running.progress import progress
    from workbench.running.terminal import where

    db = ws.open()
    rows = []
    for project in library.projects(db):
        now = progress(db, project["id"])
        rows.append(
            {
                "project": project["name"],
                "worker": bool(now.worker),
                "device": now.device,
                "finished": now.finished,
                "previews_done": now.previews_done,
                "previews_expected": now.previews_expected,
                "scores_missing": now.scores_missing,
                "eta_s": now.eta_s,
                "summary": where(now),
                "runs": [run_row(run) for run in runs.of_project(db, project["id"])],
            }
        )
    return show(
        args,
        rows,
        lambda row: "\n".join([f"{row['project']}: {row['summary']}", *map(run_line, row["runs"])]),
    )


def scores_verb(ws: Workspace, args: Args) -> int:
    from workbench.findings.preview_table import preview_table
    from workbench.projects import find_project
    from workbench.rating import revealing

    db = ws.open()
    project = find_project(db, args.project)
    table = preview_table(db, project["id"])
    table = revealing.nameless(db, project, who_rates(db), table)
    rows = json.loads(table.to_json(orient="records"))
    return show(args, rows, score_line)


def score_line(row: dict[str, Any]) -> str:
    likeness, second = ("-" if row[key] is None else f"{row[key]:.0f}" for key in ("likeness", "second_likeness"))
    clip, look = ("-" if row[key] is None else f"{row[key]:.3f}" for key in ("clip_t", "clip_i"))
    trained = "" if row["is_base"] else f"{row['label']}, {seed_words(row['train_seed'])}, update {row['updates']:.0f}"
    who = trained or "base row"
    cell = f"{who:44}  prompt {row['prompt']}  seed {row['seed']}"
    looked = f"  on {row['base_model']}, clip skip {row['clip_skip']}" if row["is_variant"] else ""
    other = f"  second judge {second:>4} ({row['second_face_status']})" if row["second_face_status"] else ""
    copied = "  copy?" if row["copied"] else ""
    return f"{cell}  likeness {likeness:>4} ({row['face_status']}){other}  CLIP {clip}  look {look}{copied}{looked}"


def matrix_verb(ws: Workspace, args: Args) -> int:
    from workbench.findings.analysis import tables
    from workbench.findings.matrix import matrix
    from workbench.plans.wanted import SETTINGS
    from workbench.projects import find_project

    db = ws.open()
    every = tables(db, find_project(db, args.project)["id"])
    rows = []
    for setting in SETTINGS:
        table = matrix(every, setting).drop(columns="tokens")
        rows += [{"setting": setting, **row} for row in json.loads(table.to_json(orient="records"))]
    return show(args, rows, matrix_line)


def matrix_line(row: dict[str, Any]) -> str:
    likeness, alone = ("-" if row[key] is None else f"{row[key]:.0f}" for key in ("likeness", "base_row"))
    return (
        f"{row['label']:26}  {row['setting']} {row['trained']}, rendered with {row['preview']}: likeness {likeness} "
        f"(n = {row['n']} runs, {row['n_previews']} previews), the base alone {alone}"
    )


def sheet_verb(ws: Workspace, args: Args) -> int:
    from workbench.findings.analysis import tables
    from workbench.pictures import contact_sheet
    from workbench.plans.plan import plan_of
    from workbench.projects import find_project
    from workbench.scores.preview_file import save

    db = ws.open()
    project = find_project(db, args.project)
    file = args.file.expanduser()
    if file.suffix.lower() != ".png":
        raise ValueError(f"The picture is a PNG file: call it {file.with_suffix('.png').name}.")
    plan, every = plan_of(db, project["id"]), tables(db, project["id"])
    seeds = args.seeds or plan.seeds[-1:]
    held = held_back(db, project, args, contact_sheet.tokens(every, plan, seeds))
    sheet = contact_sheet.sheet_of(ws, db, project, every, seeds, held)
    if not sheet.lines:
        raise ValueError("There is no preview of a last checkpoint yet, or none with these preview seeds.")
    picture = contact_sheet.draw(sheet)
    save(picture, file)
    print(f"{len(sheet.lines)} patterns, {picture.width} x {picture.height} px: {file}")
    return 0
