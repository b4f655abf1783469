"""The article's 25 patterns: what it says of each, what follows from that, what nobody knows, and its marks.

The article compared 25 trainings of one person (30 photos, RTX 3090, sd-webui-train-tools of September 2023 over
sd-scripts 0.6.5). Settings are marked K (it says so, or the tool's code leaves no choice), I (inferred, with the
reason) or U (unknown; ``assumed`` is what is trained in its place).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer.config import TrainConfig

AUTHOR = "the article's author"
SOURCE = "the article: checkpoint and LoRA strength behind each mark are unknown"
MARKS_SENTENCE = (
    "The author's marks are of other pictures than ours: which checkpoint (epoch 10, 20 ...) and which LoRA strength "
    "each is about is unknown, and so are prompt and seed. They stand beside our figures and never go into them."
)
BASE, OTHER_BASE = "beautifulRealistic_v7", "meichidarkMix_meichidarkV45"
NOT_REPRODUCIBLE = "not reproducible from the article"

SAID = {"dim": 128, "mixed_precision": "fp16", "save_every": 10, "save_unit": "epochs"}  # of all 25
BY_THE_TOOL = {  # fixed in the tool's code, not in its form
    "resolution": 512,
    "weight_decay": 0.1,
    "train_text_encoder": True,
    "modules": "kohya",
    "max_grad_norm": 1.0,
    "save_precision": "fp16",
}
SCHEDULE = {"lr_scheduler": "cosine"}  # fixed; AdaFactor brings its own
BETAS = {"beta1": 0.9, "beta2": 0.99}  # passed to all but AdaFactor and SGD
NO_BETAS = ("adafactor", "adafactor-fixed", "sgd_nesterov", "sgd_nesterov8bit")
ASSUMED = {  # unknown of all 25, and what is trained in its place
    "flip": (
        False,
        "the tool's default was on: it wrote mirrored copies, twice the photos and twice the updates per epoch",
    ),
    "captions": ("trigger_only", "the tool's default: no captions, so the folder's name"),
}
OPEN = ("base_model", "clip_skip", "epochs", "repeats", "batch_size", "optimizer", "learning_rate", "alpha")

OF_3: dict[str, Any] = {
    "base_model": BASE,
    "clip_skip": 1,
    "epochs": 20,
    "repeats": 15,
    "batch_size": 1,
    "optimizer": "adafactor",
    "alpha": 1.0,
}
RATE_OF_3 = {"learning_rate": 1e-4}
CHAIN = "13 differs from 3 in the batch size only, and 13 has rate 1e-4"
AS_13 = "only the optimiser was changed, so the rest is as in 13"
FOUR = {"Adam": "adam", "AdamW": "adamw", "Lion": "lion", "SGDNesterov": "sgd_nesterov"}
FOUR_LABELS = ("14", "15", "16", "18")


@dataclass(frozen=True)
class Entry:
    """One label of the article. Settings: name -> value, by how they are known."""

    label: str
    known: Mapping[str, Any] = field(default_factory=dict)
    inferred: Mapping[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    score: float | None = None
    words: str = ""  # what the article says where it gives no number
    why: str = ""  # what is inferred from what; what to know
    guess: Mapping[str, Any] = field(default_factory=dict)  # values for unknown settings of this entry

    @property
    def optimizer(self) -> str | None:
        return self.known.get("optimizer") or self.inferred.get("optimizer")

    @property
    def by_the_tool(self) -> dict[str, Any]:
        """What the tool's code fixes for this entry's optimiser; where that is unknown, what it fixes for all."""
        found: dict[str, Any] = dict(BY_THE_TOOL)
        if self.optimizer not in (None, "adafactor"):
            found |= SCHEDULE
            found |= {} if self.optimizer in NO_BETAS else BETAS
        return found

    @property
    def assumed(self) -> dict[str, Any]:
        return {**{name: value for name, (value, _) in ASSUMED.items()}, **self.guess}

    @property
    def reproducible(self) -> bool:
        return all(name in self.known or name in self.inferred or name in self.guess for name in OPEN)

    @property
    def config(self) -> TrainConfig | None:
        """The settings to train; None where too much is unknown. The base is named as the article names it."""
        if not self.reproducible:
            return None
        return TrainConfig(**{**SAID, **self.by_the_tool, **self.assumed, **self.inferred, **self.known})


def as_3(label: str, score: float | None, words: str = "", why: str = "", **known: Any) -> Entry:
    """An entry of which the article says that it is 3 with one thing changed."""
    return Entry(label, {**OF_3, **known}, RATE_OF_3, (), score, words, why or CHAIN)


def rest_as_3(label: str, score: float, **known: Any) -> Entry:
    """An entry of which it says some settings; the rest is inferred from 3."""
    rest = {name: value for name, value in OF_3.items() if name not in known}
    return Entry(label, known, {**rest, **RATE_OF_3}, (), score, "", "the rest is as in 3; " + CHAIN)


def rest_as_13(label: str, score: float | None = None, words: str = "", why: str = AS_13, **known: Any) -> Entry:
    """An entry of which it says some settings; the rest is inferred from 13."""
    rest = {**OF_3, **RATE_OF_3, "batch_size": 4}
    return Entry(label, known, {n: v for n, v in rest.items() if n not in known}, (), score, words, why)


def lion(label: str, alpha: float, score: float, other: str) -> Entry:
    known = {"optimizer": "lion", "alpha": alpha}
    unknown = tuple(name for name in OPEN if name not in known)
    return Entry(label, known, {}, unknown, score, "", f"equals {other} except for alpha")


def one_of_four(label: str) -> Entry:
    inferred = {**OF_3, **RATE_OF_3, "batch_size": 4}
    del inferred["optimizer"]
    why = (
        "the four other optimisers (Adam, AdamW, Lion, SGDNesterov) had 14, 15, 16 and 18, in an order that is "
        f"unknown and not that of the tool's form; {AS_13}"
    )
    return Entry(label, {}, inferred, ("optimizer",), 50, "", why)


def nothing_known(label: str, words: str = "", why: str = "", **known: Any) -> Entry:
    return Entry(label, known, {}, tuple(name for name in OPEN if name not in known), None, words, why)


BASES_UNNAMED = "another base model, by what is left: the only comparison whose entries have no names"
BELOW_90 = "below 90: only 3 and 8 stand out"
ENTRIES: tuple[Entry, ...] = (
    nothing_known("1", why="perhaps a first run at the tool's defaults; nothing says so"),
    lion("2", 64.0, 0, "9"),
    as_3("3", 90),
    as_3("4", None, "<90", "below 90, 'quality sufficient'; " + CHAIN, clip_skip=2),
    rest_as_3("5", 60, optimizer="adafactor", alpha=64.0),
    rest_as_3("6", 60, optimizer="adafactor", alpha=16.0),
    as_3("7", None, "<90", "'hardly any difference', below 3; " + CHAIN, batch_size=2),
    rest_as_3("8", 90, base_model=OTHER_BASE),
    lion("9", 1.0, 80, "2"),
    as_3("10", 75, why="took 164 min; " + CHAIN, epochs=40),
    as_3("11", 70, repeats=5),
    as_3("12", 80, repeats=25),
    Entry("13", {**OF_3, **RATE_OF_3, "batch_size": 4}, score=88, why="3 with batch size 4, rate 1e-4"),
    *(one_of_four(label) for label in ("14", "15", "16")),
    rest_as_13("17", 80, why=AS_13 + ", and its rate 1e-4 is far below the advised 1", optimizer="dadaptation"),
    one_of_four("18"),
    nothing_known("19", why="a base model that could be trained at batch size 1 only", batch_size=1),
    *(nothing_known(label, BELOW_90, BASES_UNNAMED) for label in ("20", "21", "22")),
    *(
        rest_as_13(label, None, "same as 13", "the rest is as in 13", optimizer="adafactor", learning_rate=rate)
        for label, rate in (("23", 1e-3), ("24", 0.1))
    ),
    Entry(
        "25",
        {"optimizer": "lion", "learning_rate": 0.01},
        {name: OF_3[name] for name in ("base_model", "clip_skip", "epochs", "repeats")} | {"batch_size": 4},
        ("alpha",),
        words="black images",
        why="the rest is as in 13, but for alpha",
        guess={"alpha": OF_3["alpha"]},
    ),
)
NAMES = {  # in a few words what each is; where a pattern is stored, they follow its number
    "3": "the article's start",
    "4": "clip skip 2",
    "5": "alpha 64",
    "6": "alpha 16",
    "7": "batch 2",
    "8": "other base",
    "10": "40 epochs",
    "11": "5 repeats",
    "12": "25 repeats",
    "13": "batch 4",
    "17": "DAdaptation",
    "25": "Lion at 0.01",
}
SAME_RUN = ("13", "23", "24")
RATES_ASKED = "the article asked for rates 1e-4 (13), 1e-3 (23) and 0.1 (24): AdaFactor ignores them"
