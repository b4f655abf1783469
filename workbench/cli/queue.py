"""The queue: what waits and in which order, when it works, cancel, retry, retrain, train longer."""

from workbench.cli.shared import Args, Verbs, by_label, run_line, run_row, settings, show
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
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
    retrain = verb("retrain", retrain_verb, "train a run's pattern again as a new run")
    retrain.add_argument("run_id", type=int)
    retrain.add_argument("--seed", type=int, help="default: the next unused one")
    retrain.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting to change first")
    verb("pause", pause_verb, "stop the queue; what trains saves its state and waits")
    verb("resume", resume_verb, "let the queue go on")
    window = verb("window", window_verb, "work only at certain hours of the day")
    window.add_argument("hours", nargs="?", help="from-to, such as 22:00-07:00, or always; nothing = show it")
    move = verb("move", move_verb, "move a waiting run in the queue")
    move.add_argument("run_id", type=int)
    move.add_argument("where", choices=["first", "up", "down", "last"])
    extend = verb("extend", extend_verb, "train a finished run longer, as a new run that goes on from its end")
    extend.add_argument("run_id", type=int)
    extend.add_argument("--epochs", type=int, help="in all")
    extend.add_argument("--updates", type=int, help="in all")
    final = verb("final", final_verb, "train a run's pattern on all photos, the reference photos too: not scored")
    final.add_argument("run_id", type=int)
    final.add_argument("--seed", type=int, help="default: the run's own")


def pause_verb(ws: Workspace, args: Args) -> int:
    from workbench.running import hours

    hours.pause(ws.open())
    return 0


def resume_verb(ws: Workspace, args: Args) -> int:
    from workbench.running import hours

    hours.resume(ws.open())
    return 0


def window_verb(ws: Workspace, args: Args) -> int:
    from workbench.running import hours

    db = ws.open()
    if args.hours:
        hours.set_window(db, None if args.hours == "always" else hours.parse_window(args.hours))
    print(hours.window(db) or "always")
    return 0


def move_verb(ws: Workspace, args: Args) -> int:
    from workbench.running.queue import move

    move(ws.open(), args.run_id, args.where)
    return 0


def extend_verb(ws: Workspace, args: Args) -> int:
    from workbench.running.queue import extend

    print(f"queued as run {extend(ws, ws.open(), args.run_id, epochs=args.epochs, updates=args.updates)}")
    return 0


def final_verb(ws: Workspace, args: Args) -> int:
    from workbench.running.queue import train_final

    print(f"queued as run {train_final(ws.open(), args.run_id, args.seed)}")
    return 0


def queue_verb(ws: Workspace, args: Args) -> int:
    from db import runs
    from workbench.projects import find_project
    from workbench.running import queue
    from workbench.sweep import patterns
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


def retrain_verb(ws: Workspace, args: Args) -> int:
    from workbench.running.queue import retrain

    run_id = retrain(ws.open(), args.run_id, seed=args.seed, changes=settings(args.set))
    print(f"queued as run {run_id}")
    return 0
