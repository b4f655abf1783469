"""Render previews: the same prompts and starting noise for every LoRA file, or for the base alone."""

import inspect
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import diffusers
import numpy as np
import torch
from torch import Tensor

from trainer.adapter import swapped, targets
from trainer.base import BaseModel, encode
from trainer.device import HALF_TYPES
from trainer.kohya import KohyaFile, checked, read
from trainer.vae import check_vae

DECODE_PX = 1 << 20  # pixels that the VAE decodes at once: four pictures of 512 px, 256 of 64 px
SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {  # our name -> diffusers class and what it must be set to
    "dpm++2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "euler": ("EulerDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
}


class PreviewError(ValueError):
    """Previews that cannot be made as asked."""


@dataclass(frozen=True)
class Cell:
    """One preview to make. key comes back with the picture; strength scales the LoRA, 0 is the plain base."""

    key: str
    prompt: str
    seed: int
    strength: float = 1.0


@dataclass(frozen=True)
class Sampling:
    """How pictures are drawn: size in pixels (None: the base's own), cfg 1 or less is without guidance."""

    steps: int = 20
    cfg: float = 7.0
    size: int | None = None
    sampler: Literal["base", "dpm++2m", "euler", "ddim"] = "base"
    negative: str = ""
    clip_skip: int = 1


@dataclass(frozen=True)
class Picture:
    """A rendered cell: pixels uint8 (size, size, 3), seconds its share of the batch.

    finite is False when the network gave NaN or infinity (those pixels are black). half tells that the U-Net
    computed in half precision, so that fp32 may do better (`render` with full).
    """

    cell: Cell
    pixels: np.ndarray
    finite: bool
    seconds: float
    half: bool = False


def render(
    base: BaseModel,
    lora: Path | None,
    cells: Sequence[Cell],
    sampling: Sampling,
    vae: Any = None,
    batch_size: int = 16,
    full: bool = False,
) -> Iterator[Picture]:
    """Draw every cell with the weights of a saved LoRA file, or with the plain base for None.

    vae is another decoder than the base's own, from `load_vae`. A cell starts from noise that depends on its seed
    alone. Between two pictures the base is as it was, so a training on the same base may go on. With full all is
    computed in fp32, also where the device is quicker in half precision. Raises PreviewError, VaeError or KohyaError
    at once, before anything is drawn.
    """
    _check(base, sampling, batch_size)
    if vae is not None:
        check_vae(base, vae)
    file = checked(base, read(lora), lora) if lora is not None else None
    vae = base.vae if vae is None else vae
    if full:
        return _render_full(base, file, cells, sampling, vae, batch_size)
    return _render(base, file, cells, sampling, vae, batch_size, half_type(base))


def half_type(base: BaseModel) -> torch.dtype | None:
    """The half precision that previews are drawn in on the base's device; None: in fp32."""
    return next((HALF_TYPES[name] for name in ("fp16", "bf16") if name in base.device.precisions), None)


def _check(base: BaseModel, sampling: Sampling, batch_size: int) -> None:
    if sampling.sampler != "base" and sampling.sampler not in SAMPLERS:
        raise PreviewError(f"There is no sampler {sampling.sampler!r}. Use 'base' or one of {', '.join(SAMPLERS)}.")
    size = _size(base, sampling)
    if size < base.vae_factor or size % base.vae_factor:
        raise PreviewError(f"Preview size {size} px is no multiple of {base.vae_factor}, which this base needs.")
    if sampling.steps < 1 or batch_size < 1:
        raise PreviewError(f"steps is {sampling.steps} and batch_size is {batch_size}; both must be above 0.")


def _render_full(
    base: BaseModel, file: KohyaFile | None, cells: Sequence[Cell], sampling: Sampling, vae: Any, batch_size: int
) -> Iterator[Picture]:
    """As `_render`, in fp32 from the weights on; all at once, so that the base is itself again before the first."""
    with _full_precision(base):
        pictures = list(_render(base, file, cells, sampling, vae, batch_size, None))
    yield from pictures


def _render(
    base: BaseModel,
    file: KohyaFile | None,
    cells: Sequence[Cell],
    sampling: Sampling,
    vae: Any,
    batch_size: int,
    half: torch.dtype | None,
) -> Iterator[Picture]:
    def strength(cell: Cell) -> float:
        return cell.strength if file is not None else 0.0

    for value, group in groupby(sorted(cells, key=strength), key=strength):
        same_strength = list(group)
        weights = _weights(base, file, value)
        prompts = [sampling.negative, *(cell.prompt for cell in same_strength)]
        embeddings = _embeddings(base, weights, prompts, sampling.clip_skip, batch_size)
        for batch in _batches(same_strength, batch_size):
            yield from _draw(base, weights, embeddings, batch, sampling, vae, half)


def _weights(base: BaseModel, file: KohyaFile | None, strength: float) -> dict[str, Tensor]:
    """New weights of the adapted layers: base + strength x alpha/dim x up @ down, (out, in[, k, k]).

    Summed in fp32, once per file and strength, as WebUIs do: a third faster than down and up in each step. A DoRA
    too is merged as they do it (ComfyUI, Forge, A1111): strength scales the whole difference from the base.
    """
    weights: dict[str, Tensor] = {}
    if file is None or strength == 0:
        return weights
    found = targets(base, convolutions=True)
    for name, module in file.modules.items():
        weight = found[name].layer.weight.detach()
        weights[name] = module.weight(weight, strength).to(weight.dtype)
    return weights


