"""The verbs of the command line: each calls what the pages call; ``--json`` prints what programs can read."""

import argparse
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from workbench.stdin_watch import when_stdin_closes
from workbench.workspace import HOME_VARIABLE, Workspace

Args = argparse.Namespace
Verb = Callable[[Workspace, Args], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code. Errors that a user can mend are one sentence on standard error."""
    args = parser().parse_args(argv)
    ws = Workspace(args.home.expanduser().resolve()) if args.home else Workspace.default()
    os.environ[HOME_VARIABLE] = str(ws.home)  # for child processes and pages
    try:
        return int(args.run(ws, args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, RuntimeError, sqlite3.Error) as error:
        if args.debug:
            raise
        print(f"workbench: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m workbench", description="Which training settings make the best LoRA of this person?"
    )
    top.add_argument("--home", type=Path, help="the workspace folder (default: $WORKBENCH_HOME, else ./workspace)")
    top.add_argument("--debug", action="store_true", help="show where an error comes from")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(
        name: str, run: Verb, text: str, *, project: bool = False, listing: bool = False
    ) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        if project:
            made.add_argument("--project", help="its name; may be left out when there is only one")
        if listing:
            made.add_argument("--json", action="store_true", help="print JSON")
        return made

    photos = verb(
        "photos",
        photos_verb,
        "import a folder of photos, or list those of a project",
        project=True,
        listing=True,
    )
    photos.add_argument(
        "folder", nargs="?", type=Path, help="a folder; sub-folders train/ and reference/ fix the split"
    )
    photos.add_argument("--new", metavar="NAME", help="make a project of this name for them")
    photos.add_argument("--trigger", default="zwx", help="the word that will mean this subject (default: zwx)")
    photos.add_argument("--class-noun", default="person", help="what the subject is: woman, man, dog")
    photos.add_argument("--base", default="embedded", help="base model: a diffusers folder, or embedded")
    photos.add_argument(
        "--face-judge", default="embedded", help="embedded, a pack such as buffalo_l, a folder, or none"
    )
    photos.add_argument("--clip-judge", default="embedded", help="embedded, MODEL/TAG, MODEL/file.safetensors, or none")
    photos.add_argument(
        "--strangers", type=Path, help="a folder with 20 or more other people's faces: the zero of the scale"
    )

    patterns = verb("patterns", patterns_verb, "list a project's patterns, or add one", project=True, listing=True)
    patterns.add_argument("--add", metavar="FILE", type=Path, help="a JSON file with settings, added under --label")
    patterns.add_argument("--clone", metavar="LABEL", help="copy this pattern; change settings with --set")
    patterns.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting to change")
    patterns.add_argument("--label", help="the label of the new pattern")

    queue = verb(
        "queue",
        queue_verb,
        "queue patterns, list the queue, cancel or retry a run",
        project=True,
        listing=True,
    )
    queue.add_argument(
        "labels",
        nargs="*",
        help="patterns to queue ('all' for all that have not been trained with these seeds); nothing = list the runs",
    )
    queue.add_argument("--seeds", type=int, nargs="+", default=[1], help="training seeds (default: 1)")
    queue.add_argument("--cancel", type=int, metavar="RUN")
    queue.add_argument("--retry", type=int, metavar="RUN")

    worker = verb("worker", worker_verb, "train what is queued, make previews and scores")
    worker.add_argument("--once", action="store_true", help="stop when nothing is left to do")
    worker.add_argument("--watch-stdin", action="store_true", help="stop when standard input closes")

    verb("status", status_verb, "where every project stands", listing=True)
    verb("scores", scores_verb, "every preview with its scores", project=True, listing=True)

    retrain = verb("retrain", retrain_verb, "train a run's pattern again as a new run")
    retrain.add_argument("run_id", type=int)
    retrain.add_argument("--seed", type=int, help="default: the next unused one")
    retrain.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting to change first")

    demo = verb("demo", demo_verb, "make the demo project and queue its runs")
    demo.add_argument("--if-empty", action="store_true", help="only in a workspace without projects")

    app = verb("app", app_verb, "serve the pages on this machine")
    app.add_argument("--port", type=int, default=8501)
    app.add_argument("--watch-stdin", action="store_true", help="stop when standard input closes")

    doctor = verb("doctor", doctor_verb, "device, judges with licence and world, disk, database", listing=True)
    doctor.add_argument("--download", metavar="JUDGE", help="fetch a judge's weights, e.g. buffalo_l")
    return top


# verbs


def photos_verb(ws: Workspace, args: Args) -> int:
    from db import library
    from workbench.photos import add_folder
    from workbench.projects import add_project, find_project

    db = ws.open()
    if args.folder and not args.folder.is_dir():  # before a project is made for it
        raise ValueError(f"There is no folder {args.folder}. Name the folder that holds the photos.")
    if args.new:
        judges = {"face_judge": args.face_judge, "clip_judge": args.clip_judge, "strangers": args.strangers}
        add_project(db, args.new, args.trigger, args.class_noun, base_model=args.base, **judges)
    project = find_project(db, args.new or args.project)
    if args.folder:
        done = add_folder(ws, project["id"], args.folder)
        for name, why in done.skipped:
            print(f"skipped {name}: {why}", file=sys.stderr)
        for warning in done.warnings:
            print(f"note: {warning}", file=sys.stderr)
        project = find_project(db, project["name"])
    rows = library.photos(db, project["dataset_id"]) if project["dataset_id"] else []
    return show(args, rows, lambda row: f"{row['side']:9}  {row['name']:24}  {row['caption']}")


def patterns_verb(ws: Workspace, args: Args) -> int:
    from trainer.config import parse_config
    from workbench import patterns
    from workbench.preflight import notes
    from workbench.projects import find_project

    db = ws.open()
    project = find_project(db, args.project)
    if args.add:
        label = args.label or args.add.stem
        patterns.add(db, project["id"], parse_config(args.add.read_text(encoding="utf-8")), label)
    if args.clone:
        source = by_label(db, project["id"], args.clone)
        label = args.label or f"{args.clone}, {', '.join(args.set)}"
        patterns.clone(db, project["id"], source, label, **settings(args.set))
    listed = patterns.listed(db, project["id"])
    rows = [
        {
            "pattern": p.pattern_id,
            "label": p.label,
            "note": p.note,
            "hash": p.hash,
            "config": p.config.model_dump(mode="json"),
        }
        for p in listed
    ]
    code = show(args, rows, lambda row: f"{row['label']:26}  {row['note']}")
    for note in notes(db, project["id"]):
        print(f"{note.level}: {note.text}", file=sys.stderr)
    return code


def queue_verb(ws: Workspace, args: Args) -> int:
    from db import runs
    from workbench import patterns, queue
    from workbench.projects import find_project
    from workbench.views import untried

    db = ws.open()
    if args.cancel is not None:
        queue.cancel(db, args.cancel)
    if args.retry is not None:
        queue.retry(db, args.retry)
    project = find_project(db, args.project)
    if args.labels:
        every = args.labels == ["all"]
        chosen = (
            [p.pattern_id for p in patterns.listed(db, project["id"])]
            if every
            else [by_label(db, project["id"], label) for label in args.labels]
        )
        wanted = untried(db, project, chosen, args.seeds) if every else dict.fromkeys(args.seeds, chosen)
        for seed, pattern_ids in wanted.items():
            queue.enqueue(db, project["id"], pattern_ids, [seed])
    return show(args, [run_row(run) for run in runs.of_project(db, project["id"])], run_line)


def worker_verb(ws: Workspace, args: Args) -> int:
    from workbench.worker import Worker

    worker = Worker(ws, echo=lambda text: print(text, flush=True))
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last one is Windows'
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: worker.stopping.set())
    if args.watch_stdin:
        when_stdin_closes(worker.stopping.set)
    return 0 if worker.work(once=args.once) else 1


def status_verb(ws: Workspace, args: Args) -> int:
    from db import library, runs
    from workbench.progress import progress
    from workbench.terminal import where

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
    from workbench.preview_table import preview_table
    from workbench.projects import find_project

    db = ws.open()
    table = preview_table(db, find_project(db, args.project)["id"])
    rows = json.loads(table.to_json(orient="records"))
    return show(args, rows, score_line)


def retrain_verb(ws: Workspace, args: Args) -> int:
    from workbench.queue import retrain

    run_id = retrain(ws.open(), args.run_id, seed=args.seed, changes=settings(args.set))
    print(f"queued as run {run_id}")
    return 0


def demo_verb(ws: Workspace, args: Args) -> int:
    from db import library
    from workbench.demo import add_demo

    db = ws.open()
    if args.if_empty and library.projects(db):
        return 0
    add_demo(ws, db)
    print("The demo project is queued: 6 patterns, 2 seeds each.")
    return 0


def app_verb(ws: Workspace, args: Args) -> int:
    from workbench.launch import run_app

    run_app(ws, args.port, args.watch_stdin)
    return 0


def doctor_verb(ws: Workspace, args: Args) -> int:
    from workbench.doctor import examine
    from workbench.judges import download_judge

    if args.download:
        print(f"{args.download} is now in {download_judge(args.download)}")
    found = examine(ws)
    marks = {"ok": "ok   ", "warn": "note ", "error": "ERROR"}
    show(args, [vars(f) for f in found], lambda row: f"{marks[row['level']]}  {row['what']}: {row['text']}")
    return 1 if any(f.level == "error" for f in found) else 0


# bits


def show(args: Args, rows: list[dict[str, Any]], line: Callable[[dict[str, Any]], str]) -> int:
    """Print rows: as JSON, or one line each."""
    if args.json:
        print(json.dumps(rows, indent=1, default=str))
    else:
        for row in rows:
            print(line(row))
    return 0


def run_row(run: dict[str, Any]) -> dict[str, Any]:
    """A run as it is listed, with the reason of its outcome as a sentence."""
    from workbench.sentences import reason

    names = (
        "id",
        "label",
        "seed",
        "status",
        "step",
        "total_steps",
        "attempt",
        "train_seconds",
        "device",
        "loss",
    )
    params = json.loads(run["reason_params"])
    effective = json.loads(run["effective"]) if run["effective"] else None
    return {**{n: run[n] for n in names}, "reason": reason(run["reason"], params), "effective": effective}


def run_line(row: dict[str, Any]) -> str:
    steps = f"{row['step']}/{row['total_steps'] or '?'}"
    about = f"  run {row['id']:3}  {row['label']:26}  seed {row['seed']}"
    return f"{about}  {row['status']:9}  {steps:9}  {row['reason']}".rstrip()


def score_line(row: dict[str, Any]) -> str:
    likeness = "-" if row["likeness"] is None else f"{row['likeness']:.0f}"
    clip = "-" if row["clip_t"] is None else f"{row['clip_t']:.3f}"
    who = "base row" if row["is_base"] else f"{row['label']}, seed {row['train_seed']:.0f}, update {row['updates']:.0f}"
    cell = f"{who:44}  prompt {row['prompt']}  seed {row['seed']}"
    return f"{cell}  likeness {likeness:>4} ({row['face_status']})  CLIP {clip}"


def by_label(db: Database, project_id: int, label: str) -> int:
    """The pattern of that label."""
    from db import library
    from workbench.patterns import PatternError

    row = library.label(db, project_id, label)
    if row is None:
        known = ", ".join(f"'{p['label']}'" for p in library.patterns(db, project_id))
        raise PatternError(f"There is no pattern '{label}' here. There are {known or 'none yet'}.")
    return int(row["pattern_id"])


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as settings; values are JSON where they can be, else text."""
    changed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--set needs NAME=VALUE, not '{pair}'.")
        try:
            changed[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            changed[name.strip()] = value
    return changed
