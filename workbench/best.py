"""Which pattern leads so far, and how sure that is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.analysis import Tables, ranked_patterns
from workbench.contrast import noise_floor, trainings


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
    wording: str  # a code of workbench.verdicts
    params: Mapping[str, Any]


def best_so_far(tables: Tables, metric: str | None = None) -> Best | None:
    """The pattern with the best mean of a metric (the main one) at its best checkpoints, or None.

    The interval is mean +- t(df) x sd / sqrt(n_seeds) with the pooled sd of the noise floor. It "leads"
    only if it is ahead of the second by more than the noise floor of their difference. Patterns whose runs
    are all wrecked don't take part, and the second is never the same LoRA under another name.
    """
    metric = metric or tables.main_metric
    ranked = ranked_patterns(tables.checkpoints, tables.dataset_id, metric)
    ranked = ranked[ranked["n_wrecked"] < ranked["n_runs"]].dropna(subset=[metric])
    if ranked.empty:
        return None
    trained = trainings(tables)
    first = ranked.iloc[0]
    others = ranked[[trained[pattern] != trained[first["pattern_id"]] for pattern in ranked["pattern_id"]]]
    second = others.iloc[0] if len(others) else None
    value, n = float(first[metric]), int(first["n_seeds"])
    noise = noise_floor(tables.checkpoints, metric)
    half = noise.half_width(n) if noise else math.nan
    code = "best_alone" if second is None else "best_single"
    if second is not None and noise and min(n, second["n_seeds"]) > 1:
        ahead = abs(value - float(second[metric])) > noise.half_width(n, int(second["n_seeds"]))
        code = "best_leads" if ahead else "best_close"
    about = {
        "metric": metric,
        "a": str(first["label"]),
        "b": None if second is None else str(second["label"]),
        "value": value,
        "second": None if second is None else float(second[metric]),
        "low": value - half,
        "high": value + half,
        "n_a": n,
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
    )
