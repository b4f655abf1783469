"""A pattern: the requested settings of one training, checked, hashed and counted (no torch here)."""

import difflib
import hashlib
import json
import math
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NOT_WEIGHTS = ("save_every", "save_unit")  # when to save a file says nothing about what is in it
LENGTH = ("epochs", "max_updates", "max_images")  # how long: a run that was long enough can go on to be longer
OWN_STEP = ("dadaptation", "prodigy")  # find their step size themselves; the learning rate multiplies it
EIGHT_BIT = ("adamw8bit", "lion8bit", "sgd_nesterov8bit")

Optimizer = Literal[
    "adamw",
    "adam",
    "lion",
    "sgd_nesterov",
    "adafactor",
    "adafactor-fixed",
    "dadaptation",
    "prodigy",
    "adamw8bit",
    "lion8bit",
    "sgd_nesterov8bit",
]
Schedule = Literal["constant", "cosine", "cosine_with_restarts", "linear", "polynomial"]
Captions = Literal["as_written", "traits_left_out", "trigger_only"]


def usual_betas(optimizer: str) -> tuple[float | None, float | None]:
    """What empty `beta1` and `beta2` mean under an optimiser: its package's own; None where it has no such memory."""
    if optimizer.startswith("adafactor"):
        return None, None
    if optimizer.startswith("sgd"):
        return 0.9, None
    return 0.9, 0.99 if optimizer.startswith("lion") else 0.999


class ConfigError(ValueError):
    """A pattern that cannot be trained as written."""


def setting(
    default: Any, description: str, unit: str = "", *, source: str = "", later: bool = False, **bounds: Any
) -> Any:
    """A documented field: its default, what it does, its unit, where it comes from, and its bounds.

    ``later``: not in the first release. Its default is what the trainer did before it could be set, so at its
    default it takes no part in a pattern's hash, and a pattern that was stored then is still the same one.
    """
    extra: dict[str, Any] = {"unit": unit, "source": source, "later": later}
    return Field(default=default, description=description, json_schema_extra=extra, **bounds)


