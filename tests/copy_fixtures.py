"""pytest plugin: the embedded judges on the demo's photos, and LoRAs that do and don't memorise, each made once."""

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.scores.copy_trial import Eyes
    from workbench.scores.likeness import Rgb


class Drawn(NamedTuple):
    """The previews of a LoRA, and how long it was trained."""

    pictures: "list[Rgb]"
    updates: int


@pytest.fixture(scope="session")
def eyes() -> "Eyes":
    """The embedded judges with the demo's photos."""
    from workbench.scores.copy_trial import Eyes

    return Eyes()


@pytest.fixture(scope="session")
def memorised(base: Any, subject: "Path", tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Previews of a LoRA that saw one photo only."""
    from trainer.config import TrainConfig
    from trainer.data import read_folder
    from workbench.scores.copy_trial import MEMORISED, MEMORISES, draw

    one = read_folder(subject / "train")[MEMORISED : MEMORISED + 1]
    briefly = TrainConfig(**{**MEMORISES, "epochs": 100, "save_every": 100})  # half the recipe: enough for this photo
    return Drawn(*draw(base, briefly, one, tmp_path_factory.mktemp("memorised")))


@pytest.fixture(scope="session")
def generalised(base: Any, subject: "Path", tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Previews of the demo's baseline, trained briefly."""
    from trainer.config import TrainConfig
    from trainer.data import read_folder
    from workbench.scores.copy_trial import draw
    from workbench.sweep.miniature import BASELINE

    config = TrainConfig(**{**BASELINE, "max_updates": 80})
    return Drawn(*draw(base, config, read_folder(subject / "train"), tmp_path_factory.mktemp("generalised")))


@pytest.fixture(scope="session")
def base_row(base: Any) -> "list[Rgb]":
    """The same previews by the base alone."""
    from workbench.scores.copy_trial import previews

    return previews(base, None)
