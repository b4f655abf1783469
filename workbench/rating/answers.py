"""What a rater said of an item: read with care, and committed once, with all its parts together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlite_utils import Database

from db import durable, now, ratings, sittings
from workbench.rating.modes import CHOICES, FLAGS, MODES, Mode
from workbench.rating.problem import AlreadyAnswered, NoSuchSitting, RatingError
from workbench.rating.progress import Event, Item, Progress, progress

Row = dict[str, Any]

KEYS = {"item", "seconds", "marks", "said", "best", "worst", "skip", "flags"}
LONGEST_S = 3600.0  # whoever looked longer was away
LOST = {
    "gone": "This picture was deleted for good meanwhile, so the answer was not saved.",
    "seen": "You have looked at this picture by name meanwhile, so it isn't asked any more.",
}


@dataclass(frozen=True)
class Answer:
    """What was said of one item, as its mode allows it."""

    item: str  # token
    seconds: float  # that it was looked at
    marks: Mapping[str, float] = field(default_factory=dict)  # axis -> 0 to 100
    said: str | None = None  # of the pictures as a whole
    best: int | None = None  # numbers of pictures, from the left, from 0
    worst: int | None = None
    flags: tuple[tuple[int, str], ...] = ()
    skip: bool = False

    @staticmethod
    def parse(payload: Mapping[str, Any], mode: Mode, pictures: int) -> "Answer":
        """An answer to an item of ``mode`` that shows so many pictures. Raises RatingError for what it can't say."""
        unknown = sorted(str(key) for key in payload.keys() - KEYS)
        if unknown:
            raise RatingError(f"An answer has no '{unknown[0][:40]}'. It may have {', '.join(sorted(KEYS))}.")
        answer = Answer(
            item=token(payload.get("item")),
            seconds=seconds(payload.get("seconds")),
            marks=marks(payload.get("marks"), mode),
            said=said(payload.get("said"), mode),
            best=place(payload.get("best"), "best", mode, pictures),
            worst=place(payload.get("worst"), "worst", mode, pictures),
            flags=flags(payload.get("flags"), pictures),
            skip=skip(payload.get("skip")),
        )
        answer.check()
        return answer

    def check(self) -> None:
        """Refuse half an answer, two in one, and none."""
        if (self.best is None) != (self.worst is None):
            raise RatingError("Choose both the best and the worst picture, or neither.")
        if self.best is not None and self.best == self.worst:
            raise RatingError("The best and the worst picture are the same one. Choose two.")
        given = [bool(self.marks), self.said is not None, self.best is not None, self.skip]
        if sum(given) > 1:
            raise RatingError("An answer is a mark, a choice or a skip: only one of them.")
        if not any(given) and not self.flags:
            raise RatingError("Nothing was said. Give a mark, choose, flag a picture, or skip.")

    def events(self, previews: Sequence[int]) -> list[Row]:
        """What is stored of it: event, axis, value, said and preview_id of each part."""
        alone = previews[0] if len(previews) == 1 else None
        rows = [part("rate", alone, axis=axis, value=value) for axis, value in self.marks.items()]
        if self.said is not None:
            chosen = {"left": previews[0], "right": previews[-1]}.get(self.said)
            rows.append(part("choose", chosen, said=self.said))
        for name, index in (("best", self.best), ("worst", self.worst)):
            if index is not None:
                rows.append(part("choose", previews[index], said=name))
        if self.skip:
            rows.append(part("skip", alone))
        return rows + [part("flag", previews[index], said=flag) for index, flag in self.flags]


def part(event: str, preview: int | None, **more: Any) -> Row:
    return {"event": event, "preview_id": preview, "axis": None, "value": None, "said": None, **more}


# reading an answer


