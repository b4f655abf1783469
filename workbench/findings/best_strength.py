"""What patterns are worth at the strength that suits each best, without the flattery of having chosen it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
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
    nearest = tuple(sorted(offered, key=lambda strength: abs(strength - main)))
    tallies = tallied(values, list(nearest))
    found = {}
    for pattern in sorted(set(of_pattern.values())):
        runs = sorted({int(checkpoint) for checkpoint in chosen[pattern]} & tallies.keys())
        own = np.array([tallies[run] for run in runs])
        best = best_of(own, measured) if runs else None
        if best is not None:
            value, per_run = held_out(own, measured)
            found[int(pattern)] = AtBest(nearest[best], value, per_run, offered)
    return found


def halves(rows: pd.DataFrame) -> pd.Series:
    """0 or 1 for each picture, like a chessboard of prompts and seeds: each half has every prompt if there are two
    seeds, and every seed if there are two prompts."""
    prompt, seed = (rows[name].rank(method="dense").astype("int64") for name in PICTURE)
    return (prompt + seed) % 2


def tallied(rows: pd.DataFrame, strengths: Sequence[float]) -> dict[int, np.ndarray]:
    """Checkpoint -> sum and number of its values, and number of pictures: (half, 3, prompt, strength).

    Grouped once: what is chosen by which part of the pictures is then a matter of adding.
    """
    checkpoints, of = np.unique(rows["checkpoint_id"].to_numpy(dtype="int64"), return_inverse=True)
    prompts, prompt = np.unique(rows["prompt"].to_numpy(), return_inverse=True)
    strength = pd.Index(strengths).get_indexer(rows["strength"])
    values, half = rows["value"].to_numpy(dtype="float64"), rows["half"].to_numpy()
    table = np.zeros((len(checkpoints), 2, 3, len(prompts), len(strengths)))
    there = ~np.isnan(values)
    for place, tally in enumerate((np.where(there, values, 0.0), there, np.ones(len(rows)))):
        np.add.at(table[:, :, place], (of, half, prompt, strength), tally)
    return dict(zip(checkpoints.tolist(), table, strict=True))


def best_of(parts: np.ndarray, measured: Metric) -> int | None:
    """The place of the strength with the best mean of prompt means, the first of equals; None: no value.

    One at which most pictures show no face is none to choose, whatever the few others are like. ``parts``: of
    :func:`tallied`, (..., 3, prompt, strength).
    """
    sums, counts, sizes = parts.reshape(-1, *parts.shape[-3:]).sum(axis=0)
    enough = counts.sum(axis=0) >= WRECKED_BELOW * np.maximum(sizes.sum(axis=0), 1)
    means = measured.goodness(pd.Series(np.where(enough, mean_of_prompts(sums, counts), np.nan)))
    return None if means.isna().all() else int(means.idxmax())


def mean_of_prompts(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean of prompt means, over the prompts that have a value: (prompt, ...) to (...); missing without any."""
    there = counts > 0
    means = np.where(there, sums / np.maximum(counts, 1), 0.0)
    n = there.sum(axis=0)
    return np.where(n > 0, means.sum(axis=0) / np.maximum(n, 1), np.nan)


def held_out(own: np.ndarray, measured: Metric) -> tuple[float, tuple[float, ...]]:
    """Mean of prompt means over all runs, and of each run, every picture at a strength that it had no part in choosing.

    The pictures of one half of one run (see :func:`halves`) count at the strength that is best in the other half of the
    other runs, of the same run where there is but one: what another seed of the training or of the picture gave by luck
    is not there a second time. Where nothing can be chosen so, the main strength stands. ``own``: of :func:`tallied`,
    (run, half, 3, prompt, strength), the main strength first.
    """
    per_run = []
    for run, halves_of in enumerate(own):
        others = np.delete(own, run, axis=0) if len(own) > 1 else own
        kept = [halves_of[half][:, :, best_of(others[:, 1 - half], measured) or 0] for half in (0, 1)]
        sums, counts, _ = np.sum(kept, axis=0)
        per_run.append(float(mean_of_prompts(sums, counts)))
    told = [value for value in per_run if not math.isnan(value)]
    return (sum(told) / len(told) if told else math.nan), tuple(told)
