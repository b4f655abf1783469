"""Read a Stable Diffusion 1.x checkpoint that is one safetensors file, as WebUIs and trainers use it, offline."""

import gzip
import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from trainer.base_kind import TEXT, UNET, VAE

CONFIGS = Path(__file__).resolve().parent / "sd1"  # Stable Diffusion 1.5's; widths are read from the file instead
TEXT_HEAD = 64  # channels of an attention head in OpenAI's CLIP text encoders; no tensor tells it
MERGES = 49152 - 256 - 2  # of byte pairs that CLIP uses out of the vocabulary file (open_clip, tokenizer.py)
START, END = "<|startoftext|>", "<|endoftext|>"
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"

Tensors = dict[str, Tensor]


class SingleFileError(ValueError):
    """A checkpoint that can't be read. The text is the rest of a sentence that begins with the file's name."""


def config(part: str) -> dict[str, Any]:
    """The config of a part of Stable Diffusion 1.5: unet, vae, text_encoder or scheduler."""
    return dict(json.loads((CONFIGS / f"{part}.json").read_text(encoding="utf-8")))


def read_tensors(file: Path, prefix: str, dtype: torch.dtype) -> Tensors:
    """The tensors whose names start with ``prefix``, floats as ``dtype``, in memory of their own."""
    try:
        with safe_open(file, framework="pt") as weights:
            found = {key: weights.get_tensor(key) for key in weights.keys() if key.startswith(prefix)}  # noqa: SIM118
            return {key: t.to(dtype if t.is_floating_point() else t.dtype, copy=True) for key, t in found.items()}
    except (OSError, SafetensorError) as error:
        raise SingleFileError(f"cannot be read ({error}). Copy or download it again.") from error


def unet_of(file: Path, dtype: torch.dtype) -> UNet2DConditionModel:
    """The U-Net of a checkpoint; EMA weights beside it are not looked at."""
    tensors = read_tensors(file, UNET, dtype)
    settings = config("unet")
    each = settings["layers_per_block"] + 1
    with _naming("U-Net"):
        settings["in_channels"] = tensors[f"{UNET}input_blocks.0.0.weight"].shape[1]
        settings["out_channels"] = tensors[f"{UNET}out.2.weight"].shape[0]
        settings["cross_attention_dim"] = tensors[f"{UNET}middle_block.1.transformer_blocks.0.attn2.to_k.weight"].shape[
            1
        ]
        settings["block_out_channels"] = [
            tensors[f"{UNET}input_blocks.{1 + each * block}.0.out_layers.3.weight"].shape[0]
            for block in range(len(settings["down_block_types"]))
        ]
        converted = convert_ldm_unet_checkpoint(tensors, settings)
    with torch.device("meta"):
        model = UNet2DConditionModel.from_config(settings)
    return _filled(model, converted, "U-Net")


def vae_of(file: Path, prefix: str = VAE) -> AutoencoderKL:
    """The VAE of a checkpoint in fp32; ``prefix``: empty for a file that holds a VAE alone (original names)."""
    tensors = read_tensors(file, prefix, torch.float32)
    tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    settings = config("vae")
    with _naming("VAE"):
        settings["latent_channels"] = tensors["decoder.conv_in.weight"].shape[1]
        settings["block_out_channels"] = [
            tensors[f"encoder.down.{block}.block.0.conv1.weight"].shape[0]
            for block in range(len(settings["down_block_types"]))
        ]
        converted = convert_ldm_vae_checkpoint(tensors, settings)
    with torch.device("meta"):
        model = AutoencoderKL.from_config(settings)
    return _filled(model, converted, "VAE")


def text_encoder_of(file: Path, dtype: torch.dtype) -> CLIPTextModel:
    """The text encoder of a checkpoint. Merging programs drop "text_model." from its names, or add tensors."""
    start = f"{TEXT}transformer."
    tensors = {
        key.removeprefix(start).removeprefix("text_model."): tensor
        for key, tensor in read_tensors(file, start, dtype).items()
    }
    tensors.pop("embeddings.position_ids", None)  # 0 to 76; as fp16 in some files
    settings = config("text_encoder")
    with _naming("text encoder"):
        settings["vocab_size"], width = tensors["embeddings.token_embedding.weight"].shape
        settings["max_position_embeddings"] = tensors["embeddings.position_embedding.weight"].shape[0]
        settings["intermediate_size"] = tensors["encoder.layers.0.mlp.fc1.weight"].shape[0]
        settings["num_hidden_layers"] = len({key.split(".")[2] for key in tensors if key.startswith("encoder.layers.")})
        settings["hidden_size"] = settings["projection_dim"] = width
        settings["num_attention_heads"] = max(1, width // TEXT_HEAD)
    with torch.random.fork_rng(devices=[]):  # it draws weights first, and must not move anybody's random stream
        model = CLIPTextModel(CLIPTextConfig(**settings))
    body = getattr(model, "text_model", model)
    _filled(body, tensors, "text encoder")
    return model


def scheduler_of(velocity: bool) -> dict[str, Any]:
    """Stable Diffusion 1.5's noise schedule and sampler; for models that predict velocity, with that."""
    return {**config("scheduler"), **({"prediction_type": "v_prediction"} if velocity else {})}


def clip_tokenizer(vocabulary: Path | None = None) -> CLIPTokenizer:
    """CLIP's tokenizer (49,408 tokens, captions of 77), from the vocabulary that open_clip ships.

    Ids: 256 bytes, the same at a word's end, one for each merge, start and end (Radford et al. 2021, CLIP).
    """
    lines = gzip.decompress((vocabulary or _vocabulary()).read_bytes()).decode("utf-8").split("\n")
    merges = [(first, second) for first, second in (line.split() for line in lines[1 : MERGES + 1])]
    letters = _letters_of_bytes()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    numbers = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=77)  # type: ignore[arg-type]  # pairs are fine


def _letters_of_bytes() -> list[str]:
    """A visible character for each of the 256 bytes, in the order of GPT-2's byte-level byte pair encoding."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(visible)
    return [chr(byte) for byte in visible] + [chr(256 + number) for number in range(others)]


def _vocabulary() -> Path:
    """open_clip's vocabulary file, found without importing it (which takes seconds)."""
    spec = importlib.util.find_spec("open_clip")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(place) / VOCABULARY).is_file():
            return file
    raise SingleFileError(f"needs CLIP's vocabulary, {VOCABULARY} of the package open_clip_torch. Install that again.")


@contextmanager
def _naming(part: str) -> Iterator[None]:
    """Turns a missing tensor into a sentence that names the part."""
    try:
        yield
    except (KeyError, AttributeError, ValueError, IndexError) as error:  # what the conversion trips over
        what = error.args[0] if error.args else error
        raise SingleFileError(
            f"holds a {part} that is not Stable Diffusion 1.x's, or not all of it ({what})."
        ) from error


def _filled(model: Any, tensors: Mapping[str, Tensor | None], part: str) -> Any:
    """The model with these weights; every one must be there and of the right shape."""
    wanted = model.state_dict()
    absent = sorted(key for key in wanted if tensors.get(key) is None)
    if absent:
        raise SingleFileError(
            f"lacks {len(absent)} tensors of the {part}, such as {absent[0]}. Use the whole checkpoint."
        )
    chosen = {key: tensors[key] for key in wanted}
    odd = [key for key, tensor in chosen.items() if tensor is not None and tensor.shape != wanted[key].shape]
    if odd:
        raise SingleFileError(f"holds a {part} of another shape than Stable Diffusion 1.x's ({odd[0]}).")
    model.load_state_dict(chosen, assign=True)
    return model
