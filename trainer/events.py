"""What a training says while it goes on: small frozen records that travel as JSON (no torch here)."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happened to one run."""

    run: str

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON values; `event` names its kind."""
        return {"event": type(self).__name__, **asdict(self)}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> "Event":
        """The event that `to_dict` wrote. ValueError for a kind that does not exist."""
        fields = dict(data)
        name = fields.pop("event", None)
        kind = KINDS.get(str(name))
        if kind is None:
            raise ValueError(f"There is no event {name!r}. Events are {', '.join(KINDS)}.")
        return kind(**fields)


@dataclass(frozen=True)
class Started(Event):
    """The first event of a run. `resumed_at` is the update it goes on from, 0 for a new one."""

    total_updates: int
    resumed_at: int
    effective: dict[str, Any]
    device: str


@dataclass(frozen=True)
class Progress(Event):
    """Where the run is. `loss` is the one of this update, `seconds` is its training time so far."""

    update: int
    total_updates: int
    images_seen: int
    loss: float
    learning_rate: float | None  # of the U-Net; None when the optimiser sets its own (AdaFactor)
    seconds: float


@dataclass(frozen=True)
class Saved(Event):
    """A LoRA file was written, read back and proved. `file` is its name inside the run's folder.

    Measured of it (None or empty in the states of earlier versions): `seconds` of training so far; `memory_bytes`,
    the most that an update so far needed: on CUDA of the GPU (peak of what torch allocated), else of the whole
    process after it (resident size); `loss_train` and `loss_reference`, the loss on up to 16 train and reference
    photos with one noise for all runs (None without reference photos); `weight_change`, |change| / |W| by block.
    """

    file: str
    update: int
    images_seen: int
    epoch: float
    sha256: str
    bytes: int
    modules: int
    proof: dict[str, Any]
    last: bool
    seconds: float | None = None
    memory_bytes: int | None = None
    loss_train: float | None = None
    loss_reference: float | None = None
    weight_change: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StateSaved(Event):
    """The run can be continued from this update on."""

    update: int


@dataclass(frozen=True)
class Finished(Event):
    """All updates are done."""

    update: int
    seconds: float


@dataclass(frozen=True)
class Stopped(Event):
    """Somebody asked the run to stop; its state was saved. `reason` is what they gave: "cancelled", ..."""

    update: int
    reason: str


@dataclass(frozen=True)
class Failed(Event):
    """The run cannot go on; `params["what"]` says how, `update` is the one that failed (0: the set-up).

    Reasons: diverged, out_of_memory, bad_photos, bad_config, bad_state, proof_failed, cannot_write.
    """

    reason: str
    params: dict[str, Any]
    update: int


KINDS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Started, Progress, Saved, StateSaved, Finished, Stopped, Failed)
}
