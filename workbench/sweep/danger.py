"""Settings that are known to break a training, or to waste it: codes here, their sentences in sentences.DANGERS.

Rates are judged on the base's own scale: what suits SD 1.x is 20 times too low for the miniature. A module moves by
about rate x scale each update (scale = alpha / dim), so that is what is compared; very high rates break a training
whatever alpha is, since both of its matrices grow by the rate.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer import EMBEDDED_BASES
from trainer.config import EIGHT_BIT, OWN_STEP, TrainConfig
from workbench.sweep.choices import sensible_rate

SGD = ("sgd_nesterov", "sgd_nesterov8bit")
FAMILIES = {
    "adam": ("adamw", "adam", "adamw8bit", "adafactor-fixed"),
    "lion": ("lion", "lion8bit"),
    "sgd": SGD,
}

# By family, on SD 1.x and on the miniature (False, True). The miniature's are tried: 240 updates of batch 4, dim 16;
# the loss at fixed noise is 0.166 without a LoRA and 0.12 with a good one.
TOO_HIGH = {  # rate, whatever alpha is
    "adam": {False: 1e-2, True: 3e-2},  # at alpha 1: 1e-2: loss 0.12, 3e-2: 1.00
    "lion": {False: 1e-3, True: 1e-2},  # at alpha 1: 1e-2: loss 0.80
}
FELT_TOO_HIGH = {  # rate x scale
    "adam": {False: 5e-4, True: 5e-3},  # 4e-3: loss 0.13, 6e-3: 0.29, 1e-2: 0.99 (noise)
    "lion": {False: 1e-4, True: 1e-3},  # 4e-4: loss 0.12, 1e-3: reference loss above the base's, 2e-3: 0.27
    "sgd": {False: 1.0, True: 1.0},  # 0.3: loss 0.13, 3: 0.96
}
FULL_SCALE = 0.75  # from here on alpha counts as "as large as dim"
OWN_STEP_LOW = {False: 0.1, True: 0.01}  # sd-scripts warns at 0.1; on the miniature D-Adaptation at 0.1: loss 0.13
OWN_STEP_HIGH = 5.0  # times the sensible rate; on the miniature D-Adaptation at 1 is 10 times: loss 1.00
SGD_LOW = 1e-2
LEAST_SHARE = 1e-4  # of a usual training's reach: 1 / 4,700 of it on the miniature still went a quarter of the way
DOWN_STARTS = 0.05  # usual size of a value of `down` at the start
USUAL_UPDATES = {False: 1500, True: 240}  # SD 1.x: 100 steps for each of 15 photos; the miniature: docs/patterns.md
COUPLED = ("adam", *SGD)  # weight decay is added to the gradient (L2), not taken from the weights
COUPLED_DECAY = 5e-3  # weight decay / scale; on the miniature Adam at scale 1 got 52 without, 37 at .001, 18 at .01
EIGHT_BIT_FROM = 4096  # values of a tensor; smaller ones keep 32-bit memory (bitsandbytes)
NARROWEST = {False: 320, True: 64}  # inputs or outputs of a module that a LoRA adapts: SD 1.x, the miniature
HALF = 0.5
STRONG_NOISE_OFFSET = 0.2


@dataclass(frozen=True)
class Danger:
    """Something about one setting. ``warn``: training it as it is would break, waste time or mislead."""

    code: str
    settings: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    warn: bool = True


def dangers(config: TrainConfig, n_photos: int = 0) -> list[Danger]:
    """Everything dangerous about a pattern, trained on so many photos (0 = not known)."""
    return [*_rates(config, n_photos), *_optimizer(config), *_captions(config), *_length(config, n_photos)]


def _rates(config: TrainConfig, n_photos: int) -> Iterator[Danger]:
    embedded = config.base_model in EMBEDDED_BASES
    rate, felt = config.learning_rate, config.learning_rate * config.scale
    rates = ("learning_rate",)
    said = {"rate": f"{rate:g}", "felt": f"{felt:g}", "scale": f"{config.scale:g}"}
    if config.optimizer in OWN_STEP:
        usual = sensible_rate(config.optimizer, embedded=embedded) or 1.0
        said["usual"] = f"{usual:g}"
        if rate <= OWN_STEP_LOW[embedded]:
            yield Danger("own_step_rate_low", rates, said)
        elif rate >= OWN_STEP_HIGH * usual:
            yield Danger("own_step_rate_high", rates, said)
    if config.optimizer in SGD and rate < SGD_LOW:
        yield Danger("sgd_hardly_moves", rates, said)
    family = next((name for name, members in FAMILIES.items() if config.optimizer in members), None)
    if family is None:
        return
    usual = sensible_rate(config.optimizer, embedded=embedded) or 1.0  # each of a family has one
    said |= {"usual": f"{usual:g}", "times": f"{rate / usual:.0f}"}
    if rate >= TOO_HIGH.get(family, {}).get(embedded, math.inf):
        yield Danger(f"{family}_rate_high", rates, said)
    elif felt >= FELT_TOO_HIGH[family][embedded]:
        full = config.scale >= FULL_SCALE
        yield Danger("full_scale_high_rate" if full else "felt_rate_high", ("learning_rate", "alpha", "dim"), said)
    elif n_photos and family != "sgd":
        updates = config.total_updates(n_photos)
        share = reach(rate, config.scale, updates) / reach(usual, 1.0, USUAL_UPDATES[embedded])
        if share < LEAST_SHARE:
            params = {**said, "updates": updates, "drift": f"{rate * updates:.2g}"}
            yield Danger("hardly_moves", ("learning_rate", "alpha", "dim"), params)
    if config.train_text_encoder and (config.text_encoder_lr or 0) > rate:
        yield Danger("text_encoder_rate_high", ("text_encoder_lr",), {"te": f"{config.text_encoder_lr:g}", **said})


def reach(rate: float, scale: float, updates: int) -> float:
    """How far an optimiser that moves every value by its rate can take a module: scale x up x down.

    After so many updates up, which starts at 0, is at most drift = rate x updates, and down its start + drift.
    """
    drift = rate * updates
    return scale * drift * (DOWN_STARTS + drift)


def _optimizer(config: TrainConfig) -> Iterator[Danger]:
    if config.optimizer == "sgd_nesterov8bit":
        yield Danger("bnb_sgd_without_nesterov", ("optimizer",))
    if config.optimizer in COUPLED and config.weight_decay / config.scale >= COUPLED_DECAY:
        yield Danger("coupled_decay", ("weight_decay",), {"decay": f"{config.weight_decay:g}"})
    if config.optimizer in EIGHT_BIT:
        width = -(-EIGHT_BIT_FROM // config.dim)
        if width > NARROWEST[config.base_model in EMBEDDED_BASES]:
            yield Danger("eight_bit_small_tensors", ("optimizer",), {"dim": config.dim, "width": width}, warn=False)
    if config.max_grad_norm == 0 and (config.optimizer in SGD or config.mixed_precision == "fp16"):
        yield Danger("no_clipping", ("max_grad_norm",), {"optimizer": config.optimizer})
    if config.dropout >= HALF:
        yield Danger("dropout_high", ("dropout",), {"dropout": f"{config.dropout:g}"})
    if config.noise_offset > STRONG_NOISE_OFFSET:
        yield Danger("noise_offset_high", ("noise_offset",), {"offset": f"{config.noise_offset:g}"})


def _captions(config: TrainConfig) -> Iterator[Danger]:
    if config.caption_dropout and config.captions == "trigger_only":
        yield Danger("dropout_of_the_trigger", ("caption_dropout", "captions"))
    elif config.caption_dropout >= HALF:
        yield Danger("caption_dropout_high", ("caption_dropout",), {"share": f"{100 * config.caption_dropout:.0f}"})


def _length(config: TrainConfig, n_photos: int) -> Iterator[Danger]:
    if not n_photos:
        return
    total = config.total_updates(n_photos)
    seen, epoch = config.images_seen(total, n_photos), n_photos * config.repeats
    if seen < epoch:
        names = tuple(n for n in ("max_images", "max_updates") if getattr(config, n) is not None)
        yield Danger("less_than_an_epoch", names or ("epochs",), {"seen": seen, "epoch": epoch})
    if config.warmup_updates * 2 >= total and config.warmup_updates and config.optimizer != "adafactor":
        yield Danger("all_warm_up", ("warmup_updates",), {"warmup": config.warmup_updates, "total": total})
    if config.photos_per_update > epoch:
        names = ("batch_size", "gradient_accumulation")
        yield Danger("batch_above_epoch", names, {"batch": config.photos_per_update, "epoch": epoch}, warn=False)
