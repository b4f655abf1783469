"""What people found of each checkpoint: a point and its interval, one row each, the best on top."""

import math

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish
from workbench.people.found import BEST, OPEN, WORSE

LABEL_LIMIT = alt.ExprRef("min(400, windowSize()[0] / 2.4)")  # px; on a phone the plot keeps its place
# There a name takes two lines: "pattern" and "seed 1, 360 updates".
NARROW = "windowSize()[0] < 700"
LABEL = f"{NARROW} ? split(replace(datum.label, /, (?=(seed [0-9]+, )?[^,]*$)/, '\\n'), '\\n') : datum.label"
LABEL_OFFSET = alt.ExprRef(f"{NARROW} ? -6 : 0")  # px; half a line, so that both are beside their point
ROW_PX, FRAME_PX = 30, 80  # a row; the axis with its title
SAID = {  # what may be said of a checkpoint -> colour and shape
    BEST: (COLOURS[2], "diamond"),
    OPEN: (COLOURS[0], "circle"),
    WORSE: (GREY, "triangle-down"),
}


def mark_chart(rows: pd.DataFrame) -> alt.LayerChart:
    """Marks with 95 % intervals. ``rows``: best first, with checkpoint_id, name, value, low, high, n, said."""
    low, high = 10 * math.floor(rows["low"].min() / 10), 10 * math.ceil(rows["high"].max() / 10)
    x = alt.X(
        "value:Q",
        title=["likeness, rated (marks 0-100)", "higher is better"],
        scale=alt.Scale(domain=[low, max(high, low + 10)], nice=False),
    )
    tips = [
        alt.Tooltip("value:Q", title="mark", format=".0f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="marks and choices (n)"),
    ]
    return interval_chart(rows, x, tips)


def rank_chart(rows: pd.DataFrame, of: int) -> alt.LayerChart:
    """Ranks with their intervals, of one group of ``of`` compared checkpoints; the columns of :func:`mark_chart`, the
    best rank 1, and wins, ties, losses."""
    last = max(of, 2)
    x = alt.X(
        "value:Q",
        title="rank by choices (1 = the best)",
        scale=alt.Scale(domain=[0.5, last + 0.5], nice=False),
        axis=alt.Axis(values=list(range(1, last + 1, max(1, last // 12))), format="d", grid=True),
    )
    tips = [
        alt.Tooltip("value:Q", title="rank"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="comparisons (n)"),
        alt.Tooltip("wins:Q"),
        alt.Tooltip("ties:Q"),
        alt.Tooltip("losses:Q"),
    ]
    return interval_chart(rows, x, tips)


def interval_chart(rows: pd.DataFrame, x: alt.X, tips: list[alt.Tooltip]) -> alt.LayerChart:
    """A point and a line per row; colour and shape both say what may be said. A click selects ``checkpoint_id``."""
    ends = zip(rows["low"].astype("float64"), rows["high"].astype("float64"), strict=True)
    table = rows.assign(interval=[f"{low:.0f} to {high:.0f}" for low, high in ends])
    in_order = list(table["name"])
    y = alt.Y(
        "name:N",
        title=None,
        sort=in_order,
        axis=alt.Axis(
            labelLimit=LABEL_LIMIT,
            labelExpr=LABEL,
            labelOffset=LABEL_OFFSET,
            labelBaseline="middle",
            labelOverlap=False,
        ),
    )
    present = [words for words in SAID if words in set(table["said"])]
    legend = alt.Legend(orient="bottom", title=None, columns=1, labelLimit=320, symbolOpacity=1)
    colour = alt.Color(
        "said:N", scale=alt.Scale(domain=present, range=[SAID[words][0] for words in present]), legend=legend
    )
    shape = alt.Shape(
        "said:N", scale=alt.Scale(domain=present, range=[SAID[words][1] for words in present]), legend=legend
    )
    pick = alt.selection_point(name="pick", fields=["checkpoint_id"])
    about = [alt.Tooltip("name:N", title="checkpoint"), alt.Tooltip("said:N", title="verdict"), *tips]
    faded = alt.when(pick).then(alt.value(1)).otherwise(alt.value(0.35))
    base = alt.Chart(table).encode(y=y, color=colour)
    ends_axis = alt.X("low:Q", scale=x["scale"])
    lines = base.mark_rule(strokeWidth=3, strokeCap="round").encode(
        x=ends_axis, x2="high:Q", opacity=faded, tooltip=about
    )
    points = base.mark_point(filled=True, size=110).encode(x=x, shape=shape, opacity=faded, tooltip=about)
    layers = [lines, points.add_params(pick)]
    return finish(layers, height=FRAME_PX + 24 * len(present) + ROW_PX * len(table))
