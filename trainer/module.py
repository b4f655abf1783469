"""One layer that a LoRA adapts: what is learned, the weight that it makes, and its part in a forward pass.

DoRA (Liu et al. 2024) learns the length of each input column of a weight apart from its direction:
W' = dora_scale x (W + D) / |W + D|, D = scale x up @ down, each norm over all axes but the input's. That is the
paper's formula (m in R^(1 x k)), LyCORIS' with wd_on_output=False, and the one that ComfyUI, Forge and A1111 read
right. Of lengths per output row, as in peft, ComfyUI and Forge divide by |W| (Comfy-Org/ComfyUI pull 15458) and A1111
by the columns' norms. Another strength s than 1 is W + s x (W' - W) in all three. A1111 before pull 16151 (2024-07)
applied alpha / dim to W' - W instead of D: it reads a DoRA right only where alpha = dim. diffusers warns and leaves
dora_scale out.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.dialect import DORA, DOWN, UP


@dataclass(frozen=True, eq=False)
class Module:
    """down (dim, in[, k, k]), up (out, dim[, 1, 1]), kohya's alpha; for DoRA dora_scale (1, in[, 1, 1]) too."""

    down: Tensor
    up: Tensor
    alpha: float
    dora_scale: Tensor | None = None

    @property
    def dim(self) -> int:
        return self.down.shape[0]

    @property
    def scale(self) -> float:
        """What up @ down is multiplied with."""
        return self.alpha / self.dim

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What is learned, by its key in a file."""
        learned = {DOWN: self.down, UP: self.up}
        return learned if self.dora_scale is None else {**learned, DORA: self.dora_scale}

    def delta(self, device: torch.device) -> Tensor:
        """scale x up @ down, (out, in[, k, k]), fp32."""
        up, down = (tensor.flatten(1).to(device, torch.float32) for tensor in (self.up, self.down))
        return (self.scale * (up @ down)).reshape(self.up.shape[0], *self.down.shape[1:])

    def weight(self, plain: Tensor, strength: float = 1.0) -> Tensor:
        """The layer's weight with this module in it, fp32: W + strength x D, for DoRA W + strength x (W' - W)."""
        plain = plain.float()
        change = self.delta(plain.device)
        if self.dora_scale is not None:
            whole = plain + change
            change = whole * (self.dora_scale.to(plain.device) / column_lengths(whole)) - plain
        return plain + strength * change


def column_lengths(weight: Tensor) -> Tensor:
    """Norms over all axes but the input's: (out, in[, k, k]) -> (1, in[, 1, 1]); at least 1e-12, to divide by."""
    axes = [axis for axis in range(weight.dim()) if axis != 1]
    return torch.linalg.vector_norm(weight, dim=axes, keepdim=True).clamp_min(1e-12)


class Manner(Protocol):
    """How an adapter takes part at the moment: its strength, and whether it trains with dropout."""

    strength: float
    training: bool
    dropout: float
    chance: torch.Generator | None


class Forward:
    """Adds one module's change to what its layer said: dropout, and DoRA without a second weight in memory.

    With c = dora_scale / |W + D|, one number per input: W' x = W x + W (c - 1) x + scale x up(down(c x)).
    The norm counts as a constant in the gradient (Liu et al. 2024, section 4.3).
    """

    def __init__(self, manner: Manner, module: Module) -> None:
        self.manner, self.module = manner, module

    def forward(self, layer: Any, *, active_adapter: str, x: Tensor, result: Tensor, **_: Any) -> Tensor:
        """peft's LoraVariant.forward: x is the layer's input, result what the layer and others before said to it."""
        manner, module, plain = self.manner, self.module, layer.get_base_layer()
        more = None
        if module.dora_scale is not None:
            with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
                lengths = column_lengths(plain.weight.float() + module.delta(x.device))
            c = module.dora_scale / lengths
            c = c if isinstance(plain, nn.Conv2d) else c[0]  # channels come second, features last
            more = _without_bias(plain, (x * (c - 1)).to(plain.weight.dtype))
            x = x * c
        inner = layer.lora_A[active_adapter](x)
        if manner.training and manner.dropout:
            keep = torch.empty(inner.shape, device=manner.chance.device)  # type: ignore[union-attr]
            keep.bernoulli_(1 - manner.dropout, generator=manner.chance)
            inner = inner * keep.to(inner) / (1 - manner.dropout)
        change = layer.lora_B[active_adapter](inner) * module.scale
        return result + manner.strength * (change if more is None else change + more)


def _without_bias(layer: Any, x: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return functional.linear(x, layer.weight)
    return functional.conv2d(x, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
