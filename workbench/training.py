"""From a run's row to the command that trains it."""

from typing import Any

from sqlite_utils import Database

from db import library
from trainer.config import parse_config
from workbench.words import slug
from workbench.workspace import Workspace


class NoTrainingPhotos(ValueError):
    """The run's dataset has nothing to train on."""


def training_command(ws: Workspace, db: Database, run: dict[str, Any]) -> dict[str, Any]:
    """All that the engine needs to train a run, files by absolute path. ``run``: a row of db.runs.get."""
    dataset = library.dataset(db, run["dataset_id"])
    photos = library.photos(db, run["dataset_id"], "train")
    if dataset is None or not photos:
        raise NoTrainingPhotos("The dataset has no photo on the train side. Move some there on the Photos page.")
    return {
        "do": "train",
        "run": run["id"],
        "config": parse_config(run["config"]).model_dump(mode="json"),
        "seed": run["seed"],
        "photos": [
            {"path": str(ws.path(photo["file"])), "caption": photo["caption"], "sha256": photo["sha256"]}
            for photo in photos
        ],
        "out": str(ws.run_folder(run["id"])),
        "name": f"{slug(run['project'])}-{slug(run['label'])}-r{run['id']}",
        "trigger": dataset["trigger_word"],
        "class_noun": dataset["class_noun"],
        "cache": str(ws.cache),
    }
