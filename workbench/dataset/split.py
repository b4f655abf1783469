"""Divide photos into those to train on and those held out as reference for likeness."""

import random
from collections.abc import Mapping, Sequence

TRAIN, REFERENCE = "train", "reference"
SHARE = 0.25
MOST_REFERENCES = 10
FEWEST_REFERENCES_OF_20 = 4
FEW_PHOTOS = 8  # below this a warning says what the split costs


def split(
    n: int,
    groups: Sequence[Sequence[int]] = (),
    share: float = SHARE,
    seed: int = 0,
    *,
    usable: Sequence[bool] | None = None,
    fixed: Mapping[int, str] | None = None,
) -> list[str]:
    """Side of each of ``n`` photos, ``train`` or ``reference``: the same for the same arguments.

    ``groups`` are photos that look alike: they stay on one side, or the references would reward copying.
    ``usable`` says which photos show a face: only those can be references. ``fixed`` are sides that were
    chosen before: they never change, since a model may have been trained on them.
    """
    sides = dict(fixed or {})
    units = free_units(n, groups, sides)
    if usable is not None:
        units = [unit for unit in units if all(usable[i] for i in unit)]
    random.Random(seed).shuffle(units)
    units.sort(key=len)  # single photos first: they give the most different references
    wanted = reference_count(n, share)
    held = list(sides.values()).count(REFERENCE)
    for unit in units:
        only_choice = held == 0 and len(unit) <= n / 2  # rather one large group than no reference at all
        if wanted and (held + len(unit) <= wanted or only_choice):
            sides |= dict.fromkeys(unit, REFERENCE)
            held += len(unit)
    return [sides.get(i, TRAIN) for i in range(n)]


def reference_count(n: int, share: float = SHARE) -> int:
    """How many of ``n`` photos to hold out: ``share`` of them, at most 10, from 20 photos on at least 4."""
    if n < 2:
        return 0
    fewest = FEWEST_REFERENCES_OF_20 if n >= 20 else 1
    return min(MOST_REFERENCES, max(fewest, round(share * n)))


def free_units(n: int, groups: Sequence[Sequence[int]], sides: dict[int, str]) -> list[list[int]]:
    """Groups and single photos to place; those alike to a photo that has its side join it in ``sides``."""
    free = []
    grouped = {i for group in groups for i in group}
    for unit in [list(group) for group in groups] + [[i] for i in range(n) if i not in grouped]:
        placed = {sides[i] for i in unit if i in sides}
        if not placed:
            free.append(unit)
            continue
        side = TRAIN if TRAIN in placed else REFERENCE
        for i in unit:
            sides.setdefault(i, side)
    return free
