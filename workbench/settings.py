"""Training settings for people: which there are, what they mean, and their values in words."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from trainer.config import NOT_WEIGHTS, ConfigError, TrainConfig, inert, parse_config
from workbench import miniature
from workbench.patterns import Pattern, changes
from workbench.sentences import inert_reason, setting

__all__ = [
    "ConfigError",
    "Field",
    "change_label",
    "comparison",
    "field",
    "groups",
    "lines",
    "parse",
    "start",
    "typed",
    "varied",
]

parse = parse_config

GROUPS = {
    "The LoRA": ("base_model", "dim", "alpha", "modules", "resolution"),
    "Learning": (
        "optimizer",
        "learning_rate",
        "lr_scheduler",
        "warmup_updates",
        "weight_decay",
        "max_grad_norm",
    ),
    "How long": ("epochs", "repeats", "batch_size", "max_updates", "save_every", "save_unit"),
    "Text encoder": ("train_text_encoder", "text_encoder_lr", "clip_skip"),
    "Pictures and precision": ("min_snr_gamma", "flip", "mixed_precision", "save_precision"),
}


@dataclass(frozen=True)
class Field:
    """One setting. ``choices``: what it may be; empty = a number or a text."""

    name: str
    label: str
    unit: str
    help: str
    choices: tuple[str, ...]
    is_switch: bool

    @property
    def title(self) -> str:
        """Label and unit, unless the label says it or it is another setting."""
        plain = not self.unit or self.unit == self.label or self.unit in TrainConfig.model_fields
        return self.label if plain else f"{self.label} ({self.unit})"


def field(name: str) -> Field:
    """What is known about a setting."""
    about, words = TrainConfig.model_fields[name], setting(name)
    kinds = [kind for kind in get_args(about.annotation) or (about.annotation,) if kind is not NoneType]
    choices = get_args(about.annotation) if get_origin(about.annotation) is Literal else ()
    default = value_text(about.default)
    help = f"{words.help[:1].upper()}{words.help[1:]}. Default: {default or 'empty'}."
    return Field(name, words.label, words.unit, help, tuple(choices), kinds == [bool])


def groups() -> dict[str, list[Field]]:
    """All settings in the order of a form; one that no group names comes last."""
    named = {name for names in GROUPS.values() for name in names}
    rest = [name for name in TrainConfig.model_fields if name not in named]
    listed = {**GROUPS, "More": tuple(rest)} if rest else GROUPS
    return {title: [field(name) for name in names] for title, names in listed.items()}


def value_text(value: Any) -> str:
    """A setting's value for people, and for a field to type it in: 0.002, yes, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def typed(text: str) -> Any:
    """What a person typed, as ``parse_config`` reads it: nothing is None, numbers come as text."""
    if re.fullmatch(r"\s*-?\d+,\d+\s*", text):  # a decimal comma
        text = text.replace(",", ".")
    return text.strip() or None


def lines(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings as (name with unit, value)."""
    return [(field(name).title, value_text(value) or "-") for name, value in config.items()]


def start(project: Mapping[str, Any]) -> dict[str, Any]:
    """What the form for a first pattern begins with: what suits the project's base model."""
    suited = miniature.BASELINE if project["base_model"] == "embedded" else {}
    return TrainConfig(base_model=project["base_model"], **suited).model_dump()


def change_label(label: str, change: Mapping[str, Any]) -> str:
    """A label for a copy with some changes: 'baseline, alpha 1'."""
    return ", ".join(
        [label, *(f"{field(name).label} {value_text(value) or 'empty'}" for name, value in change.items())]
    )


def comparison(listed: Sequence[Pattern], trained: Mapping[int, int], n_photos: int) -> list[dict[str, Any]]:
    """A row per pattern: its label, the settings in which patterns differ, and what they come to.

    A setting that is as in the first pattern is left blank. ``n_photos``: on the train side, 0 = not known.
    """
    changed = {pattern.pattern_id: changes(pattern, listed[0]) for pattern in listed}
    names = [
        name
        for name in TrainConfig.model_fields
        if name not in NOT_WEIGHTS and any(name in own for own in changed.values())
    ]
    return [
        {
            "pattern": pattern.label,
            **{
                field(name).label: value_text(getattr(pattern.config, name)) or "-"
                if name in changed[pattern.pattern_id] or pattern is listed[0]
                else ""
                for name in names
            },
            **amounts(pattern.config, n_photos),
            "trained": trained.get(pattern.pattern_id, 0),
            "note": pattern.note,
        }
        for pattern in listed
    ]


def amounts(config: TrainConfig, n_photos: int) -> dict[str, Any]:
    """What the settings come to: the rate that is felt, and how long the training is.

    Adam and Lion move a module by about rate x alpha / dim each update; AdaFactor has no rate at all.
    """
    felt = "-" if "learning_rate" in inert(config) else f"{config.learning_rate * config.alpha / config.dim:g}"
    if not n_photos:
        return {"rate × alpha / dim": felt}
    updates = config.total_updates(n_photos)
    seen = config.images_seen(updates, n_photos)
    return {"rate × alpha / dim": felt, "updates": updates, "images seen": seen}


def in_force(config: TrainConfig, effective: str | None) -> list[dict[str, str]]:
    """Every setting as it was asked for, as it was in force, and why the two differ.

    ``effective``: the run's stored JSON; None before it started.
    """
    actual = json.loads(effective) if effective else {}
    without_effect = inert(config)
    rows = []
    for name, value in config.model_dump(mode="json").items():
        asked = value_text(value) or "-"
        now = value_text(actual[name]) or "-" if name in actual else asked
        why = inert_reason(without_effect[name]) if name in without_effect else ""
        if not why and now != asked:
            why = "this device can't do it" if name == "mixed_precision" else "follows from other settings"
        rows.append(
            {
                "setting": field(name).title,
                "asked for": asked,
                "in force": "-" if name in without_effect else now,
                "why": why,
            }
        )
    return rows


def varied(settings: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Settings that are not the same in all patterns. ``settings``: pattern -> those that have an effect."""
    return [name for name in TrainConfig.model_fields if len({repr(own.get(name)) for own in settings.values()}) > 1]
