"""What the worker found out about the machine, for those who don't load torch."""

import json
from dataclasses import dataclass, field, replace

from sqlite_utils import Database

from db import runs


@dataclass(frozen=True)
class DeviceInfo:
    """The device that trains: its kind (cuda, mps, cpu), name, and the precisions that it can train in.

    ``optimizers``: optimiser -> "" where one real step worked here, else the reason why not; empty = not tried yet.
    """

    kind: str
    name: str
    precisions: tuple[str, ...]
    optimizers: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        known = {"kind": self.kind, "name": self.name, "precisions": sorted(self.precisions)}
        return json.dumps({**known, "optimizers": self.optimizers})

    def knowing(self, before: "DeviceInfo | None") -> "DeviceInfo":
        """This device with what was tried on it before, if it is the same one."""
        same = before is not None and (before.kind, before.name) == (self.kind, self.name)
        return replace(self, optimizers=before.optimizers) if before is not None and same else self

    @staticmethod
    def from_json(text: str) -> "DeviceInfo | None":
        if not text:
            return None
        known = json.loads(text)
        return DeviceInfo(known["kind"], known["name"], tuple(known["precisions"]), known.get("optimizers", {}))


def known_device(db: Database) -> DeviceInfo | None:
    """The device of the worker that was seen last, or None when none has started here yet."""
    row = runs.last_worker(db)
    return DeviceInfo.from_json(row["device"]) if row else None


def known_precisions(db: Database) -> tuple[str, ...]:
    """Precisions of that device; before any worker has run, all (nothing is masked on a guess)."""
    device = known_device(db)
    return device.precisions if device else ("no", "fp16", "bf16")
