"""Raters with known noise and checkpoints of known quality: what a sitting brings is held against the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.rating.choose import Before, Field, Proposal, make_field, ways
from workbench.rating.estimate import Choice, Estimate, Mark, Picture, estimate
from workbench.rating.layout import n_repeats
from workbench.rating.modes import KEY_MARKS, MODES
from workbench.rating.pace import Pace
from workbench.rating.standing import compared

SAME = 3.0  # points: a difference that this rater calls "the same"


class UsualPace(Pace):
    """Somebody who takes as long as MODES says."""

    def __init__(self) -> None:
        self.seconds = {mode: [] for mode in MODES}
        self.repeated = dict.fromkeys(MODES, 0)
        self.warm = dict.fromkeys(MODES, False)


@dataclass
class World:
    """Checkpoints x prompts x seeds with a mark that each picture deserves, and one rater's answers so far."""

    n: int
    draw: np.random.Generator
    spread: float = 10.0  # sd of the checkpoints' quality, points
    own: float = 6.0  # sd of what is a picture's own
    noise: float = 8.0  # sd of the rater
    judge: float = 10.0  # sd of the judge's likeness around the quality
    prompts: int = 6
    seeds: int = 3
    keys: bool = True  # marks by the nine keys, as in the deck
    marks: dict[tuple[Picture, ...], list[float]] = field(default_factory=dict)
    choices: list[dict[str, Any]] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.quality = self.draw.normal(55, self.spread, self.n)
        self.prior = dict(enumerate((self.quality + self.draw.normal(-10, self.judge, self.n)).tolist()))
        cells = [(prompt, seed) for seed in range(self.seeds) for prompt in range(self.prompts)]
        of_cell = dict(zip(cells, self.draw.normal(0, 8, len(cells)), strict=True))
        self.pictures: list[Picture] = []
        self.rows: list[dict[str, Any]] = []
        self.deserves: dict[int, float] = {}
        for stage_cell in cells:
            for checkpoint in range(self.n):
                picture = Picture(len(self.pictures) + 1, checkpoint, stage_cell)
                self.pictures.append(picture)
                self.rows.append(
                    {
                        "id": picture.id,
                        "checkpoint_id": checkpoint,
                        "prompt": stage_cell[0],
                        "seed": stage_cell[1],
                        "stage": stage_cell[1],
                    }
                )
                value = self.quality[checkpoint] + of_cell[stage_cell] + self.draw.normal(0, self.own)
                self.deserves[picture.id] = float(value)
        self.by_id = {picture.id: picture for picture in self.pictures}

    @property
    def best(self) -> int:
        return int(self.quality.argmax())

    def known(self) -> Estimate:
        return estimate(self.prior, *self.said())

    def said(self) -> tuple[list[Mark], list[Choice]]:
        marks = [Mark(pictures, "me", tuple(values)) for pictures, values in self.marks.items()]
        return marks, compared(self.choices, self.by_id)

    def field(self) -> Field | None:
        return make_field(self.prior, *self.said(), self.rows, self.done)

    def proposals(self, minutes: float, pace: Pace) -> list[Proposal]:
        found = self.field()
        shown = frozenset(frozenset(choice["previews"]) for choice in self.choices)
        return ways(found, pace, minutes, Before(shown, True, len(self.choices))) if found else []

    def answer(self, proposal: Proposal) -> None:
        """Answer all that is asked, and some of it twice."""
        self.answer_items(proposal.mode, proposal.asked, proposal.repeats)

    def answer_items(self, mode: str, asked: Sequence[tuple[int, ...]], repeats: int) -> None:
        again = [asked[at] for at in self.draw.permutation(len(asked))[:repeats]]
        for item in (*asked, *again):
            self.done.update(item)
            pictures = tuple(sorted(self.by_id[each] for each in item))
            if MODES[mode].axes:
                self.marks.setdefault(pictures, []).append(self.mark(pictures))
            else:
                self.choose(mode, item)

    def mark(self, pictures: Sequence[Picture]) -> float:
        felt = float(np.mean([self.deserves[each.id] for each in pictures])) + self.draw.normal(0, self.noise)
        return min(KEY_MARKS, key=lambda key: abs(key - felt)) if self.keys else min(max(felt, 0.0), 100.0)

    def choose(self, mode: str, item: tuple[int, ...]) -> None:
        felt = {each: self.deserves[each] + self.draw.normal(0, self.noise) for each in item}
        first = next((old["first_item"] for old in self.choices if set(old["previews"]) == set(item)), None)
        number = len(self.choices)
        answer = {"item_id": number, "first_item": number if first is None else first, "mode": mode, "previews": item}
        best, worst = max(item, key=felt.__getitem__), min(item, key=felt.__getitem__)
        if mode == "best_worst":
            said = [("best", best), ("worst", worst)]
        elif felt[best] - felt[worst] < SAME:
            said = [("same", None)]
        else:
            said = [("left" if best == item[0] else "right", best)]
        self.choices += [{**answer, "said": word, "preview_id": chosen} for word, chosen in said]


def deck_of(world: World, minutes: float, pace: Pace, order: Sequence[Picture]) -> None:
    """The deck over pictures in this order, as many as fit."""
    n = min(pace.fits("deck", minutes), len(order))
    world.answer_items("deck", [(each.id,) for each in order[:n]], n_repeats(n, pace.repeated["deck"]))
