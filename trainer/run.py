"""What one training owns while it goes on: its job, weights, optimiser, chance, and files."""

import hashlib
import itertools
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from trainer.adapter import attach, use
from trainer.base import BaseModel, encode
from trainer.config import ConfigError, TrainConfig, effective
from trainer.data import Photo, encode_captions, encode_photos
from trainer.events import Progress, Saved, StateSaved
from trainer.kohya import metadata_for, prove, write
from trainer.loss import PREDICTIONS, denoising_loss
from trainer.optim import build_optimizer, set_rates
from trainer.state import State, load_state, restore_optimizer, save_state

PROGRESS_EVERY_S = 0.5
DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
CHECKED = ("loss", "gradient", "weights")  # what has to stay finite
_numbers = itertools.count()  # every adapter on a base has a name of its own


class Diverged(ArithmeticError):
    """A loss, gradient or weight that is no longer a finite number; its text says which."""


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
    stop: str | None = None  # set to a reason, such as "cancelled", to stop after the current update


def generator(seed: int, stream: str) -> torch.Generator:
    """A random stream of its own for each (seed, name), on the CPU so that every device draws the same."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class Run:
    """One job on its way; the order of its methods is the order of a run."""

    def __init__(self, base: BaseModel, job: Job, cache: Path | None) -> None:
        config, photos = job.config, job.photos
        self.base, self.job, self.device = base, job, base.device.torch_device
        self.effective = effective(config, base.device.precisions)
        self.dtype = DTYPES[self.effective["mixed_precision"]]
        size = config.resolution or base.size_px
        check(base, job, size, self.dtype)

        # How long it takes, and after which updates it saves.
        self.total = config.total_updates(len(photos))
        self.points = frozenset(config.save_points(len(photos)))
        self.update, self.seconds, self.started = 0, 0.0, time.time()
        self.saved: list[Saved] = []  # the LoRA files so far

        # What it sees.
        self.captions = [photo.caption for photo in photos]
        self.latents = encode_photos(base, photos, size, config.flip, cache)
        self.embeddings = (
            None if config.train_text_encoder else encode_captions(base, self.captions, config.clip_skip, cache)
        )

        # Chance, in streams that do not touch each other.
        self.generators = {stream: generator(job.seed, stream) for stream in ("order", "noise")}
        self.order = torch.empty(0, dtype=torch.int64)

        # What it trains. The text encoder's parameters come after the U-Net's.
        self.adapter = attach(
            base,
            f"job{next(_numbers)}",
            dim=config.dim,
            alpha=config.alpha,
            modules=config.modules,
            text_encoder=config.train_text_encoder,
            generator=generator(job.seed, "init"),
        )
        try:
            unet, text_encoder = (self.adapter.parameters(part) for part in ("unet", "text_encoder"))
            self.parameters = unet + text_encoder
            self.optimizer = build_optimizer(config, unet, text_encoder)
            self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
            self._resume()
        except BaseException:
            self.adapter.detach()
            raise
        self.state_time, self.progress_time = time.monotonic(), -math.inf

    def _resume(self) -> None:
        """Go on from the saved state, where there is one, and open the loss file at that point."""
        self.job.out.mkdir(parents=True, exist_ok=True)
        state = load_state(self.job.out / "state", self._identity())
        if state is not None:
            self.update, self.seconds, self.started = state.update, state.seconds, state.started
            self.order = state.order
            events = [Saved(**{**event, "run": self.job.run}) for event in state.saved]
            self.saved = [event for event in events if (self.job.out / event.file).is_file()]
            self.adapter.load_state(state.lora)
            restore_optimizer(self.optimizer, state.optimizer)
            for name, numbers in state.generators.items():
                self.generators[name].set_state(numbers)
            if state.scaler and self.scaler.is_enabled():
                self.scaler.load_state_dict(state.scaler)
        self.losses = open_losses(self.job.out / "loss.jsonl", self.update)

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a saved state to be continued."""
        photos = json.dumps([(photo.sha256, photo.caption) for photo in self.job.photos])
        return {
            "pattern": self.job.config.hash,
            "seed": self.job.seed,
            "photos": hashlib.sha256(photos.encode()).hexdigest(),
            "base": self.base.fingerprint,
        }

    def step(self) -> tuple[float, float | None]:
        """One update; returns its loss and the U-Net's learning rate. Raises Diverged."""
        config, started = self.job.config, time.perf_counter()
        self.update += 1

        # Choose photos, noise and timesteps.
        photos, variants = self._next_photos()
        noise_stream = self.generators["noise"]
        latents = self.latents.sample(photos, variants, noise_stream)
        noise = torch.randn(latents.shape, generator=noise_stream).to(self.device)
        schedule: Any = self.base.train_schedule
        steps = schedule.config.num_train_timesteps
        timesteps = torch.randint(0, steps, (len(photos),), generator=noise_stream).to(self.device)

        # Loss and gradients.
        half = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
        with use(self.base, self.adapter):
            with half:
                embeddings = self._embed(photos)
                loss = denoising_loss(self.base, latents, noise, timesteps, embeddings, config.min_snr_gamma)
            self.scaler.scale(loss).backward()

        # New weights.
        rate = set_rates(self.optimizer, config, self.update, self.total)
        self.scaler.unscale_(self.optimizer)
        gradients = get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        if config.max_grad_norm:
            clip_grads_with_norm_(self.parameters, config.max_grad_norm, gradients)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

        # Still numbers? Read once, since each look at a GPU waits for it.
        weights = get_total_norm([p.detach() for p in self.parameters])
        values = dict(zip(CHECKED, torch.stack([loss.detach(), gradients, weights]).tolist(), strict=True))
        if self.scaler.is_enabled() and self.scaler.get_scale() >= 1:
            del values["gradient"]  # the scaler skipped this update, halved its scale and tries again
        for what, value in values.items():
            if not math.isfinite(value):
                raise Diverged(what)
        self.seconds += time.perf_counter() - started
        return values["loss"], rate

    def _next_photos(self) -> tuple[Tensor, Tensor]:
        """Numbers and variants (1 = mirrored) of the next batch, (n,); an epoch's last may be smaller."""
        config, chance = self.job.config, self.generators["order"]
        position = (self.update - 1) % config.updates_per_epoch(len(self.captions)) * config.batch_size
        if position == 0:
            count = len(self.captions)
            self.order = torch.randperm(count * config.repeats, generator=chance) % count
        photos = self.order[position : position + config.batch_size]
        sides = 2 if config.flip else 1
        return photos, torch.randint(0, sides, photos.shape, generator=chance)

    def _embed(self, photos: Tensor) -> Tensor:
        """Embeddings of these photos' captions, (n, tokens, width), with a graph if that is trained."""
        captions = [self.captions[i] for i in photos.tolist()]
        if self.embeddings is None:
            return encode(self.base, captions, self.job.config.clip_skip, grad=True)
        return torch.stack([self.embeddings[caption] for caption in captions])

    def log(self, loss: float, rate: float | None) -> None:
        """Add this update to loss.jsonl, one object a line."""
        row = {"update": self.update, "loss": loss, "learning_rate": rate}
        self.losses.write(json.dumps(row) + "\n")
        self.losses.flush()

    def progress_is_due(self) -> bool:
        """At most two a second, the first of a session and the last always."""
        now = time.monotonic()
        due = self.update == self.total or now - self.progress_time >= PROGRESS_EVERY_S
        if due:
            self.progress_time = now
        return due

    def progress(self, loss: float, rate: float | None) -> Progress:
        """Where the run stands."""
        seen = self.job.config.images_seen(self.update, len(self.captions))
        return Progress(self.job.run, self.update, self.total, seen, loss, rate, self.seconds)

    def save_checkpoint(self) -> Saved:
        """Write the LoRA file of this update, read it back and prove it. Raises KohyaError or ProofError."""
        job, config, count = self.job, self.job.config, len(self.captions)
        path = job.out / checkpoint_name(job, self.update, self.total)
        metadata = metadata_for(
            config,
            self.base,
            name=path.stem,
            seed=job.seed,
            update=self.update,
            n_images=count,
            session=hashlib.sha256(json.dumps(self._identity()).encode()).hexdigest()[:16],
            started=self.started,
            trigger=job.trigger,
        )
        written = write(self.adapter, path, metadata, config.save_precision)
        proof = prove(self.base, self.adapter, path, (self.captions[0],))
        saved = Saved(
            job.run,
            file=path.name,
            update=self.update,
            images_seen=config.images_seen(self.update, count),
            epoch=self.update / config.updates_per_epoch(count),
            sha256=written.sha256,
            bytes=written.bytes,
            modules=written.modules,
            proof=proof,
            last=self.update == self.total,
        )
        self.saved.append(saved)
        return saved

    def state_is_due(self, every_s: float) -> bool:
        """Whether the last saved state is older than this."""
        return time.monotonic() - self.state_time >= every_s

    def save_state(self) -> StateSaved:
        """Write everything that the next update depends on."""
        state = State(
            job=self._identity(),
            update=self.update,
            seconds=self.seconds,
            started=self.started,
            lora=self.adapter.state(),
            optimizer=self.optimizer.state_dict()["state"],
            order=self.order,
            generators={name: stream.get_state() for name, stream in self.generators.items()},
            scaler=self.scaler.state_dict(),
            saved=[asdict(event) for event in self.saved],
        )
        save_state(self.job.out / "state", state)
        self.state_time = time.monotonic()
        return StateSaved(self.job.run, self.update)

    def close(self) -> None:
        """Leave the base as it was."""
        self.losses.close()
        self.adapter.detach()


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


def checkpoint_name(job: Job, update: int, total: int) -> str:
    """kohya's file names: NAME.safetensors for the last, NAME-000010 by epoch, else NAME-step00000120."""
    if update == total:
        return f"{job.name}.safetensors"
    if job.config.save_unit == "epochs":
        epoch = update // job.config.updates_per_epoch(len(job.photos))
        return f"{job.name}-{epoch:06d}.safetensors"
    return f"{job.name}-step{update:08d}.safetensors"


def open_losses(path: Path, update: int) -> TextIO:
    """The loss file, cut back to the updates up to this one and open for more."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    part = path.with_name(f"{path.name}.part")
    part.write_text("".join(lines[:update]), encoding="utf-8", newline="\n")
    os.replace(part, path)
    return path.open("a", encoding="utf-8", newline="\n")
