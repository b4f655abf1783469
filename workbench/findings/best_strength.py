"""What patterns are worth at the strength that suits each best, without the flattery of having chosen it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.findings.analysis import WRECKED_BELOW, Tables, of_role
from workbench.findings.metrics import METRICS, Metric

PICTURE = ["prompt", "seed"]


@dataclass(frozen=True)
class AtBest:
    """A pattern at its best strength."""

    strength: float  # by all pictures
    value: float  # mean of prompt means; every picture at the strength that the others chose
    per_run: tuple[float, ...]  # the same of each run
    offered: tuple[float, ...]  # the strengths that were to choose from


def at_best(tables: Tables, chosen: Mapping[int, Sequence[int]], metric: str, main: float) -> dict[int, AtBest]:
    """Each pattern at its best strength; empty where nothing can be chosen.

    ``chosen``: pattern -> its checkpoints, one of each run. Every pattern has the same strengths to choose from: those
    at which all checkpoints have as many pictures as at the ``main`` strength. One strength suits a pattern, not each
    of its runs. What is chosen by some pictures looks better on these by luck alone, so each picture counts at the
    strength that was chosen without it (:func:`held_out`).
    """
    rows = tables.previews
    of_pattern = {int(checkpoint): pattern for pattern, own in chosen.items() for checkpoint in own}
    rows = rows[rows["checkpoint_id"].isin(list(of_pattern)) & ~(rows["is_final"] | rows["is_confirm"])]
    counts = rows.groupby(["checkpoint_id", "strength"]).size().unstack(fill_value=0)
    if main not in counts or len(counts) < len(of_pattern):
        return {}
    offered = tuple(float(strength) for strength in counts if (counts[strength] == counts[main]).all())
    if len(offered) < 2:
        return {}
    measured = METRICS[metric]
    values = of_role(rows, measured.role)[["checkpoint_id", *PICTURE, "strength", measured.column]]
    values = values.rename(columns={measured.column: "value"})
    values = values[values["strength"].isin(offered)].assign(half=halves(values))
    found = {}
    for pattern, own in values.groupby(values["checkpoint_id"].map(of_pattern)):
        strength = best_of(own, measured, main)
        if strength is not None:
            value, per_run = held_out(own, measured, main)
            found[int(pattern)] = AtBest(strength, value, per_run, offered)
    return found


def halves(rows: pd.DataFrame) -> pd.Series:
    """0 or 1 for each picture, like a chessboard of prompts and seeds: each half has every prompt if there are two
    seeds, and every seed if there are two prompts."""
    prompt, seed = (rows[name].rank(method="dense").astype("int64") for name in PICTURE)
    return (prompt + seed) % 2


def best_of(rows: pd.DataFrame, measured: Metric, main: float) -> float | None:
    """The strength with the best mean of prompt means, in doubt the one nearest to the main one; None: no value.

    One at which most pictures show no face is none to choose, whatever the few others are like.
    """
    each = rows.groupby("strength")["value"]
    enough = each.count() / each.size() >= WRECKED_BELOW
    means = rows.groupby(["strength", "prompt"])["value"].mean().groupby("strength").mean()[enough].dropna()
    if means.empty:
        return None
    good = measured.goodness(means).sort_index(key=lambda strengths: abs(strengths - main), kind="stable")
    return float(good.idxmax())


def held_out(rows: pd.DataFrame, measured: Metric, main: float) -> tuple[float, tuple[float, ...]]:
    """Mean of prompt means over all runs, and of each run, every picture at a strength that it had no part in choosing.

    The pictures of one half of one run (see :func:`halves`) count at the strength that is best in the other half of the
    other runs, of the same run where there is but one: what another seed of the training or of the picture gave by luck
    is not there a second time. Where nothing can be chosen so, the main strength stands.
    """
    runs = sorted(rows["checkpoint_id"].unique())
    parts = []
    for run in runs:
        own, others = (rows["checkpoint_id"] == run), (rows["checkpoint_id"] != run)
        for half in (0, 1):
            seen = rows[(others if len(runs) > 1 else own) & (rows["half"] != half)]
            strength = best_of(seen, measured, main)
            parts.append(
                rows[own & (rows["half"] == half) & (rows["strength"] == (main if strength is None else strength))]
            )
    kept = pd.concat(parts)
    per_run = kept.groupby(["checkpoint_id", "prompt"])["value"].mean().groupby("checkpoint_id").mean().dropna()
    return (float(per_run.mean()) if len(per_run) else math.nan), tuple(float(value) for value in per_run)
