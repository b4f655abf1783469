"""What one training owns while it goes on: its job, weights, optimiser, chance, and files."""

import hashlib
import itertools
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from trainer.adapter import attach, use
from trainer.base import BaseModel, encode
from trainer.change import weight_change
from trainer.config import ConfigError
from trainer.data import Embeddings, encode_photos, shuffled
from trainer.effective import effective
from trainer.events import Progress, Saved, StateSaved
from trainer.job import Job, check, checkpoint_name, generator, identity
from trainer.kohya import metadata_for, prove, write
from trainer.loss import denoising_loss, fixed_noise_loss
from trainer.memory import memory_bytes, watch_memory
from trainer.optim import build_optimizer, set_rates
from trainer.state import State, StateError, load_state, optimizer_state, restore_optimizer, save_state

PROGRESS_EVERY_S = 0.5
DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
STREAMS = ("order", "noise", "offset", "captions")  # none touches another, so a setting moves only its own
MEASURED, MEASURE_SEED, MEASURE_DRAWS = 16, 0, 1  # photos, noise and timesteps for each: the same in every run
CHECKED = ("loss", "gradient", "weights")  # what has to stay finite
_numbers = itertools.count()  # every adapter on a base has a name of its own


class Diverged(ArithmeticError):
    """A loss, gradient or weight that is no longer a finite number; its text says which."""


