"""LoRA files: write in kohya's format, read that and others', prove that what was written is what was trained."""

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from trainer.adapter import Adapter, attach_file, targets, use
from trainer.base import PICKLES, BaseModel, encode
from trainer.config import TrainConfig
from trainer.dialect import ALPHA, DORA, DOWN, UP, ForeignKey, adapter_config, alpha_of, place_of
from trainer.effective import effective
from trainer.module import Module

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
OPTIMIZERS = {  # our names -> class and arguments, as sd-scripts writes them into ss_optimizer
    "adamw": "torch.optim.adamw.AdamW(weight_decay={decay},betas={betas})",
    "adam": "torch.optim.adam.Adam(weight_decay={decay},betas={betas})",
    "lion": "lion_pytorch.lion_pytorch.Lion(weight_decay={decay},betas={betas})",
    "sgd_nesterov": "torch.optim.sgd.SGD(weight_decay={decay},momentum={momentum})",
    "adafactor": "transformers.optimization.Adafactor(scale_parameter=True,relative_step=True,weight_decay={decay})",
    "adafactor-fixed": "transformers.optimization.Adafactor("
    "scale_parameter=False,relative_step=False,warmup_init=False,weight_decay={decay})",
    "dadaptation": "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint("
    "decouple=True,weight_decay={decay},betas={betas})",
    "prodigy": "prodigyopt.prodigy.Prodigy(decouple=True,weight_decay={decay},betas={betas})",
    "adamw8bit": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay={decay},betas={betas})",
    "lion8bit": "bitsandbytes.optim.lion.Lion8bit(weight_decay={decay},betas={betas})",
    "sgd_nesterov8bit": "bitsandbytes.optim.sgd.SGD8bit(weight_decay={decay},momentum={momentum})",
}
AMPLIFIED = 0.05  # share of the output's change that rounding may make, through an overdone LoRA


class KohyaError(ValueError):
    """A LoRA file that cannot be read or does not fit the base, naming the file and the key."""


class ProofError(RuntimeError):
    """A saved file that is not the LoRA that was trained."""


@dataclass(frozen=True)
class KohyaFile:
    """A LoRA file: its modules by kohya name, sorted, in the file's own precision; metadata in strings."""

    modules: dict[str, Module]
    metadata: dict[str, str]


@dataclass(frozen=True)
class Written:
    """A file that now exists: sha256 (hex) and size of the whole file, and how many modules are in it."""

    sha256: str
    bytes: int
    modules: int


