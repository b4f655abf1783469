"""How far a LoRA has moved the weights of its base: the one axis for rate, alpha, optimiser and updates."""

import math
import re

import torch

from trainer.adapter import Adapter, targets
from trainer.base import BaseModel
from trainer.module import Module

BLOCKS = ("text encoder", "down", "mid", "up", "all")  # the order in which they are told of


@torch.no_grad()
def weight_change(base: BaseModel, adapter: Adapter) -> dict[str, float]:
    """|scale x up @ down| / |W| (Frobenius norms) over the adapted layers of each block, and of "all".

    Blocks are "text encoder", "down 0" ..., "mid", "up 0" ..., in this order. For DoRA |W' - W| / |W|.
    """
    found = targets(base, convolutions=True)
    parts: dict[str, list[torch.Tensor]] = {}
    for name, module in adapter.modules.items():
        plain = found[name].layer.weight.float()
        both = torch.stack([_squared(module, plain), plain.square().sum()])
        for block in (_block(name), "all"):
            parts.setdefault(block, []).append(both)
    order = sorted(parts, key=lambda block: (BLOCKS.index(block.rstrip(" 0123456789")), block))
    # summed on the device, read once: each look at a GPU waits for it
    sums = torch.stack([torch.stack(parts[block]).double().sum(0) for block in order]).tolist()
    return {block: math.sqrt(moved / whole) for block, (moved, whole) in zip(order, sums, strict=True)}


def _squared(module: Module, plain: torch.Tensor) -> torch.Tensor:
    """|change of the weight|^2. Without DoRA |up @ down|^2 = sum(up^T up * down down^T): only dim x dim numbers."""
    if module.dora_scale is not None:
        return (module.weight(plain) - plain).square().sum()
    up, down = module.up.flatten(1), module.down.flatten(1)
    return module.scale**2 * ((up.T @ up) * (down @ down.T)).sum().clamp_min(0)


def _block(name: str) -> str:
    """The block of a kohya name; every name is of one, since `targets` finds layers nowhere else."""
    found = re.match(r"lora_unet_(down|mid|up)_blocks?_?(\d*)", name)
    return " ".join(found.groups()).strip() if found else "text encoder"
