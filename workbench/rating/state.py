"""What a browser is told of a sitting: the next pictures and how far it is, nothing of where they come from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image
from sqlite_utils import Database

from db import library, ratings, sittings
from workbench.pictures.gallery import photo_url, preview_url
from workbench.rating.answers import sitting_of
from workbench.rating.modes import MODES
from workbench.rating.progress import Item, Progress, progress
from workbench.scores.current_scores import named
from workbench.scores.scoring import prompt_for_clip
from workbench.workspace import Workspace

Row = dict[str, Any]

AHEAD = 6  # items that a browser loads beforehand
PAUSE_S = 60.0  # whoever took longer for one answer was away
KNOWN_PACE = 3  # answers after which a rater's own speed is known


def state(db: Database, sitting_token: str, ws: Workspace | None = None) -> dict[str, Any]:
    """Where a sitting stands, as JSON. Raises NoSuchSitting.

    ``total`` and ``done`` count answers, warm-ups apart; ``items`` are the next ones to answer, in order; ``last`` is
    the item that an undo would bring back. ``ws``: where the pictures lie; without it no face box is told, since it
    takes a picture's proportions.
    """
    sitting = sitting_of(db, sitting_token)
    project = library.project(db, sitting["project_id"])
    assert project is not None  # rows of projects stay
    mode, now = MODES[sitting["mode"]], progress(db, sitting)
    items = [] if sitting["ended_at"] is not None else now.left[:AHEAD]
    shown = pictures(db, ws, project, {preview for item in items for preview in item.previews})
    return {
        "mode": mode.key,
        "axes": list(mode.axes),
        "rater": sitting["rater"],
        "total": now.total,
        "done": now.done,
        "warm_ups": warm_ups(now),
        "seconds_left": round(len(now.left) * pace(now, sitting["minutes"]), 1),
        "can_undo": now.last is not None,
        "last": now.last.token if now.last else None,
        "over": not items,
        "items": [as_asked(db, item, shown) for item in items],
    }


def warm_ups(now: Progress) -> dict[str, int]:
    """How many warm-ups there are and were answered."""
    answered = [item.id in now.standing for item in now.items if item.part == "warm_up"]
    return {"total": len(answered), "done": sum(answered)}


def pace(now: Progress, minutes: float) -> float:
    """Seconds that an answer takes: the median of this sitting's, pauses apart; at first what it was planned with."""
    took = [events[0].answered_at - events[0].shown_at for events in now.standing.values()]
    known = [seconds for seconds in took if 0 < seconds < PAUSE_S]
    return median(known) if len(known) >= KNOWN_PACE else 60 * minutes / len(now.items)


def as_asked(db: Database, item: Item, shown: Mapping[int, Row]) -> dict[str, Any]:
    """One item: its pictures from the left, and what was asked for (the same for all of them, else nothing)."""
    previews = item.previews
    texts = {shown[preview]["text"] for preview in previews}
    return {
        "token": item.token,
        "warm_up": item.part == "warm_up",
        "text": texts.pop() if len(texts) == 1 else "",
        "pictures": [
            {name: shown[preview][name] for name in ("src", "thumb", "face", "nearest")} for preview in previews
        ],
        "before": said_before(ratings.of_item(db, item.id), previews),
    }


def said_before(events: Sequence[Row], previews: list[int]) -> dict[str, Any] | None:
    """The answer to an open item that was undone last, in the words of an answer; None where none was given."""
    if not events:
        return None
    undos = takewhile(lambda event: event["event"] == "undo", reversed(events))  # of an open item: it ends with them
    last = {event["undoes"] for event in undos}
    said = [event for event in events if event["id"] in last]
    chosen = {event["said"]: event["preview_id"] for event in said if event["event"] == "choose"}
    return {
        "marks": {event["axis"]: event["value"] for event in said if event["event"] == "rate"},
        "said": next((word for word in chosen if word not in ("best", "worst")), None),
        "best": previews.index(chosen["best"]) if "best" in chosen else None,
        "worst": previews.index(chosen["worst"]) if "worst" in chosen else None,
        "flags": [[previews.index(event["preview_id"]), event["said"]] for event in said if event["event"] == "flag"],
    }


# pictures


def pictures(db: Database, ws: Workspace | None, project: Row, previews: Iterable[int]) -> dict[int, Row]:
    """Preview id -> its addresses, what was asked for, where its face is, and the nearest reference photo."""
    rows = sittings.pictures(db, previews)
    faces = faces_of(db, project, [row["id"] for row in rows])
    references = references_by_dataset(db, project, faces.values())
    return {
        row["id"]: {
            "src": preview_url(row["token"], full=True),
            "thumb": preview_url(row["token"]),
            "text": prompt_for_clip(row["text"], project["trigger_word"], project["class_noun"]),
            "face": face_box(faces.get(row["id"]), row, ws),
            "nearest": nearest_photo(faces.get(row["id"]), project["dataset_id"], references),
        }
        for row in rows
    }


def faces_of(db: Database, project: Row, previews: Sequence[int]) -> dict[int, Row]:
    """Preview id -> where a judge saw its face (``detail``), at which size; the project's own judge counts first."""
    found = sittings.faces(db, previews)
    found.sort(key=lambda row: (named("face", project["face_judge"], row["judge_key"]), row["calibration_id"]))
    return {row["preview_id"]: {**row, "detail": json.loads(row["detail"])} for row in found}


def face_box(face: Row | None, preview: Row, ws: Workspace | None) -> list[float] | None:
    """(x0, y0, x1, y1) as shares of the picture's width and height.

    The judge's box is in px of the picture with its longer side at the calibration's size (see
    workbench.scores.likeness.at_size).
    """
    box = face["detail"].get("box") if face else None
    size = size_of(ws.path(preview["file"])) if box and ws else None
    if face is None or not box or not size:
        return None
    scale = face["size_px"] / max(size)
    width, height = (max(1, round(side * scale)) for side in size)
    shares = [box[0] / width, box[1] / height, box[2] / width, box[3] / height]
    return [round(min(max(share, 0.0), 1.0), 4) for share in shares]


def references_by_dataset(db: Database, project: Row, faces: Iterable[Row]) -> dict[int, list[Row]]:
    """The reference photos of the project's own photos, and of those that the pictures were judged with."""
    wanted = {face["dataset_id"] for face in faces} | ({project["dataset_id"]} - {None})
    return {dataset: library.photos(db, dataset, "reference") for dataset in wanted}


def nearest_photo(face: Row | None, dataset_id: int, references: Mapping[int, Sequence[Row]]) -> dict[str, str] | None:
    """The reference photo whose face is nearest to the picture's, as it stands among the project's own photos.

    The address of the same photo in another version would tell which runs a picture belongs with.
    """
    place = face["detail"].get("nearest_reference_photo") if face else None
    judged_with = references[face["dataset_id"]] if face else []
    if place is None or place >= len(judged_with):
        return None
    own = [photo for photo in references.get(dataset_id, []) if photo["sha256"] == judged_with[place]["sha256"]]
    return {"src": photo_url(own[0], full=True), "thumb": photo_url(own[0])} if own else None


def size_of(file: Path) -> tuple[int, int] | None:
    """Width and height in px of a picture; None if it isn't there."""
    try:
        return stored_size(file)
    except OSError:
        return None


@lru_cache(maxsize=8192)
def stored_size(file: Path) -> tuple[int, int]:
    """The same; raises OSError. A picture that is there never changes."""
    with Image.open(file) as picture:
        return picture.size
