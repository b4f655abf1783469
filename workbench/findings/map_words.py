"""What the map of epochs and strengths says, in sentences: the best cell, how sure that is, how it looks otherwise."""

import math

import pandas as pd

from workbench.findings.epoch_map import BestCell
from workbench.findings.metrics import Metric
from workbench.words import counted

FEW = 5  # prompts: t(n - 1) is 2.8 and more below that, 2 with many
NAMED = 6  # cells that a sentence lists before it only counts them


def cell_name(place: str, strength: float) -> str:
    """
    >>> cell_name("epoch 8", 0.8)
    'epoch 8 at strength 0.8'
    """
    return f"{place} at strength {strength:g}"


def places_of(cells: pd.DataFrame) -> dict[int, str]:
    """Checkpoint -> where in its training it was saved, from the rows of ``epoch_map``."""
    return dict(zip(cells["checkpoint_id"].astype(int), cells["place"], strict=True))


def answer(best: BestCell, measured: Metric, places: dict[int, str]) -> list[str]:
    """The best cell in a few sentences. ``places``: checkpoint -> where in the training it was saved."""
    cell = best.cell
    value = f"{measured.label} {measured.show(cell['value'])}{ends(best, measured)}"
    where = cell_name(cell["place"], best.strength)
    if measured.higher_is_better is None:
        return [
            f"Nearest to a picture without a LoRA is {where}: {value}.",
            "That alone is no merit: compare likeness.",
        ]
    said = [f"Best is {where}: {value}."]
    if not best.rivals:
        return [*said, "It is the only cell, so there is nothing to compare it with."]
    said.append(told_apart(best, places))
    if best.by_seeds:
        said.append("There is one prompt only: nothing is known of other prompts.")
    if best.n_thin:
        said.append(f"{counted(best.n_thin, 'cell')} with under half as many scored pictures took no part.")
    return said


def ends(best: BestCell, measured: Metric) -> str:
    """How far its mean may be off, and what it is the mean of."""
    low, high, n = best.cell["low"], best.cell["high"], best.cell["n"]
    pictures = counted(n, "picture")
    if math.isnan(low):
        return f" ({pictures}: too few for an interval)" if n < 2 or best.by_seeds else f" ({pictures})"
    first = measured.show(low).partition(" ")[0]  # the unit is said once: -2.5 to +2.9 points
    return f" (95 % interval {first} to {measured.show(high)}, {pictures})"


def told_apart(best: BestCell, places: dict[int, str]) -> str:
    """What the best cell is and isn't better than."""
    equals, others = best.equals, len(best.rivals)
    if not equals:
        return f"It is better than each of the {others} others on the same prompts and seeds by more than chance."
    names = [cell_name(places[rival.checkpoint_id], rival.strength) for rival in equals[:NAMED]]
    more = f" and {len(equals) - NAMED} more" if len(equals) > NAMED else ""
    if len(equals) == others:
        listed = f"{', '.join(names)}{more}"
        return f"It can't be told apart from any other cell: {listed}. More prompts or seeds would tell."
    of = f"{len(equals)} of the {others} others" if others > 1 else "the other one"
    few = f" With {best.cell['n_prompts']} prompts only large differences show." if best.cell["n_prompts"] < FEW else ""
    return f"It can't be told apart from {of}: {', '.join(names)}{more}.{'' if best.by_seeds else few}"
