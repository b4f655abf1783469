"""Where things stand, every score, and all patterns in one picture."""

import json
from pathlib import Path
from typing import Any

from workbench.cli.shared import Args, Verbs, run_line, run_row, seed_words, show
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
    sheet.add_argument("--hide-from", metavar="RATER", help="leave pictures blank that wait to be rated by this person")


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

    db = ws.open()
    table = preview_table(db, find_project(db, args.project)["id"])
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
    from workbench.rating import pool
    from workbench.scores.preview_file import save

    db = ws.open()
    project = find_project(db, args.project)
    file = args.file.expanduser()
    if file.suffix.lower() != ".png":
        raise ValueError(f"The picture is a PNG file: call it {file.with_suffix('.png').name}.")
    held = pool.held_back_tokens(db, project, args.hide_from) if args.hide_from else set()
    seeds = args.seeds or plan_of(db, project["id"]).seeds[-1:]
    sheet = contact_sheet.sheet_of(ws, db, project, tables(db, project["id"]), seeds, held)
    if not sheet.lines:
        raise ValueError("There is no preview of a last checkpoint yet, or none with these preview seeds.")
    picture = contact_sheet.draw(sheet)
    save(picture, file)
    print(f"{len(sheet.lines)} patterns, {picture.width} x {picture.height} px: {file}")
    return 0
