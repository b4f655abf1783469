"""Pictures that wait to be rated and are wanted by name all the same: what that costs, and that it is kept."""

from collections.abc import Collection

import pandas as pd
from sqlite_utils import Database

from db import results, sittings
from workbench.rating import pool
from workbench.words import counted

COST = (
    "Once shown, you can't rate these blind any more: they're taken out of what you are asked. That can't be taken "
    "back. Whoever rates under another name is still asked."
)


def offer(n: int) -> str:
    """What the switch is called."""
    return f"Show the {counted(n, 'picture')} that {'waits' if n == 1 else 'wait'} to be rated"


def hidden(n: int, rater: str) -> str:
    """Why pictures are blank, in a sentence."""
    return f"{counted(n, 'picture')} here {'waits' if n == 1 else 'wait'} to be rated blind by {rater}."


def reveal(db: Database, project: pool.Row, rater: str, tokens: Collection[str]) -> int:
    """Keep that a rater has seen these pictures by name, so that they wait no more; returns how many these were.

    ``tokens``: of any pictures of the project; those that don't wait for this rater stay as they are.
    """
    asked = pool.held_back_tokens(db, project, rater) & set(tokens)
    seen = results.first_drawn(db, project["id"], asked)
    sittings.reveal(db, rater, seen)
    return len(asked)


def note(db: Database, project: pool.Row, rater: str, shown: Collection[str]) -> int:
    """Keep what was shown by name that this rater may be asked about later, so that it never is; returns how many.

    ``shown``: tokens of all that stands on a page. Pictures are asked about stage by stage (see pool.py), and pages
    hide those of the stage that is at hand.
    """
    new = {row["id"] for row in still_to_ask(db, project, rater, set(shown))}
    sittings.reveal(db, rater, new)
    return len(new)


def still_to_ask(db: Database, project: pool.Row, rater: str, tokens: Collection[str] | None = None) -> list[pool.Row]:
    """Pictures of all stages that this rater has said nothing of nor seen by name; of these tokens, or all."""
    rows = [row for row in pool.pictures(db, project) if tokens is None or row["token"] in tokens]
    seen = sittings.revealed(db, project["id"], rater)
    if seen.issuperset(row["id"] for row in rows):
        return []
    seen |= pool.answered_previews(db, project["id"], rater)
    return [row for row in rows if row["id"] not in seen]


def may_be_asked(db: Database, project: pool.Row, rater: str) -> set[str]:
    """Tokens of all that this rater may still be asked blind, now or later."""
    return {row["token"] for row in still_to_ask(db, project, rater)} | pool.held_back_tokens(db, project, rater)


def nameless(db: Database, project: pool.Row, rater: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column ``token``, to be kept as a file, without the tokens of what this rater may still be asked.

    A token is the address of a picture while it is rated, and beside it stands what made the picture.
    """
    asked = may_be_asked(db, project, rater)
    return table.assign(token=table["token"].where(~table["token"].isin(list(asked)), ""))
