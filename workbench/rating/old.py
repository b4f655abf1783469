"""Blind rating: which pictures are judged, in which order, with repeats; every mark is a lasting event."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlite_utils import Database

from db import immediate, now, ratings, results
from workbench.findings.metrics import HUMAN_AXES
from workbench.rating.pool import held_back_tokens, judged_updates, place, rating_set, save_points, waiting  # noqa: F401
from workbench.scores.scoring import prompt_for_clip

Row = dict[str, Any]

PROTOCOL = "sliders-1"  # how marks are asked for: goes with every event
REPEAT_SHARE = 0.075  # of the set: 5-10 % tell how steady a rater is
REPEATS_AT_LEAST = 15
SITTING = 60  # pictures made elsewhere that are judged at most: about ten minutes
SMALL_SET = 30  # below this half of the set is repeated
GAP = 5  # pictures between a picture and its repeat
SECONDS_EACH = 6.0  # before a rater's own speed is known
PAUSE_S = 60.0  # whoever took longer was away


class RatingError(ValueError):
    """Marks that can't be saved as given."""


@dataclass(frozen=True)
class Item:
    """One picture to judge. It holds nothing that tells where the picture comes from."""

    token: str
    preview_id: int
    text: str  # what was asked for, with the class noun in place of the trigger word
    position: int  # pictures judged before in this session
    done: int  # pictures judged before by this rater
    remaining: int  # still to judge, this one included
    minutes_left: float
    is_repeat: bool


@dataclass(frozen=True)
class Answer:
    """What a rater said of one picture in one go (marks, or a skip), as far as it stands."""

    preview_id: int
    is_repeat: bool
    event_ids: tuple[int, ...]
    marks: Mapping[str, float]  # per axis; empty = skipped
    session: str
    position: int
    seconds: float


@dataclass(frozen=True)
class Reliability:
    """How far a rater's repeated marks lie from the first ones."""

    mean_difference: float  # points, mean of absolute differences over all repeated marks
    n: int
    by_axis: Mapping[str, tuple[float, int]]  # axis -> (mean difference, number of repeated marks)


def answers(db: Database, project: Row, rater: str) -> list[Answer]:
    """A rater's answers that stand (not undone), oldest first."""
    events = ratings.events(db, project["id"], rater)
    undone = {event["undoes"] for event in events if event["event"] == "undo"}
    groups: dict[tuple[str, int, int], list[Row]] = {}
    for event in events:
        if event["event"] != "undo" and event["id"] not in undone:
            groups.setdefault((event["session"], event["position"], event["preview_id"]), []).append(event)
    return [
        Answer(
            preview_id=preview_id,
            is_repeat=bool(group[0]["is_repeat"]),
            event_ids=tuple(event["id"] for event in group),
            marks={event["axis"]: event["value"] for event in group if event["event"] == "rate"},
            session=session,
            position=position,
            seconds=group[0]["answered_at"] - group[0]["shown_at"],
        )
        for (session, position, preview_id), group in groups.items()
    ]


# the next picture


def next_to_rate(db: Database, project: Row, rater: str, session: str) -> Item | None:
    """The picture that this rater judges next, or None when all are done."""
    given, everything = in_set(db, project, rater)
    fresh = waiting(db, project, rater)
    repeat = due_repeat(given, len(everything), rater)
    if repeat is None and not fresh:
        return None
    row = fresh[0] if repeat is None else everything[repeat]
    position = sum(answer.session == session for answer in given)
    return make_item(project, row, given, len(fresh), len(everything), position, repeat is not None)


def is_open(db: Database, project: Row, rater: str, item: Item) -> bool:
    """Whether an item is still to be judged: it is in the set, and this rater's answer to it doesn't stand."""
    given, everything = in_set(db, project, rater)
    return item.preview_id in everything and not answered(given, item)


def answered(given: Iterable[Answer], item: Item) -> bool:
    return any((answer.preview_id, answer.is_repeat) == (item.preview_id, item.is_repeat) for answer in given)


def in_set(db: Database, project: Row, rater: str) -> tuple[list[Answer], dict[int, Row]]:
    """A rater's answers to the pictures of the current set, and the set by preview id."""
    everything = {row["id"]: row for row in rating_set(db, project)}
    given = [answer for answer in answers(db, project, rater) if answer.preview_id in everything]
    return given, everything


def make_item(
    project: Row, row: Row, given: Sequence[Answer], fresh: int, n: int, position: int, is_repeat: bool
) -> Item:
    """The item that shows a preview, after these answers, with ``fresh`` of ``n`` pictures not seen yet."""
    remaining = max(fresh + repeats_left(given, n), 1)
    return Item(
        token=row["token"],
        preview_id=row["id"],
        text=prompt_for_clip(row["text"], project["trigger_word"], project["class_noun"]),
        position=position,
        done=len(given),
        remaining=remaining,
        minutes_left=remaining * pace(given) / 60,
        is_repeat=is_repeat,
    )


def n_repeats(n: int) -> int:
    """How many of ``n`` pictures are judged twice: 7.5 %, at least 15; half of a set under 30."""
    return n // 2 if n < SMALL_SET else max(REPEATS_AT_LEAST, math.ceil(REPEAT_SHARE * n))


