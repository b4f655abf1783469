"""What was found as a file to keep or to pass on: the report, all figures, a picture to share."""

from pathlib import Path

from workbench.cli.results import held_back, hold_back_options, who_rates
from workbench.cli.shared import Args, Verbs
from workbench.words import megabytes
from workbench.workspace import Workspace

KINDS = ("html", "zip", "png")


def add(verb: Verbs) -> None:
    """Declare the verb."""
    report = verb(
        "report",
        report_verb,
        "what was found in one file: .html is the report, .zip all figures as CSV and JSON, .png a picture to share",
        project=True,
    )
    report.add_argument("file", type=Path, metavar="FILE", help="where to write it: .html, .zip or .png")
    report.add_argument("--with-photos", action="store_true", help="show the real reference photos too (html only)")
    hold_back_options(report)


def report_verb(ws: Workspace, args: Args) -> int:
    from dataclasses import replace

    from workbench.findings.analysis import tables
    from workbench.projects import find_project
    from workbench.report import deliver
    from workbench.report.contents import contents
    from workbench.report.export import export

    file, kind = args.file.expanduser(), args.file.suffix.lower().lstrip(".")
    if kind not in KINDS:
        raise ValueError(f"A report ends in .html, .zip or .png: call the file {file.with_suffix('.html').name}.")
    if args.with_photos and kind != "html":
        raise ValueError("--with-photos is for the .html report: the other files never hold real photos.")
    if args.show_to and kind == "zip":
        raise ValueError("--show-to is for pictures, and a .zip holds none. Name the rater with --hide-from.")
    db = ws.open()
    project, rater = find_project(db, args.project), args.show_to or args.hide_from or who_rates(db)
    every = tables(db, project["id"])
    if kind == "zip":
        content = export(ws, db, project, every, rater)
    else:
        found = contents(ws, db, project, every, rater=rater)
        held = held_back(db, project, args, deliver.tokens(found, kind))
        content = deliver.drawn(replace(found, held=frozenset(held)), kind, args.with_photos)
    deliver.write(file, content)
    print(f"{megabytes(len(content))}: {file}")
    return 0
