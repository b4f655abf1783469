"""What is said of the ranking, of its chances and of time against score, in sentences."""

import math
from itertools import pairwise
from typing import Any

import pandas as pd

from workbench.findings.metrics import Metric
from workbench.findings.noise import Noise
from workbench.findings.ranking import apart
from workbench.words import duration, few

DRAWN = (
    "A draw is one set of values that the training seeds leave possible; in so many of 100 this pattern is the best of "
    "all. In blue the fewest patterns that hold the best in 95 of 100 draws, in grey all others."
)
CHOSEN = (
    "Each run stands at its best checkpoint, of equally many per run ({n}): what is chosen as the best owes a part of "
    "its value to luck. Only fresh seeds (Plan page) are free of that."
)
ONE_CANDIDATE = "Each run stands at its last checkpoint: the runs have no more than one in common to choose from."
EXPECTED = (
    "What to expect of a pattern again, and the interval in the sentence on the first one, have the luck of the draw "
    "taken off: the more patterns there are and the less they differ, the more of a lead is luck. The lines in the "
    "chart and the columns 'from' and 'to' are those of each pattern for itself."
)
STRENGTHS = (
    "Best strength: of the same ones for every pattern, at the same checkpoints. A picture counts at the strength that "
    "is best in other pictures of other trainings, so that the choice flatters nobody. Of a pattern that was trained "
    "once it can only be other pictures: what its seed gave by luck stays in."
)
UNEVEN_S = 1.5  # a run of a pattern that takes so many times as long as another was not alone on its computer
UNEVEN_TIMES = (
    "Times are rough: one training of a pattern took up to {ratio:.1f} times as long as another of the same, so this "
    "computer was not equally busy. What takes up to a tenth longer counts as equally quick."
)


def ranking_notes(rows: pd.DataFrame) -> list[str]:
    """How the ranking is worked out, and what it is not."""
    candidates = int(rows["n_candidates"].max())
    said = [CHOSEN.format(n=candidates) if candidates > 1 else ONE_CANDIDATE]
    if rows["chance_best"].notna().any():
        said += [DRAWN, EXPECTED]
    if rows["best_strength"].notna().any():
        said.append(STRENGTHS)
    return said


def chart_notes(rows: pd.DataFrame, main: float) -> list[str]:
    """How the chart of the ranking is to be read. ``main``: the strength that headline figures are about."""
    said = []
    if rows["low"].notna().any():
        said.append(
            "Lines: 95 % interval from training seeds, of each pattern for itself: of the first it can differ from an "
            "interval in words, which has the luck of being the first of many taken off. On the right: its chance to "
            "be the best, in 100 draws."
        )
    else:
        said.append("No intervals and no chances: no pattern was trained with two seeds yet.")
    if rows["best_strength"].notna().any():
        said.append(f"Points: at strength {main:g}. Hollow diamonds: at the strength that suits the pattern best.")
    once = rows.loc[rows["n_seeds"] == 1, "label"]
    if len(once) and rows["low"].notna().any():
        said.append(f"Trained once only, so its interval is from the noise of the others: {few(list(once))}.")
    return said


def chance_words(chance: float) -> str:
    """How often a pattern is the best; empty where that is not known.

    >>> chance_words(0.617), chance_words(0.001), chance_words(0.999)
    ('best in 62 of 100 draws', 'best in less than 1 of 100 draws', 'best in over 99 of 100 draws')
    """
    if math.isnan(chance):
        return ""
    return f"best in {chance_short(chance).replace('<', 'less than').replace('>', 'over')} draws"


def chance_short(chance: float) -> str:
    """The same for where there is little room.

    >>> chance_short(0.617), chance_short(0.001)
    ('62 of 100', '< 1 of 100')
    """
    if math.isnan(chance):
        return ""
    if chance < 0.005:
        return "< 1 of 100"
    return "> 99 of 100" if chance >= 0.995 else f"{100 * chance:.0f} of 100"


def time_words(minutes: float) -> str:
    """Minutes for people."""
    return "not known" if math.isnan(minutes) else duration(60 * minutes)


def strength_words(rows: pd.DataFrame, measured: Metric, main: float) -> str:
    """What the best strengths change for the first row of a ranking; empty where only one strength was rendered."""
    first = next(rows.itertuples())
    # of one training the choice can't be freed from the luck of its seed
    known = rows[rows["best_strength"].notna() & (rows["n_seeds"] >= min(2, first.n_seeds))]
    if known.empty or math.isnan(first.best_strength):
        return ""
    ahead = known.loc[measured.goodness(known["value_best_strength"]).idxmax()]
    own = measured.show(first.value_best_strength)
    if ahead["pattern_id"] != first.pattern_id:
        return (
            f"With each pattern at the strength that suits it best '{ahead['label']}' is ahead: "
            f"{measured.show(ahead['value_best_strength'])} at {ahead['best_strength']:g}, against {own}."
        )
    if first.best_strength == main:
        return f"Strength {main:g} suits it best, too."
    return f"At strength {first.best_strength:g}, which suits it best, {own}."


def front_words(rows: pd.DataFrame, measured: Metric, noise: Noise | None) -> list[str]:
    """Time against score in sentences: who is on the front, and what each step along it costs and brings."""
    front = rows[rows["on_front"]].sort_values("minutes", kind="stable")
    if front.empty:
        return []
    names = ", ".join(f"'{label}'" for label in front["label"])
    if len(front) == 1:
        return [f"No pattern is quicker or better than {names}."]
    steps = list(front.itertuples())
    return [
        f"Nothing is both quicker and better than these: {names}.",
        *(step_words(slower, quicker, measured, noise) for quicker, slower in pairwise(steps)),
    ]


def step_words(slower: Any, quicker: Any, measured: Metric, noise: Noise | None) -> str:
    """What a better pattern costs more than a quicker one.

    "'a' costs 3 min 00 s more than 'b' for +4.2 (can't be told apart)".
    """
    gap = measured.show_change(slower.value - quicker.value, sign=True)
    return (
        f"'{slower.label}' costs {duration(60 * (slower.minutes - quicker.minutes))} more than '{quicker.label}' for "
        f"{gap} ({told(slower, quicker, noise)})."
    )


def told(a: Any, b: Any, noise: Noise | None) -> str:
    """Whether two rows of the ranking differ by more than training seeds make."""
    if noise is None or min(a.n_seeds, b.n_seeds) < 2:
        return "whether that would happen again isn't known"
    return "more than training seeds make" if apart(a, b, noise) else "can't be told apart"


def time_notes(rows: pd.DataFrame) -> list[str]:
    """How time against score is to be read: whose time is missing or doesn't compare, how far times can be trusted."""
    said = ["Upright lines: 95 % interval from training seeds."] if rows["low"].notna().any() else []
    usual = rows.loc[rows["comparable"], "device"]
    ratio = rows.loc[rows["comparable"], "slowest"].max()
    if ratio > UNEVEN_S:
        said.append(UNEVEN_TIMES.format(ratio=ratio))
    elsewhere = rows[rows["minutes"].notna() & ~rows["comparable"]]
    if len(elsewhere):
        said.append(
            f"Times are those on {usual.iloc[0]}. Trained on another device, so not on this chart: "
            f"{few(list(elsewhere['label']))}."
        )
    unknown = rows[rows["minutes"].isna() & ~rows["wrecked"]]
    if len(unknown):
        said.append(f"Not on this chart, since its time was not measured: {few(list(unknown['label']))}.")
    return said
