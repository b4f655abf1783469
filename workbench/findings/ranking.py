"""The patterns of a project, best first: how sure each place is, what each took, and at which strength it is best."""

import math
from functools import lru_cache
from typing import Any

import pandas as pd

from workbench.findings.analysis import Tables, ranked_patterns
from workbench.findings.best_strength import AtBest, at_best
from workbench.findings.chances import Beliefs, beliefs
from workbench.findings.contrast import trainings
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor

MB = 1e6
SAME_TIME = 1.1  # a training that takes so many times as long as another is as quick: no computer times it better
SURE = 0.95  # the patterns that are not excluded hold the best of all with this chance
RANKING_COLUMNS = [
    "pattern_id",
    "label",
    "metric",
    "value",
    "low",
    "high",
    "n_seeds",
    "n_runs",
    "n_wrecked",
    "wrecked",
    "variance",
    "believed",
    "believed_low",
    "believed_high",
    "chance_best",
    "excluded",
    "best_strength",
    "value_best_strength",
    "low_best_strength",
    "high_best_strength",
    "minutes",
    "slowest",
    "device",
    "comparable",
    "per_hour",
    "updates",
    "images_seen",
    "megabytes",
    "on_front",
    "near_front",
    "n_candidates",
    "checkpoint_ids",
]


def ranking(tables: Tables, metric: str) -> pd.DataFrame:
    """One row per trained pattern, each LoRA under one name, best first; those whose runs are all wrecked come last.

    ``value``: mean over its runs of the metric at the main strength, at the best checkpoint of each
    (:func:`analysis.ranked_patterns`: every run offers equally many); ``low`` and ``high``: 95 % interval from training
    seeds, with its own ``variance`` between runs (:meth:`noise.Noise.half_width`); ``believed`` and its interval: what
    is left when the luck of the first is taken off, and ``chance_best``: that it is the best of all, both by
    :func:`chances.beliefs` (missing where neither way is better); ``excluded``: outside of the fewest patterns that
    hold the best with a chance of SURE. ``best_strength`` and ``value_best_strength``: see
    :func:`best_strength.at_best`, missing where only one strength was rendered. ``minutes``: mean time of a training on
    ``device``, ``slowest``: the longest of its runs over the shortest; ``comparable``: trained on the device that
    most patterns were trained on; ``per_hour``: trainings; ``updates``, ``images_seen``: mean at the chosen
    checkpoints; ``on_front``: no other pattern is as quick and better; ``near_front``: one is, but the two can't be
    told apart. Missing: not measured, or not known yet.
    """
    ranked = named_once(tables, ranked_patterns(tables.checkpoints, tables.dataset_id, metric))
    wrecked = ranked["n_wrecked"] >= ranked["n_runs"]
    every = ranked.assign(metric=metric, value=ranked[metric], wrecked=wrecked, variance=ranked["seed_sd"] ** 2)
    table = every[every["value"].notna() | wrecked]
    table = table.sort_values("wrecked", kind="stable", ignore_index=True)
    noise = noise_floor(tables.checkpoints, metric)
    table = with_costs(with_best_strength(with_chances(table, noise), tables, noise), tables.checkpoints)
    return with_front(table, noise).reindex(columns=RANKING_COLUMNS)


def named_once(tables: Tables, ranked: pd.DataFrame) -> pd.DataFrame:
    """Patterns that train the very same LoRA stand there once, under the name with the most runs, else the oldest.

    Not under the better one: two names would be two chances.
    """
    trained = trainings(tables)
    by_runs = ranked.sort_values(["n_seeds", "pattern_id"], ascending=[False, True])
    same = pd.Series(
        [trained.get(int(pattern)) for pattern in by_runs["pattern_id"]], index=by_runs.index, dtype=object
    )
    return ranked.loc[sorted(by_runs.index[~same.duplicated()])]


# how sure


def half_width(noise: Noise | None, n: int, variance: float) -> float:
    """Half of the 95 % interval of a mean of ``n`` runs; NaN where the noise floor is not known."""
    return noise.half_width(n, variances=(variance,)) if noise and n else math.nan


def with_chances(table: pd.DataFrame, noise: Noise | None) -> pd.DataFrame:
    """The intervals, the chances to be the best, and who can be left out."""
    half = [half_width(noise, int(n), own) for n, own in zip(table["n_seeds"], table["variance"], strict=True)]
    halves = pd.Series(half, index=table.index, dtype="float64")
    table = table.assign(low=table["value"] - halves, high=table["value"] + halves, chance_best=math.nan)
    table[["believed", "believed_low", "believed_high"]] = math.nan
    running = table[~table["wrecked"]]
    measured = METRICS[table["metric"].iloc[0]] if len(table) else None
    if noise and measured and measured.higher_is_better is not None and len(running) > 1:
        sign = 1 if measured.higher_is_better else -1
        own = [None if math.isnan(variance) else variance for variance in running["variance"]]
        found = believed(noise, tuple(sign * running["value"]), tuple(own), tuple(running["n_seeds"]))
        ends = (found.low, found.high)[::sign]
        table.loc[running.index, "chance_best"] = found.chance_best
        table.loc[running.index, "believed"] = sign * found.value
        table.loc[running.index, "believed_low"] = sign * ends[0]
        table.loc[running.index, "believed_high"] = sign * ends[1]
    return table.assign(excluded=excluded(table["chance_best"]))


