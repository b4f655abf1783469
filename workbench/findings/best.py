"""Which pattern leads so far, how sure that is, and whether it holds on pictures that nothing was chosen by."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.findings.analysis import Tables, of_role, ranked_patterns
from workbench.findings.contrast import cell_means, trainings
from workbench.findings.intervals import t_interval, told_apart
from workbench.findings.metrics import METRICS
from workbench.findings.noise import noise_floor

LEADERS = 3  # patterns at most that are looked at on fresh seeds


@dataclass(frozen=True)
class Fresh:
    """The chosen checkpoints on the confirmation seeds, which took no part in the choice.

    The best of many owes a part of its value to luck, and that part is not there a second time.
    """

    value: float  # mean of prompt means
    low: float  # 95 % interval over prompts; missing with one
    high: float
    n_prompts: int
    n_pictures: int


@dataclass(frozen=True)
class Best:
    """The pattern that leads so far, with the interval that training seeds leave open."""

    pattern_id: int
    label: str
    metric: str
    value: float
    low: float  # missing where the noise floor is not known
    high: float
    n_seeds: int
    updates: float  # mean over the chosen checkpoints
    checkpoint_ids: tuple[int, ...]
    wording: str  # a code of workbench.findings.verdicts
    params: Mapping[str, Any]
    fresh: Fresh | None = None  # None where no fresh pictures were measured


def best_so_far(tables: Tables) -> Best | None:
    """The pattern with the best mean of the main metric at its best checkpoints, or None.

    The interval is mean +- t(df) x sd / sqrt(n_seeds) with the pooled sd of the noise floor. It "leads"
    only if it is ahead of the second by more than the noise floor of their difference. Patterns whose runs
    are all wrecked don't take part, and the second is never the same LoRA under another name.
    """
    metric = tables.main_metric
    ranked = in_the_running(tables, metric)
    if ranked.empty:
        return None
    first = ranked.iloc[0]
    second = ranked.iloc[1] if len(ranked) > 1 else None
    value, n = float(first[metric]), int(first["n_seeds"])
    noise = noise_floor(tables.checkpoints, metric)
    half = noise.half_width(n) if noise else math.nan
    if second is None:
        code = "best_alone"
    elif min(n, second["n_seeds"]) < 2:
        code = "best_single"
    elif noise is None:
        code = "best_open"
    else:
        ahead = abs(value - float(second[metric])) > noise.half_width(n, int(second["n_seeds"]))
        code = "best_leads" if ahead else "best_close"
    fresh = on_fresh_seeds(tables, first["checkpoint_ids"], metric)
    about = {
        "metric": metric,
        "a": str(first["label"]),
        "b": None if second is None else str(second["label"]),
        "value": value,
        "second": None if second is None else float(second[metric]),
        "low": value - half,
        "high": value + half,
        "n_a": n,
        "fresh": vars(fresh) if fresh else None,
    }
    return Best(
        pattern_id=int(first["pattern_id"]),
        label=str(first["label"]),
        metric=metric,
        value=value,
        low=value - half,
        high=value + half,
        n_seeds=n,
        updates=float(first["updates"]),
        checkpoint_ids=tuple(first["checkpoint_ids"]),
        wording=code,
        params=about,
        fresh=fresh,
    )


def in_the_running(tables: Tables, metric: str) -> pd.DataFrame:
    """Rows of the ranking that can be called best: measured, not wrecked, each LoRA under one name only."""
    ranked = ranked_patterns(tables.checkpoints, tables.dataset_id, metric)
    ranked = ranked[ranked["n_wrecked"] < ranked["n_runs"]].dropna(subset=[metric])
    trained = trainings(tables)
    return ranked[~pd.Series([trained[pattern] for pattern in ranked["pattern_id"]], index=ranked.index).duplicated()]


def leaders(tables: Tables) -> list[int]:
    """The checkpoints that have to stand on fresh seeds: the chosen ones (one of each run) of the leading pattern.

    So do those of the patterns behind it that can't be told apart from it over the same prompts and seeds, with
    the first no more than LEADERS patterns.
    """
    metric = tables.main_metric
    ranked = in_the_running(tables, metric)
    if ranked.empty:
        return []
    cells = [
        cell_means(tables.previews, pd.DataFrame({"checkpoint_id": chosen}), metric)
        for chosen in ranked["checkpoint_ids"]
    ]
    close = [
        chosen
        for chosen, own in zip(ranked["checkpoint_ids"], cells, strict=True)
        if not told_apart((own - cells[0]).dropna().groupby("prompt").mean())
    ]
    return [checkpoint for chosen in close[:LEADERS] for checkpoint in chosen]


def on_fresh_seeds(tables: Tables, checkpoint_ids: Collection[int], metric: str) -> Fresh | None:
    """What some checkpoints are worth on the confirmation seeds: mean +- t(n - 1) x sd / sqrt(n) over prompts."""
    rows = tables.previews[tables.previews["is_confirm"] & tables.previews["checkpoint_id"].isin(list(checkpoint_ids))]
    values = of_role(rows, METRICS[metric].role).dropna(subset=[METRICS[metric].column])
    if values.empty:
        return None
    each = [float(value) for value in values.groupby("prompt")[METRICS[metric].column].mean()]
    return Fresh(*t_interval(each), len(each), len(values))
