"""What the judges are worth, measured on the shipped people; raters and verdicts, tried on others."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from workbench.cli.shared import Args, Verbs
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    validity = verb(
        "validity",
        validity_verb,
        "measure what the judges, and what is said of raters and settings, are worth (2 to 3 minutes)",
        listing=True,
    )
    validity.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file instead")
    validity.add_argument("--without-training", action="store_true", help="leave out the LoRA that memorises a photo")
    truth = verb(
        "truth",
        truth_verb,
        "the demo's patterns with many training seeds: queue them, store their scores, or say what the demo's "
        "verdicts are worth by the stored ones",
        listing=True,
    )
    truth.add_argument("--seeds", type=seed_list, metavar="3-18", help="queue these seeds in a project of its own")
    truth.add_argument("--export", type=Path, metavar="FILE.csv", help="store the scores of seeds that are finished")
    truth.add_argument("--code", metavar="COMMIT", help="with --export: which code trained them")
    truth.add_argument("--write", type=Path, metavar="FOLDER", help="write it into validity.md and demo.md there")


def validity_verb(ws: Workspace, args: Args) -> int:
    from workbench.findings.simulated_words import section as section_on_verdicts
    from workbench.findings.sweeps_simulated import measure as measure_verdicts
    from workbench.findings.truth import measure as measure_truth
    from workbench.findings.truth_data import read
    from workbench.findings.truth_words import section as section_on_truth
    from workbench.people.validity import measure as measure_raters
    from workbench.people.validity_words import section
    from workbench.scores.validity import measure
    from workbench.scores.validity_words import page

    started = time.monotonic()
    figures = measure(training=not args.without_training)
    figures |= {"raters": measure_raters(), "verdicts": measure_verdicts(), "truth": measure_truth(read())}
    sections = (
        section(figures["raters"]),
        section_on_verdicts(figures["verdicts"]),
        section_on_truth(figures["truth"]),
    )
    text = "\n".join([page(figures), *sections])
    if args.write:
        args.write.write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote {args.write} after {time.monotonic() - started:.0f} s")
    elif args.json:
        print(json.dumps(figures, indent=1))
    else:
        print(text)
    return 0


def seed_list(text: str) -> list[int]:
    """Seeds from a text such as 3-18 or 1,2,5-7.

    >>> seed_list("1,5-7")
    [1, 5, 6, 7]
    """
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            found += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"seeds are written like 3-18 or 1,2,5-7, not '{text}'") from None
    return found


def truth_verb(ws: Workspace, args: Args) -> int:
    if args.seeds:
        return queue_truth(ws, args.seeds)
    return export_truth(ws, args) if args.export else tell_truth(args)


def queue_truth(ws: Workspace, seeds: list[int]) -> int:
    from workbench.sweep.many_seeds import NAME, add_many_seeds

    print(f"{add_many_seeds(ws, ws.open(), seeds)} runs of '{NAME}' are queued. `worker --once` trains them.")
    return 0


def export_truth(ws: Workspace, args: Args) -> int:
    from db import library
    from workbench.findings.truth_data import TruthError, merged, read, taken, write
    from workbench.sweep import demo, many_seeds

    if not args.code:
        raise TruthError("--export needs --code: which code trained these seeds, such as a commit.")
    db = ws.open()
    projects = {project["name"]: project["id"] for project in library.projects(db)}
    name = next((name for name in (many_seeds.NAME, demo.NAME) if name in projects), None)
    if name is None:
        raise TruthError(f"There is no project '{many_seeds.NAME}' or '{demo.NAME}' in {ws.home}.")
    new = taken(db, projects[name], args.code, "truth --seeds" if name == many_seeds.NAME else "demo")
    truth = merged(read(args.export) if args.export.exists() else None, new)
    write(truth, args.export)
    print(f"Stored seeds {new.seeds} of '{name}'; {args.export} has {truth.seeds}.")
    return 0


def tell_truth(args: Args) -> int:
    from workbench.findings.truth import measure
    from workbench.findings.truth_data import read
    from workbench.findings.truth_words import paragraph, section, with_paragraph, with_section

    figures = measure(read())
    if args.write:
        documents: dict[str, Callable[[str], str]] = {
            "validity.md": lambda page: with_section(page, section(figures)),
            "demo.md": lambda page: with_paragraph(page, paragraph(figures)),
        }
        for name, changed in documents.items():
            file = args.write / name
            file.write_text(changed(file.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
            print(f"wrote {file}")
    elif args.json:
        print(json.dumps(figures, indent=1))
    else:
        print(section(figures))
    return 0
