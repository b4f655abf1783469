"""Captions of many photos in one file: a CSV, or the metadata files of diffusers and sd-scripts."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.dataset.captions import decoded, one_line
from workbench.dataset.photo_file import PhotosError

# what diffusers, sd-scripts and people call the two columns
NAMES = ("file", "file_name", "filename", "image", "path", "name")
TEXTS = ("caption", "text", "prompt", "captions")
FOUND_BY_ITSELF = ("captions.csv", "metadata.csv", "metadata.jsonl", "meta_cap.json", "metadata.json")

Captions = dict[str, str]  # name of a photo as the file writes it, forward slashes -> caption


def captions_in(folder: Path) -> Captions:
    """Captions from the file in a folder that is called as such files are; empty if there is none."""
    for name in FOUND_BY_ITSELF:
        if (path := folder / name).is_file():
            return read_captions(path)
    return {}


def read_captions(path: Path) -> Captions:
    """The captions of a file, by its ending. Raises PhotosError with what it should hold."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PhotosError(f"{path} can't be opened ({error.strerror or error}).") from error
    return parse_captions(path.name, data)


def parse_captions(name: str, data: bytes) -> Captions:
    """The captions in the content of a file called ``name``: .csv, .jsonl or .json."""
    text = decoded(data)
    try:
        if name.lower().endswith(".jsonl"):
            rows: Iterable[Mapping[str, Any]] = [json.loads(line) for line in text.splitlines() if line.strip()]
        elif name.lower().endswith(".json"):
            rows = [{"file": key, **value} for key, value in json.loads(text).items()]
        else:
            rows = csv_rows(text)
        found = dict(filter(None, map(pair, rows)))
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise PhotosError(
            f"{name} can't be read ({error}). It must be a CSV with the columns file, caption."
        ) from error
    if not found:
        raise PhotosError(f"{name} names no caption. It must be a CSV with the columns file, caption.")
    return found


def csv_rows(text: str) -> list[dict[str, Any]]:
    """Rows of a CSV; spreadsheets write semicolons or tabs in some countries."""
    head = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=head.count)
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def pair(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Name and caption of a row; None if it lacks one of them."""
    lower = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    name = next((lower[key] for key in NAMES if lower.get(key)), None)
    text = next((lower[key] for key in TEXTS if lower.get(key)), None)
    if isinstance(text, list):  # several for one photo: the first
        text = text[0] if text else None
    return (str(name).strip().replace("\\", "/"), one_line(str(text))) if name and text else None


def caption_of(captions: Mapping[str, str], name: str) -> str | None:
    """The caption for the photo called ``name`` (``train/01.jpg``): by its path, else by what only one path ends in.

    The names in a file may be paths from elsewhere, and those of sd-scripts have no ending.
    """
    wanted = PurePosixPath(name.replace("\\", "/").lower())
    by_path = {PurePosixPath(key.lower()): caption for key, caption in captions.items()}
    for same in (
        lambda path: path == wanted,
        lambda path: path == wanted.with_suffix(""),
        lambda path: path.name == wanted.name,
        lambda path: path.name == wanted.stem,
    ):
        found = [caption for path, caption in by_path.items() if same(path)]
        if len(found) == 1:
            return found[0]
    return None
