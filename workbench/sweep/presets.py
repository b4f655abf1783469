"""Patterns to start from, by name: a baseline, optimisers at their own rates, seeds only, the article."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from trainer import EMBEDDED_BASES
from trainer.config import TrainConfig
from workbench.sweep import article, miniature, patterns
from workbench.sweep.choices import OPTIMIZERS, sensible_rate
from workbench.sweep.danger import COUPLED
from workbench.sweep.patterns import Asked

SD1_BASELINE: dict[str, Any] = {  # about 1,500 updates with 30 photos; sources stand beside each setting
    "resolution": 512,
    "dim": 32,
    "alpha": 16.0,
    "learning_rate": 1e-4,
    "text_encoder_lr": 5e-5,
    "lr_scheduler": "cosine",
    "batch_size": 2,
    "repeats": 10,
    "epochs": 10,
    "save_every": 2,
    "min_snr_gamma": 5.0,
    "mixed_precision": "fp16",
}
OPTIMIZER_NAMES = ("adamw", "adam", "lion", "adafactor", "adafactor-fixed", "dadaptation", "prodigy", "sgd_nesterov")


@dataclass(frozen=True)
class Preset:
    """A named set of patterns. ``seeds``: training seeds to queue them with."""

    key: str
    title: str
    sentence: str
    seeds: tuple[int, ...] = (1, 2)


PRESETS = {
    preset.key: preset
    for preset in (
        Preset("baseline", "Baseline", "One pattern that usually works, to compare everything else with."),
        Preset(
            "optimizers",
            "Optimisers, each at its own rate",
            "The baseline with every optimiser at a sensible rate of its own: one rate for all would only say whom it "
            "suits.",
        ),
        Preset(
            "seeds",
            "Seeds only",
            "The baseline four times with nothing but another training seed: how far apart chance alone puts them.",
            (1, 2, 3, 4),
        ),
        Preset(
            "article",
            "The article's 25 patterns",
            "What a blogger compared in 2023, as far as the settings are known, with the author's marks beside ours.",
        ),
    )
}


def asked_for(db: Database, project: Mapping[str, Any], key: str) -> list[Asked]:
    """The patterns of a preset for a project, with its base model and, where it has patterns, its baseline.

    Raises KeyError for a preset that there isn't.
    """
    if key == "article":
        found, _ = article.placed(article.patterns(), {article.BASE: project["base_model"]}, article_table(project))
        return found
    listed = patterns.listed(db, project["id"])
    start = listed[0].config if listed else baseline(project["base_model"])
    made = {"baseline": [Asked("baseline", baseline(project["base_model"]), "a preset")], "seeds": [], "optimizers": []}
    if key == "seeds":
        made["seeds"] = [Asked(listed[0].label, start) if listed else made["baseline"][0]]
    elif key == "optimizers":
        made["optimizers"] = optimizers(start)
    return made[key]


def baseline(base_model: str) -> TrainConfig:
    """A pattern that usually works on this base."""
    settings = miniature.BASELINE if base_model in EMBEDDED_BASES else SD1_BASELINE
    return TrainConfig(base_model=base_model, **settings)


def optimizers(start: TrainConfig) -> list[Asked]:
    """A pattern with every optimiser at its own sensible rate; the text encoder's is in proportion."""
    found = []
    part = (start.text_encoder_lr or start.learning_rate) / start.learning_rate
    for name in OPTIMIZER_NAMES:
        rate = sensible_rate(name, embedded=start.base_model in EMBEDDED_BASES) or start.learning_rate
        changes = {"optimizer": name, "learning_rate": rate}
        if name in COUPLED:
            changes["weight_decay"] = 0.0
        if start.text_encoder_lr is not None:
            changes["text_encoder_lr"] = float(f"{rate * part:.6g}")
        label = name if OPTIMIZERS[name].rate is None else f"{name} at {rate:g}"
        note = "at a sensible rate of its own" if OPTIMIZERS[name].rate else "sets its own step sizes"
        found.append(Asked(label, TrainConfig.model_validate({**start.model_dump(), **changes}), note))
    return found


def article_table(project: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the article is scaled for a project: not at all, except on the miniature."""
    return miniature.ARTICLE if project["base_model"] in EMBEDDED_BASES else None