@lru_cache(maxsize=16)
def believed(
    noise: Noise, means: tuple[float, ...], variances: tuple[float | None, ...], ns: tuple[int, ...]
) -> Beliefs:
    """What :func:`chances.beliefs` makes of the same figures, drawn once. No variance: of one run."""
    return beliefs(noise, means, [math.nan if own is None else own for own in variances], ns)


def excluded(chances: pd.Series) -> pd.Series:
    """Which patterns the best is not among: all beyond the fewest that together have a chance of SURE.

    Not those below some small chance each: of a hundred patterns that are all alike none could then be the best.
    """
    down = chances.sort_values(ascending=False, kind="stable")
    before = down.cumsum() - down
    return (before >= SURE).reindex(chances.index)


# strengths


def with_best_strength(table: pd.DataFrame, tables: Tables, noise: Noise | None) -> pd.DataFrame:
    """Value and interval at the strength that suits each pattern best."""
    main = main_strength(tables)
    chosen = {int(row.pattern_id): row.checkpoint_ids for row in table.itertuples()}
    found = at_best(tables, chosen, METRICS[str(table["metric"].iloc[0])].key, main) if len(table) else {}
    rows = [of_strength(found.get(pattern), noise) for pattern in chosen]
    names = ["best_strength", "value_best_strength", "low_best_strength", "high_best_strength"]
    return table.join(pd.DataFrame(rows, columns=names, index=table.index, dtype="float64"))


def main_strength(tables: Tables) -> float:
    """The strength that headline figures are about; 1 before the first preview."""
    mains = tables.previews.loc[tables.previews["is_main"] & ~tables.previews["is_base"], "strength"]
    return float(mains.iloc[0]) if len(mains) else 1.0


def of_strength(found: AtBest | None, noise: Noise | None) -> tuple[float, float, float, float]:
    """Strength, value, and its interval from training seeds."""
    if found is None:
        return (math.nan,) * 4
    half = half_width(noise, len(found.per_run), float(pd.Series(found.per_run).var(ddof=1)))
    return found.strength, found.value, found.value - half, found.value + half


# time and size


def with_costs(table: pd.DataFrame, checkpoints: pd.DataFrame) -> pd.DataFrame:
    """What each pattern's trainings took; times of different devices don't compare."""
    each = checkpoints.dropna(subset=["checkpoint_id"]).set_index("checkpoint_id")
    chosen = [each.loc[list(ids)] for ids in table["checkpoint_ids"]]
    timed = [rows.dropna(subset=["train_seconds", "device"]) for rows in chosen]
    devices = pd.Series([device for rows in timed for device in set(rows["device"])], dtype=object)
    usual = devices.mode().iloc[0] if len(devices) else None
    rows = [costs(own, all_runs, usual) for own, all_runs in zip(timed, chosen, strict=True)]
    names = ["minutes", "slowest", "device", "comparable", "images_seen", "megabytes"]
    table = table.join(pd.DataFrame(rows, columns=names, index=table.index))
    numbers = dict.fromkeys(["minutes", "slowest", "images_seen", "megabytes"], "float64")
    table = table.astype({**numbers, "comparable": "bool"})
    return table.assign(per_hour=60 / table["minutes"])


def costs(
    timed: pd.DataFrame, chosen: pd.DataFrame, usual: str | None
) -> tuple[float, float, str | None, bool, float, float]:
    """One pattern's minutes per run, on the usual device if any of its runs was trained there, and its size."""
    images, megabytes = chosen["images_seen"].astype("float64").mean(), chosen["bytes"].mean() / MB
    if timed.empty:
        return math.nan, math.nan, None, False, images, megabytes
    device = usual if (timed["device"] == usual).any() else str(timed["device"].mode().iloc[0])
    seconds = timed.loc[timed["device"] == device, "train_seconds"]
    return seconds.mean() / 60, seconds.max() / seconds.min(), device, device == usual, images, megabytes


def with_front(table: pd.DataFrame, noise: Noise | None) -> pd.DataFrame:
    """Which patterns no other one beats in both time and value, and which can't be told apart from these."""
    on, near = set(), set()
    running = table[~table["wrecked"] & table["comparable"] & table["value"].notna()]
    if len(running):
        good = METRICS[str(running["metric"].iloc[0])].goodness(running["value"])
        for row in running.itertuples():
            as_quick = good[running["minutes"] <= SAME_TIME * row.minutes]
            ahead = running.loc[as_quick.idxmax()]
            if as_quick.max() <= good[row.Index]:
                on.add(row.Index)
            elif noise and not apart(row, ahead, noise):
                near.add(row.Index)
    return table.assign(on_front=table.index.isin(on), near_front=table.index.isin(near))


def apart(a: Any, b: Any, noise: Noise) -> bool:
    """Whether two rows differ by more than training seeds make."""
    half = noise.half_width(int(a.n_seeds), int(b.n_seeds), variances=(a.variance, b.variance))
    return bool(abs(a.value - b.value) > half)
