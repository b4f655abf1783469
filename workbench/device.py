"""What the worker found out about the machine, for those who don't load torch."""

import json
from dataclasses import dataclass

from sqlite_utils import Database

from db import runs


@dataclass(frozen=True)
class DeviceInfo:
    """The device that trains: its kind (cuda, mps, cpu), name, and the precisions that it can train in."""

    kind: str
    name: str
    precisions: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps({"kind": self.kind, "name": self.name, "precisions": sorted(self.precisions)})

    @staticmethod
    def from_json(text: str) -> "DeviceInfo | None":
        if not text:
            return None
        known = json.loads(text)
        return DeviceInfo(known["kind"], known["name"], tuple(known["precisions"]))


def known_device(db: Database) -> DeviceInfo | None:
    """The device of the worker that was seen last, or None when none has started here yet."""
    row = runs.last_worker(db)
    return DeviceInfo.from_json(row["device"]) if row else None


def known_precisions(db: Database) -> tuple[str, ...]:
    """Precisions of that device; before any worker has run, all (nothing is masked on a guess)."""
    device = known_device(db)
    return device.precisions if device else ("no", "fp16", "bf16")
