"""Raters of whom the truth is known: they answer as people do, and what is measured of them is held against it."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlite_utils import Database

from db import sittings
from workbench.people.drift import PER
from workbench.people.marks import COLUMNS
from workbench.rating.answers import save
from workbench.rating.choose import Proposal
from workbench.rating.layout import lay_out
from workbench.rating.modes import KEY_MARKS, MODES
from workbench.rating.sitting import begin
from workbench.rating.state import state

Row = dict[str, Any]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rater:
    """How one person answers. All in points of likeness unless said."""

    bias: float = 0.0  # that all marks lie too high
    noise: float = 8.0  # sd of a mark about what this person means
    drift: float = 0.0  # that marks rise per PER answers
    side: float = 0.0  # that the left one of a pair has in its favour
    tie: float = 4.0  # apart, below which two look the same
    keys: bool = False  # marks by the nine keys, not by the slider
    seconds: float = 2.5  # median of an answer

    def marks(self, truth: Values, position: Values, rng: np.random.Generator) -> Values:
        """Marks of pictures whose true likeness is ``truth``, given as answers number ``position``."""
        felt = truth + self.bias + self.drift / PER * position + rng.normal(0, self.noise, truth.shape)
        step = KEY_MARKS[1]
        return np.clip(np.round(felt / step) * step if self.keys else np.round(felt), 0, 100)

    def picks(self, left: Values, right: Values, rng: np.random.Generator) -> NDArray[np.str_]:
        """What is said of pairs: left, right or same."""
        gap = left - right + self.side + rng.normal(0, self.noise * np.sqrt(2), left.shape)
        return np.where(abs(gap) < self.tie, "same", np.where(gap > 0, "left", "right"))

    def took(self, n: int, rng: np.random.Generator) -> Values:
        """Seconds of ``n`` answers: log-normal, two thirds of them within a factor of 1.6 of the median."""
        return rng.lognormal(np.log(self.seconds), 0.5, n)


@dataclass(frozen=True)
class World:
    """Pictures of checkpoints whose likeness is known. Spreads are standard deviations in points."""

    checkpoints: int = 10
    prompts: int = 6
    middle: float = 55.0
    of_checkpoints: float = 12.0
    of_prompts: float = 5.0
    of_pictures: float = 6.0  # what is left of a picture when checkpoint and prompt are known

    def pictures(self, rng: np.random.Generator) -> pd.DataFrame:
        """One row a picture: checkpoint_id, prompt, truth."""
        checkpoint, prompt = np.divmod(np.arange(self.checkpoints * self.prompts), self.prompts)
        truth = (
            self.middle
            + rng.normal(0, self.of_checkpoints, self.checkpoints)[checkpoint]
            + rng.normal(0, self.of_prompts, self.prompts)[prompt]
            + rng.normal(0, self.of_pictures, len(prompt))
        )
        return pd.DataFrame({"checkpoint_id": checkpoint, "prompt": prompt, "truth": truth})


# arrays, for many repetitions


def marked(rater: Rater, pictures: pd.DataFrame, repeats: int, rng: np.random.Generator) -> pd.DataFrame:
    """One deck over all pictures in the order that real sittings have (workbench.people.marks.COLUMNS)."""
    items = lay_out("deck", [(i,) for i in range(len(pictures))], repeats, [], Random(int(rng.integers(2**31))))
    shown = np.array([item["previews"][0] for item in items])
    position = np.arange(len(items))
    about = {
        "id": position,
        "rater": "simulated",
        "session": "simulated",
        "mode": "deck",
        "axis": "likeness",
        "value": rater.marks(pictures["truth"].to_numpy()[shown], position.astype(float), rng),
        "unit": shown,
        "first": shown,
        "is_repeat": [item["part"] == "repeat" for item in items],
        "position": position,
        "seconds": rater.took(len(items), rng),
        "checkpoint_id": pictures["checkpoint_id"].to_numpy()[shown],
        "prompt": pictures["prompt"].to_numpy()[shown],
    }
    return pd.DataFrame(about, columns=COLUMNS)


def compared(rater: Rater, pictures: pd.DataFrame, pairs: int, repeats: int, rng: np.random.Generator) -> list[Row]:
    """Random pairs of the same prompt, as db.ratings.choices gives them."""
    by_prompt = [rows.index.to_numpy() for _, rows in pictures.groupby("prompt")]
    asked = [tuple(map(int, rng.choice(by_prompt[n % len(by_prompt)], 2, replace=False))) for n in range(pairs)]
    items = lay_out("pair", asked, repeats, [], Random(int(rng.integers(2**31))))
    truth = pictures["truth"].to_numpy()
    left, right = np.array([item["previews"] for item in items]).T
    said, took = rater.picks(truth[left], truth[right], rng), rater.took(len(items), rng)
    return [
        {
            "item_id": place,
            "first_item": item.get("repeats", place),
            "mode": "pair",
            "previews": item["previews"],
            "preview_id": {"left": item["previews"][0], "right": item["previews"][1]}.get(str(said[place])),
            "said": str(said[place]),
            "rater": "simulated",
            "is_repeat": int(item["part"] == "repeat"),
            "session": "simulated",
            "position": place,
            "shown_at": 0.0,
            "answered_at": took[place],
        }
        for place, item in enumerate(items)
    ]


# the way that a person's answers take


def sit(
    db: Database,
    project: Row,
    name: str,
    rater: Rater,
    proposal: Proposal,
    truth: Mapping[int, float],
    rng: np.random.Generator,
) -> str:
    """A whole sitting as the page holds one: begun, asked and answered item by item. Returns its token.

    ``truth``: likeness of each preview. Quality and prompt are marked like likeness, each with a noise of its own.
    """
    token = begin(db, project, name, proposal)
    sitting = sittings.by_token(db, token)
    assert sitting is not None  # just begun
    items = {item["token"]: item for item in sittings.items(db, sitting["id"])}
    while not (now := state(db, token))["over"]:
        item = items[now["items"][0]["token"]]
        felt = np.array([truth[preview] for preview in item["previews"]])
        answer = {"item": item["token"], "seconds": float(rater.took(1, rng)[0])}
        save(db, token, answer | said_of(rater, proposal.mode, felt, item["position"], rng))
    return token


def said_of(rater: Rater, mode: str, felt: Values, position: int, rng: np.random.Generator) -> Row:
    """What a rater says of the pictures of one item, as the page sends it."""
    if mode == "pair":
        return {"said": str(rater.picks(felt[:1], felt[1:], rng)[0])}
    if mode == "best_worst":
        order = np.argsort(felt + rng.normal(0, rater.noise, len(felt)))
        return {"best": int(order[-1]), "worst": int(order[0])}
    place, whole = np.array([float(position)]), felt.mean(keepdims=True)
    return {"marks": {axis: float(rater.marks(whole, place, rng)[0]) for axis in MODES[mode].axes}}
