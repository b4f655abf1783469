"""What a folder, or an upload, holds: pictures, each with its caption if it has one, and the split."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from workbench.dataset.caption_file import caption_of, captions_in, parse_captions, read_captions
from workbench.dataset.captions import decoded, read_text
from workbench.dataset.photo_file import SUFFIXES, PhotosError
from workbench.dataset.split import REFERENCE, TRAIN

Source = tuple[str, bytes | Path, str | None]  # name, the file or its content, caption if there is one

TOLD_APART = (".gif",)  # not readable, but a person should hear why
READ = "JPEG, PNG, WebP, BMP, TIFF, HEIC and AVIF files are read."


@dataclass(frozen=True)
class Found:
    """Pictures to import, the sides that sub-folders give them (empty: none), and what should be said."""

    sources: list[Source]
    sides: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def photos_in(folder: Path, captions: Path | None = None) -> Found:
    """Pictures of a folder and of its sub-folders ``train`` and ``reference``, with their captions.

    A caption is what ``captions`` says of the photo (a file of caption_file.py), else the text file beside
    it, else what the folder's own caption file says. Raises PhotosError for a folder without pictures, or a
    caption file that names none of them.
    """
    if not folder.is_dir():
        raise PhotosError(f"There is no folder {folder}. Give the folder that holds the photos.")
    inner = {name: folder / name for name in (TRAIN, REFERENCE) if (folder / name).is_dir()}
    first = read_captions(captions) if captions else {}
    last = captions_in(folder)
    sources: list[Source] = []
    sides: dict[str, str] = {}
    unnamed = []
    for side, place in {"": folder, **inner}.items():
        for path in pictures_in(place):
            name = f"{side}/{path.name}" if side else path.name
            said = caption_of(first, name)
            if captions and said is None:
                unnamed.append(name)
            sources.append((name, path, said or read_text(path) or caption_of(last, name)))
            if side and len(inner) == 2:
                sides[name] = side
    if not sources:
        raise PhotosError(f"There are no pictures in {folder}. {READ}")
    if captions and len(unnamed) == len(sources):
        raise PhotosError(f"{captions.name} names none of the photos in {folder}: it names {next(iter(first))}.")
    few = ", ".join(unnamed[:3]) + (" and more" if len(unnamed) > 3 else "")
    warnings = [f"{captions.name} has no caption for {len(unnamed)} photos ({few})."] if captions and unnamed else []
    return Found(sources, sides, warnings)


def uploaded(files: Sequence[tuple[str, bytes]]) -> list[Source]:
    """Uploaded pictures (name, content), each with its caption out of the text and caption files among them."""
    texts: dict[str, str] = {}
    listed: dict[str, str] = {}
    pictures = []
    for name, data in files:
        if name.lower().endswith((".txt", ".caption")):
            texts[PurePath(name).stem.lower()] = decoded(data)
        elif name.lower().endswith((".csv", ".jsonl", ".json")):
            listed |= parse_captions(name, data)
        else:
            pictures.append((name, data))
    return [(name, data, texts.get(PurePath(name).stem.lower()) or caption_of(listed, name)) for name, data in pictures]


def subjects_in(folder: Path) -> list[Path]:
    """Sub-folders that hold pictures of a subject each; empty where the pictures lie in the folder itself."""
    if not folder.is_dir() or pictures_in(folder):
        return []
    inner = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if {path.name for path in inner} & {TRAIN, REFERENCE}:
        return []
    return sorted((path for path in inner if has_pictures(path)), key=lambda path: counting_order(path.name))


def has_pictures(folder: Path) -> bool:
    """Whether a folder holds pictures, itself or split into ``train`` and ``reference``."""
    return any(place.is_dir() and pictures_in(place) for place in (folder, folder / TRAIN, folder / REFERENCE))


def pictures_in(folder: Path) -> list[Path]:
    """Picture files of a folder, numbers in names in counting order; hidden files are no photos."""
    suffixes = (*SUFFIXES, *TOLD_APART)
    seen = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    found = [path for path in seen if path.suffix.lower() in suffixes]
    return sorted(found, key=lambda path: counting_order(path.name))


def counting_order(name: str) -> list[tuple[int, str]]:
    """Sort key that puts 2.jpg before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (0, part.lower()) for part in re.split(r"([0-9]+)", name)]
