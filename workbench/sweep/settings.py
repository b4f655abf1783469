"""Training settings for people: which there are, what they mean, and their values in words."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from trainer import EMBEDDED_BASES
from trainer.config import NOT_WEIGHTS, OWN_STEP, ConfigError, TrainConfig, parse_config
from trainer.effective import inert
from workbench.sentences import inert_reason, setting
from workbench.sweep.choices import CHOICES, sensible_rate
from workbench.sweep.patterns import Pattern, changes

__all__ = [
    "ConfigError",
    "Field",
    "change_label",
    "choice_text",
    "comes_to",
    "comparison",
    "field",
    "groups",
    "lines",
    "main_groups",
    "parse",
    "rare_groups",
    "typed",
    "varied",
]

parse = parse_config

GROUPS = {  # always shown
    "The LoRA": ("base_model", "dim", "alpha", "train_text_encoder", "resolution"),
    "Learning": ("optimizer", "learning_rate", "lr_scheduler"),
    "How long": ("epochs", "repeats", "batch_size", "save_every", "save_unit"),
    "Captions and clip skip": ("captions", "clip_skip"),
}
RARE_GROUPS = {  # folded away
    "More on the LoRA": ("modules", "conv_dim", "conv_alpha", "rslora", "dora", "dropout"),
    "More on learning": (
        "text_encoder_lr",
        "warmup_updates",
        "lr_cycles",
        "lr_power",
        "weight_decay",
        "beta1",
        "beta2",
        "max_grad_norm",
    ),
    "More on how long": ("gradient_accumulation", "max_updates", "max_images"),
    "More on photos and captions": ("flip", "caption_dropout", "shuffle_captions", "noise_offset", "min_snr_gamma"),
    "Precision": ("mixed_precision", "save_precision"),
}


@dataclass(frozen=True)
class Field:
    """One setting. ``choices``: what it may be; empty = a number or a text. ``source``: where it comes from."""

    name: str
    label: str
    unit: str
    help: str
    choices: tuple[str, ...]
    is_switch: bool
    source: str = ""

    @property
    def title(self) -> str:
        """Label and unit, unless the label says it or it is another setting."""
        plain = not self.unit or self.unit == self.label or self.unit in TrainConfig.model_fields
        return self.label if plain else f"{self.label} ({self.unit})"


NOT_KNOWN = "not known"  # of a training elsewhere


def field(name: str) -> Field:
    """What is known about a setting."""
    about, words = TrainConfig.model_fields[name], setting(name)
    kinds = [kind for kind in get_args(about.annotation) or (about.annotation,) if kind is not NoneType]
    choices = get_args(about.annotation) if get_origin(about.annotation) is Literal else ()
    extra = about.json_schema_extra
    source = str(extra.get("source") or "") if isinstance(extra, dict) else ""
    default = value_text(about.default)
    help = f"{words.help[:1].upper()}{words.help[1:]}. Default: {default or 'empty'}."
    if source:
        help += f" Source: {source}."
    return Field(name, words.label, words.unit, help, tuple(choices), kinds == [bool], source)


def groups() -> dict[str, list[Field]]:
    """All settings in the order of a form: :func:`main_groups`, then :func:`rare_groups`."""
    return main_groups() | rare_groups()


def main_groups() -> dict[str, list[Field]]:
    """The settings that a pattern is mostly about."""
    return {title: [field(name) for name in names] for title, names in GROUPS.items()}


def rare_groups() -> dict[str, list[Field]]:
    """The others; one that no group names comes last."""
    named = {name for names in (GROUPS | RARE_GROUPS).values() for name in names}
    rest = tuple(name for name in TrainConfig.model_fields if name not in named)
    listed = {**RARE_GROUPS, "More": rest} if rest else RARE_GROUPS
    return {title: [field(name) for name in names] for title, names in listed.items()}


def choice_text(name: str, value: Any, base_model: str = "") -> str:
    """One sentence on a choice, its sensible rate where it is an optimiser, and the source; empty where there is none.

    ``base_model``: whose scale the rate is on; empty = SD 1.x.
    """
    choice = CHOICES.get(name, {}).get(str(value))
    if choice is None:
        return ""
    text = choice.sentence
    if name == "optimizer":
        rate = sensible_rate(str(value), embedded=base_model in EMBEDDED_BASES)
        text += f" A sensible rate at alpha = dim: {rate:g}." if rate else " It has no rate to set."
    return f"{text} ({choice.source})"


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


def lines(config: Mapping[str, Any], unknown: Collection[str] = ()) -> list[tuple[str, str]]:
    """Settings as (name with unit, value). ``unknown``: those of which the value is only a stand-in."""
    return [
        (field(name).title, NOT_KNOWN if name in unknown else value_text(value) or "-")
        for name, value in config.items()
    ]


def change_label(label: str, change: Mapping[str, Any]) -> str:
    """A label for a copy with some changes: 'baseline, alpha 1'."""
    return ", ".join(
        [label, *(f"{field(name).label} {value_text(value) or 'empty'}" for name, value in change.items())]
    )


def comparison(listed: Sequence[Pattern], trained: Mapping[int, int], n_photos: int) -> list[dict[str, Any]]:
    """A row per pattern: its label, the settings in which patterns differ, and what they come to.

    A setting that is as in the first pattern is left blank; one of a training elsewhere may not be known.
    ``n_photos``: on the train side, 0 = not known.
    """
    changed = {pattern.pattern_id: changes(pattern, listed[0]) for pattern in listed}
    names = [
        name
        for name in TrainConfig.model_fields
        if name not in NOT_WEIGHTS
        and (any(name in own for own in changed.values()) or len({name in p.unknown for p in listed}) > 1)
    ]

    def shown(pattern: Pattern, name: str) -> str:
        if name in pattern.unknown:
            return NOT_KNOWN
        told = name in changed[pattern.pattern_id] or pattern is listed[0] or name in listed[0].unknown
        return value_text(getattr(pattern.config, name)) or "-" if told else ""

    return [
        {
            "pattern": pattern.label,
            **{field(name).label: shown(pattern, name) for name in names},
            **come_to(pattern, n_photos),
            "trained": trained.get(pattern.pattern_id, 0),
            "note": pattern.note,
        }
        for pattern in listed
    ]


def come_to(pattern: Pattern, n_photos: int) -> dict[str, Any]:
    """The same as :func:`amounts`, empty where not all settings are known."""
    found = amounts(pattern.config, n_photos)
    return dict.fromkeys(found) if pattern.unknown else found


def amounts(config: TrainConfig, n_photos: int) -> dict[str, Any]:
    """What the settings come to: the rate that is felt, and how long the training is.

    Adam and Lion move a module by about rate x scale each update (scale = alpha / dim, under rsLoRA alpha /
    sqrt(dim)); AdaFactor has no rate at all, D-Adaptation and Prodigy find theirs while they train.
    """
    felt = f"{config.learning_rate * config.scale:g}"
    if "learning_rate" in inert(config):
        felt = "-"
    elif config.optimizer in OWN_STEP:
        felt = "finds its own"
    if not n_photos:
        return {"rate × scale": felt}
    updates = config.total_updates(n_photos)
    seen = config.images_seen(updates, n_photos)
    return {"rate × scale": felt, "updates": updates, "images seen": seen}


def comes_to(values: Mapping[str, Any], n_photos: int) -> str:
    """The same in a sentence, for beside the fields while somebody types; what is wrong where something is."""
    try:
        config = parse_config(dict(values))
    except ConfigError as error:
        return str(error)
    found = amounts(config, n_photos)
    if not n_photos:
        return f"rate × scale {found['rate × scale']} · updates: once there are photos"
    files = len(config.save_points(n_photos))
    return (
        f"{found['updates']:,} updates · {found['images seen']:,} images seen · rate × scale {found['rate × scale']} · "
        f"{files} LoRA file{'s' if files != 1 else ''}"
    )


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