class TrainConfig(BaseModel):
    """What was asked for, without seed, photos and device. Two equal patterns have one hash."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base_model: str = setting(
        "embedded", "base model: `embedded`, a folder in diffusers layout or a `.safetensors` checkpoint", min_length=1
    )
    resolution: int | None = setting(
        None,
        "side of the square photos; empty = the base's own size",
        "px",
        source="sd-scripts --resolution",
        ge=16,
        le=4096,
        multiple_of=8,
    )
    dim: int = setting(
        16,
        "rank of the LoRA: how many directions each module may learn",
        source="Hu et al. 2021; sd-scripts --network_dim",
        ge=1,
        le=1024,
    )
    alpha: float = setting(
        16.0, "the LoRA is scaled by alpha / dim", source="sd-scripts --network_alpha", gt=0, le=65536
    )
    conv_dim: int | None = setting(
        None,
        "rank of a LoRA on the 3x3 convolutions of the U-Net too (LoCon); empty = these are left alone",
        source="LyCORIS LoCon; sd-scripts conv_dim",
        later=True,
        ge=1,
        le=1024,
    )
    conv_alpha: float | None = setting(
        None,
        "the LoRA on the convolutions is scaled by conv_alpha / conv_dim; empty = conv_dim, so by 1 (sd-scripts "
        "takes a conv_alpha of 1 then)",
        source="sd-scripts conv_alpha",
        later=True,
        gt=0,
        le=65536,
    )
    rslora: bool = setting(
        False,
        "scale by alpha / sqrt(dim) instead of alpha / dim, so that a larger dim learns no slower",
        source="Kalajdzievski 2023, rsLoRA",
        later=True,
    )
    dora: bool = setting(
        False,
        "learn the length of each weight column (what comes of one input) apart from its direction; slower",
        source="Liu et al. 2024, DoRA",
        later=True,
    )
    modules: Literal["kohya", "attention"] = setting(
        "kohya",
        "which U-Net modules learn: `kohya` = attention, feed-forward and projections (192 in SD 1.x)",
        source="sd-scripts networks/lora.py; diffusers trains attention only",
    )
    dropout: float = setting(
        0.0,
        "share of the LoRA's inner values that are zeroed at random in each update, against overfitting",
        "share",
        source="sd-scripts --network_dropout",
        later=True,
        ge=0,
        lt=1,
    )
    train_text_encoder: bool = setting(
        True, "train the text encoder too", source="sd-scripts (off: --network_train_unet_only)"
    )
    text_encoder_lr: float | None = setting(
        None,
        "learning rate of the text encoder; empty = learning_rate",
        "per update",
        source="sd-scripts --text_encoder_lr",
        gt=0,
        le=10,
    )
    optimizer: Optimizer = setting(
        "adamw",
        "the update rule; `adafactor` sets its own step sizes and ignores the learning rate, `dadaptation` and "
        "`prodigy` multiply theirs with it (1 is usual), `8bit` ones keep their memory in 8 bits",
        source="sd-scripts --optimizer_type",
    )
    learning_rate: float = setting(
        1e-4,
        "step size: about how far each update moves every value of the LoRA's matrices",
        "per update",
        source="sd-scripts --learning_rate",
        gt=0,
        le=10,
    )
    beta1: float | None = setting(
        None,
        "memory of the mean gradient (momentum); empty = the optimiser's usual 0.9",
        source="Kingma & Ba 2015",
        later=True,
        ge=0,
        lt=1,
    )
    beta2: float | None = setting(
        None,
        "memory of the gradient's size; empty = the optimiser's usual: 0.999, Lion 0.99",
        source="Kingma & Ba 2015; Chen et al. 2023",
        later=True,
        ge=0,
        lt=1,
    )
    weight_decay: float = setting(
        0.01,
        "pull of the weights towards zero: decoupled, but `adam` adds it to the gradient (coupled L2)",
        "per update / rate",
        source="Loshchilov & Hutter 2019",
        ge=0,
        le=1,
    )
    lr_scheduler: Schedule = setting(
        "constant",
        "how the learning rate falls after the warm-up, towards 0 at the end",
        source="diffusers and sd-scripts --lr_scheduler",
    )
    lr_cycles: int = setting(
        1,
        "how often `cosine_with_restarts` falls from the full rate to 0",
        "times",
        source="sd-scripts --lr_scheduler_num_cycles",
        later=True,
        ge=1,
        le=1000,
    )
    lr_power: float = setting(
        1.0,
        "exponent of `polynomial`; 1 is `linear`",
        source="sd-scripts --lr_scheduler_power",
        later=True,
        gt=0,
        le=10,
    )
    warmup_updates: int = setting(
        0, "updates over which the learning rate rises from 0", "updates", source="sd-scripts --lr_warmup_steps", ge=0
    )
    batch_size: int = setting(
        1, "photos in each forward pass", "photos", source="sd-scripts --train_batch_size", ge=1, le=1024
    )
    gradient_accumulation: int = setting(
        1,
        "batches whose gradients are averaged into one update: a larger batch in the same memory",
        "batches",
        source="sd-scripts --gradient_accumulation_steps",
        later=True,
        ge=1,
        le=1024,
    )
    repeats: int = setting(
        1, "times each photo is seen per epoch", "times", source="sd-scripts: the folder's number", ge=1, le=10_000
    )
    epochs: int = setting(
        10, "passes over the photos", "epochs", source="sd-scripts --max_train_epochs", ge=1, le=100_000
    )
    max_updates: int | None = setting(
        None, "stop after so many updates; empty = all epochs", "updates", source="sd-scripts --max_train_steps", ge=1
    )
    max_images: int | None = setting(
        None, "stop once so many images were seen; empty = all epochs", "images", later=True, ge=1
    )
    save_every: int = setting(1, "a file is saved each time so many save_units are done", "save_unit", ge=1)
    save_unit: Literal["epochs", "updates", "images"] = setting("epochs", "what save_every counts")
    captions: Captions = setting(
        "as_written",
        "what the photo is said to show: as written, with the person's permanent traits left out (what a caption "
        "names is not bound to the trigger word), or trigger word and class noun alone",
        later=True,
    )
    caption_dropout: float = setting(
        0.0,
        "share of the photos that are shown with an empty caption",
        "share",
        source="sd-scripts --caption_dropout_rate",
        later=True,
        ge=0,
        le=1,
    )
    shuffle_captions: bool = setting(
        False,
        "show the parts of a caption between commas in a new order each time; the first part stays first",
        source="sd-scripts --shuffle_caption with keep_tokens 1",
        later=True,
    )
    clip_skip: int = setting(
        1,
        "hidden state counted from the end of the text encoder; 1 = the last",
        "layers",
        source="sd-scripts --clip_skip",
        ge=1,
    )
    min_snr_gamma: float | None = setting(
        None,
        "cap on the weight of nearly clean timesteps (5 is usual); empty = no weighting",
        source="Hang et al. 2023",
        gt=0,
    )
    noise_offset: float = setting(
        0.0,
        "shift the noise of each channel as a whole, for darker darks and lighter lights (0.05-0.1 is usual)",
        source="Guttenberg 2023; sd-scripts --noise_offset",
        later=True,
        ge=0,
        le=1,
    )
    max_grad_norm: float = setting(
        1.0, "gradients are scaled down to this norm; 0 = off", source="sd-scripts --max_grad_norm", ge=0
    )
    flip: bool = setting(False, "show photos mirrored half of the time", source="sd-scripts --flip_aug")
    mixed_precision: Literal["no", "fp16", "bf16"] = setting(
        "no", "number format of the forward pass", source="sd-scripts --mixed_precision"
    )
    save_precision: Literal["fp16", "bf16", "fp32"] = setting(
        "fp16", "number format of the saved file", source="sd-scripts --save_precision"
    )

    @property
    def hash(self) -> str:
        """sha256 (hex) of every requested setting, in an order that does not depend on who wrote them."""
        settings = self.model_dump(
            mode="json", exclude={name for name in LATER if getattr(self, name) == DEFAULTS[name]}
        )
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def scale(self) -> float:
        """What up @ down of the linear modules is multiplied with: alpha / dim, or alpha / sqrt(dim) for rsLoRA."""
        return self.alpha / (math.sqrt(self.dim) if self.rslora else self.dim)

    @property
    def betas(self) -> tuple[float | None, float | None]:
        """Both betas in force: the optimiser's own where a field is empty, None where it has no such memory."""
        usual = usual_betas(self.optimizer)
        first, second = (
            each if own is None or each is None else own
            for own, each in zip((self.beta1, self.beta2), usual, strict=True)
        )
        return first, second

    @property
    def photos_per_update(self) -> int:
        """Photos behind one update of the weights: batch size x accumulated batches."""
        return self.batch_size * self.gradient_accumulation

    def updates_per_epoch(self, n_images: int) -> int:
        """ceil(ceil(images x repeats / batch) / accumulated batches), as in sd-scripts: the last may be smaller."""
        if n_images < 1:
            raise ConfigError("There is no photo to train on. Add at least one photo to the train side.")
        return math.ceil(math.ceil(n_images * self.repeats / self.batch_size) / self.gradient_accumulation)

    def total_updates(self, n_images: int) -> int:
        """epochs x updates per epoch, at most max_updates, and no further than max_images needs."""
        total = self.epochs * self.updates_per_epoch(n_images)
        if self.max_images is not None and self.max_images < self.images_seen(total, n_images):
            epochs, rest = divmod(self.max_images, n_images * self.repeats)
            within = min(math.ceil(rest / self.photos_per_update), self.updates_per_epoch(n_images))
            total = epochs * self.updates_per_epoch(n_images) + within
        return total if self.max_updates is None else min(total, self.max_updates)

    def images_seen(self, update: int, n_images: int) -> int:
        """Photos shown up to and including this update, repeats counted."""
        epochs, rest = divmod(update, self.updates_per_epoch(n_images))
        per_epoch = n_images * self.repeats
        return epochs * per_epoch + min(rest * self.photos_per_update, per_epoch)

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


DEFAULTS: dict[str, Any] = {name: field.default for name, field in TrainConfig.model_fields.items()}
LATER = frozenset(
    name
    for name, field in TrainConfig.model_fields.items()
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra["later"]
)


def parse_config(data: dict[str, Any] | str) -> TrainConfig:
    """A pattern from a dict or a JSON text; ConfigError says what is wrong, where, and what to do."""
    return _read(data) if isinstance(data, str) else _checked(data)


@lru_cache(maxsize=1024)  # a page reads those of all patterns and runs again and again; they can't be changed
def _read(text: str) -> TrainConfig:
    try:
        return _checked(json.loads(text))
    except json.JSONDecodeError as error:
        raise ConfigError(f"The pattern is not JSON: {error}. Write one object of settings.") from error


def _checked(data: Any) -> TrainConfig:
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
        "less_than": "below {lt}",
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
