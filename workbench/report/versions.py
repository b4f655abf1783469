"""Where a project's results were made: photos, devices, packages."""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from db import library, runs
from workbench.words import duration

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "open_clip_torch",
    "insightface",
    "onnxruntime",
    "numpy",
    "scipy",
    "pandas",
)


def versions(db: Database, project: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Photos, devices, and the packages of the computer that writes the report."""
    done = [row for row in runs.of_project(db, project["id"]) if row["status"] == "done"]
    dataset = project["dataset_id"]
    sides = [len(library.photos(db, dataset, side)) if dataset else 0 for side in ("train", "reference")]
    seconds = sum(row["train_seconds"] for row in done)
    rows = [
        ("photos", f"{sides[0]} to train on, {sides[1]} held out to measure likeness against"),
        ("trained on", ", ".join(sorted({row["device"] for row in done if row["device"]}))),
        ("training time", duration(seconds) if seconds else ""),
        ("this report on", f"{platform.system()}, Python {platform.python_version()}"),
        ("packages there", ", ".join(filter(None, map(version, PACKAGES)))),
    ]
    return [(name, said) for name, said in rows if said]


def version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""
