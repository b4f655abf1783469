"""A sitting: it begins with all that it will ask, can be left and taken up again, and ends."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from random import SystemRandom
from typing import Any, Protocol

from sqlite_utils import Database

from db import immediate, ratings, sittings
from workbench.rating.layout import lay_out
from workbench.rating.modes import MODES
from workbench.rating.problem import RatingError
from workbench.rating.progress import progress
from workbench.rating.warm_up import warm_up

Row = dict[str, Any]

PROTOCOL = "2"  # how people are asked: goes with every event. Up to version 0.3 it was sliders-1
LONGEST_NAME = 60


class Asks(Protocol):
    """What a sitting is begun with: a :class:`workbench.rating.choose.Proposal`."""

    @property
    def mode(self) -> str: ...
    @property
    def asked(self) -> Sequence[Sequence[int]]: ...
    @property
    def repeats(self) -> int: ...
    @property
    def minutes(self) -> float: ...
    @property
    def foretold(self) -> Any: ...


@dataclass(frozen=True)
class OpenSitting:
    """A sitting that can go on."""

    token: str
    mode: str
    minutes: float
    created_at: float
    done: int  # answers, warm-ups apart
    total: int


def begin(db: Database, project: Row, rater: str, proposal: Asks) -> str:
    """Store a sitting with all that it will ask and return its token.

    A second click on the same proposal gets the same sitting. Raises RatingError for no name, or nothing to ask.
    """
    rater = rater.strip()
    check(rater, proposal)
    with immediate(db):
        again = untouched(db, project, rater, proposal)
        if again:
            return again
        asked = {preview for pictures in proposal.asked for preview in pictures}
        first = warm_up(db, project, rater, proposal.mode, asked)
        items = lay_out(proposal.mode, proposal.asked, proposal.repeats, first, SystemRandom())
        made = sittings.add_sitting(
            db,
            items,
            project_id=project["id"],
            plan_id=project["plan_id"],
            rater=rater,
            mode=proposal.mode,
            minutes=float(proposal.minutes),
            foretold=json.dumps(as_json(proposal.foretold)),
            protocol=PROTOCOL,
        )
    row = sittings.sitting(db, made)
    assert row is not None  # just stored
    return str(row["token"])


def check(rater: str, proposal: Asks) -> None:
    """Refuse what can't be asked, with a sentence."""
    if not rater:
        raise RatingError("Type your name first: ratings are kept apart by name.")
    if len(rater) > LONGEST_NAME:
        raise RatingError(f"Your name is longer than {LONGEST_NAME} letters. Choose a shorter one.")
    if proposal.mode not in MODES:
        raise RatingError(f"There is no way of rating called '{proposal.mode}'. There are {', '.join(MODES)}.")
    if not proposal.asked:
        raise RatingError("There is nothing to rate here now.")
    most, least = MODES[proposal.mode].pictures, 1 if MODES[proposal.mode].axes else 2
    for pictures in proposal.asked:
        if not least <= len(pictures) <= most or len(set(pictures)) < len(pictures):
            raise RatingError(
                f"{len(pictures)} pictures were to be shown together, but '{MODES[proposal.mode].label}' "
                f"shows {least} to {most} different ones."
            )


def untouched(db: Database, project: Row, rater: str, proposal: Asks) -> str | None:
    """The sitting that a first click on this proposal began, if nothing was answered in it yet."""
    wanted = sorted(sorted(pictures) for pictures in proposal.asked)
    for row in reversed(sittings.of_rater(db, project["id"], rater)):
        if row["ended_at"] is None and row["mode"] == proposal.mode and row["plan_id"] == project["plan_id"]:
            items = sittings.items(db, row["id"])
            if sorted(sorted(item["previews"]) for item in items if item["part"] == "first") == wanted:
                return None if progress(db, row).standing else str(row["token"])
    return None


def as_json(foretold: Any) -> Any:
    """What was foretold, as it can be stored."""
    return asdict(foretold) if is_dataclass(foretold) and not isinstance(foretold, type) else foretold


def open_sittings(db: Database, project: Row, rater: str) -> list[OpenSitting]:
    """This rater's sittings that can go on, the last begun first."""
    found = []
    for row in reversed(sittings.of_rater(db, project["id"], rater.strip())):
        if row["ended_at"] is None:
            now = progress(db, row)
            if now.left:
                about = {name: row[name] for name in ("token", "mode", "minutes", "created_at")}
                found.append(OpenSitting(**about, done=now.done, total=now.total))
    return found


def raters(db: Database, project: Row) -> list[str]:
    """Names under which a project's pictures were rated, in the order of their first word."""
    return ratings.raters(db, project["id"])


def stop(db: Database, token: str) -> None:
    """End a sitting before all was answered; an answer or an undo takes it up again."""
    row = sittings.by_token(db, token)
    if row:
        sittings.end(db, row["id"])
