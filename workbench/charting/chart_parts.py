"""What all charts share: colours that colour-blind people tell apart, axes with units, notes underneath."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import altair as alt
import pandas as pd

from workbench.findings.metrics import Metric
from workbench.findings.noise import Noise

# Okabe and Ito's palette (jfly.uni-koeln.de/color) without black, which a dark page swallows; yellow comes
# last.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
GREY = "#808080"  # reads on white and on black
NOTE_WIDTH = 110  # characters in a line under a chart
HEIGHT = 480  # px, axis titles, notes and one row of legend included
LEGEND_COLUMNS, LEGEND_ROW_PX = 4, 27
TICKS = 8


def score_axis(measured: Metric) -> alt.Y:
    return alt.Y(
        f"{measured.key}:Q",
        title=[measured.title, measured.better],
        scale=alt.Scale(zero=False),
        axis=number_axis(measured),
    )


def number_axis(measured: Metric) -> alt.Axis:
    if measured.is_share:
        return alt.Axis(format=".0%", tickCount=TICKS)
    return alt.Axis(tickCount=TICKS)


def value_tip(measured: Metric) -> alt.Tooltip:
    return alt.Tooltip(f"{measured.key}:Q", title=measured.label, format=measured.number)


def interval_tip() -> alt.Tooltip:
    """The column of :func:`interval_texts`."""
    return alt.Tooltip("interval:N", title="95 % interval")


def interval_texts(rows: pd.DataFrame, measured: Metric, sign: bool = False) -> list[str]:
    """``low`` and ``high`` of each row in words, since a tooltip shows a missing number as 0."""
    show = partial(measured.show_change, sign=True) if sign else measured.show
    ends = zip(rows["low"].astype("float64"), rows["high"].astype("float64"), strict=True)
    return ["none" if math.isnan(low) else f"{show(low).partition(' ')[0]} to {show(high)}" for low, high in ends]


def with_intervals(means: pd.DataFrame, metric: str, noise: Noise | None) -> pd.DataFrame:
    """Means of a pattern's ``n`` runs with ``low`` and ``high``, their 95 % interval from training seeds.

    Moderated with the ``variance`` between these runs (:meth:`noise.Noise.half_width`); missing without a noise floor.
    """
    each = zip(means["n"], means["variance"], strict=True)
    half = [noise.half_width(int(n), variances=(own,)) if noise else None for n, own in each]
    halves = pd.Series(half, index=means.index, dtype="float64")
    return means.assign(low=means[metric] - halves, high=means[metric] + halves)


def wrecked_note(rows: pd.DataFrame, metric: str) -> list[str]:
    """Which patterns lack points because their pictures are wrecked: what is not drawn must not be overlooked."""
    labels = rows.loc[rows["wrecked"] & rows[metric].isna(), "label"].dropna().unique()
    return [f"No point where a run is wrecked, without a face to measure: {', '.join(labels)}."] if len(labels) else []


def run_tips(*more: alt.Tooltip) -> list[alt.Tooltip]:
    """Which run a point shows, and more."""
    return [
        alt.Tooltip("label:N", title="pattern"),
        alt.Tooltip("train_seed:Q", title="training seed"),
        alt.Tooltip("updates:Q", title="updates"),
        *more,
    ]


def picked(rows: pd.DataFrame, fields: Sequence[str], tips: Sequence[alt.Tooltip], **channels: Any) -> alt.Chart:
    """A point per row; a click selects its ``fields`` under the name "pick" and fades the others."""
    pick = alt.selection_point(name="pick", fields=list(fields))
    faded = alt.when(pick).then(alt.value(0.95)).otherwise(alt.value(0.25))
    points = alt.Chart(rows).mark_point(filled=True, size=80)
    return points.encode(opacity=faded, tooltip=list(tips), **channels).add_params(pick)


def height_for(present: Iterable[str]) -> int:
    """Height in px of a chart with a legend of these patterns: what many rows of it take is not the plot's."""
    rows = math.ceil(len(set(present)) / LEGEND_COLUMNS)
    return HEIGHT + LEGEND_ROW_PX * max(rows - 1, 0)


def finish(layers: Sequence[alt.Chart], notes: Sequence[str] = (), height: int = HEIGHT) -> alt.LayerChart:
    """The layers as one chart, transparent (at home on a light and a dark page), with notes underneath."""
    chart = alt.LayerChart(layer=list(layers), height=height)
    lines = [line for note in notes for line in textwrap.wrap(note, NOTE_WIDTH)]
    if lines:
        chart = chart.properties(
            title=alt.TitleParams(
                lines,
                orient="bottom",
                anchor="start",
                color=GREY,
                fontSize=12,
                fontWeight="normal",
                offset=12,
            )
        )
    return chart.configure(background="transparent").configure_view(stroke=None)
