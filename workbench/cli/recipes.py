"""Recipes over several people: the default, what challenges it, and what that says of new people."""

import math
import sys
from dataclasses import asdict
from typing import Any

from workbench.cli.shared import Args, Verbs, by_label, show
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    recipes = verb(
        "recipes", recipes_verb, "what challenges your default, over all people: differences and verdicts", listing=True
    )
    recipes.add_argument(
        "--matters",
        type=float,
        metavar="DIFFERENCE",
        help="the smallest difference worth having (default: what another training seed makes of one LoRA)",
    )
    challenge = verb(
        "challenge",
        challenge_verb,
        "queue your default and a challenger in a project, with the same seeds",
        project=True,
        listing=True,
    )
    challenge.add_argument("--challenger", metavar="LABEL", help="of any project; nothing = list what could be tried")
    challenge.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="training seeds (default: 1 2)")
    challenge.add_argument("--look", action="store_true", help="say what it would queue and cost; queue nothing")
    challenge.add_argument("--undo", type=int, metavar="CHALLENGE", help="cancel what a challenge queued")
    challenge.add_argument("--stop", action="store_true", help="stop the challenger for every person")
    challenge.add_argument("--go-on", action="store_true", help="take a stopped challenger up again, for every person")
    default = verb(
        "default", default_verb, "show your default, or make a pattern the default", project=True, listing=True
    )
    default.add_argument("label", nargs="?", help="a pattern of the project")
    default.add_argument("--undo", action="store_true", help="go back to the default before")


def recipes_verb(ws: Workspace, args: Args) -> int:
    from workbench.recipes import verdicts, words

    if args.matters is not None and not 0 <= args.matters < math.inf:
        raise ValueError("--matters is a difference: a number from 0 on.")
    seen = verdicts.overview(ws, ws.open(), matters=args.matters)
    code = show(args, [row_of(each, args.matters is not None) for each in seen.verdicts], line_of)
    said = [words.empty(seen), words.next_person(seen), words.family(seen.verdicts), *seen.notes]
    for text in said:
        if text:
            print(text, file=sys.stderr)
    return code


def row_of(verdict: Any, given: bool) -> dict[str, Any]:
    """A verdict as programs read it; NaN is null."""
    from workbench.recipes import words

    people = [
        {
            "person": each.person.name,
            **{name: value for name, value in asdict(each.difference).items() if name not in ("scale", "challenger")},
            "projects": each.person.projects,
        }
        for each in (*verdict.counted, *verdict.left_out)
    ]
    row = {
        "challenger": verdict.label,
        "default": verdict.default_label,
        "line": words.headline(verdict),
        "code": verdict.code,
        "verdict": words.means(verdict),
        "besides": words.besides(verdict),
        "scale": words.scale_words(verdict.scale),
        "matters": verdict.matters,
        "matters_words": words.matters_words(verdict, given),
        **asdict(verdict.pooled),
        "p_adjusted": verdict.p,
        "compared": verdict.compared,
        "more_people": verdict.more,
        "nothing_left": verdict.nothing_left,
        "stopped": verdict.stopped,
        "waiting": verdict.waiting,
        "differences": people,
    }
    return {name: without_nan(value) for name, value in row.items()}


def without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def line_of(row: dict[str, Any]) -> str:
    lines = [row["line"], f"  {row['verdict']}", f"  By {row['scale']}. {row['matters_words']}"]
    return "\n".join([*lines, *(f"  {text}" for text in row["besides"])])


def challenge_verb(ws: Workspace, args: Args) -> int:
    from workbench.projects import find_project
    from workbench.recipes import challenge, verdicts
    from workbench.recipes.default import current

    db = ws.open()
    if args.undo is not None:
        cancelled = challenge.take_back(db, args.undo)
        print(f"cancelled: {', '.join(f'run {each}' for each in cancelled) or 'nothing waits any more'}")
        return 0
    default = current(db)
    if default is None:
        raise challenge.ChallengeError("There is no default yet. Make one: default LABEL --project P.")
    if args.stop or args.go_on:
        pattern_id = challenger_of(db, None, args.challenger)
        if pattern_id == default.pattern_id:
            raise challenge.ChallengeError(f"'{default.label}' is your default: it challenges nothing.")
        if args.go_on:
            again = challenge.resume(db, default.pattern_id, pattern_id)
            print(f"goes on; queued again: {', '.join(f'run {each}' for each in again) or 'nothing was cancelled'}")
            return 0
        cancelled = challenge.stop(db, default.pattern_id, pattern_id)
        print(f"stopped; cancelled: {', '.join(f'run {each}' for each in cancelled) or 'nothing was waiting'}")
        return 0
    project = find_project(db, args.project)
    if not args.challenger:
        if problem := challenge.problem_of(db, project, default.pattern_id, default.label):
            raise challenge.ChallengeError(problem)
        seen = verdicts.overview(ws, db)
        leaders = challenge.last_leaders(db, project, default.pattern_id)
        rows = [asdict(each) for each in challenge.offers(db, project, seen, leaders)]
        return show(args, rows, lambda row: f"{row['label']:26}  {row['why']}")
    pattern_id = challenger_of(db, project["id"], args.challenger)
    prepared = challenge.prepare(db, project, default, pattern_id, args.seeds)
    for note in prepared.notes:
        print(f"{note.level}: {note.text}", file=sys.stderr)
    if prepared.price:
        print(prepared.price.sentence)
    if not args.look:
        number = challenge.begin(db, prepared)
        print(f"queued {prepared.runs} runs as challenge {number}; take it back with: challenge --undo {number}")
    return 0


def challenger_of(db: Any, project_id: int | None, label: str | None) -> int:
    """The pattern of a label: of the project, else of the only pattern of any project that is called so."""
    from db import library, recipes
    from workbench.recipes.challenge import ChallengeError
    from workbench.recipes.verdicts import label_of_each

    if not label:
        raise ChallengeError("Which challenger? Say --challenger LABEL.")
    own = library.label(db, project_id, label) if project_id is not None else None
    if own:
        return int(own["pattern_id"])
    clear = {name: number for number, name in label_of_each(db).items()}
    if label in clear:
        return int(clear[label])
    found = {row["pattern_id"] for row in recipes.labels(db) if row["label"] == label}
    if len(found) == 1:
        return int(found.pop())
    known = ", ".join(f"'{name}'" for name in clear)
    what = "Several patterns are" if found else "No pattern is"
    raise ChallengeError(f"{what} called '{label}'. There are {known or 'none yet'}.")


def default_verb(ws: Workspace, args: Args) -> int:
    from workbench.projects import find_project
    from workbench.recipes import default

    db = ws.open()
    if args.undo:
        default.take_back(db)
    elif args.label:
        project = find_project(db, args.project)
        default.make_default(db, project["id"], by_label(db, project["id"], args.label), "chosen by hand")
    return show(args, default.history(db), default_line)


def default_line(row: dict[str, Any]) -> str:
    from datetime import datetime

    when = datetime.fromtimestamp(row["created_at"]).strftime("%Y-%m-%d %H:%M")
    what = f"'{row['label']}'" if row["label"] else "no default"
    return f"{when}  {what}  {row['why']}".rstrip()
