"""Which settings of a pattern decide its LoRA, and in which of them two patterns differ (no torch here)."""

from collections.abc import Collection
from typing import Any

from trainer.config import DEFAULTS, LATER, LENGTH, NOT_WEIGHTS, OWN_STEP, TrainConfig, usual_betas


def inert(config: TrainConfig) -> dict[str, str]:
    """Settings that cannot change this pattern's LoRA -> the code of the reason.

    Those that came later are named only where somebody set them.
    """
    untouched = {name for name in LATER if getattr(config, name) == DEFAULTS[name]}
    return {name: code for name, code in without_effect(config).items() if name not in untouched}


def without_effect(config: TrainConfig) -> dict[str, str]:
    """The same, whatever value those that came later have."""
    reasons: dict[str, str] = {}

    def no_effect(code: str, *names: str) -> None:
        reasons.update({name: code for name in names if name not in reasons})

    if config.optimizer == "adafactor":
        no_effect(
            "adafactor_relative_step",
            *("learning_rate", "text_encoder_lr", "lr_scheduler", "warmup_updates", "lr_cycles", "lr_power"),
        )
    if config.optimizer in ("adafactor", "adafactor-fixed"):
        no_effect("adafactor_no_betas", "beta1", "beta2")
    if config.optimizer.startswith("sgd"):
        no_effect("sgd_no_beta2", "beta2")
    if config.optimizer in OWN_STEP:
        no_effect("one_rate_for_all", "text_encoder_lr")
    if not config.train_text_encoder:
        no_effect("text_encoder_not_trained", "text_encoder_lr")
    if config.lr_scheduler != "cosine_with_restarts":
        no_effect("schedule_has_no_cycles", "lr_cycles")
    if config.lr_scheduler != "polynomial":
        no_effect("schedule_has_no_power", "lr_power")
    if config.conv_dim is None:
        no_effect("no_convolutions", "conv_alpha")
    if config.captions == "trigger_only":
        no_effect("caption_has_one_part", "shuffle_captions")
    return reasons


def effective(config: TrainConfig, precisions: Collection[str]) -> dict[str, Any]:
    """The settings that decide the weights, on a device that offers these precisions; inert ones are None."""
    settings = config.model_dump(mode="json", exclude=set(NOT_WEIGHTS))
    if config.text_encoder_lr is None:
        settings["text_encoder_lr"] = config.learning_rate
    if config.conv_dim is not None and config.conv_alpha is None:
        settings["conv_alpha"] = float(config.conv_dim)
    settings["beta1"], settings["beta2"] = config.betas
    settings |= {name: None if name not in LATER else DEFAULTS[name] for name in inert(config)}
    if config.optimizer == "adafactor":
        settings["lr_scheduler"] = "adafactor"
    if config.mixed_precision not in precisions:
        settings["mixed_precision"] = "no"
    return settings


def completed(stored: dict[str, Any]) -> dict[str, Any]:
    """Effective settings as an earlier release stored them, with what can be set since then at its default."""
    found = {**{name: DEFAULTS[name] for name in TrainConfig.model_fields if name in LATER}, **stored}
    for name, usual in _usual(found).items():
        found[name] = usual if found[name] is None else found[name]
    return found


def _usual(settings: dict[str, Any]) -> dict[str, float | None]:
    return dict(zip(("beta1", "beta2"), usual_betas(settings["optimizer"]), strict=True))


def differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Names of the effective settings in which two patterns differ, in the order of the first.

    What only follows from another difference is left out: a rate or schedule that AdaFactor masks in one of
    them, betas that another optimiser lacks or has its own of, the text encoder's rate where one does not train it,
    or where both rates are one number; the scale of convolutions that only one of them trains.
    """
    a, b = completed(a), completed(b)
    names = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    follows: set[str] = set()
    if "optimizer" in names and "adafactor" in (a.get("optimizer"), b.get("optimizer")):
        follows |= {"learning_rate", "text_encoder_lr", "lr_scheduler", "warmup_updates", "lr_cycles", "lr_power"}
    if "optimizer" in names:
        usual_a, usual_b = _usual(a), _usual(b)
        both_usual = {name for name in usual_a if (a[name], b[name]) == (usual_a[name], usual_b[name])}
        follows |= {name for name in usual_a if name in both_usual or None in (a[name], b[name])}
    one_rate = all(x.get("text_encoder_lr") in (x.get("learning_rate"), None) for x in (a, b))
    if "train_text_encoder" in names or one_rate:
        follows.add("text_encoder_lr")
    if "lr_scheduler" in names:
        follows |= {"lr_cycles", "lr_power"}
    if "conv_dim" in names and None in (a["conv_dim"], b["conv_dim"]):
        follows.add("conv_alpha")
    return [name for name in names if name not in follows]


def course(config: TrainConfig) -> str:
    """Hash of a pattern but for how long it trains and when it saves: what two runs share as far as both go."""
    return config.model_copy(update={name: DEFAULTS[name] for name in (*LENGTH, *NOT_WEIGHTS)}).hash


def rate_depends_on_length(config: TrainConfig) -> bool:
    """Whether the learning rate of an update depends on how many updates the run has."""
    return config.lr_scheduler != "constant" and config.optimizer != "adafactor"


def can_continue(old: TrainConfig, new: TrainConfig, n_images: int | None = None) -> str | None:
    """The code of the reason why a finished run of `old` can't go on to be one of `new`; None where it can.

    It can where going on gives what training `new` from the start gives (on a CPU bit for bit): where they differ
    in length alone, and no learning rate depends on the length. `n_images`: train photos, to see whether `new` is
    longer; without it only equal lengths are found. Codes: other_settings, schedule_has_an_end, not_longer.
    """
    if course(old) != course(new):
        return "other_settings"
    if rate_depends_on_length(new):
        return "schedule_has_an_end"
    if n_images is not None:
        longer = new.total_updates(n_images) > old.total_updates(n_images)
    else:
        longer = any(getattr(old, name) != getattr(new, name) for name in LENGTH)
    return None if longer else "not_longer"
