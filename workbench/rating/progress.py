"""How far a sitting has come: what was said, what is still to ask, and what is passed over."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlite_utils import Database

from db import library, ratings, sittings

Row = dict[str, Any]

COMPARED = ("rate", "choose")  # what a repeat can be compared in


class Item(NamedTuple):
    """What is asked at once (db.sittings.asked)."""

    id: int
    token: str
    position: int
    part: str
    repeats: int | None
    shown: str  # JSON

    @property
    def previews(self) -> list[int]:
        """Their ids, in the order shown, from the left."""
        return list(json.loads(self.shown))


class Event(NamedTuple):
    """What happened to an item (db.ratings.in_short)."""

    id: int
    item_id: int
    event: str
    undoes: int | None
    shown_at: float
    answered_at: float


@dataclass(frozen=True)
class Progress:
    """A sitting's items and events, and what follows from them. Quick enough for every answer of 2,000."""

    items: Sequence[Item]
    events: Sequence[Event]
    away: Mapping[int, str]  # previews that can't be asked about now, with the reason (db.sittings.away)
    project_away: str | None  # the same of the whole project

    @cached_property
    def standing(self) -> Mapping[int, list[Event]]:
        """Item id -> the events of its answer, where one stands."""
        undone = {event.undoes for event in self.events if event.undoes is not None}
        answers: dict[int, list[Event]] = {}
        for event in self.events:
            if event.event != "undo" and event.id not in undone:
                answers.setdefault(event.item_id, []).append(event)
        return answers

    @cached_property
    def left(self) -> list[Item]:
        """Items still to ask, in order."""
        return [item for item in self.items if item.id not in self.standing and not self.passed_over(item)]

    def passed_over(self, item: Item) -> bool:
        """It is not asked now: a picture of it is away, or it repeats what has no answer to compare with."""
        return bool(self.reasons(item)) or self.repeats_nothing(item)

    def reasons(self, item: Item) -> list[str]:
        """Why its pictures can't be asked about now, as far as they can't."""
        if self.project_away:
            return [self.project_away]
        return [self.away[preview] for preview in item.previews if preview in self.away] if self.away else []

    def lost(self, item: Item) -> str | None:
        """Why an item can never be answered any more: ``gone`` or ``seen``; None if it can, perhaps after the bin."""
        return next((reason for reason in self.reasons(item) if reason != "bin"), None)

    def repeats_nothing(self, item: Item) -> bool:
        """The first time was skipped, or only flagged. (One that is still open, or was undone, comes before.)"""
        first = self.standing.get(item.repeats, []) if item.repeats is not None else []
        return bool(first) and not any(event.event in COMPARED for event in first)

    @property
    def finished(self) -> bool:
        """Nothing will be asked any more, not even after something came out of the bin."""
        return all(item.id in self.standing or self.repeats_nothing(item) or self.lost(item) for item in self.items)

    @property
    def done(self) -> int:
        """Answers that stand, warm-ups apart."""
        return sum(item.id in self.standing for item in self.items if item.part != "warm_up")

    @property
    def total(self) -> int:
        """Answers that there will be, warm-ups apart."""
        return self.done + sum(item.part != "warm_up" for item in self.left)

    @cached_property
    def last(self) -> Item | None:
        """The item that was answered last, as far as answers stand: what an undo brings back.

        One that couldn't be asked again now, since it lies in the bin or was seen by name, keeps its answer.
        """
        answered = [item for item in self.items if item.id in self.standing and not self.reasons(item)]
        return max(answered, key=lambda item: self.standing[item.id][-1].id, default=None)


def progress(db: Database, sitting: Row) -> Progress:
    """Where a sitting (a row of table sittings) stands now."""
    project = library.project(db, sitting["project_id"])
    assert project is not None  # rows of projects stay
    in_bin = "bin" if project["deleted_at"] is not None else None
    return Progress(
        [Item._make(row) for row in sittings.asked(db, sitting["id"])],
        [Event._make(row) for row in ratings.in_short(db, sitting["rater"], sitting["token"])],
        sittings.away(db, sitting["project_id"], sitting["rater"]),
        "gone" if project["emptied_at"] is not None else in_bin,
    )