class Run:
    """One job on its way; the order of its methods is the order of a run."""

    def __init__(self, base: BaseModel, job: Job, cache: Path | None) -> None:
        config, photos = job.config, job.photos
        self.base, self.job, self.device = base, job, base.device.torch_device
        self.effective = effective(config, base.device.precisions)
        self.dtype = DTYPES[self.effective["mixed_precision"]]
        size = config.resolution or base.size_px
        check(base, job, size, self.dtype)
        self.identity = identity(job, base)

        # How long it takes, and after which updates it saves.
        self.total = config.total_updates(len(photos))
        self.points = frozenset(config.save_points(len(photos)))
        self.update, self.seconds, self.started = 0, 0.0, time.time()
        self.memory = 0  # bytes, the most of any update so far
        self.saved: list[Saved] = []  # the LoRA files so far

        # What it sees.
        self.captions = [photo.caption for photo in photos]
        self.latents = encode_photos(base, photos, size, config.flip, cache)
        self.measured = [(self.latents.mean[0], self.captions)]
        if job.reference:
            reference = encode_photos(base, job.reference, size, cache=cache).mean[0]
            self.measured.append((reference, [photo.caption for photo in job.reference]))
        captions = [*(c for _, captions in self.measured for c in captions), *([""] if config.caption_dropout else [])]
        self.embeddings = None if config.train_text_encoder else Embeddings(base, captions, config.clip_skip, cache)

        # Chance, in streams that do not touch each other.
        self.generators = {stream: generator(job.seed, stream) for stream in STREAMS}
        if config.dropout:
            self.generators["dropout"] = generator(job.seed, "dropout", self.device)
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
            conv_dim=config.conv_dim,
            conv_alpha=config.conv_alpha,
            rslora=config.rslora,
            dora=config.dora,
            dropout=config.dropout,
            chance=self.generators.get("dropout"),
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
        losses = self.job.out / "loss.jsonl"
        source, state = losses, load_state(self.job.out / "state", _without(self.identity, "course"))
        if state is None and self.job.continues is not None:
            source, state = self.job.continues.parent / "loss.jsonl", self._continued_state(self.job.continues)
        if state is not None:
            self.update, self.seconds, self.started = state.update, state.seconds, state.started
            self.order = state.order
            events = [Saved(**{**event, "run": self.job.run}) for event in state.saved]
            self.saved = [event for event in events if (self.job.out / event.file).is_file()]
            self.memory = max((event.memory_bytes or 0 for event in self.saved), default=0)
            self.adapter.load_state(state.lora)
            restore_optimizer(self.optimizer, state.optimizer, state.groups)
            self._restore_chance(state.generators)
            if state.scaler and self.scaler.is_enabled():
                self.scaler.load_state_dict(state.scaler)
        self.losses = open_losses(losses, self.update, source)

    def _restore_chance(self, saved: dict[str, Tensor]) -> None:
        for name in saved.keys() & self.generators.keys():
            try:
                self.generators[name].set_state(saved[name])
            except RuntimeError as error:  # a GPU's stream has another form than the CPU's
                raise StateError(
                    f"The state was saved on another kind of device than {self.device.type}, and its {name} cannot go "
                    "on here. Continue it there, or delete the state to start again."
                ) from error

    def _continued_state(self, folder: Path) -> State:
        """The last state of the shorter run that this one goes on from; its files stay its own."""
        state = load_state(folder, _without(self.identity, "pattern"))
        if state is None:
            raise StateError(f"There is no saved state in {folder}. Train it from the start.")
        if state.update >= self.total:
            raise ConfigError(f"The run to go on from has {state.update} updates, this one {self.total}. Ask for more.")
        state.saved = []
        return state

    def step(self) -> tuple[float, float | None]:
        """One update; returns its loss and the U-Net's learning rate. Raises Diverged."""
        config, started = self.job.config, time.perf_counter()
        watch_memory(self.device)
        self.update += 1

        # Loss and gradients, averaged over the batches of this update.
        batches = self._next_batches()
        loss = torch.zeros((), device=self.device)
        with use(self.base, self.adapter, training=True):
            for photos, variants in batches:
                part = self._loss_of(photos, variants) / len(batches)
                self.scaler.scale(part).backward()
                loss += part.detach()

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
        values = dict(zip(CHECKED, torch.stack([loss, gradients, weights]).tolist(), strict=True))
        if self.scaler.is_enabled() and self.scaler.get_scale() >= 1:
            del values["gradient"]  # the scaler skipped this update, halved its scale and tries again
        for what, value in values.items():
            if not math.isfinite(value):
                raise Diverged(what)
        self.seconds += time.perf_counter() - started
        self.memory = max(self.memory, memory_bytes(self.device))
        return values["loss"], rate

    def _next_batches(self) -> list[tuple[Tensor, Tensor]]:
        """Numbers and variants (1 = mirrored) of the photos in each batch of this update, (n,).

        An epoch's last batch may be smaller, and its last update may have fewer batches.
        """
        config, chance = self.job.config, self.generators["order"]
        position = (self.update - 1) % config.updates_per_epoch(len(self.captions)) * config.photos_per_update
        if position == 0:
            count = len(self.captions)
            self.order = torch.randperm(count * config.repeats, generator=chance) % count
        photos = self.order[position : position + config.photos_per_update]
        sides = 2 if config.flip else 1
        return [
            (batch, torch.randint(0, sides, batch.shape, generator=chance)) for batch in photos.split(config.batch_size)
        ]

    def _loss_of(self, photos: Tensor, variants: Tensor) -> Tensor:
        """The loss of one batch, with its graph."""
        config, chance = self.job.config, self.generators["noise"]
        latents = self.latents.sample(photos, variants, chance)
        noise = torch.randn(latents.shape, generator=chance).to(self.device)
        schedule: Any = self.base.train_schedule
        steps = schedule.config.num_train_timesteps
        timesteps = torch.randint(0, steps, (len(photos),), generator=chance).to(self.device)
        if config.noise_offset:
            noise = noise + config.noise_offset * self._offset(noise)
        captions = self._captions_of(photos)
        embeddings = self.embeddings.of(captions) if self.embeddings else None
        with self._half():
            if embeddings is None:
                embeddings = encode(self.base, captions, config.clip_skip, grad=True)
            return denoising_loss(self.base, latents, noise, timesteps, embeddings, config.min_snr_gamma)

    def _offset(self, noise: Tensor) -> Tensor:
        """One standard normal number for each photo and channel, (n, c, 1, 1), as in sd-scripts."""
        return torch.randn((*noise.shape[:2], 1, 1), generator=self.generators["offset"]).to(noise.device)

    def _captions_of(self, photos: Tensor) -> list[str]:
        """What these photos are shown with: some with an empty caption, some with their parts in another order."""
        config, chance = self.job.config, self.generators["captions"]
        captions = [self.captions[i] for i in photos.tolist()]
        if config.caption_dropout:
            dropped = torch.rand(len(captions), generator=chance) < config.caption_dropout
            captions = ["" if gone else caption for caption, gone in zip(captions, dropped.tolist(), strict=True)]
        if config.shuffle_captions:
            captions = [shuffled(caption, chance) for caption in captions]
        return captions

    def _half(self) -> torch.autocast:
        """The forward pass in 16 bits where the pattern asks for it."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

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
            session=hashlib.sha256(json.dumps(_without(self.identity, "course")).encode()).hexdigest()[:16],
            started=self.started,
            trigger=job.trigger,
        )
        written = write(self.adapter, path, metadata, config.save_precision)
        proof = prove(self.base, self.adapter, path, (self.captions[0],))
        losses = [self._measured_loss(latents, captions) for latents, captions in self.measured]
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
            seconds=self.seconds,
            memory_bytes=self.memory or None,
            loss_train=losses[0],
            loss_reference=losses[1] if len(losses) > 1 else None,
            weight_change=weight_change(self.base, self.adapter),
        )
        self.saved.append(saved)
        return saved

    @torch.no_grad()
    def _measured_loss(self, latents: Tensor, captions: Sequence[str]) -> float:
        """The loss on some of these photos, evenly spread, with noise that is the same in every run."""
        count = min(len(captions), MEASURED)
        chosen = [number * len(captions) // count for number in range(count)]
        shown = [captions[i] for i in chosen]
        with use(self.base, self.adapter), self._half():
            if self.embeddings is not None:
                embeddings = self.embeddings.of(shown)
            else:
                embeddings = encode(self.base, shown, self.job.config.clip_skip)
            return fixed_noise_loss(self.base, self.adapter, latents[chosen], embeddings, MEASURE_SEED, MEASURE_DRAWS)

    def state_is_due(self, every_s: float) -> bool:
        """Whether the last saved state is older than this."""
        return time.monotonic() - self.state_time >= every_s

    def save_state(self) -> StateSaved:
        """Write everything that the next update depends on."""
        optimizer, groups = optimizer_state(self.optimizer)
        state = State(
            job=self.identity,
            update=self.update,
            seconds=self.seconds,
            started=self.started,
            lora=self.adapter.state(),
            optimizer=optimizer,
            groups=groups,
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


def open_losses(path: Path, update: int, source: Path) -> TextIO:
    """The loss file, with the source's updates up to this one, open for more."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True) if source.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["update"] <= update]
    part = path.with_name(f"{path.name}.part")
    part.write_text("".join(kept), encoding="utf-8", newline="\n")
    os.replace(part, path)
    return path.open("a", encoding="utf-8", newline="\n")


def _without(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != name}
