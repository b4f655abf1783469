"""Who is one person: projects about the same photos, or copies of them, count once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image
from sqlite_utils import Database

from db import library, recipes
from workbench import views
from workbench.dataset.duplicates import ALIKE_BITS, perceptual_hash
from workbench.workspace import Workspace

ALIKE_SHARE = 0.5  # of the photos of the smaller project: one chance likeness must not make two people one


@dataclass(frozen=True)
class Person:
    """Somebody, under the name of the first project about them."""

    name: str
    project_ids: tuple[int, ...]
    projects: tuple[str, ...]

    @property
    def note(self) -> str:
        """Why several projects count once; empty for one."""
        if len(self.projects) < 2:
            return ""
        names = " and ".join(f"'{name}'" for name in self.projects)
        return f"{names} have photos in common, or copies of them: they are one person, who counts once."


@dataclass(frozen=True)
class People:
    """Everybody whom patterns can be trained for, and the projects that don't count, each with the reason."""

    persons: tuple[Person, ...]
    left_out: tuple[tuple[str, str], ...] = ()  # project's name, why

    def of_project(self, project_id: int) -> Person | None:
        return next((person for person in self.persons if project_id in person.project_ids), None)


def people(ws: Workspace, db: Database) -> People:
    """Everybody, in the order of the first project about each."""
    photos: dict[int, dict[str, Path]] = {}
    for row in recipes.photo_hashes(db):
        photos.setdefault(row["project_id"], {})[row["sha256"]] = ws.path(row["file"])
    names: dict[int, str] = {}
    left_out = []
    for project in library.projects(db):
        if views.made_elsewhere(db, project):
            left_out.append((project["name"], "pictures or LoRAs made elsewhere: nothing is trained here"))
        elif project["id"] not in photos:
            left_out.append((project["name"], "no photos yet"))
        else:
            names[project["id"]] = project["name"]
    groups = one_person([photos[number] for number in names])
    every = list(names)
    persons = [
        Person(names[every[group[0]]], tuple(every[i] for i in group), tuple(names[every[i]] for i in group))
        for group in groups
    ]
    return People(tuple(persons), tuple(left_out))


def one_person(photos: Sequence[Mapping[str, Path]]) -> list[list[int]]:
    """Groups of projects about one person, as sorted indices; ``photos``: hash of content -> file, per project.

    Two projects are about one person where they share a photo by its content, or where at least ALIKE_SHARE of the
    smaller one's photos look like one of the other's (another size, another cut by a pixel, saved anew): at most
    ALIKE_BITS of 64 bits of how a picture looks differ. What links A to B and B to C makes one person of all three.
    """
    group_of = list(range(len(photos)))
    for b in range(len(photos)):
        for a in range(b):
            if group_of[a] != group_of[b] and same_person(photos[a], photos[b]):
                old, new = group_of[b], group_of[a]
                group_of = [new if group == old else group for group in group_of]
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(group_of):
        groups.setdefault(group, []).append(index)
    return list(groups.values())


def same_person(a: Mapping[str, Path], b: Mapping[str, Path]) -> bool:
    """Whether two projects' photos are of one person, as far as the photos themselves show it."""
    if a.keys() & b.keys():
        return True
    few, many = sorted(([looks(each) for each in side.values()] for side in (a, b)), key=len)
    known = [each for each in many if each is not None]
    alike = sum(each is not None and any((each ^ other).bit_count() <= ALIKE_BITS for other in known) for each in few)
    return bool(few) and alike >= ALIKE_SHARE * len(few)


@lru_cache(maxsize=20_000)
def looks(file: Path) -> int | None:
    """How a photo looks, in 64 bits; None where its file can't be read. A file is named after its content."""
    try:
        with Image.open(file) as picture:
            return perceptual_hash(picture)
    except (OSError, SyntaxError, ValueError):  # Pillow raises these of broken pictures, too
        return None
