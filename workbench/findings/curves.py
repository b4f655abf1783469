"""A score at every checkpoint and every LoRA strength, with an interval at each: over prompts, or training seeds."""

import math
from typing import Any

import numpy as np
import pandas as pd

from workbench.findings.analysis import WRECKED_BELOW, Tables, newest_runs, of_role
from workbench.findings.derived import derived_table
from workbench.findings.epoch_map import CELL, map_previews
from workbench.findings.intervals import CONFIDENCE, TINY
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor

ABOUT = [
    "checkpoint_id",
    "run_id",
    "pattern_id",
    "label",
    "train_seed",
    "dataset_id",
    "updates",
    "images_seen",
    "weight_change",
    "minutes",
    "is_last",
    "is_base",
    "complete",
    "replicate",
]
SEEDS, PROMPTS, NOTHING = "training seeds", "prompts", ""  # what an interval is over
FACELESS = (
    "Likeness is that of the faces that were found: a LoRA that breaks at a strength loses faces first. Identity yield "
    "counts these as misses."
)
PLACES = ("images_seen", "weight_change", "minutes")
LINE = ["pattern_id", "dataset_id", "strength"]  # what one line of a pattern is


def at_strengths(tables: Tables, metric: str) -> pd.DataFrame:
    """One row per checkpoint and strength that has a value of the metric.

    Columns: those of :func:`derived.derived_table` in ABOUT, ``strength``, ``value`` (mean of prompt means), ``low``
    and ``high`` (its 95 % interval mean +- t(n - 1) x sd / sqrt(n) over prompt means; over the seeds where there is one
    prompt only; missing below two and where all are equal), ``n_prompts``, ``n`` (pictures with a value), ``wrecked``
    (a face in under half of the identity pictures, at this strength). ``complete``: as many pictures as the fullest
    checkpoint has at this strength.
    """
    wanted = METRICS[metric]
    every = map_previews(tables)
    rows = of_role(every, wanted.role)
    if rows.empty:
        return pd.DataFrame(columns=[*ABOUT, "strength", "value", "low", "high", "n_prompts", "n", "wrecked"])
    cells = rows.groupby(CELL)
    table = pd.DataFrame({"n": cells[wanted.column].count(), "n_pictures": cells.size()})
    prompts = rows.groupby([*CELL, "prompt"])[wanted.column].mean().dropna()
    seeds = rows.groupby([*CELL, "seed"])[wanted.column].mean().dropna()
    table["n_prompts"] = prompts.groupby(CELL).count()
    table["value"] = prompts.groupby(CELL).mean()
    half = half_widths(prompts).where(table["n_prompts"] > 1, half_widths(seeds))
    table["low"], table["high"] = table["value"] - half, table["value"] + half
    faces = of_role(every, "identity").groupby(CELL)["face_found"].mean()
    table["faceless"] = faces.reindex(table.index) < WRECKED_BELOW
    about = derived_table(tables)[[*ABOUT, "wrecked"]]
    found = table.dropna(subset=["value"]).reset_index().astype({"checkpoint_id": "int64", "n_prompts": "int64"})
    found = found.merge(about.astype({"checkpoint_id": "int64"}), on="checkpoint_id")
    at_main = found["strength"].isin(tables.previews.loc[tables.previews["is_main"], "strength"].unique())
    fullest = found.groupby("strength")["n_pictures"].transform("max")
    found["wrecked"] = found["wrecked"].where(at_main, found["faceless"]).astype(bool)
    found["complete"] &= found["n_pictures"] == fullest
    return found.drop(columns=["n_pictures", "faceless"])


def half_widths(each: pd.Series) -> pd.Series:
    """t(n - 1) x sd / sqrt(n) of each cell's observations; see :func:`intervals.t_interval` for where it is missing."""
    from scipy.special import stdtrit  # scipy.stats would take ten times as long to import

    cells = each.groupby(CELL)
    count, spread = cells.count(), cells.std(ddof=1)
    quantile = stdtrit(np.maximum(count - 1, 1), 0.5 + CONFIDENCE / 2)
    return (quantile * spread / np.sqrt(count)).where((count > 1) & (spread >= TINY))