@torch.inference_mode()
def _embeddings(
    base: BaseModel, weights: dict[str, Tensor], prompts: Sequence[str], clip_skip: int, batch_size: int
) -> dict[str, Tensor]:
    """Each different prompt -> (tokens, width)."""
    found: dict[str, Tensor] = {}
    with swapped(base, weights):
        for batch in _batches(list(dict.fromkeys(prompts)), batch_size):
            found |= zip(batch, encode(base, batch, clip_skip), strict=True)
    return found


@torch.inference_mode()
def _draw(
    base: BaseModel,
    weights: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    cells: Sequence[Cell],
    sampling: Sampling,
    vae: Any,
    half: torch.dtype | None,
) -> list[Picture]:
    """One batch, start to end: the other weights never outlive this call."""
    started = time.perf_counter()
    with swapped(base, weights):
        pixels, finite = _pictures(base, embeddings, cells, sampling, vae, half or torch.float32)
    seconds = (time.perf_counter() - started) / len(cells)
    return [Picture(cell, pixels[i], finite[i], seconds, half is not None) for i, cell in enumerate(cells)]


def _pictures(
    base: BaseModel,
    embeddings: dict[str, Tensor],
    cells: Sequence[Cell],
    sampling: Sampling,
    vae: Any,
    dtype: torch.dtype,
) -> tuple[list[np.ndarray], list[bool]]:
    device = base.device.torch_device
    text = torch.stack([embeddings[cell.prompt] for cell in cells])
    if sampling.cfg > 1:
        text = torch.cat([embeddings[sampling.negative].expand_as(text), text])
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        latents = _denoise(base, text, cells, sampling)
    decoded = _decode(base, vae, latents)
    finite = (latents.isfinite().flatten(1).all(1) & decoded.isfinite().flatten(1).all(1)).tolist()
    images = (decoded.nan_to_num(-1, -1, -1) / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return list(images.permute(0, 2, 3, 1).cpu().numpy()), finite


def _denoise(base: BaseModel, text: Tensor, cells: Sequence[Cell], sampling: Sampling) -> Tensor:
    """Latents (cells, c, h, w) in fp32. text: (cells, tokens, width), with guidance the negatives before."""
    device, unet = base.device.torch_device, base.unet
    side = _size(base, sampling) // base.vae_factor
    scheduler = _scheduler(base, sampling)
    scheduler.set_timesteps(sampling.steps, device=device)
    generators = [torch.Generator("cpu").manual_seed(cell.seed) for cell in cells]
    noise = [torch.randn(1, base.latent_channels, side, side, generator=g) for g in generators]
    latents = torch.cat(noise).to(device) * scheduler.init_noise_sigma
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    options = {"generator": generators} if takes_generator else {}  # ancestral samplers draw noise per cell
    text = text.to(unet.dtype)
    with _text_read_once(unet):
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(latents, t).to(unet.dtype)
            twice = scaled.repeat(len(text) // len(cells), 1, 1, 1)
            said = unet(twice, t, text, return_dict=False)[0].float()
            if len(text) > len(cells):
                without, wanted = said.chunk(2)
                said = without + sampling.cfg * (wanted - without)
            latents = scheduler.step(said, t, latents, return_dict=False, **options)[0]
    return latents


def _decode(base: BaseModel, vae: Any, latents: Tensor) -> Tensor:
    """Pictures (n, 3, size, size), -1 to 1, by the VAE in fp32. The U-Net's latents are in the base's own scale."""
    config = base.vae.config
    latents = latents / config.scaling_factor + (config.shift_factor or 0.0)
    at_once = max(1, DECODE_PX // (latents.shape[-1] * base.vae_factor) ** 2)
    return torch.cat([vae.decode(some, return_dict=False)[0] for some in latents.split(at_once)])


def _scheduler(base: BaseModel, sampling: Sampling) -> Any:
    if sampling.sampler != "base":
        name, settings = SAMPLERS[sampling.sampler]
    else:
        name, settings = base.sampler_config["_class_name"], {}
    return getattr(diffusers, name).from_config(base.sampler_config, **settings)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _size(base: BaseModel, sampling: Sampling) -> int:
    return sampling.size or base.size_px


@contextmanager
def _text_read_once(unet: torch.nn.Module) -> Iterator[None]:
    """Keys and values of the text are the same in each step: computed once, a tenth of the time is saved."""
    layers = [layer for name, layer in unet.named_modules() if re.search(r"\.attn2\.to_[kv]$", name)]
    try:
        for layer in layers:
            layer.forward = _remembered(layer.forward)  # covers the class's method until it is deleted
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def _remembered(forward: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    last: list[Tensor] = []

    def once(text: Tensor, *rest: Any) -> Tensor:
        if not last or last[0] is not text:
            last[:] = [text, forward(text, *rest)]
        return last[1]

    return once


@contextmanager
def _full_precision(base: BaseModel) -> Iterator[None]:
    """The frozen half-precision weights of U-Net and text encoder as fp32, then the very same tensors as before."""
    parameters = [*base.unet.parameters(), *base.text_encoder.parameters()]
    halves = [p for p in parameters if p.dtype in HALF_TYPES.values()]
    originals = [p.data for p in halves]
    try:
        for parameter in halves:
            parameter.data = parameter.data.float()
        yield
    finally:
        for parameter, original in zip(halves, originals, strict=True):
            parameter.data = original
