"""Every event of every rating with what it was about, for other programs."""

from typing import Any

from sqlite_utils import Database

from db import ratings, results, sittings

Row = dict[str, Any]

OF_EVENT = (
    "id",
    "rater",
    "session",
    "mode",
    "part",
    "position",
    "event",
    "axis",
    "value",
    "said",
    "undoes",
    "undone",
    "is_repeat",
    "item_id",
    "first_item_id",
    "previews",
    "preview_id",
)
OF_PICTURE = (
    "token",
    "checkpoint_id",
    "run_id",
    "pattern_id",
    "label",
    "train_seed",
    "updates",
    "prompt",
    "text",
    "seed",
    "strength",
)
COLUMNS = (*OF_EVENT, *OF_PICTURE, "shown_at", "answered_at", "protocol")


def events(db: Database, project: Row, rater: str | None = None) -> list[Row]:
    """All events of a project in their order, each with COLUMNS; of runs in the bin none.

    ``previews``: ids of what was shown together, in the order shown, from the left; ``first_item_id``: of a repeat its
    first time, else the same as ``item_id``; ``undone``: taken back later. What an event is about is the picture
    ``preview_id``; of an answer about all of them (a row's mark, "same", a skip) it is None, and what all have in
    common stands there.
    """
    found = ratings.events(db, project["id"], rater)
    undone = {event["undoes"] for event in found if event["event"] == "undo"}
    shown = {
        item["id"]: item["previews"]
        for sitting in sittings.of_rater(db, project["id"], rater)
        for item in sittings.items(db, sitting["id"])
    }
    pictures = {row["id"]: row for row in results.all_previews(db, project["id"])}
    return [event_row(event, undone, shown, pictures) for event in found]


def event_row(event: Row, undone: set[int], shown: dict[int, list[int]], pictures: dict[int, Row]) -> Row:
    """One event with what it is about."""
    one = event["preview_id"]
    previews = shown.get(event["item_id"], [one])
    about = [pictures[preview] for preview in ([one] if one else previews) if preview in pictures]
    more = {
        "undone": event["id"] in undone,
        "is_repeat": bool(event["is_repeat"]),
        "first_item_id": event["repeats"] or event["item_id"],
        "previews": previews,
        **{name: common([row[name] for row in about]) for name in OF_PICTURE},
    }
    return {name: more[name] if name in more else event[name] for name in COLUMNS}


def common(values: list[Any]) -> Any:
    """The value that all have; None where they differ."""
    return values[0] if values and all(value == values[0] for value in values) else None
