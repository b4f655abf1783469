"""Load a base model (Stable Diffusion 1.x: a diffusers folder or one file) and turn captions into embeddings."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from trainer import EMBEDDED, EMBEDDED_BASES, PAINTED
from trainer.base_kind import PICKLES, base_kind, how_to_convert, vae_beside
from trainer.device import Device, use_threads
from trainer.fingerprint import combined, sha256
from trainer.painted import paint
from trainer.single_file import (
    SingleFileError,
    clip_tokenizer,
    scheduler_of,
    text_encoder_of,
    unet_of,
    vae_of,
)

WEIGHTS = {  # part -> its weight file without suffix
    "text_encoder": "model",
    "vae": "diffusion_pytorch_model",
    "unet": "diffusion_pytorch_model",
}


class BaseModelError(ValueError):
    """A base model that cannot be used, with what is wrong and what to do."""


@dataclass(eq=False)
class BaseModel:
    """A frozen base model; every size is read from its configs.

    fingerprint is the sha256 over all weight files, fingerprints the same for each part ("text_encoder",
    "vae", "unet"). wrapped belongs to trainer.adapter: kohya name -> the peft layer around a base layer.
    """

    location: str
    name: str
    fingerprint: str
    fingerprints: dict[str, str]
    tokenizer: Any
    text_encoder: Any
    vae: Any
    unet: Any
    train_schedule: Any  # DDPMScheduler
    sampler_config: dict[str, Any]
    device: Device
    wrapped: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def vae_factor(self) -> int:
        """Pixels along one side of a latent cell."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def size_px(self) -> int:
        """The picture size that the base was made for, in pixels, square."""
        cells = self.unet.config.sample_size
        return (cells if isinstance(cells, int) else cells[0]) * self.vae_factor

    @property
    def max_tokens(self) -> int:
        """Tokens in a caption with its start and end token."""
        return min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)

    @property
    def latent_channels(self) -> int:
        return self.vae.config.latent_channels


@dataclass(frozen=True)
class _Parts:
    """What a place on disk gives: the models, and the hash of each part's files."""

    models: dict[str, Any]
    fingerprints: dict[str, str]
    tokenizer: Any
    sampler_config: dict[str, Any]


def load_base(location: str | Path, device: Device, weight_dtype: torch.dtype | None = None) -> BaseModel:
    """Load a base model from a diffusers folder, from a single-file `.safetensors` checkpoint of SD 1.x, or a
    miniature ("embedded", "embedded-painted"). Nothing is downloaded.

    weight_dtype is the type of the frozen U-Net and text encoder (default fp32; always fp32 on a CPU). The
    VAE stays in fp32, since many VAEs overflow to black in fp16. Raises BaseModelError.
    """
    shipped = str(location) in EMBEDDED_BASES
    place = EMBEDDED / "base" if shipped else Path(location).expanduser()
    dtype = torch.float32 if device.kind == "cpu" or weight_dtype is None else weight_dtype
    parts = _from_file(place, dtype) if place.is_file() else _from_folder(place, dtype)
    fingerprints = dict(parts.fingerprints)
    if str(location) == "embedded-painted":
        paint(parts.models["unet"])
        fingerprints["unet"] = combined([fingerprints["unet"], sha256(PAINTED)])
    for part, model in parts.models.items():
        model.requires_grad_(False).eval().to(device.torch_device)
        if part != "text_encoder" and device.kind != "mps":  # convolutions are faster so
            model.to(memory_format=torch.channels_last)
    if device.kind == "cpu":
        use_threads(sum(weight.numel() for weight in parts.models["unet"].parameters()))
    base = BaseModel(
        location=str(location),
        name=str(location) if shipped else place.stem if place.is_file() else place.resolve().name,
        fingerprint=combined(fingerprints.values()),
        fingerprints=fingerprints,
        tokenizer=parts.tokenizer,
        train_schedule=DDPMScheduler.from_config(parts.sampler_config),
        sampler_config=parts.sampler_config,
        device=device,
        **parts.models,
    )
    _check_sizes(base)
    return base


def _from_folder(folder: Path, dtype: torch.dtype) -> _Parts:
    """A base in diffusers layout."""
    _check_folder(folder)
    files = {part: _weight_files(folder, part, stem) for part, stem in WEIGHTS.items()}
    return _Parts(
        {
            "text_encoder": _load_part(CLIPTextModel, folder, "text_encoder", files, dtype),
            "vae": _load_part(AutoencoderKL, folder, "vae", files, torch.float32),
            "unet": _load_part(UNet2DConditionModel, folder, "unet", files, dtype),
        },
        {part: combined(sha256(file) for file in files[part]) for part in WEIGHTS},
        _load_tokenizer(folder),
        _json(folder / "scheduler" / "scheduler_config.json"),
    )


def _from_file(file: Path, dtype: torch.dtype) -> _Parts:
    """A single-file checkpoint, its VAE inside or beside it (NAME.vae.safetensors)."""
    kind = base_kind(file)
    if not kind.ok:
        raise BaseModelError(kind.sentence)
    beside = None if kind.own_vae else vae_beside(file)
    try:
        models = {
            "text_encoder": text_encoder_of(file, dtype),
            "vae": vae_of(beside, "") if beside else vae_of(file),
            "unet": unet_of(file, dtype),
        }
        tokenizer = clip_tokenizer()
    except SingleFileError as error:
        raise BaseModelError(f"Base model {file.name} {error}") from error
    read = {"text_encoder": file, "vae": beside or file, "unet": file}
    fingerprints = {part: combined([part, sha256(source)]) for part, source in read.items()}
    return _Parts(models, fingerprints, tokenizer, scheduler_of(kind.velocity))


