"""Optimisers and learning-rate schedules."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from trainer.config import TrainConfig


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
    """The optimiser of one run over its fp32 parameters: a group each for U-Net and text encoder."""
    rates = [config.learning_rate, config.text_encoder_lr or config.learning_rate]
    groups: list[dict[str, Any]] = [
        {"params": params, "lr": rate, "initial_lr": rate}
        for params, rate in zip([unet, text_encoder], rates, strict=True)
        if params
    ]
    if config.optimizer == "adafactor":
        from transformers.optimization import (
            Adafactor,
        )  # Shazeer & Stern 2018; relative steps as in sd-scripts

        groups = [{"params": group["params"]} for group in groups]
        return Adafactor(
            groups,
            lr=None,
            relative_step=True,
            scale_parameter=True,
            warmup_init=False,
            weight_decay=config.weight_decay,
        )
    if config.optimizer == "lion":
        return Lion(groups, weight_decay=config.weight_decay)
    fused = fused_adamw_works(unet[0].device)
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=fused)


def rate_factor(config: TrainConfig, update: int, total: int) -> float:
    """What the learning rate is multiplied with at this update (1 = the first) of `total`.

    As in diffusers and sd-scripts with s = update - 1: s / warmup while warming up, then constant, or with
    p = (s - warmup) / (total - warmup): linear 1 - p, cosine (1 + cos(pi p)) / 2. So the first update of a
    warm-up has rate 0, and 0 is reached one update after the last.
    """
    done, warmup = update - 1, config.warmup_updates
    if done < warmup:
        return done / warmup
    part = (done - warmup) / max(1, total - warmup)
    falls = {"constant": 1.0, "linear": 1 - part, "cosine": (1 + math.cos(math.pi * part)) / 2}
    return falls[config.lr_scheduler]


def set_rates(optimizer: torch.optim.Optimizer, config: TrainConfig, update: int, total: int) -> float | None:
    """Set each group's learning rate for this update; returns the first group's, None under AdaFactor."""
    if config.optimizer == "adafactor":
        return None
    factor = rate_factor(config, update, total)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    return float(optimizer.param_groups[0]["lr"])