def write(adapter: Adapter, path: Path, metadata: Mapping[str, str], precision: str) -> Written:
    """Save an adapter beside `path` and rename it: a crash leaves no half file.

    precision is "fp16", "bf16" or "fp32"; alpha is stored in it too, as sd-scripts does. A dora_scale is always
    fp32: rounded, it would turn the base's whole weight by more than a young LoRA does. Both sshs hashes are
    added to the metadata. Raises KohyaError when a weight is not finite or does not fit the precision.
    """
    tensors = {
        key: value.to(torch.float32 if key.endswith(DORA) else PRECISIONS[precision]).contiguous()
        for key, value in adapter.state().items()
    }
    for key, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise KohyaError(f"{key} is not finite in {precision}, so {path.name} was not written.")
    data = safetensors.torch.save(tensors, {**metadata, **_hashes(tensors, metadata)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    return Written(hashlib.sha256(data).hexdigest(), len(data), len(adapter.modules))


def read(path: Path) -> KohyaFile:
    """Read a LoRA file in kohya's names, or in diffusers' or peft's (see trainer/dialect.py).

    A missing alpha means alpha = dim (scale 1). KohyaError names file and key.
    """
    data = _bytes(path)
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, KeyError) as error:
        raise KohyaError(f"{path} is torn or not a safetensors file ({error}). Copy or save it again.") from error
    metadata = header.get("__metadata__") or {}
    parts: dict[str, dict[str, Tensor]] = {}
    paths: dict[str, str] = {}  # of modules whose names are not kohya's
    for key, tensor in tensors.items():
        try:
            place = place_of(key)
        except ForeignKey as error:
            raise KohyaError(f"{path}: {key} {error}") from error
        if not tensor.isfinite().all():
            raise KohyaError(f"{path}: {key} has values that are not finite; the LoRA is broken. Train it again.")
        parts.setdefault(place.module, {})[place.slot] = tensor
        if place.path:
            paths[place.module] = place.path
    if not parts:
        raise KohyaError(f"{path} has no tensors in it. Save it again.")
    try:
        config = adapter_config(metadata)
        for name, layer in paths.items():
            if ALPHA not in parts[name] and DOWN in parts[name]:
                parts[name][ALPHA] = torch.tensor(alpha_of(config, layer, parts[name][DOWN].shape[0]))
    except ValueError as error:
        raise KohyaError(f"{path}: {error}. Save the LoRA again.") from error
    modules = {name: _module(path, name, parts[name]) for name in sorted(parts)}
    return KohyaFile(modules, metadata)


def checked(base: BaseModel, file: KohyaFile, path: Path) -> KohyaFile:
    """The file itself if each of its modules fits a layer of the base, else a KohyaError."""
    found = targets(base, convolutions=True)
    for name, module in file.modules.items():
        if name not in found:
            raise KohyaError(
                f"{path}: {name} is no layer of base model {base.name} that a LoRA can adapt. Use "
                "a LoRA that was made for this kind of base."
            )
        out, width, *kernel = found[name].shape
        ones = [1 for _ in kernel]
        for slot, tensor, wanted in (
            (DOWN, module.down, (module.dim, width, *kernel)),
            (UP, module.up, (out, module.dim, *ones)),
            (DORA, module.dora_scale, (1, width, *ones)),
        ):
            if slot == DORA and tensor is not None and tuple(tensor.shape) == (out, 1, *ones) != wanted:
                raise KohyaError(
                    f"{path}: {name}.{slot} holds lengths of output rows, which programs read in different ways. "
                    "Use a DoRA that was trained with wd_on_output=False."
                )
            if tensor is not None and tuple(tensor.shape) != wanted:
                raise KohyaError(
                    f"{path}: {name}.{slot} is {tuple(tensor.shape)}, but base model {base.name} "
                    f"needs {wanted}. Use a LoRA that was made for this kind of base."
                )
    return file


def prove(base: BaseModel, adapter: Adapter, path: Path, captions: tuple[str, ...] = ("photo",)) -> dict[str, Any]:
    """Reload a saved file and show that it is the adapter: names, scales, tensors, change of the output.

    The same noise goes through the plain base, the adapter and the file (text encoder included). Returns
    modules, scale (of all but 3x3 convolutions), precision, change (norm of the output's change / norm of the
    output), error (norm of the difference between both changes / norm of the output) and rounding (the share of
    the LoRA that the file's precision takes away; near 1 means that it swallows all). Raises ProofError.
    """
    try:
        file = checked(base, read(path), path)
    except KohyaError as error:
        raise ProofError(f"The saved file cannot be loaded: {error}") from error
    rounding = _same_tensors(adapter, file, path)
    again = attach_file(base, f"{adapter.name}-proof", path)
    try:
        plain, memory, disk = (_answer(base, one, captions) for one in (None, adapter, again))
    finally:
        again.detach()
    size = plain.norm().item()
    change = (memory - plain).norm().item() / size
    error_ = (disk - memory).norm().item() / size
    # The two may differ by the rounding of up and down, and by that of the forward pass itself. An overdone LoRA
    # amplifies that (2.2 % of the change was seen); a wrong scale or a lost module is off by tens of per cent.
    allowed = (4 * rounding + AMPLIFIED) * change + 16 * torch.finfo(base.unet.dtype).eps * math.sqrt(2)
    if not error_ <= allowed:
        raise ProofError(
            f"{path.name} changes the output differently from the trained adapter: off by {error_:.2e} "
            f"of it, where rounding explains {allowed:.2e}. The file cannot be trusted; train again."
        )
    return {
        "modules": len(file.modules),
        "scale": adapter.scale,
        "precision": str(next(iter(file.modules.values())).down.dtype).removeprefix("torch."),
        "change": change,
        "error": error_,
        "rounding": rounding,
    }


def metadata_for(
    config: TrainConfig,
    base: BaseModel,
    *,
    name: str,
    seed: int,
    update: int,
    n_images: int,
    session: str,
    started: float,
    trigger: str = "",
) -> dict[str, str]:
    """The ss_* and modelspec.* entries that WebUIs and merge tools read (sd-scripts, train_network.py).

    name becomes ss_output_name and has to be unique (A1111 finds LoRAs by it); session groups the files of
    one run; started is unix time in seconds. No path, folder name or caption goes in: files get shared.
    """
    now, done = time.time(), effective(config, base.device.precisions)
    size = config.resolution or base.size_px
    velocity = base.train_schedule.config.prediction_type == "v_prediction"
    data = {"photos": {"n_repeats": config.repeats, "img_count": n_images}}
    entries: dict[str, Any] = {
        "ss_output_name": name,
        "ss_session_id": session,
        "ss_training_started_at": started,
        "ss_training_finished_at": now,
        "ss_base_model_version": "sd_v1",
        "ss_v2": False,
        "ss_new_sd_model_hash": base.fingerprint,
        "ss_new_vae_hash": base.fingerprints["vae"],
        **_network(config),
        "ss_seed": seed,
        "ss_steps": update,
        "ss_max_train_steps": config.total_updates(n_images),
        "ss_num_epochs": config.epochs,
        "ss_epoch": math.ceil(update / config.updates_per_epoch(n_images)),
        "ss_num_batches_per_epoch": math.ceil(n_images * config.repeats / config.batch_size),
        "ss_gradient_accumulation_steps": config.gradient_accumulation,
        "ss_optimizer": _optimizer(config),
        "ss_learning_rate": done["learning_rate"],
        "ss_unet_lr": done["learning_rate"],
        "ss_text_encoder_lr": done["text_encoder_lr"],
        "ss_lr_scheduler": done["lr_scheduler"],
        "ss_lr_warmup_steps": done["warmup_updates"],
        "ss_max_grad_norm": config.max_grad_norm,
        "ss_min_snr_gamma": config.min_snr_gamma,
        "ss_noise_offset": config.noise_offset or None,
        "ss_caption_dropout_rate": config.caption_dropout,
        "ss_shuffle_caption": config.shuffle_captions,
        "ss_keep_tokens": int(config.shuffle_captions),
        "ss_mixed_precision": done["mixed_precision"],
        "ss_full_fp16": False,
        "ss_gradient_checkpointing": False,
        "ss_cache_latents": True,
        "ss_clip_skip": config.clip_skip,
        "ss_max_token_length": base.max_tokens,
        "ss_num_train_images": n_images * config.repeats,
        "ss_num_reg_images": 0,
        "ss_batch_size_per_device": config.batch_size,
        "ss_total_batch_size": config.photos_per_update,
        "ss_resolution": f"({size}, {size})",
        "ss_enable_bucket": False,
        "ss_flip_aug": config.flip,
        "ss_dataset_dirs": json.dumps(data),
        "ss_tag_frequency": json.dumps({"photos": {trigger: n_images}} if trigger else {}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": name,
        "modelspec.date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)),
        "modelspec.resolution": f"{size}x{size}",
        "modelspec.prediction_type": "v" if velocity else "epsilon",
        "modelspec.trigger_phrase": trigger,
        "workbench.pattern": config.hash,
        "workbench.settings": json.dumps(config.model_dump(mode="json", exclude={"base_model"})),  # a path, maybe
    }
    return {key: str(value) for key, value in entries.items()}


def _network(config: TrainConfig) -> dict[str, Any]:
    """What kind of LoRA it is, as the trainer that has this kind writes it: LyCORIS where sd-scripts has none."""
    lycoris: dict[str, Any] = {}
    if config.dora or config.rslora:
        lycoris["algo"] = "lora"
    if config.dora:
        lycoris |= {"dora_wd": True, "wd_on_output": False}
    if config.rslora:
        lycoris["rs_lora"] = True
    convolutions: dict[str, Any] = {}
    if config.conv_dim is not None:
        alpha = float(config.conv_dim) if config.conv_alpha is None else config.conv_alpha
        convolutions = {"conv_dim": config.conv_dim, "conv_alpha": alpha}
    return {
        "ss_network_module": "lycoris.kohya" if lycoris else "networks.lora",
        "ss_network_dim": config.dim,
        "ss_network_alpha": config.alpha,
        "ss_network_dropout": config.dropout or None,
        "ss_network_args": json.dumps({key: str(value) for key, value in {**lycoris, **convolutions}.items()}),
    }


def _optimizer(config: TrainConfig) -> str:
    betas = config.betas
    return OPTIMIZERS[config.optimizer].format(decay=config.weight_decay, betas=betas, momentum=betas[0])


def _bytes(path: Path) -> bytes:
    """The whole file, not memory-mapped: Windows cannot replace a mapped file. Pickles are refused."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KohyaError(f"{path} cannot be read: {error.strerror}.") from error
    if path.suffix.lower() in PICKLES or data[:4] == b"PK\x03\x04" or data[:2] in (b"\x80\x02", b"\x80\x04"):
        raise KohyaError(
            f"{path} is a pickle file, which can run code, so it is not loaded. Use the .safetensors "
            "file of this LoRA, or convert it with a tool you trust."
        )
    return data


def _module(path: Path, name: str, parts: Mapping[str, Tensor]) -> Module:
    for slot in (DOWN, UP):
        if slot not in parts:
            raise KohyaError(f"{path}: {name}.{slot} is missing. Copy or save the file again.")
    down, up = parts[DOWN], parts[UP]
    if down.dim() not in (2, 4) or up.dim() != down.dim() or up.shape[1] != down.shape[0]:
        raise KohyaError(
            f"{path}: {name} has {DOWN} {tuple(down.shape)} and {UP} {tuple(up.shape)}, "
            "which do not belong together. Copy or save the file again."
        )
    alpha = parts.get(ALPHA)
    if alpha is not None and alpha.numel() != 1:
        raise KohyaError(f"{path}: {name}.{ALPHA} has {alpha.numel()} values, one is needed.")
    return Module(down, up, float(down.shape[0] if alpha is None else alpha.item()), parts.get(DORA))


def _hashes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """Both hashes of sd-scripts, over the file as it would be with the ss_ entries alone.

    The new one covers all bytes after the header, the legacy one 64 KiB at 1 MiB, its first 8 digits.
    """
    own = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    data = safetensors.torch.save(dict(tensors), own)
    body = data[8 + int.from_bytes(data[:8], "little") :]
    legacy = data[0x100000 : 0x100000 + 0x10000]
    return {
        "sshs_model_hash": hashlib.sha256(body).hexdigest(),
        "sshs_legacy_hash": hashlib.sha256(legacy).hexdigest()[:8],
    }


def _same_tensors(adapter: Adapter, file: KohyaFile, path: Path) -> float:
    """What rounding took from the LoRA, as a share of it. ProofError unless names, scales, tensors are equal.

    Over all down and over all up tensors together: one that is nearly zero may vanish in fp16, and counts as little
    here as it does in the output. Lengths of columns are never rounded.
    """
    if odd := sorted(adapter.modules.keys() ^ file.modules.keys()):
        raise ProofError(f"{path.name} has {len(file.modules)} modules, {len(adapter.modules)} were trained: {odd[0]}.")
    lost, whole = dict.fromkeys((DOWN, UP), 0.0), dict.fromkeys((DOWN, UP), 0.0)  # squared norms
    for name, trained in adapter.modules.items():
        saved = file.modules[name]
        scale, step = trained.scale, torch.finfo(saved.down.dtype).eps
        if not math.isclose(saved.scale, scale, rel_tol=step):
            raise ProofError(f"{path.name}: {name} has scale {saved.scale:g} (alpha / dim), trained was {scale:g}.")
        if odd := sorted(saved.tensors.keys() ^ trained.tensors.keys()):
            raise ProofError(f"{path.name}: {name}.{odd[0]} is in only one of the file and the trained adapter.")
        for slot, kept in saved.tensors.items():
            exact = trained.tensors[slot].detach().cpu()
            if not torch.equal(exact.to(kept.dtype), kept):
                raise ProofError(f"{path.name}: {name}.{slot} is not the trained tensor.")
            if slot in lost:
                lost[slot] += (kept.float() - exact).square().sum().item()
                whole[slot] += exact.square().sum().item()
    return max(math.sqrt(lost[slot] / whole[slot]) if whole[slot] else 0.0 for slot in (DOWN, UP))


@torch.no_grad()
def _answer(base: BaseModel, adapter: Adapter | None, captions: tuple[str, ...]) -> Tensor:
    """The U-Net's answer to fixed noise in the middle of the schedule, (captions, c, h, w), fp32."""
    cells, steps = base.size_px // base.vae_factor, base.train_schedule.config.num_train_timesteps
    noise = torch.randn(len(captions), base.latent_channels, cells, cells, generator=torch.Generator().manual_seed(0))
    noise = noise.to(base.device.torch_device, base.unet.dtype)
    with use(base, adapter):
        embeddings = encode(base, captions, clip_skip=1).to(base.unet.dtype)
        return base.unet(noise, steps // 2, embeddings, return_dict=False)[0].float()
