"""What to keep: the rule for files, deleting with a way back, the bin, the backup."""

import sys
from pathlib import Path
from typing import get_args

from workbench.cli.shared import Args, Verbs, by_label, show
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    tidy = verb("tidy", tidy_verb, "show what a project's rule would move into the bin, or move it", project=True)
    tidy.add_argument("--keep", choices=["all", "last", "best", "rated"], help="set the rule: which LoRA files stay")
    tidy.add_argument("--n", type=int, help="files per run, for last and best")
    tidy.add_argument("--states", choices=["keep", "remove"], help="set the rule for training states of finished runs")
    tidy.add_argument("--go", action="store_true", help="move it")
    bin = verb("bin", bin_verb, "list the bin; delete, restore, empty", project=True, listing=True)
    bin.add_argument("--delete-run", type=int, metavar="RUN")
    bin.add_argument("--delete-pattern", metavar="LABEL", help="with all its runs")
    bin.add_argument("--delete-project", metavar="NAME")
    bin.add_argument("--restore", metavar="KEY", help="such as 'run 7', as the list has it")
    bin.add_argument("--empty", type=int, metavar="N", help="remove all for good; N = how many things are in the bin")
    backup = verb("backup", backup_verb, "write the whole workspace into one file; training may go on")
    backup.add_argument("file", type=Path)
    restore = verb("restore", restore_verb, "make a workspace out of a backup, in a new folder")
    restore.add_argument("file", type=Path)
    restore.add_argument("folder", type=Path)


def tidy_verb(ws: Workspace, args: Args) -> int:
    from dataclasses import replace

    from workbench.keeping import retention
    from workbench.projects import find_project

    db = ws.open()
    project = find_project(db, args.project)
    rule = retention.rule_of(db, project["id"])
    chosen = {"loras": args.keep, "n": args.n, "states": args.states}
    changes = {name: value for name, value in chosen.items() if value is not None}
    if changes:
        rule = replace(rule, **changes)
        retention.set_rule(db, project["id"], rule)
    assert rule.loras in get_args(retention.Loras)
    states = "Training states stay." if rule.states == "keep" else "States of finished runs go."
    print(f"{retention.SENTENCES[rule.loras].format(n=rule.n)} {states}")
    going = retention.tidy(ws, db, project["id"]) if args.go else retention.going(ws, db, project["id"])
    for row in going.checkpoints:
        print(f"  {row['file']}")
    for run_id in going.states:
        print(f"  the training state of run {run_id}")
    print(f"{going} {'went' if args.go else 'would go'} into the bin")
    return 0


def bin_verb(ws: Workspace, args: Args) -> int:
    from workbench.keeping import bin
    from workbench.projects import find_project
    from workbench.words import counted, megabytes

    db = ws.open()
    if args.delete_run is not None:
        bin.delete_run(db, args.delete_run)
    if args.delete_pattern is not None:
        project_id = find_project(db, args.project)["id"]
        bin.delete_pattern(db, project_id, by_label(db, project_id, args.delete_pattern))
    if args.delete_project is not None:
        bin.delete_project(db, find_project(db, args.delete_project)["id"])
    if args.restore is not None:
        bin.restore(ws, db, args.restore)
    items = bin.contents(ws, db)
    if args.empty is not None:
        if args.empty != len(items):
            raise ValueError(f"{counted(len(items), 'thing')} in the bin. To remove all: bin --empty {len(items)}")
        print(f"{megabytes(bin.empty(ws, db))} are free again", file=sys.stderr)
        items = bin.contents(ws, db)
    return show(
        args,
        [vars(item) for item in items],
        lambda row: f"{row['key']:14}  {megabytes(row['bytes']):>9}  {row['title']}",
    )


def backup_verb(ws: Workspace, args: Args) -> int:
    from workbench.keeping.backup import backup
    from workbench.words import megabytes

    made = backup(ws, args.file)
    for name in made.missing:
        print(f"not there any more, so not in it: {name}", file=sys.stderr)
    print(f"{made.files} files, {megabytes(made.bytes)}, in {made.file}")
    return 0


def restore_verb(ws: Workspace, args: Args) -> int:
    from workbench.keeping.backup import restore

    count = restore(args.file, args.folder)
    print(f"{count} files restored and checked. To work there: python start.py --home {args.folder}")
    return 0
