"""A small Stable Diffusion 1.x as a diffusers folder, and the same as one file in the original layout."""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
# The names in CompVis' checkpoints (stable-diffusion v1, ldm/modules/diffusionmodules), written down here again
# so that the reader is not tested against its own table.
UNET_PLACES = (
    (r"^time_embedding\.linear_([12])", lambda m: f"time_embed.{2 * int(m[1]) - 2}"),
    (r"^conv_in", lambda m: "input_blocks.0.0"),
    (r"^conv_norm_out", lambda m: "out.0"),
    (r"^conv_out", lambda m: "out.2"),
    (r"^down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.0"),
    (r"^down_blocks\.(\d)\.attentions\.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.1"),
    (r"^down_blocks\.(\d)\.downsamplers\.0\.conv", lambda m: f"input_blocks.{3 * int(m[1]) + 3}.0.op"),
    (r"^mid_block\.resnets\.(\d)", lambda m: f"middle_block.{2 * int(m[1])}"),
    (r"^mid_block\.attentions\.0", lambda m: "middle_block.1"),
    (r"^up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.0"),
    (r"^up_blocks\.(\d)\.attentions\.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.1"),
    (r"^up_blocks\.0\.upsamplers\.0", lambda m: "output_blocks.2.1"),
    (r"^up_blocks\.(\d)\.upsamplers\.0", lambda m: f"output_blocks.{3 * int(m[1]) + 2}.2"),
)
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
VAE_PLACES = (
    (r"down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"down.{m[1]}.block.{m[2]}"),
    (r"down_blocks\.(\d)\.downsamplers\.0", lambda m: f"down.{m[1]}.downsample"),
    (r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}"),
    (r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample"),
    (r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}"),
    (r"mid_block\.attentions\.0", lambda m: "mid.attn_1"),
    (r"conv_norm_out", lambda m: "norm_out"),
    (r"conv_shortcut", lambda m: "nin_shortcut"),
    (r"group_norm", lambda m: "norm"),
    (r"to_([qkv])\.", lambda m: f"{m[1]}."),
    (r"to_out\.0", lambda m: "proj_out"),
)


def small_sd1(folder: Path, widths: tuple[int, ...] = (32, 64, 64, 64), text: int = 64) -> Path:
    """A diffusers folder: the layout, depth, heads and vocabulary of Stable Diffusion 1.x, small widths, untrained."""
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from trainer.single_file import clip_tokenizer, config

    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = StableDiffusionPipeline(
            unet=UNet2DConditionModel.from_config(
                {**config("unet"), "block_out_channels": widths, "cross_attention_dim": text}
            ),
            vae=AutoencoderKL.from_config({**config("vae"), "block_out_channels": (32, 32, 32, 32)}),
            text_encoder=CLIPTextModel(
                CLIPTextConfig(
                    **{
                        **config("text_encoder"),
                        "hidden_size": text,
                        "intermediate_size": 2 * text,
                        "num_hidden_layers": 3,
                        "num_attention_heads": text // 64,
                    }
                )
            ),
            tokenizer=clip_tokenizer(),
            scheduler=PNDMScheduler.from_config(config("scheduler")),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.to(torch.float16).save_pretrained(folder)  # as most checkpoints are, and both ways of reading copy it
    return folder


def one_file(folder: Path, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """The tensors of a diffusers folder under the names of a checkpoint in one file."""
    found: dict[str, Tensor] = {}
    for part, name in WEIGHTS.items():
        rename = {"unet": unet_key, "vae": vae_key, "text_encoder": text_key}[part]
        for key, tensor in load_file(folder / part / name).items():
            is_attention = part == "vae" and "attentions" in key and key.endswith("weight") and tensor.dim() == 2
            found[rename(key)] = (tensor[:, :, None, None] if is_attention else tensor).to(dtype).contiguous()
    found["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    found["alphas_cumprod"] = torch.linspace(1, 0, 1000)
    return found


def unet_key(key: str) -> str:
    for pattern, place in UNET_PLACES:
        key, found = re.subn(pattern, place, key)
        if found:
            break
    if not key.startswith(("time_embed", "out.")) and ".transformer_blocks." not in key:
        key = re.sub("|".join(RESNET), lambda m: RESNET[m[0]], key)
    return f"model.diffusion_model.{key}"


def vae_key(key: str) -> str:
    for pattern, place in VAE_PLACES:
        key = re.sub(pattern, place, key)
    return f"first_stage_model.{key}"


def text_key(key: str) -> str:
    return f"cond_stage_model.transformer.text_model.{key.removeprefix('text_model.')}"


def write(tensors: dict[str, Tensor], file: Path) -> Path:
    save_file(tensors, file, {"format": "pt"})
    return file
