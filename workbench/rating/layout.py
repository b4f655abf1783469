"""The order of a sitting: shuffled across patterns, sides at random, some of it asked twice."""

import math
from collections.abc import Sequence
from random import Random
from typing import Any

Pictures = Sequence[int]  # preview ids that one item shows

REPEAT_SHARE = 0.075  # 5-10 % tell how steady a rater is
REPEATS_AT_LEAST = 15  # of one rater in one mode, over all sittings: fewer tell too little
GAP = 5  # items between an item and its repeat, at least


def n_repeats(n: int, had: int = 0) -> int:
    """How many of ``n`` items are asked twice: 7.5 %, and 15 with the ``had`` that this rater repeated before.

    Never more than half of them.

    >>> n_repeats(200), n_repeats(20), n_repeats(40, had=15)
    (15, 10, 3)
    """
    return min(n // 2, max(math.ceil(REPEAT_SHARE * n), REPEATS_AT_LEAST - had))


def lay_out(
    mode: str, asked: Sequence[Pictures], repeats: int, warm_up: Sequence[Pictures], rng: Random
) -> list[dict[str, Any]]:
    """What a sitting asks, in order, as :func:`db.sittings.add_sitting` takes it.

    Warm-ups come first, then what is asked, shuffled, with repeats evenly between: after a share s of the items a share
    s of the repeats. A repeat comes after GAP other items at least, and shows a pair with its sides swapped, a row or
    grid in another order; where there is no room for that (few items) there are fewer repeats.
    """
    items = [{"part": "warm_up", "previews": shuffled(pictures, rng)} for pictures in shuffled(warm_up, rng)]
    firsts, once, done = shuffled(asked, rng), [], 0
    for number, pictures in enumerate(firsts, 1):
        once.append(len(items))
        items.append({"part": "first", "previews": shuffled(pictures, rng)})
        wanted = repeats * number // len(firsts)  # all of them with the last item
        while done < wanted and (able := [place for place in once if len(items) - place > GAP]):
            place = rng.choice(able)
            once.remove(place)
            items.append(repeat_of(mode, items, place, rng))
            done += 1
    return items


def repeat_of(mode: str, items: Sequence[dict[str, Any]], place: int, rng: Random) -> dict[str, Any]:
    """The item at a place once more: the same pictures, as differently arranged as they can be."""
    before = list(items[place]["previews"])
    again = before[::-1] if mode == "pair" else shuffled(before, rng)
    while again == before and len(before) > 1:
        again = shuffled(before, rng)
    return {"part": "repeat", "repeats": place, "previews": again}


def shuffled(things: Sequence[Any], rng: Random) -> list[Any]:
    return rng.sample(list(things), len(things))
