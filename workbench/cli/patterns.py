"""The patterns of a project: list, add, clone, import, export, presets, grids; and what is known beforehand."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from workbench.cli.shared import Args, Verbs, by_label, settings, show
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from workbench.sweep.patterns import Asked

PRESET_NAMES = ("article", "baseline", "optimizers", "seeds")


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    patterns = verb("patterns", patterns_verb, "list a project's patterns, or add some", project=True, listing=True)
    patterns.add_argument("--add", metavar="FILE", type=Path, help="a JSON file with settings, added under --label")
    patterns.add_argument("--clone", metavar="LABEL", help="copy this pattern; change settings with --set")
    patterns.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting to change")
    patterns.add_argument("--label", help="the label of the new pattern")
    patterns.add_argument("--import", dest="read", metavar="FILE", type=Path, help="add patterns from CSV or JSON")
    patterns.add_argument("--export", metavar="FILE", type=Path, help="write all patterns as CSV (or .json)")
    patterns.add_argument(
        "--grid", metavar="NAME=V1,V2", nargs="+", help="every combination of these values, of --from's settings"
    )
    patterns.add_argument("--from", dest="start", metavar="LABEL", help="what a grid starts from (default: the first)")
    patterns.add_argument("--preset", choices=PRESET_NAMES, help="patterns by name")
    patterns.add_argument(
        "--bases", metavar="NAME=PLACE", action="append", default=[], help="the article's base models"
    )
    patterns.add_argument("--marks", action="store_true", help="the article's contrasts: its marks and our verdicts")
    patterns.add_argument("--apply", action="store_true", help="add a grid's or preset's patterns; else they are shown")


def patterns_verb(ws: Workspace, args: Args) -> int:
    from trainer.config import parse_config
    from workbench.projects import find_project
    from workbench.sweep import pattern_file, patterns

    if args.preset == "article" and not args.apply:
        return show_article(args)
    db = ws.open()
    project = find_project(db, args.project)
    if args.marks:
        return show_marks(db, project, args)
    if args.preset == "article":
        add_article(db, project, args)
    elif args.preset or args.grid:
        code = show_asked(db, project, made(db, project, args), args)
        if not args.apply:
            return code
    if args.read:
        patterns.add_all(db, project["id"], pattern_file.read_bytes(args.read.read_bytes(), project["base_model"]))
    if args.add:
        label = args.label or args.add.stem
        patterns.add(db, project["id"], parse_config(args.add.read_text(encoding="utf-8")), label)
    if args.clone:
        source = by_label(db, project["id"], args.clone)
        label = args.label or f"{args.clone}, {', '.join(args.set)}"
        patterns.clone(db, project["id"], source, label, **settings(args.set))
    if args.export:
        asked = pattern_file.labelled(db, project["id"])
        is_json = args.export.suffix.lower() == ".json"
        text = pattern_file.to_json(asked) if is_json else "\ufeff" + pattern_file.to_csv(asked)
        part = args.export.with_name(f"{args.export.name}.part")
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(args.export)
        print(f"{len(asked)} patterns are in {args.export}", file=sys.stderr)
    return show_listed(db, project, args)


def show_listed(db: Database, project: dict[str, Any], args: Args) -> int:
    from workbench.sweep import patterns
    from workbench.sweep.preflight import notes

    rows = [
        {
            "pattern": p.pattern_id,
            "label": p.label,
            "note": p.note,
            "hash": p.hash,
            "config": p.config.model_dump(mode="json"),
        }
        for p in patterns.listed(db, project["id"])
    ]
    code = show(args, rows, lambda row: f"{row['label']:26}  {row['note']}")
    for note in notes(db, project["id"]):
        print(f"{note.level}: {note.text}", file=sys.stderr)
    return code


def made(db: Database, project: dict[str, Any], args: Args) -> "list[Asked]":
    """The patterns of a preset or a grid."""
    from workbench.sweep import grid, patterns, presets

    if args.preset:
        return presets.asked_for(db, project, args.preset)
    listed = patterns.listed(db, project["id"])
    if args.start:
        start_id = by_label(db, project["id"], args.start)
        label, start = args.start, patterns.get(db, start_id)
    elif listed:
        label, start = listed[0].label, listed[0].config
    else:
        label, start = "baseline", presets.baseline(project["base_model"])
    return grid.grid(start, label, dict(grid.axis(text) for text in args.grid))


def show_asked(db: Database, project: dict[str, Any], asked: "Sequence[Asked]", args: Args) -> int:
    """Show patterns that are not added yet, with what they cost and what is known; with --apply add the new ones."""
    from workbench.running.device import known_precisions
    from workbench.sweep import grid, patterns, preflight
    from workbench.sweep.cost import cost

    looked = grid.looked_over(asked, patterns.listed(db, project["id"]), known_precisions(db))
    price = cost(db, project["id"], [each.config for each in looked.new])
    said = [looked.sentence, *([f"With one seed each: {price.sentence}"] if price else [])]
    said += [f"{note.level}: {note.text}" for note in preflight.notes_before(db, project["id"], looked.new)]
    print("\n".join(said), file=sys.stderr)
    if args.apply:
        patterns.add_all(db, project["id"], looked.new)
        return 0
    rows = [{"label": a.label, "note": a.note, "config": a.config.model_dump(mode="json")} for a in looked.new]
    return show(args, rows, lambda row: f"{row['label']:26}  {row['note']}")


def show_article(args: Args) -> int:
    """Every label of the article: its settings and how they are known, what is unknown, its mark."""
    from workbench.sweep import article

    rows = [article.described(entry) for entry in article.ENTRIES]
    return show(args, rows, article_line)


def article_line(row: dict[str, Any]) -> str:
    by_mark = {
        mark: ", ".join(
            f"{name} {json.dumps(told['value'])}"
            for name, told in row["settings"].items()
            if told["mark"] == mark and told["from"] != "the tool's code"
        )
        for mark in "KI"
    }
    score = "-" if row["score"] is None else f"{row['score']:g}"
    said = f"{row['label']:>2}  mark {score:>3} {row['words']}".rstrip()
    lines = [said, f"      known: {by_mark['K']}"]
    lines += [f"      inferred: {by_mark['I']}"] if by_mark["I"] else []
    lines += [f"      unknown: {', '.join(row['unknown'])}"]
    lines += [f"      {row['remark']}"] if row["remark"] else [f"      trained as: {', '.join(row['patterns'])}"]
    return "\n".join(lines)


def add_article(db: Database, project: dict[str, Any], args: Args) -> None:
    from workbench.sweep import article, presets

    bases = dict(pair.partition("=")[::2] for pair in args.bases)
    done = article.add_article(
        db, project["id"], bases=bases or None, table=None if bases else presets.article_table(project)
    )
    print(f"{len(done.pattern_ids)} patterns. {article.MARKS_SENTENCE}", file=sys.stderr)
    for label, why in done.left_out:
        print(f"left out: {label}: {why}", file=sys.stderr)


def show_marks(db: Database, project: dict[str, Any], args: Args) -> int:
    """Every contrast of the article: the author's difference, whether it could know, and this project's verdict."""
    from workbench.findings.analysis import tables
    from workbench.findings.author import CATEGORIES, beside_ours, tally
    from workbench.sweep.marks import of_author

    given = of_author(db, project["id"])
    if not given:
        raise ValueError("This project has no marks of the article: `patterns --preset article --apply` adds them.")
    every = tables(db, project["id"])
    table = beside_ours(every, given, every.main_metric)
    print(tally(table), file=sys.stderr)
    rows = json.loads(table.to_json(orient="records"))
    return show(
        args,
        rows,
        lambda row: (
            f"[{CATEGORIES[row['category']]}] {row['author_a']} / {row['author_b']}, {row['change']}. {row['sentence']}"
        ),
    )
