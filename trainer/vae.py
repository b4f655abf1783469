"""Another VAE than the base's own, to decode previews with: a diffusers folder or one .safetensors file."""

import math
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from safetensors import SafetensorError, safe_open
from torch import Tensor

from trainer.base import PICKLES, BaseModel
from trainer.device import Device

PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
PREFIXES = ("first_stage_model.", "vae.", "")  # of a VAE inside a whole checkpoint, and of one alone
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")


class VaeError(ValueError):
    """A VAE that cannot be used, with what is wrong and what to do."""


def load_vae(place: str | Path, device: Device) -> Any:
    """The VAE of a diffusers folder (its own, or a model's with `vae/` in it) or of one .safetensors file, in fp32.

    A single file may be in diffusers' or in the original layout, alone or within a checkpoint; its sizes are read
    from its tensors. Nothing is downloaded. Raises VaeError.
    """
    path = Path(place)
    if path.is_dir():
        vae = _folder(path / "vae" if (path / "vae" / "config.json").is_file() else path)
    elif path.suffix.lower() in PICKLES:
        raise VaeError(f"{path} is a pickle file, which can run code. Use the .safetensors file of this VAE.")
    elif path.is_file():
        vae = _file(path)
    else:
        raise VaeError(f"There is no VAE at {path}. Give a diffusers folder or a .safetensors file.")
    vae.requires_grad_(False).eval().to(device.torch_device)
    if device.kind != "mps":  # convolutions are faster so
        vae.to(memory_format=torch.channels_last)
    return vae


def check_vae(base: BaseModel, vae: Any) -> None:
    """VaeError unless this VAE reads latents such as the base's U-Net makes."""
    for what, own, other in (
        ("latent channels", base.latent_channels, vae.config.latent_channels),
        ("pixels along a latent cell", base.vae_factor, 2 ** (len(vae.config.block_out_channels) - 1)),
        ("as its scale of latents", base.vae.config.scaling_factor, vae.config.scaling_factor),  # SDXL's is another
    ):
        if not math.isclose(own, other, rel_tol=0.01):
            raise VaeError(
                f"The VAE has {other} {what}, base model {base.name} has {own}. Use a VAE for this kind of base."
            )


def _folder(folder: Path) -> Any:
    name = next((name for name in WEIGHTS if (folder / name).is_file()), None)
    if name is None or not (folder / "config.json").is_file():
        raise VaeError(f"{folder} has no config.json with {WEIGHTS[0]}. Use the whole folder of a diffusers VAE.")
    options = {"local_files_only": True, "use_safetensors": True, "variant": "fp16" if ".fp16." in name else None}
    try:
        kind = AutoencoderKL.load_config(str(folder), local_files_only=True).get("_class_name", "AutoencoderKL")
        if kind != "AutoencoderKL":
            raise VaeError(f"{folder} holds a {kind}. Use an AutoencoderKL, as Stable Diffusion has.")
        vae, info = AutoencoderKL.from_pretrained(
            str(folder), torch_dtype=torch.float32, output_loading_info=True, **options
        )
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, VaeError):
            raise
        raise VaeError(f"{folder} cannot be read ({type(error).__name__}: {error}). Copy it again.") from error
    if info["missing_keys"]:
        raise VaeError(f"{folder} lacks {sorted(info['missing_keys'])[0]}. Use the original folder.")
    return vae


def _file(path: Path) -> Any:
    tensors = _tensors(path)
    blocks = {key.split(".")[2] for key in tensors if key.startswith("encoder.down.")}
    if blocks:
        types = ["DownEncoderBlock2D"] * len(blocks)
        tensors = convert_ldm_vae_checkpoint(tensors, {"down_block_types": types, "up_block_types": types})
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(_config(path, tensors))
    try:
        vae.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        said = str(error).splitlines()[1].strip()
        raise VaeError(f"{path} does not hold the VAE that its sizes tell of: {said} Use the original file.") from error
    return vae


def _tensors(path: Path) -> dict[str, Tensor]:
    """The VAE's tensors in a file; of a whole checkpoint only these are read."""
    try:
        with safe_open(path, "pt") as file:
            keys = list(file.keys())
            prefix = next((p for p in PREFIXES if any(k.startswith(f"{p}decoder.conv_in.") for k in keys)), None)
            if prefix is None:
                raise VaeError(f"{path} has no VAE in it (no decoder.conv_in). Use a VAE for Stable Diffusion.")
            wanted = [key for key in keys if key.startswith(tuple(prefix + part for part in PARTS))]
            # a copy, so that the file is not held open
            return {k.removeprefix(prefix): file.get_tensor(k).to(torch.float32, copy=True) for k in wanted}
    except (SafetensorError, OSError) as error:
        raise VaeError(f"{path} is torn or not a safetensors file ({error}). Copy it again.") from error


def _config(path: Path, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Sizes as the tensors have them; groups of 32, as in every Stable Diffusion."""
    resnets = {key.split(".")[4] for key in tensors if key.startswith("encoder.down_blocks.0.resnets.")}
    widths: list[int] = []
    while (first := f"encoder.down_blocks.{len(widths)}.resnets.0.conv1.weight") in tensors:
        widths.append(tensors[first].shape[0])
    if not widths or any(width % 32 for width in widths):
        raise VaeError(f"{path} is no VAE of Stable Diffusion's kind. Use its folder, with config.json.")
    return {
        "down_block_types": ["DownEncoderBlock2D"] * len(widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(widths),
        "block_out_channels": widths,
        "layers_per_block": len(resnets),
        "latent_channels": tensors["decoder.conv_in.weight"].shape[1],
        "norm_num_groups": 32,
        "use_quant_conv": "quant_conv.weight" in tensors,
        "use_post_quant_conv": "post_quant_conv.weight" in tensors,
        "mid_block_add_attention": any("mid_block.attentions" in key for key in tensors),
    }
