"""Where a project's results were made: photos, devices, what each run noted there, and who wrote the report."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database

from db import library, runs
from workbench.sweep import patterns, settings
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

NOT_THE_RUNS = (
    "These are of the computer that wrote this report. Runs may have trained on another one, or with older packages; "
    "what they noted there is in the table below."
)
RUN_HEADS = ("pattern", "training seed", "outcome", "device", "time", "updates", "in force there, other than asked for")


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
        ("report written on", f"{platform.system()}, Python {platform.python_version()}"),
        ("packages there", f"{', '.join(filter(None, map(version, PACKAGES)))}. {NOT_THE_RUNS}"),
    ]
    return [(name, said) for name, said in rows if said]


def version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def run_rows(db: Database, project: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row (RUN_HEADS) per run that began to train here, with what it noted itself where it trained."""
    listed = {pattern.pattern_id: pattern for pattern in patterns.listed(db, project["id"])}
    return [
        (
            row["label"],
            str(row["seed"]),
            row["status"].replace("_", " "),
            row["device"],
            duration(row["train_seconds"]) if row["train_seconds"] else "-",
            f"{row['step']:,}",
            in_force(listed[row["pattern_id"]], row["effective"]) if row["pattern_id"] in listed else "-",
        )
        for row in runs.of_project(db, project["id"])
        if row["device"]
    ]


def in_force(pattern: patterns.Pattern, noted: str | Mapping[str, Any] | None) -> str:
    """The settings that a run used and that its pattern doesn't ask for: "precision: no"."""
    used = json.loads(noted) if isinstance(noted, str) else noted or {}
    asked = pattern.config.model_dump(mode="json")
    return (
        ", ".join(
            f"{settings.field(name).label}: {settings.value_text(value) or 'none'}"
            for name, value in used.items()
            if name in asked and value != asked[name]
        )
        or "-"
    )
