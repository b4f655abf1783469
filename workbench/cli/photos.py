"""The photos of a project: import and list them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.shared import Args, Verbs, show
from workbench.workspace import Workspace

if TYPE_CHECKING:
    from workbench.dataset.photos import Import


def add(verb: Verbs) -> None:
    """Declare the verbs."""
    photos = verb(
        "photos",
        photos_verb,
        "import a folder of photos, or list those of a project",
        project=True,
        listing=True,
    )
    photos.add_argument(
        "folder", nargs="?", type=Path, help="a folder; sub-folders train/ and reference/ fix the split"
    )
    photos.add_argument(
        "--captions", metavar="FILE", type=Path, help="captions of these photos: CSV with file, caption"
    )
    photos.add_argument(
        "--traits", metavar="PHRASE", nargs="*", help="the word list that captions = traits_left_out leaves out"
    )
    photos.add_argument("--split-again", metavar="SEED", type=int, help="divide the photos anew at random")
    photos.add_argument("--versions", action="store_true", help="list the versions with what changed")
    photos.add_argument("--go-back", metavar="VERSION", type=int, help="use that version of the photos again")
    photos.add_argument("--each-subfolder", action="store_true", help="make a project for each sub-folder of FOLDER")
    photos.add_argument("--new", metavar="NAME", help="make a project of this name for them")
    photos.add_argument("--trigger", default="zwx", help="the word that will mean this subject (default: zwx)")
    photos.add_argument("--class-noun", default="person", help="what the subject is: woman, man, dog")
    photos.add_argument(
        "--base", default="embedded", help="base model: a .safetensors checkpoint, a diffusers folder, or embedded"
    )
    photos.add_argument(
        "--face-judge", help="embedded, a pack such as buffalo_l, dlib, a folder, or none (default: what suits --base)"
    )
    photos.add_argument(
        "--clip-judge", help="embedded, MODEL/TAG, MODEL/file.safetensors, or none (default: what suits --base)"
    )
    photos.add_argument(
        "--strangers", type=Path, help="a folder with 20 or more other people's faces: the zero of the scale"
    )


def photos_verb(ws: Workspace, args: Args) -> int:
    from db import library
    from workbench.dataset import photos
    from workbench.dataset.versions import go_back, versions
    from workbench.projects import add_project, find_project

    db = ws.open()
    if args.folder and not args.folder.is_dir():  # before a project is made for it
        raise ValueError(f"There is no folder {args.folder}. Name the folder that holds the photos.")
    if args.each_subfolder:
        return each_subfolder(ws, args, judges_for(args))
    if args.new:
        add_project(db, args.new, args.trigger, args.class_noun, base_model=args.base, **judges_for(args))
    name = find_project(db, args.new or args.project)["name"]
    project_id = find_project(db, name)["id"]
    if args.folder:
        tell(photos.add_folder(ws, project_id, args.folder, captions=args.captions))
    if args.go_back is not None:
        known = {each.number: each.dataset_id for each in versions(db, project_id)}
        if args.go_back not in known:
            raise ValueError(f"There is no version {args.go_back}. There are {', '.join(map(str, sorted(known)))}.")
        go_back(db, known[args.go_back])
    if args.split_again is not None:
        photos.split_again(ws, project_id, args.split_again)
    if args.traits is not None:
        photos.set_traits(ws, project_id, args.traits)
    if args.versions:
        return show(args, [vars(each) for each in versions(db, project_id)], version_line)
    project = find_project(db, name)
    rows = library.photos(db, project["dataset_id"]) if project["dataset_id"] else []
    return show(args, rows, lambda row: f"{row['side']:9}  {row['name']:24}  {row['caption']}")


def judges_for(args: Args) -> dict[str, Any]:
    """The judges of a new project: those that are named, else what is here for the people that its base draws."""
    from workbench.bases import is_embedded
    from workbench.judges import fitting

    return {
        "face_judge": args.face_judge or fitting("face", is_embedded(args.base)),
        "clip_judge": args.clip_judge or fitting("clip", is_embedded(args.base)),
        "strangers": args.strangers,
    }


def each_subfolder(ws: Workspace, args: Args, judges: dict[str, Any]) -> int:
    """A project for each sub-folder; ``--new`` stands before their names."""
    from workbench.dataset.subjects import add_subjects

    if not args.folder:
        raise ValueError("Which folder? Name the one that holds a sub-folder for each subject.")
    words = args.trigger, args.class_noun
    made = add_subjects(ws, args.folder, *words, prefix=args.new or "", base_model=args.base, **judges)
    for subject in made:
        tell(subject.photos)
    rows = [{"project": subject.name, "photos": subject.photos.added} for subject in made]
    return show(args, rows, lambda row: f"{row['project']}: {row['photos']} photos")


def tell(done: "Import") -> None:
    """What was skipped, and what should be known of the rest."""
    for name, why in done.skipped:
        print(f"skipped {name}: {why}", file=sys.stderr)
    for warning in done.warnings:
        print(f"note: {warning}", file=sys.stderr)


def version_line(row: dict[str, Any]) -> str:
    mark = "in use" if row["is_current"] else ""
    counts = f"{row['train']} + {row['reference']} photos, {row['runs']} runs"
    return f"version {row['number']:3}  {mark:6}  {counts}  {row['change']}"
