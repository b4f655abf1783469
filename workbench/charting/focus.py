"""Which few of many patterns a chart names and colours; the others stay grey."""

from collections.abc import Collection, Iterable, Sequence

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, LEGEND_COLUMNS, SHAPES

MOST = len(COLOURS)  # patterns that colours alone tell apart
FEW = 5  # coloured by default where there are more than MOST
PHONE = "width < 500"  # px of the plot: there the legend's few names stand one below another, many in two columns
FADED = 0.35  # opacity of the others


def in_focus(present: Iterable[str], chosen: Sequence[str], leading: Sequence[str]) -> list[str]:
    """The labels to colour: those chosen, else all of a few, else the leading FEW of many."""
    shown = list(dict.fromkeys(present))
    named = [label for label in chosen if label in shown]
    if named:
        return named[:MOST]
    return shown if len(shown) <= MOST else [label for label in leading if label in shown][:FEW]


def colours_of(labels: Iterable[str], focus: Collection[str]) -> dict[str, str]:
    """Label -> colour: each its usual one (by its place), or a free one where two would share it."""
    every = list(dict.fromkeys(labels))
    found: dict[str, str] = {}
    for place, label in enumerate(every):
        if label in focus:
            usual = COLOURS[place % len(COLOURS)]
            free = [usual, *COLOURS] if len(focus) <= MOST else [usual]
            found[label] = next((colour for colour in free if colour not in found.values()), usual)
    return found


def by_focus(labels: Iterable[str], focus: Collection[str]) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape of each pattern, grey where it is not in focus; the legend names those in focus."""
    every = list(dict.fromkeys(labels))
    own = colours_of(every, focus)
    shapes = [
        SHAPES[place // len(COLOURS) % len(SHAPES)] if label in own else "circle" for place, label in enumerate(every)
    ]
    named = [label for label in every if label in own]
    few = len(named) <= FEW
    legend = alt.Legend(
        orient="bottom",
        title=None,
        columns=alt.ExprRef(f"{PHONE} ? {1 if few else 2} : {LEGEND_COLUMNS}"),
        labelLimit=alt.ExprRef(f"{PHONE} ? {220 if few else 110} : 220"),
        values=named,
        symbolOpacity=1,
    )
    colours = [own.get(label, GREY) for label in every]
    return (
        alt.Color("label:N", scale=alt.Scale(domain=every, range=colours), legend=legend if named else None),
        alt.Shape("label:N", scale=alt.Scale(domain=every, range=shapes), legend=legend if named else None),
    )


def grey_first(rows: pd.DataFrame, focus: Collection[str]) -> pd.DataFrame:
    """Rows with ``named`` (is it in focus?), those in focus last, so that they are drawn over the others."""
    marked = rows.assign(named=rows["label"].isin(list(focus)))
    return marked.sort_values("named", kind="stable")


def grey_note(present: Iterable[str], focus: Collection[str], why: str) -> list[str]:
    """How many patterns are grey, and which are not; nothing where all are coloured."""
    others = len(set(present) - set(focus))
    return (
        [f"In colour: {why}. Grey: {others} other{'s' * (others > 1)}; point at one to see its name."] if others else []
    )
