"""The author's differences and ours for the same pairs, in two charts: never on one axis."""

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish, interval_texts, interval_tip, number_axis, picked
from workbench.findings.author import CATEGORIES, ONE_TRAINING
from workbench.findings.metrics import METRICS

LABEL_LIMIT = alt.ExprRef("min(270, windowSize()[0] / 3)")  # px
FRAME_PX, ROW_PX = 80, 24  # equal in both charts, so that their rows stand side by side
WAYS = {1: "higher", -1: "lower", 0: "no difference"}
LEGEND = (
    "Blue: agree. Red: disagree. Orange: ours can't tell. Grey: the article couldn't know, or there is no such pair "
    "here. Lines: 95 % interval over prompts."
)
COLOUR = {
    "agree": COLOURS[0],
    "disagree": COLOURS[5],
    "cannot_tell": COLOURS[1],
    "not_known": GREY,
    "not_here": GREY,
}


def pair_names(rows: pd.DataFrame) -> list[str]:
    """Each pair by the author's labels and what differs: '3 → 5: alpha 1 → 64'."""
    pairs = zip(rows["author_a"], rows["author_b"], rows["change"], strict=True)
    return [f"{short(a)} → {short(b)}, {change}" for a, b, change in pairs]


def labels_only(rows: pd.DataFrame) -> list[str]:
    """Each pair by the author's labels alone."""
    return [f"{short(a)} → {short(b)}" for a, b in zip(rows["author_a"], rows["author_b"], strict=True)]


def short(label: str) -> str:
    """The name alone of one of the four optimisers that share their numbers."""
    return label.partition(": ")[2] or label


def marks_chart(rows: pd.DataFrame) -> alt.LayerChart:
    """The author's differences, faint; a pair without numbers stands there in words."""
    ways = [
        WAYS.get(way, "no direction") for way in rows["author_way"].astype(object).where(rows["author_way"].notna())
    ]
    table = rows.assign(row=pair_names(rows), way=ways)
    y = row_axis(table)
    ends = alt.Scale(domain=[-100, 100])
    x = alt.X("author_diff:Q", title=["the author's marks", "second minus first, of 100"], scale=ends)
    tips = [alt.Tooltip("author_words:N", title="the author"), alt.Tooltip("why_not:N", title="couldn't know")]
    known = table[table["author_diff"].notna()]
    words = table[table["author_diff"].isna()]
    layers = [
        zero(),
        alt.Chart(known).mark_bar(color=GREY, opacity=0.35, size=8).encode(y=y, x=x, tooltip=tips),
        alt.Chart(known).mark_point(color=GREY, opacity=0.6, filled=True, size=45).encode(y=y, x=x, tooltip=tips),
        alt.Chart(words).mark_text(color=GREY, fontSize=11).encode(y=y, x=alt.datum(0), text="way:N", tooltip=tips),
    ]
    return finish(layers, height=FRAME_PX + ROW_PX * len(table))


def ours_chart(rows: pd.DataFrame) -> alt.LayerChart:
    """Our differences with their intervals; a click selects ``author_a`` and ``author_b`` under the name "pick"."""
    measured = METRICS[str(rows["metric"].iloc[0])]
    table = rows.assign(
        row=labels_only(rows),
        verdict=[CATEGORIES[code] for code in rows["category"]],
        none=["one training" if here == ONE_TRAINING else "not here" for here in rows["here"]],
        interval=interval_texts(rows, measured, sign=True),
    )
    y = row_axis(table)
    title = [f"ours: change of {measured.label}", measured.better]
    x = alt.X("diff:Q", title=title, axis=number_axis(measured))
    scale = alt.Scale(domain=[*CATEGORIES.values()], range=[COLOUR[code] for code in CATEGORIES])
    colour = alt.Color("verdict:N", scale=scale, legend=None)
    tips = [
        alt.Tooltip("sentence:N", title="both"),
        alt.Tooltip("diff:Q", title="ours", format=measured.number),
        interval_tip(),
        alt.Tooltip("n_a:Q", title="runs of the first (n)"),
        alt.Tooltip("n_b:Q", title="runs of the second (n)"),
    ]
    layers = [
        zero(),
        alt.Chart(table).mark_rule(strokeWidth=2).encode(y=y, x="low:Q", x2="high:Q", color=colour),
        alt.Chart(table[table["diff"].isna()])
        .mark_text(align="left", dx=6, fontSize=11, color=GREY)
        .encode(y=y, x=alt.value(0), text="none:N", tooltip=[tips[0]]),
        picked(table, ["author_a", "author_b"], tips, x=x, y=y, color=colour),
    ]
    return finish(layers, height=FRAME_PX + ROW_PX * len(table))


def row_axis(table: pd.DataFrame) -> alt.Y:
    return alt.Y("row:N", title=None, sort=list(table["row"]), axis=alt.Axis(labelLimit=LABEL_LIMIT))


def zero() -> alt.Chart:
    return alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(x="zero:Q")
