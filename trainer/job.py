"""One training as it is asked for: a pattern, a seed, photos, and where its files go."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainer.base import BaseModel
from trainer.config import ConfigError, TrainConfig
from trainer.data import Photo
from trainer.effective import course, rate_depends_on_length
from trainer.loss import PREDICTIONS


@dataclass
class Job:
    """One training: a pattern, a seed, photos, and where its files go."""

    run: str  # comes back in every event
    config: TrainConfig
    seed: int
    photos: Sequence[Photo]
    out: Path  # NAME*.safetensors, loss.jsonl and state/ are written here
    name: str
    trigger: str = ""
    class_noun: str = ""
    reference: Sequence[Photo] = ()  # never trained on: only the loss on them is told with each LoRA file
    continues: Path | None = None  # the `state` folder of a finished run that was shorter, else the same: start there
    stop: str | None = None  # set to a reason, such as "cancelled", to stop after the current update


def identity(job: Job, base: BaseModel) -> dict[str, Any]:
    """What a saved state was trained from; `course` is the pattern whatever its length."""
    photos = json.dumps([(photo.sha256, photo.caption) for photo in job.photos])
    return {
        "pattern": job.config.hash,
        "course": course(job.config),
        "seed": job.seed,
        "photos": hashlib.sha256(photos.encode()).hexdigest(),
        "base": base.fingerprint,
    }


def generator(seed: int, stream: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A random stream of its own for each (seed, name); on the CPU, every device draws the same."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def check(base: BaseModel, job: Job, size: int, dtype: torch.dtype) -> None:
    """ConfigError for a pattern that this base cannot be trained with."""
    layers = base.text_encoder.config.num_hidden_layers
    schedule: Any = base.train_schedule
    prediction = schedule.config.prediction_type
    if Path(job.name).name != job.name:
        raise ConfigError(f"The name {job.name!r} cannot be a file name. Leave out slashes.")
    if job.config.clip_skip > layers:
        raise ConfigError(f"clip_skip is {job.config.clip_skip}, but the text encoder has {layers} layers. Lower it.")
    if size % base.vae_factor:
        raise ConfigError(f"resolution is {size} px; this base needs a multiple of {base.vae_factor}.")
    if prediction not in PREDICTIONS:
        raise ConfigError(f"The base predicts {prediction!r}; only {' and '.join(PREDICTIONS)} can be trained.")
    if dtype == torch.float32 and base.unet.dtype != torch.float32:
        raise ConfigError(f"The base was loaded as {base.unet.dtype}, but mixed_precision is off. Load it in fp32.")
    if job.continues and rate_depends_on_length(job.config):
        raise ConfigError(
            f"The schedule {job.config.lr_scheduler} depends on how long the run is, so going on would not give "
            "what the longer run gives. Train it from the start."
        )


def checkpoint_name(job: Job, update: int, total: int) -> str:
    """kohya's file names: NAME.safetensors for the last, NAME-000010 by epoch, else NAME-step00000120."""
    if update == total:
        return f"{job.name}.safetensors"
    if job.config.save_unit == "epochs":
        epoch = update // job.config.updates_per_epoch(len(job.photos))
        return f"{job.name}-{epoch:06d}.safetensors"
    return f"{job.name}-step{update:08d}.safetensors"
