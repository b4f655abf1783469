"""The miniature's second base: its U-Net turned to paintings by a LoRA that is merged into the weights."""

from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from trainer import PAINTED
from trainer.dialect import DOWN, UP, place_of


@torch.no_grad()
def paint(unet: Any) -> None:
    """Merge the LoRA into a U-Net: W + up @ down, summed in fp32 (alpha = rank, so the scale is 1)."""
    pairs: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_file(PAINTED).items():
        place = place_of(key)
        pairs.setdefault(place.path.removeprefix("unet."), {})[place.slot] = tensor.float()
    for path, halves in pairs.items():
        weight = unet.get_submodule(path).weight
        weight.copy_((weight.float() + merged(halves[DOWN], halves[UP])).to(weight.dtype))


def merged(down: Tensor, up: Tensor) -> Tensor:
    """What both halves do together: (out, in) for a linear layer, (out, in, h, w) for a convolution.

    down (rank, in[, h, w]) is the layer's own convolution with `rank` outputs, up (out, rank[, 1, 1]) a 1x1.
    """
    return (up.flatten(1) @ down.flatten(1)).view(up.shape[0], *down.shape[1:])
