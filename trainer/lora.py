"""Photos + patterns -> LoRA files: the training loop, a generator of events."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from trainer.base import BaseModel
from trainer.config import ConfigError
from trainer.data import PhotoError
from trainer.events import Event, Failed, Finished, Started, Stopped
from trainer.job import Job
from trainer.kohya import KohyaError, ProofError
from trainer.run import Diverged, Run
from trainer.state import StateError

__all__ = ["Job", "train"]

REASONS = {
    Diverged: "diverged",
    PhotoError: "bad_photos",
    ConfigError: "bad_config",
    StateError: "bad_state",
    KohyaError: "proof_failed",
    ProofError: "proof_failed",
    OSError: "cannot_write",
    SafetensorError: "cannot_write",  # what a full disk comes as while tensors are written
}
FAILURES = (*REASONS, MemoryError, RuntimeError)  # torch says "out of memory" with a plain RuntimeError too


def train(
    base: BaseModel,
    jobs: Sequence[Job],
    *,
    cache: Path | None = None,  # folder of latents and text embeddings that runs share; None = keep none on disk
    state_every_s: float = 60.0,  # seconds between two saved states; each LoRA file has one too
) -> Iterator[Event]:
    """Train every job and say what happens. Jobs take turns, one update each, and share nothing but the base.

    The caller may render previews between two events: that touches no random stream and no weight of a job.
    A job that fails says so and the others go on. The generator may be left at any event: the next call with
    the same jobs goes on from their last saved states, on a CPU bit for bit as if nothing had happened.
    """
    runs: list[Run] = []
    ended: Event | None
    try:
        # Set every job up: photos, adapter, optimiser, random streams, and the saved state if there is one.
        for job in jobs:
            try:
                run = Run(base, job, cache)
            except FAILURES as error:
                yield failure(job, 0, error)
                continue
            runs.append(run)
            yield Started(job.run, run.total, run.update, run.effective, base.device.name)
            yield from tuple(run.saved)  # told once more: whoever listened may have died before writing it down

        while runs:
            for run in tuple(runs):
                ended = None
                try:
                    # Stop here if somebody asked for it; nothing is lost.
                    if run.job.stop and run.update < run.total:
                        yield run.save_state()
                        ended = Stopped(run.job.run, run.update, run.job.stop)

                    # One update of the weights.
                    elif run.update < run.total:
                        loss, rate = run.step()
                        run.log(loss, rate)
                        if run.progress_is_due():
                            yield run.progress(loss, rate)

                        # The state follows the file, so that a crash in between writes the same file once
                        # more, and never leaves it out.
                        if run.update in run.points:
                            yield run.save_checkpoint()
                        if run.update in run.points or run.state_is_due(state_every_s):
                            yield run.save_state()

                    if run.update >= run.total:
                        ended = Finished(run.job.run, run.update, run.seconds)
                except FAILURES as error:
                    ended = failure(run.job, run.update, error)

                # Free what the run owned before anybody hears of its end.
                if ended is not None:
                    runs.remove(run)
                    run.close()
                    yield ended
    finally:
        for run in runs:
            run.close()


def failure(job: Job, update: int, error: BaseException) -> Failed:
    """The event for an error that ends one run; an error that nobody foresaw is raised again."""
    params: dict[str, Any] = {"update": update, "what": str(error)}
    if is_out_of_memory(error):
        return Failed(job.run, "out_of_memory", params, update)
    for kind, reason in REASONS.items():
        if isinstance(error, kind):
            return Failed(job.run, reason, params, update)
    raise error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a GPU or on the machine (torch says the latter only in words)."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    said = isinstance(error, RuntimeError) and any(w in str(error).lower() for w in words)
    return said or isinstance(error, (torch.OutOfMemoryError, MemoryError))
