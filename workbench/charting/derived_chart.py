"""The chart of a score over what several settings make together."""

from collections.abc import Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd

from workbench.charting.chart_parts import (
    TICKS,
    finish,
    height_for,
    interval_texts,
    interval_tip,
    picked,
    run_tips,
    score_axis,
    value_tip,
    with_intervals,
    wrecked_note,
)
from workbench.charting.focus import FADED, by_focus, grey_first, grey_note, in_focus
from workbench.charting.training_chart import why
from workbench.findings.analysis import Tables
from workbench.findings.derived import AXES, Axis, left_out, left_out_notes
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor

LOG_TICKS = 5


def score_by_derived(
    tables: Tables, rows: pd.DataFrame, key: str, metric: str, every: bool = False, chosen: Sequence[str] = ()
) -> alt.LayerChart:
    """A point per run at its last checkpoint (``every``: per checkpoint, joined along each run) over one of AXES.

    ``rows``: see :func:`derived.derived_table`; ``chosen``: labels to colour in place of the leading few. At the last
    checkpoints each pattern's mean has its interval from training seeds, moderated with its own variance. A click
    selects a ``checkpoint_id`` under the name "pick".
    """
    measured, axis = tables.metric(metric), AXES[key]
    last = at_last(tables, rows)
    asked = rows if every else last
    drawn = asked.dropna(subset=[key, metric]).drop(columns=["replicate", "zero"])
    noise = noise_floor(tables.checkpoints, metric)
    means = derived_means(last.dropna(subset=[key, metric]), axis, metric, noise)
    means = means.assign(interval=interval_texts(means, measured))
    focus = focus_of(tables, rows, key, metric, drawn["label"], chosen)
    drawn, means = grey_first(drawn, focus), grey_first(means, focus)
    x, y = derived_axis(axis, drawn), score_axis(measured)
    colour, shape = by_focus(tables.labels.values(), focus)
    about = alt.Tooltip(f"{key}:Q", title=axis.label, format=axis.number)
    tips = run_tips(
        *[about] * (key != "updates"), value_tip(measured), alt.Tooltip("n_previews:Q", title="previews (n)")
    )
    faded = alt.condition("datum.named", alt.value(0.8), alt.value(FADED))
    layers: list[alt.Chart] = []
    if every:
        paths = alt.Chart(drawn).mark_line(strokeWidth=1)
        layers.append(
            paths.encode(x=x, y=y, color=colour, opacity=faded, detail="run_id:N", order=alt.Order("updates:Q"))
        )
    else:
        bars = alt.Chart(means.dropna(subset=["low"])).mark_rule(strokeWidth=2)
        layers.append(bars.encode(x=x, y="low:Q", y2="high:Q", color=colour, opacity=faded))
        of_pattern = [
            alt.Tooltip("label:N", title="pattern"),
            about,
            value_tip(measured),
            interval_tip(),
            alt.Tooltip("n:Q", title="runs (n)"),
        ]
        strokes = alt.Chart(means).mark_point(shape="stroke", size=400, strokeWidth=3)
        layers.append(strokes.encode(x=x, y=y, color=colour, opacity=faded, tooltip=of_pattern))
    size = alt.condition("datum.named", alt.value(80), alt.value(30))
    points = picked(drawn, ["checkpoint_id"], tips, x=x, y=y, color=colour, shape=shape, size=size)
    return finish([*layers, points], (), height_for(focus))


def derived_notes(
    tables: Tables, rows: pd.DataFrame, key: str, metric: str, every: bool = False, chosen: Sequence[str] = ()
) -> list[str]:
    """What points, bars and colours of that chart are, and what is not drawn."""
    axis, asked = AXES[key], rows if every else at_last(tables, rows)
    present = asked.dropna(subset=[key, metric])["label"]
    notes = [
        "Each line is a run, from its first checkpoint to its last."
        if every
        else "Each point is a run at its last checkpoint."
    ]
    if not every and noise_floor(tables.checkpoints, metric):
        notes.append("Bars: 95 % interval of a pattern's mean, from training seeds.")
    notes += grey_note(present, focus_of(tables, rows, key, metric, present, chosen), why(chosen))
    return [*notes, *left_out_notes(left_out(tables, asked, axis)), *wrecked_note(asked, metric)]


def focus_of(
    tables: Tables, rows: pd.DataFrame, key: str, metric: str, present: Iterable[str], chosen: Sequence[str]
) -> list[str]:
    """The patterns in colour: those chosen, all of a few, or those with the best mean at their last checkpoints."""
    means = at_last(tables, rows).dropna(subset=[key, metric]).groupby("label")[metric].mean()
    order = METRICS[metric].goodness(means).sort_values(ascending=False, kind="stable").index
    return in_focus(present, chosen, list(order))


def at_last(tables: Tables, rows: pd.DataFrame) -> pd.DataFrame:
    """Those rows of a derived table that are the last checkpoint of a run that has come to its end."""
    return rows[rows["checkpoint_id"].isin(tables.runs["checkpoint_id"])]


def derived_means(rows: pd.DataFrame, axis: Axis, metric: str, noise: Noise | None) -> pd.DataFrame:
    """One row per pattern: its means over ``n`` runs (on a logarithmic axis the geometric one of the place).

    ``low`` and ``high``: 95 % interval of the score's mean; missing without a noise floor.
    """
    places = np.log(rows[axis.key].astype("float64")) if axis.log else rows[axis.key]
    groups = rows.assign(place=places).groupby("pattern_id", sort=False)
    means = groups.agg(
        **{metric: (metric, "mean"), "n": (metric, "size"), "variance": (metric, "var")},
        label=("label", "first"),
        place=("place", "mean"),
    ).reset_index()
    means[axis.key] = np.exp(means["place"]) if axis.log else means["place"]
    return with_intervals(means.drop(columns="place"), metric, noise)


def derived_axis(axis: Axis, rows: pd.DataFrame) -> alt.X:
    """The axis, logarithmic where its values go by factors."""
    values = sorted(rows[axis.key].astype("float64").unique())
    if not axis.log:
        scale, ticks = alt.Scale(zero=False, padding=24), alt.Axis(tickCount=TICKS)
        return alt.X(f"{axis.key}:Q", title=axis.title, scale=scale, axis=ticks)
    if axis.number.endswith("%"):
        ticks = alt.Axis(format="~%", tickCount=LOG_TICKS, grid=False)
    elif len(values) <= TICKS:
        ticks = alt.Axis(values=values, labelExpr="'' + datum.value", grid=False, labelOverlap=True)
    else:
        ticks = alt.Axis(tickCount=LOG_TICKS, grid=False)
    scale = alt.Scale(type="log", nice=False, padding=24)
    return alt.X(f"{axis.key}:Q", title=f"{axis.title}, log scale", scale=scale, axis=ticks)
