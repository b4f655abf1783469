"""What people chose between pictures, as comparisons of checkpoints: one row each."""

from itertools import combinations
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import ratings, results

Row = dict[str, Any]

BASE_ALONE = -1  # stands for the checkpoint of pictures that were made without any LoRA
COLUMNS = {
    "winner": "int64",  # checkpoint id, or BASE_ALONE; of a tie the one shown first
    "loser": "int64",
    "tied": "bool",  # same, or both bad: neither is preferred
    "both_bad": "bool",
    "weight": "float64",  # how many answers between two pictures it is worth
    "rater": "object",
    "mode": "object",  # pair or best_worst
    "prompt": "int64",  # its number in the plan that the picture was first drawn for
    "text": "object",  # the prompt as rendered: what tells prompts of several plans apart
    "seed": "int64",
    "item_id": "int64",
    "first_item": "int64",  # of a repeat: its first time; else the same
    "is_repeat": "bool",
    "session": "object",
    "position": "int64",
    "side": "object",  # left or right: where the winner stood; None for ties and grids
}


def choice_table(db: Database, project_id: int) -> pd.DataFrame:
    """All comparisons of checkpoints that people's choices come to, undone ones and warm-ups left out; see COLUMNS.

    A pair is one comparison. A grid of m pictures is up to 2 m - 3: its best beats the others, the others beat its
    worst. These come from two choices between the same pictures, so they aren't independent: they share one item_id,
    and ``weight`` says what each is worth (:func:`grid_weight`). A grid that is all the same or all bad ties every
    pair. Two pictures of one checkpoint say nothing of the order and are left out; so are runs in the bin.
    """
    pictures = {row["id"]: row for row in results.shown(db, project_id)}
    items: dict[int, list[Row]] = {}
    for event in ratings.choices(db, project_id):
        items.setdefault(event["item_id"], []).append(event)
    rows = [row for events in items.values() for row in comparisons(events, pictures)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def comparisons(events: list[Row], pictures: dict[int, Row]) -> list[Row]:
    """The rows of one item. ``events``: what was said of it; ``pictures``: by preview id."""
    first = events[0]
    shown = first["previews"]
    said = {event["said"]: event["preview_id"] for event in events}
    both_bad, tied = "bad" in said, not said.keys().isdisjoint({"bad", "same"})
    weight, side = 1.0, None
    if tied:
        pairs = list(combinations(shown, 2))
        weight = tied_weight(len(shown))
    elif first["mode"] == "pair":
        winner = first["preview_id"]
        pairs = [(winner, other) for other in shown if other != winner]
        side = "left" if winner == shown[0] else "right"
    else:
        pairs = implied(shown, said.get("best"), said.get("worst"))
        weight = grid_weight(len(shown))
    about = {
        name: first[name] for name in ("rater", "mode", "item_id", "first_item", "is_repeat", "session", "position")
    }
    about |= {"tied": tied, "both_bad": both_bad, "weight": weight, "side": side}
    rows = []
    for winner, loser in pairs:
        if winner not in pictures or loser not in pictures:
            continue
        of_winner, of_loser = (checkpoint(pictures[preview]) for preview in (winner, loser))
        if of_winner != of_loser:
            cell = {name: pictures[winner][name] for name in ("prompt", "text", "seed")}
            rows.append({"winner": of_winner, "loser": of_loser, **cell, **about})
    return rows


def checkpoint(picture: Row) -> int:
    found = picture["checkpoint_id"]
    return BASE_ALONE if found is None else int(found)


def implied(shown: list[int], best: int | None, worst: int | None) -> list[tuple[int, int]]:
    """Which picture beats which, when the best and the worst of those shown are known (or one of them).

    >>> implied([1, 2, 3], best=1, worst=3)
    [(1, 2), (1, 3), (2, 3)]
    """
    of_best = [(best, other) for other in shown if best is not None and other != best]
    of_worst = [(other, worst) for other in shown if worst is not None and other not in (best, worst)]
    return [*of_best, *of_worst]


def grid_weight(m: int) -> float:
    """What each comparison that the best and the worst of m pictures imply is worth, in answers between two pictures.

    Taken one by one, 2 m - 3 comparisons from two choices look surer than they are. With equal pictures their
    information is (2 m - 3) / (2 (m - 1)) per direction of strength, and the variance of their score (m - 1) / 2, since
    it is (m - 1) / 2 for the best, minus that for the worst and 0 for the others. The ratio of the two is the weight
    under which both agree (a composite likelihood adjusted to its Godambe information: Varin, Reid & Firth 2011):
    (2 m - 3) / (m - 1)^2. So a grid of six is worth 3.2 pairs, not 9.

    >>> grid_weight(2), round(9 * grid_weight(6), 2)
    (1.0, 3.24)
    """
    return (2 * m - 3) / (m - 1) ** 2


def tied_weight(m: int) -> float:
    """The same where all m are said to be alike: m (m - 1) / 2 ties that are worth as much as a grid with a best and a
    worst.

    >>> tied_weight(2)
    1.0
    """
    return (2 * m - 3) * grid_weight(m) / (m * (m - 1) / 2)
