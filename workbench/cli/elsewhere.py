"""Pictures that were made by other programs: import a folder of them, and say at once which epoch is best."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db import library
from workbench.cli.shared import Args, Verbs
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from workbench.elsewhere.pictures.found import Found, Reading
    from workbench.findings.analysis import Tables

EVERY_S = 2.0  # how often progress is printed


def add(verb: Verbs) -> None:
    """Declare the verb."""
    pictures = verb(
        "import-pictures",
        import_pictures_verb,
        "import pictures that other programs made: kohya samples, A1111, Forge, ComfyUI, grids, any folder",
        project=True,
        listing=True,
    )
    pictures.add_argument("source", type=Path, help="a folder, a zip archive, or one grid")
    pictures.add_argument("--look", action="store_true", help="only show what is recognised")
    pictures.add_argument("--new", metavar="NAME", help="make a project of this name for them")
    pictures.add_argument("--trigger", default="zwx", help="the word that means this subject (default: zwx)")
    pictures.add_argument("--class-noun", default="person", help="what the subject is: woman, man, dog")
    pictures.add_argument("--training", metavar="DIR", type=Path, help="the photos that the LoRA was trained on")
    pictures.add_argument("--unseen", metavar="DIR", type=Path, help="photos of the person that it never saw")
    pictures.add_argument("--face-judge", default="embedded", help="embedded, a pack such as buffalo_l, or none")
    pictures.add_argument("--clip-judge", default="embedded", help="embedded, MODEL/TAG, MODEL/file, or none")
    pictures.add_argument("--strangers", type=Path, help="a folder with 20 or more other people's faces")
    reading = pictures.add_argument_group("what the pictures don't say")
    reading.add_argument("--read", metavar="PATTERN", help='how names are put together: "{lora}_{epoch}_{seed}_{any}"')
    reading.add_argument("--columns", metavar="N", type=int, help="of a grid without a text")
    reading.add_argument("--rows", metavar="N", type=int, help="of a grid without a text")
    reading.add_argument("--x", metavar="AXIS", help="what its columns are: strength=0.6,0.8,1")
    reading.add_argument("--y", metavar="AXIS", help="what its rows are: epoch=2,4,6")
    reading.add_argument("--subject", metavar="LORA", help="whose LoRA it is, where prompts name several")
    reading.add_argument("--prompts", metavar="FILE", type=Path, help="the sample prompts: .txt, .toml or .json")
    reading.add_argument("--strength", type=float, default=1.0, help="of pictures that name none (default: 1)")
    reading.add_argument("--last", metavar="EPOCH", type=int, help="the epoch of the LoRA file without a number")
    pictures.add_argument("--leave-out", action="store_true", help="leave out what is broken instead of stopping")
    pictures.add_argument("--score", action="store_true", help="judge them here and now, and name the best cell")


def import_pictures_verb(ws: Workspace, args: Args) -> int:
    from workbench.elsewhere.pictures.import_pictures import NewProject, import_pictures, look_into
    from workbench.projects import find_project

    reading = reading_of(args)
    if args.look:
        return show_found(args, look_into(args.source, reading))
    db = ws.open()
    new = None
    if args.new:
        new = NewProject(
            args.new,
            args.trigger,
            args.class_noun,
            face_judge=args.face_judge,
            clip_judge=args.clip_judge,
            strangers=args.strangers,
        )
    done = import_pictures(
        ws,
        args.source,
        project_id=None if new else find_project(db, args.project)["id"],
        new=new,
        training=args.training,
        unseen=args.unseen,
        reading=reading,
        leave_out=args.leave_out,
        on_progress=every(lambda n, total, name: f"{n} of {total} pictures: {name}"),
    )
    for problem in done.skipped:
        print(f"skipped {problem}", file=sys.stderr)
    for sentence in done.told:
        print(f"note: {sentence}", file=sys.stderr)
    row: dict[str, Any] = {"project_id": done.project_id, "pictures": done.pictures, "loras": list(done.loras)}
    lines = [f"{done.pictures} pictures of {', '.join(done.loras) or 'no LoRA'} were imported."]
    if args.score:
        said = score(ws, done.project_id)
        row["answer"] = said
        lines += said
    print(json.dumps(row, indent=1) if args.json else "\n".join(lines))
    return 0


def reading_of(args: argparse.Namespace) -> "Reading":
    """What was typed of the pictures. Raises ValueError for an axis or a file of prompts that can't be read."""
    from workbench.elsewhere.pictures.found import Reading
    from workbench.elsewhere.pictures.prompts_file import PromptsProblem, read_prompts
    from workbench.elsewhere.pictures.xyz_grid import axis

    try:
        prompts = read_prompts(args.prompts) if args.prompts else ()
    except PromptsProblem as error:
        raise ValueError(f"{args.prompts.name} {error}") from None
    return Reading(
        pattern=args.read,
        columns=args.columns,
        rows=args.rows,
        x=axis(args.x) if args.x else None,
        y=axis(args.y) if args.y else None,
        subject=args.subject,
        prompts=prompts,
        strength=args.strength,
        last=args.last,
    )


def show_found(args: Args, found: "Found") -> int:
    """What was recognised, without importing it."""
    rows = [
        {
            "name": picture.name,
            "lora": picture.lora,
            picture.counted or "epochs": picture.number,
            "strength": picture.strength,
            "seed": picture.seed,
            "prompt": picture.text if picture.text is not None else picture.prompt,
        }
        for picture in found.pictures
    ]
    problems, questions = [str(each) for each in found.problems], [each.text for each in found.questions]
    if args.json:
        told = {"problems": problems, "questions": questions, "notes": list(found.notes)}
        print(json.dumps({"scheme": found.scheme, "pictures": rows, **told}, indent=1))
        return 0
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items() if value is not None))
    print(f"{len(rows)} pictures ({found.scheme or 'nothing recognised'}), {len(problems)} problems")
    for text in [*problems, *questions, *found.notes]:
        print(f"note: {text}", file=sys.stderr)
    return 0


def score(ws: Workspace, project_id: int) -> list[str]:
    """Judge what is not judged yet; say which cell is best, what it can't be told apart from, and what is copied."""
    from workbench.elsewhere.pictures.judge_here import judge_here
    from workbench.findings.analysis import tables
    from workbench.findings.epoch_map import best_cell, epoch_map
    from workbench.findings.map_words import answer, places_of
    from workbench.findings.metrics import METRICS

    db = ws.open()
    why_not = judge_here(ws, db, project_id, every(lambda name, n, total: f"{name}: {n} of {total} pictures"))
    read = tables(db, project_id)
    best = best_cell(read, "likeness")
    if best is None:
        return [*why_not, "No picture has a likeness, so there is no best cell."]
    said = answer(best, METRICS["likeness"], places_of(epoch_map(read, "likeness")))
    photos = library.photos(db, read.dataset_id, "train") if read.dataset_id else []
    return [*why_not, *said, *copied_photos(read, photos)]


def copied_photos(read: "Tables", photos: list[dict[str, Any]]) -> list[str]:
    """Which LoRA files copy one training photo, and how many pictures are flagged."""
    from workbench.pictures.pairs import copies, lora_copies, share_words

    found = copies(read.previews, photos)
    return [*(lora_copies(read.checkpoints, photos) or []), share_words(found)] if found else []


def every(text: Any) -> Any:
    """A callback that prints its text on standard error, at most every two seconds."""
    last = time.monotonic()

    def tell(*values: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY_S:
            last = time.monotonic()
            print(text(*values), file=sys.stderr)

    return tell
