"""What a sitting will bring, before it; and what is known now, after it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlite_utils import Database

from workbench.findings.intervals import t_quantile
from workbench.rating.estimate import Estimate, Floats, difference_sd
from workbench.rating.standing import known, leads

MOST_LEADING = 12  # checkpoints that a difference is said of
AT_ALL_SURE = 0.05  # how often a preference shows by chance alone


@dataclass(frozen=True)
class Foretold:
    """Points of likeness: half the width of the 95 % interval of a difference between two leading checkpoints."""

    now: float | None  # None = nothing was rated yet
    afterwards: float | None  # None = there is only one checkpoint
    words: str


def foretold(found: Estimate, after: Floats, items: Sequence[Collection[int]], choosing: bool) -> Foretold:
    """What is known after a sitting. ``after``: the checkpoints' covariance then; ``items``: the checkpoints that each
    item shows; ``choosing``: pictures are chosen between."""
    shown = {checkpoint for item in items for checkpoint in item}
    leading = leading_of(found, shown)
    heard = any(found.heard.values())
    if len(leading) < 2:
        which = "the one checkpoint that there is" if len(found.ids) == 1 else "one checkpoint"
        return Foretold(None, None, f"Afterwards more is known of how good people find {which}.")
    before = half_width(found, found.covariance, leading) if heard else None
    # two-way: a degree of freedom is spent on each checkpoint and prompt
    single = 0 if choosing else max(0, sum(len(item) == 1 for item in items) - 2 * len(shown))
    then = half_width(found, after, leading, single)
    whose = "them" if choosing else which_of(leading, heard)
    told = f" (now it takes {before:.0f})" if before is not None else ""
    between = "the two leading checkpoints" if len(leading) == 2 else f"two of {whose}"
    words = f"Afterwards a difference of about {then:.0f} points of 100 between {between} will show{told}."
    if not heard:  # tried with twice the usual wavering: 13 points where 8 were foretold
        words = f"{words.removesuffix('.')}, if you waver as most people do."
    if choosing:
        words = f"{compared_words(items, leading, heard)} {words}"
    return Foretold(before, then, words)


def which_of(leading: Sequence[int], heard: bool) -> str:
    return f"the {len(leading)} {'leading ' if heard else ''}checkpoints"


def leading_of(found: Estimate, shown: Collection[int]) -> list[int]:
    """The checkpoints out of these that a difference is foretold for: all of them at first, then the leading ones."""
    if not any(found.heard.values()):
        return [checkpoint for checkpoint in found.ids if checkpoint in shown]
    promising = sorted(
        (-share, checkpoint)
        for checkpoint, share, may in zip(found.ids, found.promise, leads(found), strict=True)
        if may and checkpoint in shown
    )
    return [checkpoint for _, checkpoint in promising[:MOST_LEADING]]


def half_width(found: Estimate, spread: Floats, leading: Sequence[int], more: int = 0) -> float:
    """Points: half the 95 % interval of a difference between two of them, the median of all pairs.

    ``more``: marks of single pictures to come, from which the noise will be known better.
    """
    at = [found.ids.index(checkpoint) for checkpoint in leading]
    sds = difference_sd(spread[np.ix_(at, at)])
    quantile = t_quantile(round(found.noise.df) + more)
    return quantile * float(np.median(sds[np.triu_indices(len(at), 1)]))


def compared_words(items: Sequence[Collection[int]], leading: Sequence[int], heard: bool) -> str:
    """How often each of the leading checkpoints is compared, and which preference shows then by itself."""
    times = [sum(len(item) - 1 if len(item) == 2 else 1 for item in items if each in item) for each in leading]
    n = int(np.median(times))
    how = "compared" if is_pairs(items) else "in a grid"
    whole = f"Each of {which_of(leading, heard)} will have been {how} about {n} times"
    least = preferred_at_least(n) if is_pairs(items) else None
    if least is None:
        return f"{whole}."
    return f"{whole}: being preferred {least} times out of {n} is more than chance."


def is_pairs(items: Sequence[Collection[int]]) -> bool:
    return all(len(item) == 2 for item in items)


def preferred_at_least(n: int) -> int | None:
    """How often of n times something must be preferred so that this isn't chance: two-sided sign test at 5 %.

    None where even always isn't enough.

    >>> preferred_at_least(10), preferred_at_least(5)
    (9, None)
    """
    from scipy.special import bdtrc

    return next((k for k in range(n // 2 + 1, n + 1) if 2 * bdtrc(k - 1, n, 0.5) <= AT_ALL_SURE), None)


def known_now(db: Database, project: dict[str, Any], rater: str) -> str:
    """What this rater's marks and choices have shown so far, in a sentence or two."""
    return words_now(known(db, project, rater))


def words_now(found: Estimate) -> str:
    """The same of what was worked out."""
    seen = [checkpoint for checkpoint in found.ids if found.heard[checkpoint]]
    if not seen:
        return "Nothing has been rated yet."
    front = [each for each, may in zip(found.ids, leads(found), strict=True) if may and found.heard[each]]
    unseen = len(found.ids) - len(seen)
    rest = f" {counted(unseen)} not been rated yet." if unseen else ""
    others = len(seen) - len(front)
    if len(seen) == 1:
        return f"One checkpoint has been rated.{rest}"
    if len(front) <= 1:
        which = "the other one" if others == 1 else f"all {others} others"
        return f"One checkpoint is better than {which} that {'was' if others == 1 else 'were'} rated.{rest}"
    worse = {0: "", 1: "; the other one is worse"}.get(others, f"; the other {others} are worse")
    width = half_width(found, found.covariance, front)
    return (
        f"{len(front)} checkpoints can't be told apart{worse}. "
        f"Between these a difference of about {width:.0f} points would show.{rest}"
    )


def counted(n: int) -> str:
    return "1 checkpoint has" if n == 1 else f"{n} checkpoints have"
