"""What the judges are worth, measured on the shipped people; raters and verdicts, tried on simulated ones."""

import json
import time
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


def validity_verb(ws: Workspace, args: Args) -> int:
    from workbench.findings.simulated_words import section as section_on_verdicts
    from workbench.findings.sweeps_simulated import measure as measure_verdicts
    from workbench.people.validity import measure as measure_raters
    from workbench.people.validity_words import section
    from workbench.scores.validity import measure
    from workbench.scores.validity_words import page

    started = time.monotonic()
    figures = measure(training=not args.without_training)
    figures |= {"raters": measure_raters(), "verdicts": measure_verdicts()}
    text = "\n".join([page(figures), section(figures["raters"]), section_on_verdicts(figures["verdicts"])])
    if args.write:
        args.write.write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote {args.write} after {time.monotonic() - started:.0f} s")
    elif args.json:
        print(json.dumps(figures, indent=1))
    else:
        print(text)
    return 0
