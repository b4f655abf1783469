"""All that was said of pictures, event by event, for other programs."""

import csv
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.cli.shared import Args, Verbs
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    ratings = verb(
        "ratings", ratings_verb, "every event of every rating, as CSV or JSON, warm-ups and what was undone too",
        project=True, listing=True,
    )  # fmt: skip
    ratings.add_argument("--rater", metavar="NAME", help="of this person only")
    ratings.add_argument("--file", type=Path, metavar="FILE", help="write it there: .csv or .json")


def ratings_verb(ws: Workspace, args: Args) -> int:
    from workbench.projects import find_project
    from workbench.rating.export import events

    db = ws.open()
    rows = events(db, find_project(db, args.project), args.rater)
    if args.file is None:
        sys.stdout.write(as_json(rows) if args.json else as_csv(rows))
        return 0
    kind = args.file.suffix.lower()
    if kind not in (".csv", ".json"):
        raise ValueError(f"Ratings are written as .csv or .json: call the file {args.file.with_suffix('.csv').name}.")
    file = args.file.expanduser()
    file.write_text(as_json(rows) if kind == ".json" else as_csv(rows), encoding="utf-8", newline="")
    print(f"{len(rows)} events: {file}")
    return 0


def as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps([{**row, **times(row)} for row in rows], indent=1, ensure_ascii=False) + "\n"


def as_csv(rows: list[dict[str, Any]]) -> str:
    """The same as a table; pictures of an item are numbers with spaces between, what is not there is empty."""
    from workbench.rating.export import COLUMNS

    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, **times(row), "previews": " ".join(map(str, row["previews"]))})
    return out.getvalue()


def times(row: dict[str, Any]) -> dict[str, str]:
    """When it was shown and answered, as 2026-05-01T18:30:00.123+00:00."""
    return {
        name: datetime.fromtimestamp(row[name], UTC).isoformat(timespec="milliseconds")
        for name in ("shown_at", "answered_at")
    }
