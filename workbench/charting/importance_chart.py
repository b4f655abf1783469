"""Bars: on which settings a score depends, with what the longest bar is by chance."""

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish
from workbench.findings.importance import Importance

LABEL_LIMIT = alt.ExprRef("min(400, windowSize()[0] / 3)")  # px; on a phone the plot keeps its place
FRAME_PX, BAR_PX = 130, 30
LEGEND = (
    "Dashed line: where nothing matters, the longest of these bars stays below it in 95 % of cases (scores shuffled "
    "between patterns). Lines on bars: 95 % interval over patterns. A bar below 0: foretelling does better without."
)
BEYOND, CHANCE = "more than chance makes", "no more than chance makes"


def importance_chart(found: Importance, label: str) -> alt.LayerChart:
    """The bars of an :class:`Importance`, longest first; those within chance are grey. ``label``: the metric's."""
    table = pd.DataFrame(
        [
            {
                "bar": bar.label,
                "share": bar.share,
                "low": bar.low,
                "high": bar.high,
                "interval": f"{100 * bar.low:.0f} to {100 * bar.high:.0f} %",
                "verdict": BEYOND if bar.beyond_chance else CHANCE,
            }
            for bar in found.bars
        ]
    )
    y = alt.Y("bar:N", title=None, sort=list(table["bar"]), axis=alt.Axis(labelLimit=LABEL_LIMIT))
    title = [f"share of the variance of {label}", "lost with another pattern's value"]
    x = alt.X("share:Q", title=title, axis=alt.Axis(format=".0%", tickCount=6))
    colours = {BEYOND: COLOURS[0], CHANCE: GREY}
    present = [words for words in colours if words in set(table["verdict"])]
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=present, range=[colours[words] for words in present]),
        legend=alt.Legend(orient="bottom", title=None),
    )
    tips = [
        alt.Tooltip("bar:N", title="setting"),
        alt.Tooltip("share:Q", title="share lost", format=".1%"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("verdict:N", title="length"),
    ]
    base = alt.Chart(table).encode(y=y)
    line = pd.DataFrame({"line": [found.line]})
    layers = [
        base.mark_bar(opacity=0.6, size=14).encode(x=x, color=colour, tooltip=tips),
        base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=colour, tooltip=tips),
        alt.Chart(line).mark_rule(color=COLOURS[5], strokeDash=[6, 4], strokeWidth=2).encode(x="line:Q"),
    ]
    return finish(layers, height=FRAME_PX + BAR_PX * len(table))
