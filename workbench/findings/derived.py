"""What settings make together: axes on which patterns meet that differ in several settings at once."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from trainer.config import OWN_STEP
from workbench.findings.analysis import Tables
from workbench.findings.intervals import CONFIDENCE, TINY
from workbench.findings.ranks import rank_correlation
from workbench.words import few

NEARLY = 0.9  # |rho| from which patterns stand "nearly in the order" of an axis
SHUFFLES, SEED = 4999, 8  # of the scores between patterns; the same figures always give the same chance


@dataclass(frozen=True)
class Axis:
    """One quantity that several settings make. ``key`` is its column in :func:`derived_table`."""

    key: str
    label: str
    unit: str
    log: bool
    grows: bool  # during a training, so that each checkpoint has a place of its own
    meaning: str
    source: str
    number: str = ",.4~g"  # d3 format of one value

    @property
    def title(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label


AXES = {
    axis.key: axis
    for axis in (
        Axis(
            "updates",
            "updates",
            "",
            True,
            True,
            "How often the weights were changed: epochs x ceil(photos x repeats / batch).",
            "sd-scripts",
            ",.0f",
        ),
        Axis(
            "images_seen",
            "images seen",
            "",
            True,
            True,
            "How many photos the training was shown, repeats and epochs counted.",
            "sd-scripts",
            ",.0f",
        ),
        Axis(
            "scale",
            "scale",
            "alpha / dim",
            True,
            False,
            "What the LoRA is multiplied with: alpha / dim, under rsLoRA alpha / sqrt(dim).",
            "Hu et al. 2021; Kalajdzievski 2023",
        ),
        Axis(
            "felt_rate",
            "effective rate",
            "rate x alpha / dim",
            True,
            False,
            "About how far an optimiser that moves every weight by its rate (Adam, Lion and their like) moves a module "
            "in one update: learning rate x scale. Rates that suit Lion are 3 to 10 times smaller than AdamW's.",
            "after Hu et al. 2021 (with Adam, tuning alpha is roughly tuning the rate); Lion: Chen et al. 2023",
        ),
        Axis(
            "weight_change",
            "weight change",
            "|scale BA| / |W|",
            True,
            True,
            "How far the LoRA moves the model's weights, against their own size: alpha, rate, optimiser and updates "
            "all act through this.",
            "measured at each checkpoint",
            ".3%",
        ),
        Axis(
            "minutes",
            "training time",
            "minutes",
            False,
            True,
            "Minutes of training, without previews and scores, on one and the same device.",
            "measured",
            ",.2~f",
        ),
        Axis(
            "photos_per_update",
            "photos per update",
            "batch x accumulation",
            True,
            False,
            "How many photos are behind one change of the weights: batch size x accumulated batches.",
            "sd-scripts",
            ",.0f",
        ),
        Axis(
            "lora_mb",
            "LoRA size",
            "MB",
            False,
            False,
            "The size of the saved file: it goes with dim, with which modules are trained, and with the precision.",
            "measured",
            ",.3~g",
        ),
    )
}
REASONS = {
    "adafactor": "AdaFactor takes its steps from the number of updates and the size of the weights, so it has none",
    "own_step": "D-Adaptation and Prodigy find their rate while they train",
    "sgd": "SGD's steps follow the size of the gradients too, so its rates are on another scale",
    "unknown": "a setting that it is made of is not known",
    "device": "trained on another device than most",
    "not_measured": "not measured there",
}
DOES_NOT_EXIST = ("adafactor", "own_step", "sgd")
NOT_MATCHED = (
    "These are no matched comparisons: patterns differ in other settings too. The chart shows what the score goes "
    "along with, not what caused it."
)


MADE = ("scale", "felt_rate", "photos_per_update")


def derived_table(tables: Tables) -> pd.DataFrame:
    """The checkpoint table's LoRAs with a column for each of AXES, missing where it doesn't exist.

    ``minutes``: of training up to the checkpoint (at a run's last, where that wasn't kept, the run's own total). They
    are missing on all devices but the one that most checkpoints come from: a minute there is another amount of work.
    """
    rows = tables.checkpoints[~tables.checkpoints["is_base"]]
    of_pattern = {pattern: made(settings) for pattern, settings in tables.settings.items()}
    together = pd.DataFrame([of_pattern[int(pattern)] for pattern in rows["pattern_id"]], columns=list(MADE))
    most = rows["device"].mode()
    same = rows["device"].eq(most.iloc[0]) if len(most) else rows["device"].notna()
    seconds = rows["seconds"].fillna(rows["train_seconds"].where(rows["is_last"].astype(bool)))
    return rows.assign(
        updates=positive(rows["updates"]),
        images_seen=positive(rows["images_seen"]),
        weight_change=positive(rows["weight_change"]),
        minutes=positive(seconds / 60).where(same),
        lora_mb=positive(rows["bytes"] / 1e6).map(rounded),
        **{name: together[name].astype("float64").to_numpy() for name in MADE},
    )


def rounded(value: float, digits: int = 3) -> float:
    """To so many significant digits: what is written into two files of one size differs by a few bytes."""
    return float(f"{value:.{digits}g}")


def positive(values: pd.Series) -> pd.Series:
    """Values above 0; 0 stands for what isn't known of a LoRA that was made elsewhere."""
    numbers = values.astype("float64")
    return numbers.where(numbers > 0)


def made(settings: Mapping[str, Any]) -> dict[str, float | None]:
    """What a pattern's known settings in force make together; None where it doesn't exist or isn't known.

    >>> made({"optimizer": "adamw", "learning_rate": 1e-3, "alpha": 8.0, "dim": 16, "batch_size": 4})
    {'scale': 0.5, 'felt_rate': 0.0005, 'photos_per_update': 4.0}
    """
    scale = rate = photos = None
    if {"alpha", "dim"} <= set(settings):
        dim = settings["dim"]
        scale = settings["alpha"] / (math.sqrt(dim) if settings.get("rslora") else dim)
    if scale is not None and no_rate(settings) is None:
        rate = rounded(settings["learning_rate"] * scale, 6)
    if "batch_size" in settings:
        photos = float(settings["batch_size"] * settings.get("gradient_accumulation", 1))
    return {"scale": scale, "felt_rate": rate, "photos_per_update": photos}


def no_rate(settings: Mapping[str, Any]) -> str | None:
    """Why a pattern has no effective rate: a key of REASONS; None where it has one."""
    optimizer = settings.get("optimizer")
    if optimizer is None:
        return "unknown"
    if optimizer == "adafactor":
        return "adafactor"
    if optimizer in OWN_STEP:
        return "own_step"
    if optimizer.startswith("sgd"):
        return "sgd"
    return None if "learning_rate" in settings else "unknown"


def left_out(tables: Tables, rows: pd.DataFrame, axis: Axis) -> dict[str, list[str]]:
    """Why checkpoints (rows of :func:`derived_table`) have no place on an axis: a key of REASONS -> their patterns."""
    found: dict[str, list[str]] = {}
    for row in rows[rows[axis.key].isna()].drop_duplicates(["pattern_id", "device"]).to_dict("records"):
        labels = found.setdefault(reason(tables, row, axis), [])
        if row["label"] not in labels:
            labels.append(row["label"])
    return found


def reason(tables: Tables, row: Mapping[str, Any], axis: Axis) -> str:
    """A key of REASONS for one such row."""
    if axis.key == "felt_rate":
        return no_rate(tables.settings[int(row["pattern_id"])]) or "unknown"
    if axis.key in MADE:
        return "unknown"
    return "device" if axis.key == "minutes" and isinstance(row["device"], str) else "not_measured"


def left_out_notes(found: Mapping[str, list[str]]) -> list[str]:
    """The same in sentences."""
    return [
        f"{'Does not exist' if code in DOES_NOT_EXIST else 'No place on this axis'} for {few(labels)}: {REASONS[code]}."
        for code, labels in found.items()
    ]


def offered(rows: pd.DataFrame) -> list[str]:
    """The axes along which trainings (rows of :func:`derived_table`) differ."""
    return [key for key in AXES if rows[key].dropna().nunique() > 1]


# does an axis order the patterns?


@dataclass(frozen=True)
class Order:
    """Spearman's rank correlation of a score and an axis over patterns."""

    key: str
    rho: float
    chance: float  # that shuffled scores are in as good an order on any of the axes looked at; at most this
    n: int  # patterns
    n_axes: int


def order_over(values: pd.DataFrame, key: str, metric: str, n_axes: int = 1) -> Order | None:
    """How far an axis orders patterns. ``values``: a row per pattern. None below 3 of them, or where one is constant.

    ``chance``: the two-sided permutation p ((1 + as extreme) / (1 + SHUFFLES), Phipson & Smyth 2010) times the axes,
    which is Holm's adjustment of the smallest one.
    """
    rows = values.dropna(subset=[key, metric])
    rho = rank_correlation(rows[key], rows[metric])
    if math.isnan(rho):
        return None
    place, score = (rows[name].rank().to_numpy() - (len(rows) + 1) / 2 for name in (key, metric))
    shuffled = np.random.default_rng(SEED).permuted(np.tile(score, (SHUFFLES, 1)), axis=1)
    extreme = int((abs(shuffled @ place) >= abs(score @ place) - TINY).sum())
    return Order(key, rho, min(1.0, n_axes * (1 + extreme) / (1 + SHUFFLES)), len(rows), n_axes)


def strongest(rows: pd.DataFrame, metric: str, keys: Iterable[str]) -> Order | None:
    """The axis that orders the patterns nearly perfectly, if any does and chance hardly makes such an order.

    |rho| >= NEARLY, and a chance of at most 1 - CONFIDENCE with all ``keys`` counted. ``rows``: last checkpoints of
    :func:`derived_table`; a pattern counts once, with the means over its trainings.
    """
    axes = list(keys)
    means = rows.groupby("pattern_id")[[*axes, metric]].mean()
    found = [order for key in axes if (order := order_over(means, key, metric, len(axes)))]
    clear = [order for order in found if abs(order.rho) >= NEARLY and order.chance <= 1 - CONFIDENCE]
    return max(clear, key=lambda order: abs(order.rho), default=None)


def order_words(order: Order, label: str) -> str:
    """Such an order in a sentence. ``label``: of the score."""
    way = "the more of it, the higher" if order.rho > 0 else "the more of it, the lower"
    looked = f"any of the {order.n_axes} axes" if order.n_axes > 1 else "this axis"
    return (
        f"{AXES[order.key].label[:1].upper()}{AXES[order.key].label[1:]} nearly puts the patterns in order of {label} "
        f"({way}): Spearman's rho {order.rho:+.2f} over {order.n} patterns. Shuffled scores are in as good an order on "
        f"{looked} in at most {100 * order.chance:.2g} % of cases. Exploratory: it says what to test by a matched pair."
    )
