"""The verbs of the command line: each calls what the pages call; ``--json`` prints what programs can read."""

import argparse
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.cli import (
    bases,
    elsewhere,
    judging,
    keep,
    loras,
    patterns,
    photos,
    queue,
    ratings,
    recipes,
    report,
    results,
    serve,
)
from workbench.cli.shared import Verb
from workbench.workspace import HOME_VARIABLE, Workspace

# each declares its verbs in ``add``
ROOMS = (photos, elsewhere, bases, patterns, queue, results, recipes, report, ratings, loras, judging, keep, serve)


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

    for room in ROOMS:
        room.add(verb)
    return top
