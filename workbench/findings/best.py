"""Which pattern leads so far, how sure that is, and whether it holds on pictures that nothing was chosen by."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.findings.analysis import Tables, of_role, ranked_patterns
from workbench.findings.contrast import cell_means
from workbench.findings.intervals import t_interval, told_apart
from workbench.findings.metrics import METRICS, Metric
from workbench.findings.noise import Noise, noise_floor
from workbench.findings.ranking import apart, main_strength, named_once, ranking
from workbench.findings.ranking_words import chance_words, strength_words
from workbench.words import duration

DRAWN_ALIKE = 0.05  # of an interval: values to expect that lie closer differ by how they are drawn alone
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
    low: float  # of what is to be expected of it again; missing where the noise floor is not known
    high: float
    chance: float  # that it is the best of all; missing where that is not known
    n_seeds: int
    minutes: float  # of one training; missing where not measured
    best_strength: float  # missing where only one was rendered
    value_best_strength: float
    updates: float  # mean over the chosen checkpoints
    checkpoint_ids: tuple[int, ...]
    wording: str  # a code of workbench.findings.verdicts
    params: Mapping[str, Any]
    fresh: Fresh | None = None  # None where no fresh pictures were measured


def best_so_far(tables: Tables) -> Best | None:
    """The pattern with the best mean of the main metric at its best checkpoints, or None. See :func:`leading`."""
    return leading(tables, tables.main_metric, ranking(tables, tables.main_metric))


def leading(tables: Tables, metric: str, ranked: pd.DataFrame) -> Best | None:
    """The first pattern of a ranking by a metric, or None.

    The interval is that of :func:`chances.beliefs`, with the luck of being the first of many taken off: it need not lie
    evenly about the value. The pattern "leads" only if it is ahead of every other one by more than training seeds
    make. Patterns whose runs are all wrecked don't take part, and the second is never the same LoRA under another name.
    """
    ranked = ranked[~ranked["wrecked"]]
    if ranked.empty:
        return None
    first, *others = ranked.itertuples()
    second = others[0] if others else None
    low, high = first.believed_low, first.believed_high
    if math.isnan(low):
        low, high = first.low, first.high
    fresh, noise = on_fresh_seeds(tables, first.checkpoint_ids, metric), noise_floor(tables.checkpoints, metric)
    about = {
        "metric": metric,
        "a": first.label,
        "b": None if second is None else second.label,
        "value": first.value,
        "second": None if second is None else second.value,
        "low": low,
        "high": high,
        "n_a": first.n_seeds,
        "n_runs": str(first.n_runs),
        "n_wrecked": str(first.n_wrecked),
        "more": "".join(f" {said}" for said in besides(ranked, METRICS[metric], main_strength(tables))),
        "fresh": vars(fresh) if fresh else None,
    }
    return Best(
        pattern_id=first.pattern_id,
        label=first.label,
        metric=metric,
        value=first.value,
        low=low,
        high=high,
        chance=first.chance_best,
        n_seeds=first.n_seeds,
        minutes=first.minutes,
        best_strength=first.best_strength,
        value_best_strength=first.value_best_strength,
        updates=first.updates,
        checkpoint_ids=tuple(first.checkpoint_ids),
        wording="best_wrecked" if few_faces(first, METRICS[metric]) else standing(noise, ranked),
        params=about,
        fresh=fresh,
    )


def few_faces(first: Any, measured: Metric) -> bool:
    """Whether a part of a pattern's score is of the few faces that a wrecked run shows: nothing is led by that."""
    return bool(first.n_wrecked) and measured.source == "automatic" and not measured.counts_misses


def standing(noise: Noise | None, ranked: pd.DataFrame) -> str:
    """How far the first row of a ranking is ahead of the others, as a code of workbench.findings.verdicts."""
    first, *others = ranked.itertuples()
    if not others:
        return "best_alone"
    if min(first.n_seeds, others[0].n_seeds) < 2:
        return "best_single"
    if noise is None:
        return "best_open"
    return "best_leads" if all(apart(first, other, noise) for other in others) else "best_close"


def besides(ranked: pd.DataFrame, measured: Metric, main: float) -> list[str]:
    """What is said of the leading pattern besides: how sure, what to expect again, the best strengths, its time."""
    said, first = [], next(ranked.itertuples())
    if not math.isnan(first.chance_best):
        said.append(f"It is {chance_words(first.chance_best).replace('best', 'the best of all', 1)}.")
    if not math.isnan(first.believed) and measured.show(first.believed) != measured.show(first.value):
        said.append(f"Expect {measured.show(first.believed)} of it again: the first of many owes a part to luck.")
        said += more_to_expect(ranked, measured)
    said += [text for text in [strength_words(ranked, measured, main)] if text]
    if not math.isnan(first.minutes):
        said.append(f"One training takes {duration(60 * first.minutes)}.")
    return said


def more_to_expect(ranked: pd.DataFrame, measured: Metric) -> list[str]:
    """The pattern of which more is to be expected than of the first, if there is one: its mean strays less."""
    first = ranked.iloc[0]
    ahead = ranked.loc[measured.goodness(ranked["believed"].dropna()).idxmax()]
    by_drawing = DRAWN_ALIKE * (first["believed_high"] - first["believed_low"])
    shown = [measured.show(row["believed"]) for row in (first, ahead)]
    if shown[0] == shown[1] or abs(ahead["believed"] - first["believed"]) <= by_drawing:
        return []
    return [f"Of '{ahead['label']}' {shown[1]}, which is better: its mean strays less by luck."]


def in_the_running(tables: Tables, metric: str) -> pd.DataFrame:
    """Rows of the ranking that can be called best: measured, not wrecked, each LoRA under one name only."""
    ranked = ranked_patterns(tables.checkpoints, tables.dataset_id, metric)
    return named_once(tables, ranked[ranked["n_wrecked"] < ranked["n_runs"]].dropna(subset=[metric]))


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
