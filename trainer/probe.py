"""Find out which optimisers really work on this machine, by one step of each."""

import contextlib
import sys
from typing import get_args

import torch

from trainer.config import Optimizer, TrainConfig
from trainer.device import Device
from trainer.optim import build_optimizer, set_rates

SHAPE = (65, 64)  # more than 4,096 values: fewer would stay in 32 bits under the 8-bit optimisers


def probe_optimizers(device: Device) -> dict[str, str]:
    """Every optimiser -> "" when one real step worked on this device, else the reason in words."""
    with contextlib.redirect_stdout(sys.stderr):  # bitsandbytes may print; standard output may belong to somebody
        return {name: _problem(name, device) for name in get_args(Optimizer)}


def _problem(name: str, device: Device) -> str:
    """What went wrong in one step, in one line; empty when nothing did."""
    config = TrainConfig.model_validate({"optimizer": name, "learning_rate": 1.0})
    try:
        weight = torch.full(SHAPE, 0.5, device=device.torch_device, requires_grad=True)
        weight.grad = torch.full_like(weight, 0.1)
        before = weight.detach().clone()
        optimizer = build_optimizer(config, [weight], [])
        set_rates(optimizer, config, update=1, total=1)
        optimizer.step()
        moved = weight.detach() != before
        if bool(moved.all() & weight.isfinite().all()):
            return ""
        return f"One step on {device.name} left weights as they were, or not finite."
    except Exception as error:  # packages with kernels of their own fail in every way there is: a reason, no crash
        first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        return f"One step on {device.name} failed: {first[:200]}"
