"""Which pattern, or which cell of the map, a report leads with: in words, with its interval and its pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from workbench.charting.map_chart import map_chart, notes
from workbench.charting.training_chart import score_by_checkpoint
from workbench.findings.analysis import Tables
from workbench.findings.best import best_so_far
from workbench.findings.epoch_map import base_value, best_cell, epoch_map, in_cells
from workbench.findings.map_words import answer, cell_name, places_of
from workbench.findings.metrics import Metric
from workbench.findings.verdicts import interval, verdict
from workbench.pictures.gallery import of_checkpoints
from workbench.plans.plan import EvalPlan
from workbench.views import mapped

STANDINGS = {  # wording of best.Best -> beside its pictures
    "best_leads": "leads",
    "best_close": "ahead, too close to call",
    "best_wrecked": "ahead, but partly wrecked",
    "best_single": "ahead, by a single training",
    "best_open": "ahead, how surely isn't known",
    "best_alone": "the only one so far",
}


@dataclass(frozen=True)
class Leader:
    """The best so far. ``value`` and ``interval`` are texts, ``about`` says what the interval is over."""

    metric: str
    headline: str
    sentences: tuple[str, ...]
    name: str
    standing: str  # how far it is ahead, in a few words
    value: str
    interval: str
    about: str
    previews: pd.DataFrame  # rows of the preview table: its own, and the base row's
    chart: alt.LayerChart
    notes: tuple[str, ...] = ()


def leader_of(tables: Tables, plan: EvalPlan, elsewhere: bool) -> Leader | None:
    """The leading pattern; of what was made elsewhere the leading checkpoint at its strength. None: no score yet."""
    return leading_cell(tables) if elsewhere else leading_pattern(tables, plan)


def has_leader(tables: Tables, elsewhere: bool) -> bool:
    """Whether :func:`leader_of` finds one, without its chart."""
    if not elsewhere:
        return best_so_far(tables) is not None
    metric = next(iter(mapped(tables)), None)
    return metric is not None and best_cell(tables, metric) is not None


def leading_pattern(tables: Tables, plan: EvalPlan) -> Leader | None:
    """See :func:`best.best_so_far`; on fresh pictures where there are any, since nothing was chosen by these."""
    found = best_so_far(tables)
    if found is None:
        return None
    measured = tables.metric(found.metric)
    if found.fresh:
        value, low, high = found.fresh.value, found.fresh.low, found.fresh.high
        about = f"over {found.fresh.n_prompts} prompts, on fresh pictures that nothing was chosen by"
    else:
        value, low, high = found.value, found.low, found.high
        about = f"over training seeds ({found.n_seeds} trained)"
    return Leader(
        found.metric,
        f"Best so far: {found.label}",
        (verdict(found.wording, found.params),),
        found.label,
        STANDINGS[found.wording],
        value_text(measured, value),
        interval({"metric": found.metric, "low": low, "high": high}),
        about,
        of_checkpoints(tables.previews, plan, found.checkpoint_ids[:1]),
        score_by_checkpoint(tables.checkpoints, found.metric, labels=tables.labels),
    )


def leading_cell(tables: Tables) -> Leader | None:
    """See :func:`epoch_map.best_cell`: by the first score that the map has a value of."""
    metric = next(iter(mapped(tables)), None)
    best = best_cell(tables, metric) if metric else None
    if metric is None or best is None:
        return None
    measured = tables.metric(metric)
    every = epoch_map(tables, metric)
    cells = every[every["run_id"] == best.cell["run_id"]]
    first, *more = answer(best, measured, places_of(cells))
    base = base_value(tables, metric)
    previews = tables.previews
    return Leader(
        metric,
        first,
        tuple(more),
        f"{best.cell['label']}, {cell_name(best.cell['place'], best.strength)}",
        "best so far" if not best.equals else f"best so far; {len(best.equals)} may be as good",
        value_text(measured, best.cell["value"]),
        ends(metric, best.cell),
        f"over {'seeds of one prompt' if best.by_seeds else 'prompts'}",
        previews[in_cells(previews, [best.key]) | previews["is_base"]],
        map_chart(cells, measured, best, base),
        tuple(notes(cells, measured, base)),
    )


def ends(metric: str, cell: Mapping[str, Any]) -> str:
    return interval({"metric": metric, "low": cell["low"], "high": cell["high"]})


def value_text(measured: Metric, value: float) -> str:
    return f"{measured.label} {measured.show(value)}" if not math.isnan(value) else f"{measured.label} not measured"