def from_table(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The same rows from a checkpoint table alone, at the main strength: without intervals over prompts."""
    rows = table[~table["is_base"]].dropna(subset=[metric])
    kept = rows[[*(name for name in ABOUT if name != "minutes"), "wrecked"]]
    return kept.assign(strength=math.nan, value=rows[metric], low=math.nan, high=math.nan, n=rows["n_previews"])


def noise_before(cells: pd.DataFrame) -> Noise | None:
    """The noise between training seeds at checkpoints before the last ones.

    sd = sqrt(sum((n_i - 1) s_i^2) / sum(n_i - 1)) over groups i of the same LoRA at the same update. Checkpoints of
    one run are no independent trainings, so the degrees of freedom count each run once.
    """
    before = cells[~cells["is_last"].astype(bool) & ~cells["wrecked"]]
    sound = newest_runs(before, ["replicate", "train_seed", "updates"])
    spread = sound.groupby(["replicate", "updates"])["value"].agg(["count", "var"])
    spread = spread[spread["count"] > 1]
    if spread.empty:
        return None
    weights = spread["count"] - 1
    sd = math.sqrt((weights * spread["var"]).sum() / weights.sum())
    trained = weights.groupby("replicate").max()
    return Noise(sd, int(trained.sum()), len(trained), 0) if sd >= TINY else None


def pattern_means(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per pattern, photos, checkpoint and strength: mean ``value`` over its ``n`` runs, with its interval.

    ``low`` and ``high``: from training seeds where two or more were trained (noise floor of that strength, at the
    last checkpoints and before them, moderated by the pattern's own variance there); else the run's own, over prompts;
    ``over`` says which. PLACES are means too.
    """
    parts = [means_at(of_strength) for _, of_strength in cells.groupby("strength", dropna=False)]
    return pd.concat(parts, ignore_index=True) if parts else means_at(cells)


def means_at(cells: pd.DataFrame) -> pd.DataFrame:
    """The same of one strength."""
    last = noise_floor(cells, "value")
    before = noise_before(cells) or last
    newest = newest_runs(cells, ["pattern_id", "dataset_id", "train_seed", "updates"])
    groups = newest.groupby([*LINE, "updates"], sort=False, dropna=False)
    means = groups.agg(
        label=("label", "first"),
        value=("value", "mean"),
        variance=("value", "var"),
        n=("value", "size"),
        is_last=("is_last", "all"),
        own_low=("low", "first"),
        own_high=("high", "first"),
        **{place: (place, "mean") for place in PLACES if place in newest},
    ).reset_index()
    ends = [interval(row, last if row["is_last"] else before) for row in means.to_dict("records")]
    found = pd.DataFrame(ends, columns=["low", "high", "over"], index=means.index)
    return means.drop(columns=["own_low", "own_high"]).join(found)


def interval(row: dict[str, Any], noise: Noise | None) -> tuple[float, float, str]:
    """Low, high and what they are over, of one row of :func:`pattern_means`."""
    if row["n"] > 1 and noise is not None:
        half = noise.half_width(int(row["n"]), variances=(row["variance"],))
        return row["value"] - half, row["value"] + half, SEEDS
    if row["n"] == 1 and not math.isnan(row["own_low"]):
        return row["own_low"], row["own_high"], PROMPTS
    return math.nan, math.nan, NOTHING


def at_last(means: pd.DataFrame) -> pd.DataFrame:
    """The last checkpoint of each line."""
    return means.sort_values("updates").drop_duplicates(LINE, keep="last").sort_index()


def leading(means: pd.DataFrame, metric: str, most: int) -> list[str]:
    """Labels of the patterns with the best value at their last checkpoint, at most ``most`` of them; best first."""
    last = at_last(means).dropna(subset=["value"])
    order = METRICS[metric].goodness(last["value"]).sort_values(ascending=False, kind="stable").index
    return list(dict.fromkeys(last.loc[order, "label"]))[:most]


def best_strengths(means: pd.DataFrame, metric: str) -> dict[int, float]:
    """Pattern -> the strength with its best value at the last checkpoint. Choosing flatters: say so beside it."""
    last = at_last(means).dropna(subset=["value"])
    order = METRICS[metric].goodness(last["value"]).sort_values(ascending=False, kind="stable").index
    first = last.loc[order].drop_duplicates("pattern_id")
    return {int(row["pattern_id"]): float(row["strength"]) for row in first.to_dict("records")}


def at_best_strength(rows: pd.DataFrame, strengths: dict[int, float]) -> pd.DataFrame:
    """Cells or means, each pattern's at one strength of its own."""
    own = rows["pattern_id"].map(strengths)
    return rows[rows["strength"] == own]
