"""What all charts share: colours that colour-blind people tell apart, axes with units, notes underneath."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from workbench.metrics import Metric

# Okabe and Ito's palette (jfly.uni-koeln.de/color) without black, which a dark page swallows; yellow comes
# last.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
GREY = "#808080"  # reads on white and on black
NOTE_WIDTH = 110  # characters in a line under a chart
HEIGHT = 420  # px, axis titles, legend and notes included
TICKS = 8


def score_axis(measured: Metric) -> alt.Y:
    return alt.Y(
        f"{measured.key}:Q",
        title=[measured.title, measured.better],
        scale=alt.Scale(zero=False),
        axis=number_axis(measured),
    )


def number_axis(measured: Metric) -> alt.Axis:
    if measured.number == ".0%":
        return alt.Axis(format=".0%", tickCount=TICKS)
    return alt.Axis(tickCount=TICKS)


def value_tip(measured: Metric) -> alt.Tooltip:
    return alt.Tooltip(f"{measured.key}:Q", title=measured.label, format=measured.number)


def interval_tips(measured: Metric) -> list[alt.Tooltip]:
    ends = {"low": "95 % interval from", "high": "to"}
    return [alt.Tooltip(f"{end}:Q", title=title, format=measured.number) for end, title in ends.items()]


def faded_unless(pick: alt.Parameter) -> Any:
    """Full opacity for what is picked, or for everything while nothing is."""
    return alt.when(pick).then(alt.value(0.95)).otherwise(alt.value(0.25))


def by_pattern(labels: Iterable[str], present: Iterable[str]) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape of each pattern: seven colours, then the same ones with the next shape."""
    every = list(dict.fromkeys(labels))
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(every))]
    shapes = [SHAPES[i // len(COLOURS) % len(SHAPES)] for i in range(len(every))]
    shown_labels = [label for label in every if label in set(present)]
    legend = alt.Legend(orient="bottom", title=None, columns=4, labelLimit=220, values=shown_labels, symbolOpacity=1)
    return (
        alt.Color("label:N", scale=alt.Scale(domain=every, range=colours), legend=legend),
        alt.Shape("label:N", scale=alt.Scale(domain=every, range=shapes), legend=legend),
    )


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