def encode(base: BaseModel, captions: Sequence[str], clip_skip: int, grad: bool = False) -> torch.Tensor:
    """Embeddings of captions, shape (captions, max_tokens, width), as the U-Net was trained to read them.

    Clip skip n is hidden state -n, then the final layer norm (sd-scripts, library/strategy_sd.py); 1 skips
    nothing. grad keeps the graph, for training the text encoder. Raises ValueError for a clip skip that the
    text encoder is not deep enough for.
    """
    layers = base.text_encoder.config.num_hidden_layers
    if not 1 <= clip_skip <= layers:
        raise ValueError(f"clip_skip is {clip_skip}, but this text encoder has {layers} layers. Use 1 to {layers}.")
    ids = base.tokenizer(
        list(captions), padding="max_length", max_length=base.max_tokens, truncation=True, return_tensors="pt"
    ).input_ids.to(base.device.torch_device)
    with torch.set_grad_enabled(grad):
        output = base.text_encoder(ids, output_hidden_states=clip_skip > 1)
        if clip_skip == 1:
            return output.last_hidden_state
        return text_body(base.text_encoder).final_layer_norm(output.hidden_states[-clip_skip])


def text_body(text_encoder: Any) -> Any:
    """The module with the layers: transformers before 5.6 keeps it in `.text_model`, later ones are flat."""
    return getattr(text_encoder, "text_model", text_encoder)


def count_tokens(base: BaseModel, caption: str) -> int:
    """Tokens of a caption, with start and end; what exceeds `base.max_tokens` is not read by the model."""
    return len(base.tokenizer(caption, truncation=False, verbose=False).input_ids)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BaseModelError(base_kind(folder).sentence)
    for part in ("model_index.json", "tokenizer", "scheduler/scheduler_config.json"):
        if not (folder / part).exists():
            raise BaseModelError(f"Base model {folder} has no {part}. Copy the whole diffusers folder.")
    if (folder / "text_encoder_2").exists():
        raise BaseModelError(base_kind(folder).sentence)


def _weight_files(folder: Path, part: str, stem: str) -> list[Path]:
    """The safetensors files of one part, full precision first; BaseModelError when there is none."""
    place = folder / part
    if not (place / "config.json").is_file():
        raise BaseModelError(f"Base model {folder} has no {part}/config.json. Copy the whole diffusers folder.")
    for variant in ("", ".fp16"):
        if (whole := place / f"{stem}{variant}.safetensors").is_file():
            return [whole]
        if (index := place / f"{stem}.safetensors.index{variant}.json").is_file():
            shards = [place / name for name in sorted(set(_json(index)["weight_map"].values()))]
            if missing := [shard.name for shard in shards if not shard.is_file()]:
                raise BaseModelError(f"Base model {folder} lacks {part}/{missing[0]}. Copy the whole folder.")
            return shards
    if any(file.suffix in PICKLES for file in place.iterdir()):
        raise BaseModelError(
            f"Base model {folder} has only pickle files in {part}, which can run code. {how_to_convert(folder)}"
        )
    raise BaseModelError(f"Base model {folder} has no {part}/{stem}.safetensors. Copy the whole diffusers folder.")


def _load_part(cls: Any, folder: Path, part: str, files: dict[str, list[Path]], dtype: torch.dtype) -> Any:
    place = folder / part
    variant = "fp16" if ".fp16" in files[part][0].name else None
    options = {
        "local_files_only": True,
        "use_safetensors": True,
        "output_loading_info": True,
        "variant": variant,
    }
    kind = "dtype" if cls is CLIPTextModel else "torch_dtype"
    try:
        model, info = _quietly(lambda: cls.from_pretrained(str(place), **{kind: dtype}, **options))
    except Exception as error:  # a torn file raises SafetensorError, OSError, ValueError or KeyError
        raise BaseModelError(
            f"Base model {folder}: {part} cannot be read ({type(error).__name__}: {error}). "
            "Copy or download the folder again."
        ) from error
    absent = sorted(info["missing_keys"]) + sorted(str(key) for key in info.get("mismatched_keys", []))
    if absent:
        raise BaseModelError(
            f"Base model {folder}: {part} lacks {len(absent)} tensors of its config, such as {absent[0]}. "
            "The folder mixes two models or was saved by a different program; use the original folder."
        )
    return model


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    try:
        return CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    except Exception as error:  # transformers raises many types for a broken vocabulary
        raise BaseModelError(f"Base model {folder}: the tokenizer cannot be read ({error}).") from error


def _quietly(load: Callable[[], Any]) -> Any:
    """Load without transformers' progress bar, which would end up in the log of every run."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        return load()
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _check_sizes(base: BaseModel) -> None:
    channels, width = base.unet.config.in_channels, base.text_encoder.config.hidden_size
    if channels != base.latent_channels:
        raise BaseModelError(
            f"Base model {base.location}: the U-Net takes {channels} channels but the VAE gives "
            f"{base.latent_channels}. Use a text-to-image model, not one for inpainting."
        )
    if base.unet.config.cross_attention_dim != width:
        raise BaseModelError(
            f"Base model {base.location}: the U-Net reads embeddings of width "
            f"{base.unet.config.cross_attention_dim} but the text encoder gives {width}. "
            "Use a folder whose parts belong together."
        )


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseModelError(f"{file} cannot be read ({error}). Copy the folder again.") from error