def number(value: Any) -> float | None:
    """A finite number; None for anything else (JSON's true is no number)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return found if math.isfinite(found) else None


def token(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise RatingError("The answer doesn't say which item it is about ('item').")
    return value


def seconds(value: Any) -> float:
    """How long it was looked at, between 0 and an hour: clocks jump, and people leave."""
    found = number(value)
    if found is None:
        raise RatingError("How long it was looked at ('seconds') must be a number.")
    return min(max(found, 0.0), LONGEST_S)


def marks(value: Any, mode: Mode) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RatingError("'marks' must name an axis and its mark.")
    return {axis: mark(axis, given, mode) for axis, given in value.items()}


def mark(axis: str, value: Any, mode: Mode) -> float:
    if axis not in mode.axes:
        known = ", ".join(mode.axes) or "none: pictures are chosen between"
        raise RatingError(f"There is no axis '{axis[:40]}' in '{mode.label}'. Axes are {known}.")
    found = number(value)
    if found is None or not 0 <= found <= 100:
        raise RatingError(f"The mark for {axis} must be a number between 0 and 100.")
    return found


def said(value: Any, mode: Mode) -> str | None:
    if value is None:
        return None
    known = [word for word in CHOICES.get(mode.key, ()) if word not in ("best", "worst")]
    if value not in known:
        words = f"Choices are {', '.join(known)}." if known else "Give a mark instead."
        raise RatingError(f"'{str(value)[:40]}' can't be said in '{mode.label}'. {words}")
    return str(value)


def place(value: Any, name: str, mode: Mode, pictures: int) -> int | None:
    if value is None:
        return None
    if name not in CHOICES.get(mode.key, ()):
        raise RatingError(f"'{name}' can't be said in '{mode.label}'.")
    return index(value, pictures)


def index(value: Any, pictures: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < pictures:
        raise RatingError(f"Pictures are numbered from 0 to {pictures - 1} here.")
    return value


def flags(value: Any, pictures: int) -> tuple[tuple[int, str], ...]:
    """(picture, flag), each once."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise RatingError("'flags' must be pairs of a picture's number and a flag.")
    found: dict[tuple[int, str], None] = {}
    for which, flag in value:
        if flag not in FLAGS:
            raise RatingError(f"There is no flag '{str(flag)[:40]}'. Flags are {', '.join(FLAGS)}.")
        found[index(which, pictures), flag] = None
    return tuple(found)


def skip(value: Any) -> bool:
    if value is not None and not isinstance(value, bool):
        raise RatingError("'skip' must be true or left out.")
    return bool(value)


# keeping it


def save(db: Database, sitting_token: str, payload: Mapping[str, Any]) -> None:
    """Commit an answer to an item of a sitting; it is on disk when this returns, even after a power cut.

    Whether the item is still open is looked up in the transaction that writes, so of two tabs one is told. A stopped
    sitting goes on with it, and one that has nothing left to ask ends. Raises NoSuchSitting, AlreadyAnswered, and
    RatingError for an answer that its mode doesn't have; then nothing is written.
    """
    with durable(db):
        sitting = sitting_of(db, sitting_token)
        before = progress(db, sitting)
        wanted = token(payload.get("item"))
        item = next((item for item in before.items if item.token == wanted), None)
        if item is None:
            raise AlreadyAnswered("This isn't asked in this sitting.")
        previews = item.previews
        answer = Answer.parse(payload, MODES[sitting["mode"]], len(previews))
        check_open(before, item)
        answered_at = now()
        about = about_item(sitting, item, answered_at - answer.seconds, answered_at)
        rows = [{**about, **event} for event in answer.events(previews)]
        ids = ratings.add_all(db, rows)
        new = [Event(made, item.id, row["event"], None, 0.0, 0.0) for made, row in zip(ids, rows, strict=True)]
        if replace(before, events=[*before.events, *new]).finished:
            sittings.end(db, sitting["id"])
        elif sitting["ended_at"] is not None:
            sittings.take_up(db, sitting["id"])


def undo(db: Database, sitting_token: str, item_token: str | None = None) -> None:
    """Take back the last answer of a sitting; its item is asked again. Nothing to take back: nothing happens.

    The answer stays in the table; undo events say that it doesn't stand. ``item_token``: which answer is meant, so that
    an undo that is sent twice takes back one; AlreadyAnswered if another one is the last by now.
    """
    with durable(db):
        sitting = sitting_of(db, sitting_token)
        before = progress(db, sitting)
        item = before.last
        if item_token is not None and (item is None or item.token != item_token):
            raise AlreadyAnswered("This isn't the last answer any more.")
        if item is None:
            return
        about = about_item(sitting, item, answered_at := now(), answered_at)
        said = {event["id"]: event for event in ratings.of_item(db, item.id)}
        rows = [part("undo", said[event.id]["preview_id"], undoes=event.id) for event in before.standing[item.id]]
        ratings.add_all(db, [{**about, **row} for row in rows])
        sittings.take_up(db, sitting["id"])


def sitting_of(db: Database, sitting_token: str) -> Row:
    row = sittings.by_token(db, sitting_token)
    if row is None:
        raise NoSuchSitting("There is no such sitting. Open the page Rate to begin one.")
    return row


def check_open(so_far: Progress, item: Item) -> None:
    """Raise AlreadyAnswered unless an answer to the item can be taken.

    One on a picture that went into the bin meanwhile is: it comes back with the picture.
    """
    if item.id in so_far.standing:
        raise AlreadyAnswered("This was answered already, perhaps in another tab. What was said first stands.")
    reason = so_far.lost(item)
    if reason:
        raise AlreadyAnswered(LOST[reason])


def about_item(sitting: Row, item: Item, shown_at: float, answered_at: float) -> Row:
    """What every event on an item says."""
    return {
        "item_id": item.id,
        "rater": sitting["rater"],
        "session": sitting["token"],
        "is_repeat": int(item.part == "repeat"),
        "position": item.position,
        "shown_at": shown_at,
        "answered_at": answered_at,
        "protocol": sitting["protocol"],
    }