def due_repeat(given: Sequence[Answer], n: int, rater: str) -> int | None:
    """The preview to show again now, or None.

    Repeats come evenly between the new pictures: after a share s of the set, a share s of the repeats. Any
    picture with marks may come, once, when at least GAP others were judged since.
    """
    repeated = {answer.preview_id for answer in given if answer.is_repeat}
    first = len(given) - sum(answer.is_repeat for answer in given)
    if not n or len(repeated) >= math.floor(n_repeats(n) * first / n):
        return None
    able = [
        answer.preview_id
        for answer in given[: max(len(given) - GAP, 0)]
        if answer.marks and not answer.is_repeat and answer.preview_id not in repeated
    ]
    return min(able, key=lambda preview: place(rater, f"repeat {preview}"), default=None)


def repeats_left(given: Sequence[Answer], n: int) -> int:
    """Repeats that are still to come, as far as there are pictures to repeat."""
    skipped = sum(not answer.marks and not answer.is_repeat for answer in given)
    return max(0, min(n_repeats(n), n - skipped) - sum(answer.is_repeat for answer in given))


def pace(given: Iterable[Answer]) -> float:
    """Seconds that this rater takes for a picture: the median, pauses apart."""
    return median([answer.seconds for answer in given if 0 < answer.seconds < PAUSE_S] or [SECONDS_EACH])


# what the rater said


def save(db: Database, item: Item, rater: str, session: str, marks: Mapping[str, float], shown_at: float) -> list[int]:
    """Commit the marks (0 to 100 per axis) of one picture together and return the events' ids.

    A second click on the same picture saves nothing. Raises RatingError for no mark, an unknown axis, a
    wrong value.
    """
    if not marks:
        raise RatingError("Nothing was marked. Move at least one slider, or skip the picture.")
    for axis, value in marks.items():
        if axis not in HUMAN_AXES:
            raise RatingError(f"There is no axis '{axis}'. Axes are {', '.join(HUMAN_AXES)}.")
        if not 0 <= value <= 100:
            raise RatingError(f"The mark for {axis} is {value} but must lie between 0 and 100.")
    return add_once(db, item, rater, session, shown_at, [("rate", axis, marks[axis]) for axis in marks])


def skip(db: Database, item: Item, rater: str, session: str, shown_at: float) -> list[int]:
    """Commit that this rater does not judge the picture; it won't come again."""
    return add_once(db, item, rater, session, shown_at, [("skip", None, None)])


def add_once(
    db: Database,
    item: Item,
    rater: str,
    session: str,
    shown_at: float,
    said: Sequence[tuple[str, str | None, float | None]],
) -> list[int]:
    """Commit (event, axis, value) of one picture, unless this rater's answer to it stands already."""
    about = {
        "preview_id": item.preview_id,
        "rater": rater,
        "session": session,
        "is_repeat": int(item.is_repeat),
        "position": item.position,
        "shown_at": shown_at,
        "answered_at": now(),
        "protocol": PROTOCOL,
    }
    with immediate(db):
        preview = results.preview(db, item.preview_id)
        assert preview is not None  # items are made from previews, and previews are never deleted
        if answered(answers(db, {"id": preview["project_id"]}, rater), item):
            return []
        rows = [{**about, "event": event, "axis": axis, "value": value} for event, axis, value in said]
        return ratings.add_all(db, rows)


def undo_last(db: Database, project: Row, rater: str) -> Item | None:
    """Take back this rater's last answer in the set; the picture comes back to be judged. None if there is none.

    The marks stay in the table; undo events say that they don't stand.
    """
    with immediate(db):
        given, everything = in_set(db, project, rater)
        if not given:
            return None
        last = max(given, key=lambda answer: max(answer.event_ids))
        undo = {
            "preview_id": last.preview_id,
            "rater": rater,
            "session": last.session,
            "event": "undo",
            "is_repeat": int(last.is_repeat),
            "position": last.position,
            "shown_at": now(),
            "answered_at": now(),
            "protocol": PROTOCOL,
        }
        ratings.add_all(db, [{**undo, "undoes": event} for event in last.event_ids])
    given, everything = in_set(db, project, rater)
    fresh, row = len(waiting(db, project, rater)), everything[last.preview_id]
    return make_item(project, row, given, fresh, len(everything), last.position, last.is_repeat)


def reliability(db: Database, project: Row, rater: str) -> Reliability | None:
    """Test-retest: how far the marks of repeats lie from the first ones. None without repeats."""
    given = answers(db, project, rater)
    first = {answer.preview_id: answer.marks for answer in given if not answer.is_repeat}
    gaps: dict[str, list[float]] = {}
    for answer in given:
        before = first.get(answer.preview_id, {}) if answer.is_repeat else {}
        for axis in before.keys() & answer.marks.keys():
            gaps.setdefault(axis, []).append(abs(answer.marks[axis] - before[axis]))
    every = [gap for axis_gaps in gaps.values() for gap in axis_gaps]
    if not every:
        return None
    by_axis = {axis: (sum(gap) / len(gap), len(gap)) for axis, gap in gaps.items()}
    return Reliability(sum(every) / len(every), len(every), by_axis)
