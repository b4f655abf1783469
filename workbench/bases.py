"""Base models: what lies where a project says, in a sentence, and which there are to choose from.

Looks at file names, configs and headers only; the trainer reads the weights.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlite_utils import Database

from db import meta, places
from trainer import EMBEDDED_BASES
from trainer.base_kind import BaseKind, base_kind, vae_beside

NO_BASE = "none"  # the base model of a project that only judges pictures made elsewhere
ONLY_JUDGES = (
    "There is no base model: this project only judges pictures that were made elsewhere. To train here, choose a base "
    "model in the project's settings and in the pattern."
)
MODELS_VARIABLE = "WORKBENCH_MODELS"
MODELS_KEY = "models_folder"  # in table meta: the folder that was named on a page or the command line
DEEPEST = 3  # folders below the models folder that are looked into
MOST = 500  # files and folders that are looked at: a search must not take minutes on a whole disk


class BaseError(ValueError):
    """A place that can't be a base model's, or a models folder that isn't there."""


@dataclass(frozen=True)
class Base:
    """A base model as it can be chosen: where, what kind, and one sentence on it. ``ok``: it can be trained on.

    ``size_px``: side of the pictures that it was made for; None = not known.
    """

    location: str
    kind: str
    sentence: str
    ok: bool
    size_px: int | None = None


def describe(location: str) -> Base:
    """What lies at a location: a kind of trainer.base_kind.BaseKind, or none, and a sentence for people."""
    if location.strip() == NO_BASE:
        return Base(NO_BASE, NO_BASE, ONLY_JUDGES, ok=False)
    found = _look(location.strip())
    return Base(location.strip(), found.kind, found.sentence, found.ok, found.size_px)


def base_problem(location: str) -> str | None:
    """What is wrong with a base model and what to do; None for one that can be trained on."""
    found = describe(location)
    return None if found.ok else found.sentence


def is_embedded(location: str) -> bool:
    """Whether it is a miniature that comes along."""
    return location in EMBEDDED_BASES


def short(location: str) -> str:
    """A base model's name without the folders before it."""
    if location == NO_BASE:
        return "no base model"
    return location if is_embedded(location) else Path(location).name or location


def place(db: Database, location: str) -> str:
    """The path to load for a base model: where it was said to lie on this machine, else its location."""
    return places.place_of(db, location) or location


def set_place(db: Database, location: str, path: str | None) -> Base:
    """Say where a base model lies on this machine (after a move); None takes that back.

    Rows keep their location, so that patterns and hashes stay what they were. Raises BaseError when nothing lies
    there that can be trained on.
    """
    if is_embedded(location):
        raise BaseError(f"'{location}' comes along with the program: it always lies where it is.")
    if path is None:
        places.set_place(db, location, None)
        return describe(location)
    found = describe(str(Path(path).expanduser().resolve()))
    if not found.ok:
        raise BaseError(found.sentence)
    places.set_place(db, location, found.location)
    return found


def models_folder(db: Database) -> Path | None:
    """The folder where a person keeps base models: ``$WORKBENCH_MODELS``, else the one that was named here."""
    named = os.environ.get(MODELS_VARIABLE) or meta.value(db, MODELS_KEY)
    return Path(named).expanduser() if named else None


def set_models_folder(db: Database, folder: str) -> None:
    """Name the folder with base models; empty takes it away. Raises BaseError for one that isn't there."""
    text = folder.strip().strip('"')  # Windows copies paths with quotes
    if text and not Path(text).expanduser().is_dir():
        raise BaseError(f"There is no folder {text}. Name the folder that holds your checkpoints.")
    meta.put(db, MODELS_KEY, text or None)


def candidates(db: Database, now: str | None = None) -> list[Base]:
    """Base models to choose from: ``now``, the miniatures, those in use, and what lies in the models folder."""
    folder = models_folder(db)
    known = [*([now] if now else []), *EMBEDDED_BASES, *places.locations(db), *(_models_in(folder) if folder else [])]
    found = [describe(location) for location in dict.fromkeys(known)]
    return [base for base in found if base.ok or base.location == now]


def _models_in(folder: Path) -> Iterator[str]:
    """Checkpoints and diffusers folders of a folder and those below, by name; nothing within a diffusers folder."""
    left = MOST
    level = [folder]
    for _ in range(DEEPEST + 1):
        deeper = []
        for place in level:
            try:
                inside = sorted(place.iterdir(), key=lambda path: path.name.lower())
            except OSError:
                continue
            for path in inside:
                if path.name.startswith(".") or left <= 0:
                    continue
                left -= 1
                if (path / "model_index.json").is_file() or path.suffix.lower() == ".safetensors":
                    yield str(path)
                elif path.is_dir():
                    deeper.append(path)
        level = deeper


def _look(location: str) -> BaseKind:
    """What lies there, looked up again only when its file has changed: headers of big checkpoints take milliseconds."""
    path = Path(location).expanduser()
    try:
        stat = path.stat() if path.is_file() else None
    except OSError:
        stat = None
    if stat is None:
        return base_kind(location)
    return _look_at(location, stat.st_size, stat.st_mtime_ns, vae_beside(path) is not None)


@lru_cache(maxsize=1024)
def _look_at(location: str, size: int, modified_ns: int, has_vae_beside: bool) -> BaseKind:
    """All but the location are part of the cache key only."""
    return base_kind(location)
