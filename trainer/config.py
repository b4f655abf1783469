"""A pattern: the requested settings of one training, checked, hashed and counted (no torch here)."""

import difflib
import hashlib
import json
import math
from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NOT_WEIGHTS = ("save_every", "save_unit")  # when to save a file says nothing about what is in it


class ConfigError(ValueError):
    """A pattern that cannot be trained as written."""


def setting(default: Any, description: str, unit: str = "", **bounds: Any) -> Any:
    """A documented field: its default, what it does, its unit and its bounds."""
    return Field(default=default, description=description, json_schema_extra={"unit": unit}, **bounds)


class TrainConfig(BaseModel):
    """What was asked for, without seed, photos and device. Two equal patterns have one hash."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base_model: str = setting("embedded", "base model: `embedded` or a diffusers folder", min_length=1)
    resolution: int | None = setting(
        None, "side of the square photos; empty = the base's own size", "px", ge=16, le=4096, multiple_of=8
    )
    dim: int = setting(16, "rank of the LoRA: how many directions each module may learn", ge=1, le=1024)
    alpha: float = setting(16.0, "the LoRA is scaled by alpha / dim", gt=0, le=4096)
    modules: Literal["kohya", "attention"] = setting(
        "kohya",
        "which U-Net modules learn: `kohya` = attention, feed-forward and projections (192 in SD 1.x)",
    )
    train_text_encoder: bool = setting(True, "train the text encoder too")
    text_encoder_lr: float | None = setting(
        None, "learning rate of the text encoder; empty = learning_rate", "per update", gt=0, le=10
    )
    optimizer: Literal["adamw", "adafactor", "lion"] = setting(
        "adamw", "the update rule; `adafactor` sets its own step sizes and ignores the learning rate"
    )
    learning_rate: float = setting(1e-4, "step size", "per update", gt=0, le=10)
    weight_decay: float = setting(0.01, "decoupled pull of the weights towards zero", "per update / rate", ge=0, le=1)
    lr_scheduler: Literal["constant", "cosine", "linear"] = setting(
        "constant", "how the learning rate falls after the warm-up, towards 0 at the end"
    )
    warmup_updates: int = setting(0, "updates over which the learning rate rises from 0", "updates", ge=0)
    batch_size: int = setting(1, "photos per update", "photos", ge=1, le=1024)
    repeats: int = setting(1, "times each photo is seen per epoch", "times", ge=1, le=10_000)
    epochs: int = setting(10, "passes over the photos", "epochs", ge=1, le=100_000)
    max_updates: int | None = setting(None, "stop after so many updates; empty = all epochs", "updates", ge=1)
    save_every: int = setting(1, "a file is saved each time so many save_units are done", "save_unit", ge=1)
    save_unit: Literal["epochs", "updates", "images"] = setting("epochs", "what save_every counts")
    clip_skip: int = setting(1, "hidden state counted from the end of the text encoder; 1 = the last", "layers", ge=1)
    min_snr_gamma: float | None = setting(
        None, "cap on the weight of nearly clean timesteps (5 is usual); empty = no weighting", gt=0
    )
    max_grad_norm: float = setting(1.0, "gradients are scaled down to this norm; 0 = off", ge=0)
    flip: bool = setting(False, "show photos mirrored half of the time")
    mixed_precision: Literal["no", "fp16", "bf16"] = setting("no", "number format of the forward pass")
    save_precision: Literal["fp16", "bf16", "fp32"] = setting("fp16", "number format of the saved file")

    @property
    def hash(self) -> str:
        """sha256 (hex) of every requested setting, in an order that does not depend on who wrote them."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def updates_per_epoch(self, n_images: int) -> int:
        """ceil(images x repeats / batch): the last batch of an epoch may be smaller, as in sd-scripts."""
        if n_images < 1:
            raise ConfigError("There is no photo to train on. Add at least one photo to the train side.")
        return math.ceil(n_images * self.repeats / self.batch_size)

    def total_updates(self, n_images: int) -> int:
        """epochs x updates per epoch, at most max_updates."""
        total = self.epochs * self.updates_per_epoch(n_images)
        return total if self.max_updates is None else min(total, self.max_updates)

    def images_seen(self, update: int, n_images: int) -> int:
        """Photos shown up to and including this update, repeats counted."""
        epochs, rest = divmod(update, self.updates_per_epoch(n_images))
        per_epoch = n_images * self.repeats
        return epochs * per_epoch + min(rest * self.batch_size, per_epoch)

    def save_points(self, n_images: int) -> list[int]:
        """Update numbers after which a file is saved, rising; the last update is always one of them."""
        total = self.total_updates(n_images)
        if self.save_unit == "images":
            steps = [self.images_seen(u, n_images) // self.save_every for u in range(total + 1)]
            points = {u for u in range(1, total + 1) if steps[u] > steps[u - 1]}
        else:
            per_unit = self.updates_per_epoch(n_images) if self.save_unit == "epochs" else 1
            points = set(range(self.save_every * per_unit, total + 1, self.save_every * per_unit))
        return sorted(points | {total})


def parse_config(data: dict[str, Any] | str) -> TrainConfig:
    """A pattern from a dict or a JSON text; ConfigError says what is wrong, where, and what to do."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except json.JSONDecodeError as error:
            raise ConfigError(f"The pattern is not JSON: {error}. Write one object of settings.") from error
    if not isinstance(data, dict):
        raise ConfigError(f'The pattern is a {type(data).__name__}. Write one JSON object: {{"dim": 16, ...}}.')
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(" ".join(_sentence(dict(e)) for e in error.errors())) from error


def _sentence(error: dict[str, Any]) -> str:
    """One of pydantic's errors in plain words: which setting, what it is, what it may be."""
    name, kind, context = str(error["loc"][0]), error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, TrainConfig.model_fields, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(TrainConfig.model_fields)}."
        return f"There is no setting {name}. {hint}"
    allowed = {
        "greater_than": "above {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than_equal": "at most {le}",
        "multiple_of": "a multiple of {multiple_of}",
        "literal_error": "one of {expected}",
        "string_too_short": "a name or a folder",
        "finite_number": "a finite number",
    }.get(kind)
    if allowed is None:
        wanted = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "a text"}
        allowed = next((words for start, words in wanted.items() if kind.startswith(start)), error["msg"].lower())
    about = TrainConfig.model_fields[name].description
    return f"{name} is {error['input']!r} but must be {allowed.format(**context)} ({about})."


