"""LoRA files made elsewhere."""

import sys
from pathlib import Path
from typing import Any

from workbench.cli.shared import Args, Verbs, show
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    text = "bring LoRA files made elsewhere into a project: their settings, as far as they say, become a pattern"
    loras = verb("import-loras", import_loras_verb, text, project=True, listing=True)
    loras.add_argument("files", type=Path, nargs="+", help="LoRA files, or folders with LoRA files")
    loras.add_argument("--label", default="", help="name of the pattern; without it the files' own name")
    loras.add_argument("--same-base", action="store_true", help="they were trained on the project's base model")
    loras.add_argument("--look", action="store_true", help="only show what would be imported")


def import_loras_verb(ws: Workspace, args: Args) -> int:
    from workbench.elsewhere.loras.import_loras import LorasError, import_loras, look_into_loras
    from workbench.projects import find_project

    db = ws.open()
    project = find_project(db, args.project)
    found = look_into_loras(ws, db, project["id"], args.files, args.same_base)
    rows = [run_row(run) for run in found.runs]
    told = found.told
    if args.look:
        for problem in found.problems:
            print(f"{problem.name}: {problem.why}", file=sys.stderr)
    elif found.problems:
        raise LorasError("Nothing was imported.", found.problems)
    else:
        done = import_loras(ws, project["id"], args.files, label=args.label, same_base=args.same_base)
        new = f"{done.checkpoints} new, {len(done.already)} there already"
        told = (*told, f"{new}. The worker makes previews of them: python -m workbench worker --once")
    for sentence in told:
        print(sentence, file=sys.stderr)
    return show(args, rows, run_line)


def run_row(run: Any) -> dict[str, Any]:
    """A training as it is listed."""
    files = [{"name": c.name, "updates": c.updates, "epoch": c.epoch, "already": c.already} for c in run.checkpoints]
    return {
        "label": run.label,
        "session": run.session,
        "seed": run.seed,
        "checkpoints": files,
        "known": dict(run.known),
        "unknown": dict(run.unknown),
        "told": list(run.told),
    }


def run_line(row: dict[str, Any]) -> str:
    seed = "not known" if row["seed"] is None else row["seed"]
    lines = [f"  {row['label']}: {len(row['checkpoints'])} checkpoints, seed {seed}"]
    lines += [f"    {name} {value}" for name, value in row["known"].items()]
    lines += [f"    {name} not known: {why}" for name, why in row["unknown"].items()]
    return "\n".join([*lines, *(f"    {sentence}" for sentence in row["told"])])
