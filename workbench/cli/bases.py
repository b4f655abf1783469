"""The base models on this machine: what each is, and where one lies that was moved."""

from pathlib import Path

from workbench.cli.shared import Args, Verbs, show
from workbench.workspace import Workspace


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    bases = verb("bases", bases_verb, "list base models with what each is, or say where one lies", listing=True)
    bases.add_argument("--models", metavar="FOLDER", help="remember this folder: what lies in it is listed and offered")
    bases.add_argument(
        "--place",
        nargs=2,
        metavar=("LOCATION", "PATH"),
        help="the base model of that location lies at PATH on this machine (PATH = LOCATION takes that back)",
    )


def bases_verb(ws: Workspace, args: Args) -> int:
    from db import places
    from workbench import bases

    db = ws.open()
    if args.models is not None:
        bases.set_models_folder(db, str(Path(args.models).expanduser().resolve()) if args.models else "")
    if args.place:
        location, path = args.place
        bases.set_place(db, location, None if path == location else path)
    used = places.locations(db)
    listed = {base.location: base for base in bases.candidates(db)}
    rows = []
    for location in dict.fromkeys([*listed, *used]):
        place = bases.place(db, location)
        found = bases.describe(place)
        rows.append(
            {
                "location": location,
                "place": place,
                "kind": found.kind,
                "ok": found.ok,
                "used": location in used,
                "sentence": found.sentence,
            }
        )
    return show(args, rows, line)


def line(row: dict[str, object]) -> str:
    mark = "used " if row["used"] else "     "
    elsewhere = f"  (at {row['place']})" if row["place"] != row["location"] else ""
    return f"{mark if row['ok'] else 'GONE '}  {row['location']}{elsewhere}: {row['sentence']}"
