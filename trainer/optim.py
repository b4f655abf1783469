"""Optimisers, as sd-scripts makes them."""

import functools
import importlib
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from trainer.config import EIGHT_BIT, OWN_STEP, ConfigError, TrainConfig
from trainer.schedule import rate_factor


class Lion(torch.optim.Optimizer):
    """EvoLved Sign Momentum (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2).

    c = b1 m + (1 - b1) g;  w <- w - lr (sign(c) + decay w);  m <- b2 m + (1 - b2) g
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for weight in (w for w in group["params"] if w.grad is not None):
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"]
                direction = torch.lerp(weight.grad, momentum, b1).sign_()
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"])
                momentum.lerp_(weight.grad, 1 - b2)


@functools.cache
def fused_adamw_works(device: torch.device) -> bool:
    """Whether AdamW in one kernel runs here: found out by one real step, not by the device's name."""
    weight = torch.ones(2, device=device, requires_grad=True)
    weight.grad = torch.ones_like(weight)
    try:
        torch.optim.AdamW([weight], lr=0.5, fused=True).step()
    except RuntimeError:
        return False
    return bool((weight < 1).all())


def build_optimizer(
    config: TrainConfig, unet: Sequence[Tensor], text_encoder: Sequence[Tensor]
) -> torch.optim.Optimizer:
    """The optimiser of one run over its fp32 parameters: a group each for U-Net and text encoder.

    As sd-scripts makes them (library/train_util.py, get_optimizer), with the pattern's weight decay and betas;
    decay is decoupled for `dadaptation` too, as the article's tool asked for. Those that find their own step take
    one rate for both groups. ConfigError when its package cannot be loaded.
    """
    own_step = config.optimizer in OWN_STEP
    rates = [config.learning_rate, config.text_encoder_lr if config.text_encoder_lr and not own_step else None]
    groups: list[dict[str, Any]] = [
        {"params": params, "lr": rate or config.learning_rate, "initial_lr": rate or config.learning_rate}
        for params, rate in zip([unet, text_encoder], rates, strict=True)
        if params
    ]
    make = _plain
    if config.optimizer in EIGHT_BIT:
        make = _eight_bit
    elif own_step:
        make = _own_step
    elif config.optimizer.startswith("adafactor"):
        make = _adafactor
    try:
        return make(config, groups)
    except ImportError as error:
        raise ConfigError(
            f"The optimizer {config.optimizer} cannot be loaded here ({error}). Choose another."
        ) from error


def set_rates(optimizer: torch.optim.Optimizer, config: TrainConfig, update: int, total: int) -> float | None:
    """Set each group's learning rate for this update; returns the first group's, None under AdaFactor.

    `dadaptation` and `prodigy` multiply it with the step that they found.
    """
    if config.optimizer == "adafactor":
        return None
    factor = rate_factor(config, update, total)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    return float(optimizer.param_groups[0]["lr"])


def _plain(config: TrainConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """torch's own, and Lion."""
    decay, betas = config.weight_decay, cast(Any, config.betas)  # two numbers; SGD's second is None and not asked for
    match config.optimizer:
        case "lion":
            return Lion(groups, betas=betas, weight_decay=decay)
        case "sgd_nesterov":
            momentum = betas[0]
            return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0, weight_decay=decay)
    fused = fused_adamw_works(groups[0]["params"][0].device)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, betas=betas, weight_decay=decay, fused=fused)


def _adafactor(config: TrainConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """transformers' AdaFactor (Shazeer & Stern 2018) with steps of its own, or with the pattern's learning rate."""
    from transformers.optimization import Adafactor

    relative = config.optimizer == "adafactor"
    return Adafactor(
        [{"params": group["params"]} for group in groups] if relative else groups,
        lr=None if relative else config.learning_rate,
        relative_step=relative,
        scale_parameter=relative,
        warmup_init=False,
        weight_decay=config.weight_decay,
    )


def _own_step(config: TrainConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """D-Adaptation's Adam of the preprint (Defazio & Mishchenko 2023) or Prodigy (Mishchenko & Defazio 2023)."""
    # decouple goes in by the groups: as an argument it makes both print a line
    groups = [{**group, "decouple": True} for group in groups]
    common: dict[str, Any] = {"betas": config.betas, "weight_decay": config.weight_decay, "decouple": False}
    if config.optimizer == "prodigy":
        from prodigyopt import Prodigy

        return Prodigy(groups, lr=config.learning_rate, **common)
    from dadaptation.experimental import DAdaptAdamPreprint

    return DAdaptAdamPreprint(groups, lr=config.learning_rate, **common)


def _eight_bit(config: TrainConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """bitsandbytes' (Dettmers et al. 2022). Tensors below 4,096 values stay in 32 bits; its SGD is without Nesterov."""
    optim = _bitsandbytes().optim
    decay = config.weight_decay
    if config.optimizer == "adamw8bit":
        return optim.AdamW8bit(groups, lr=config.learning_rate, betas=config.betas, weight_decay=decay)
    if config.optimizer == "lion8bit":
        return optim.Lion8bit(groups, lr=config.learning_rate, betas=config.betas, weight_decay=decay)
    momentum = config.betas[0]
    if not momentum:
        raise ConfigError("sgd_nesterov8bit does not work without momentum. Set beta1 above 0, such as 0.9.")
    return optim.SGD8bit(groups, lr=config.learning_rate, momentum=momentum, nesterov=True, weight_decay=decay)


def _bitsandbytes() -> Any:
    """The package, hidden until now (trainer/__init__.py). ImportError for whatever goes wrong in its first import."""
    found = sys.modules.get("bitsandbytes")
    if found is not None:
        return found
    kernels = sys.modules.get("kernels")
    sys.modules.pop("bitsandbytes", None)
    sys.modules["kernels"] = None  # type: ignore[assignment]  # on some CPUs it would fetch a kernel from a model hub
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # and warn that it could not
    try:
        return importlib.import_module("bitsandbytes")
    except Exception as error:  # a missing CUDA library comes as OSError, RuntimeError or AttributeError
        sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
        raise ImportError(f"bitsandbytes: {error}") from error
    finally:
        del sys.modules["kernels"]
        if kernels is not None:
            sys.modules["kernels"] = kernels