def inert(config: TrainConfig) -> dict[str, str]:
    """Settings that cannot change this pattern's LoRA -> the code of the reason."""
    reasons: dict[str, str] = {}
    if config.optimizer == "adafactor":
        names = ("learning_rate", "text_encoder_lr", "lr_scheduler", "warmup_updates")
        reasons |= dict.fromkeys(names, "adafactor_relative_step")
    if not config.train_text_encoder:
        reasons["text_encoder_lr"] = "text_encoder_not_trained"
    return reasons


def effective(config: TrainConfig, precisions: Collection[str]) -> dict[str, Any]:
    """The settings that decide the weights, on a device that offers these precisions; inert ones are None."""
    settings = config.model_dump(mode="json", exclude=set(NOT_WEIGHTS))
    if config.text_encoder_lr is None:
        settings["text_encoder_lr"] = config.learning_rate
    settings |= dict.fromkeys(inert(config), None)
    if config.optimizer == "adafactor":
        settings["lr_scheduler"] = "adafactor"
    if config.mixed_precision not in precisions:
        settings["mixed_precision"] = "no"
    return settings


def differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Names of the effective settings in which two patterns differ, in the order of the first.

    What only follows from another difference is left out: a rate or schedule that AdaFactor masks in one of
    them, the text encoder's rate where one does not train it, or where both rates are one number.
    """
    names = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    follows: set[str] = set()
    if "optimizer" in names and "adafactor" in (a.get("optimizer"), b.get("optimizer")):
        follows |= {"learning_rate", "text_encoder_lr", "lr_scheduler", "warmup_updates"}
    one_rate = all(x.get("text_encoder_lr") == x.get("learning_rate") for x in (a, b))
    if "train_text_encoder" in names or one_rate:
        follows.add("text_encoder_lr")
    return [name for name in names if name not in follows]
