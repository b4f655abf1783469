"""Processes: the worker and the pages; the demo; what this computer can do."""

import signal

from workbench.cli.shared import Args, Verbs, show
from workbench.running.stdin_watch import when_stdin_closes
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    worker = verb("worker", worker_verb, "train what is queued, make previews and scores")
    worker.add_argument("--once", action="store_true", help="stop when nothing is left to do")
    worker.add_argument("--watch-stdin", action="store_true", help="stop when standard input closes")
    demo = verb("demo", demo_verb, "make the demo project and queue its runs")
    demo.add_argument("--if-empty", action="store_true", help="only in a workspace without projects")
    app = verb("app", app_verb, "serve the pages on this machine")
    app.add_argument("--port", type=int, default=8501)
    app.add_argument("--watch-stdin", action="store_true", help="stop when standard input closes")
    doctor = verb("doctor", doctor_verb, "device, judges with licence and world, disk, database", listing=True)
    doctor.add_argument("--download", metavar="JUDGE", help="fetch a judge's weights, e.g. buffalo_l")


def worker_verb(ws: Workspace, args: Args) -> int:
    from workbench.running.worker import Worker

    worker = Worker(ws, echo=lambda text: print(text, flush=True))
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last one is Windows'
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: worker.stopping.set())
    if args.watch_stdin:
        when_stdin_closes(worker.stopping.set)
    return 0 if worker.work(once=args.once) else 1


def demo_verb(ws: Workspace, args: Args) -> int:
    from db import library, runs
    from workbench.sweep.demo import add_demo

    db = ws.open()
    if args.if_empty and library.projects(db):
        return 0
    queued = runs.of_project(db, add_demo(ws, db))
    patterns, seeds = ({run[name] for run in queued} for name in ("pattern_id", "seed"))
    print(f"The demo project is queued: {len(patterns)} patterns, {len(seeds)} seeds each.")
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
