"""When the queue may work: pause and resume by hand, a daily window, and the worker's note that the disk is full."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlite_utils import Database

from db import meta
from workbench.sentences import standstill

PAUSED, WINDOW, LOW_DISK = "queue_paused", "run_window", "low_disk"  # names in table meta


class HoursError(ValueError):
    """A window that can't be read as one."""


@dataclass(frozen=True)
class Window:
    """From when to when work may be done each day, local time; 22:00 to 07:00 goes over midnight."""

    start: time
    end: time

    def is_open(self, at: datetime) -> bool:
        """Whether work may be done then. The first minute is inside, the last moment is not."""
        now = at.time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def opens(self, after: datetime) -> datetime:
        """When it opens next."""
        today = datetime.combine(after.date(), self.start)
        return today if today > after else today + timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True)
class Halt:
    """Why no work is done now: a code (paused, outside_window, low_disk) and what its sentence needs."""

    code: str
    params: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        return standstill(self.code, self.params)


def parse_window(text: str) -> Window:
    """'22:00-07:00' as a window. HoursError says what is wrong."""
    found = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*(?:-|–|to)\s*(\d{1,2}):(\d{2})\s*", text)
    if found is None:
        raise HoursError(f"'{text}' is no window. Write from-to in 24 hours, such as 22:00-07:00.")
    hours = [int(part) for part in found.groups()]
    try:
        return make_window(time(hours[0], hours[1]), time(hours[2], hours[3]))
    except ValueError as error:
        raise HoursError(f"'{text}' is no window: {error}. Hours go from 0 to 23, minutes from 0 to 59.") from error


def make_window(start: time, end: time) -> Window:
    if start == end:
        raise HoursError(f"The window begins and ends at {start:%H:%M}, so it would never be open. Choose another end.")
    return Window(start, end)


def window(db: Database) -> Window | None:
    """The daily window; None = always."""
    stored = meta.value(db, WINDOW)
    if not stored:
        return None
    known = json.loads(stored)
    return Window(time.fromisoformat(known["from"]), time.fromisoformat(known["to"]))


def set_window(db: Database, wanted: Window | None) -> None:
    """Work only in this window each day; None = at any time. What trains outside it is put back."""
    hours = {"from": f"{wanted.start:%H:%M}", "to": f"{wanted.end:%H:%M}"} if wanted else None
    meta.put(db, WINDOW, json.dumps(hours) if hours else None)


def pause(db: Database) -> None:
    """Stop the queue: what trains saves its state and waits again; previews and scores stop too."""
    meta.put(db, PAUSED, "1")


def resume(db: Database) -> None:
    """Let the queue go on."""
    meta.put(db, PAUSED, None)


def is_paused(db: Database) -> bool:
    return bool(meta.value(db, PAUSED))


def halt(db: Database, at: datetime | None = None) -> Halt | None:
    """Why no work may be done at a moment (now, local time); None = it may."""
    if is_paused(db):
        return Halt("paused", {})
    at = at or datetime.now()
    hours = window(db)
    if hours and not hours.is_open(at):
        return Halt("outside_window", {"window": str(hours), "opens": f"{hours.opens(at):%H:%M}"})
    full = meta.value(db, LOW_DISK)
    return Halt("low_disk", json.loads(full)) if full else None
