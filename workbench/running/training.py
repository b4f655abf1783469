"""From a run's row to the command that trains it."""

import json
from typing import Any

from sqlite_utils import Database

from db import library
from trainer.captions import caption_as
from trainer.config import parse_config
from workbench import bases
from workbench.words import slug
from workbench.workspace import Workspace


class NoTrainingPhotos(ValueError):
    """The run's dataset has nothing to train on."""


def training_command(ws: Workspace, db: Database, run: dict[str, Any]) -> dict[str, Any]:
    """All that the engine needs to train a run, files by absolute path. ``run``: a row of db.runs.get.

    A final run trains on the reference photos too; otherwise they only measure how it does on photos that it
    hasn't seen. Captions are what the pattern makes of those that people wrote.
    """
    dataset, config = library.dataset(db, run["dataset_id"]), parse_config(run["config"])
    train, reference = (library.photos(db, run["dataset_id"], side) for side in ("train", "reference"))
    if run["final"]:
        train, reference = [*train, *reference], []
    if dataset is None or not train:
        raise NoTrainingPhotos("The dataset has no photo on the train side. Move some there on the Photos page.")
    words = dataset["trigger_word"], dataset["class_noun"], json.loads(dataset["traits"])

    def listed(photos: list[dict[str, Any]]) -> list[dict[str, str]]:
        return [
            {
                "path": str(ws.path(photo["file"])),
                "caption": caption_as(config.captions, photo["caption"], *words),
                "sha256": photo["sha256"],
            }
            for photo in photos
        ]

    return {
        "do": "train",
        "run": run["id"],
        "config": config.model_dump(mode="json"),
        "base": bases.place(db, config.base_model),
        "seed": run["seed"],
        "photos": listed(train),
        "reference": listed(reference),
        "continues": str(ws.run_folder(run["continues"]) / "state") if run["continues"] else None,
        "out": str(ws.run_folder(run["id"])),
        "name": f"{slug(run['project'])}-{slug(run['label'])}-r{run['id']}",
        "trigger": dataset["trigger_word"],
        "class_noun": dataset["class_noun"],
        "cache": str(ws.cache),
    }
