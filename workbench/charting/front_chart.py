"""The chart of time against score: what more time buys, and who is beaten in both."""

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish, interval_texts, picked, score_axis
from workbench.charting.rank_chart import NARROW
from workbench.findings.metrics import Metric
from workbench.findings.ranking_words import time_words

ON, NEAR, BEHIND = "on the front", "can't be told apart from it", "quicker and better ones exist"
PLACES = {ON: (COLOURS[0], "circle"), NEAR: (COLOURS[1], "diamond"), BEHIND: (GREY, "triangle-down")}
WIDE = 10.0  # slowest over quickest from which on times are on a log axis
HEIGHT = 520  # px
LABEL_LIMIT = 160  # px
NAMES = ((0, -9), (1, 16))  # every other name: so many px below its point


def front_chart(rows: pd.DataFrame, measured: Metric) -> alt.LayerChart | None:
    """A point per pattern of ``ranking.ranking`` that was timed on the usual device: minutes per training over score.

    The step line joins those that no other beats in both. A click selects ``pattern_id`` under the name "pick". None:
    no time is known.
    """
    timed = rows[rows["comparable"] & ~rows["wrecked"] & rows["value"].notna()]
    if timed.empty:
        return None
    texts = {"interval": interval_texts(timed, measured), "time": [time_words(each) for each in timed["minutes"]]}
    table = timed[["pattern_id", "label", "minutes", "per_hour", "low", "high", "n_seeds"]].assign(
        **{measured.key: timed["value"], "place": [place(row) for row in timed.itertuples()]}, **texts
    )
    wide = table["minutes"].max() > WIDE * table["minutes"].min()
    scale = alt.Scale(type="log", nice=False, padding=24) if wide else alt.Scale(zero=False, nice=False, padding=24)
    x = alt.X("minutes:Q", title=f"minutes per training{', log scale' if wide else ''}", scale=scale)
    y = score_axis(measured)
    present = [words for words in PLACES if words in set(table["place"])]
    legend = alt.Legend(orient="bottom", title=None, symbolOpacity=1, labelLimit=260, columns=1)
    colours, shapes = ([PLACES[words][i] for words in present] for i in (0, 1))
    colour = alt.Color("place:N", scale=alt.Scale(domain=present, range=colours), legend=legend)
    shape = alt.Shape("place:N", scale=alt.Scale(domain=present, range=shapes), legend=legend)
    tips = [
        alt.Tooltip("label:N", title="pattern"),
        alt.Tooltip(f"{measured.key}:Q", title=measured.label, format=measured.number),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("time:N", title="time of one training"),
        alt.Tooltip("per_hour:Q", title="trainings per hour", format=".1f"),
        alt.Tooltip("n_seeds:Q", title="runs (n)"),
    ]
    front = alt.Chart(table[table["place"] == ON])
    base = alt.Chart(table).encode(x=x)
    layers = [
        base.mark_rule(strokeWidth=1.5, opacity=0.45).encode(y=alt.Y("low:Q"), y2="high:Q", color=colour),
        front.mark_line(interpolate="step-after", color=COLOURS[0], strokeWidth=2).encode(x=x, y=y),
        picked(table, ["pattern_id"], tips, x=x, y=y, color=colour, shape=shape),
        # in turn above and below, since neighbours on the front may lie close together
        *(names(table[table["place"] == ON].sort_values("minutes").iloc[turn::2], dy, x, y) for turn, dy in NAMES),
    ]
    return finish(layers, height=HEIGHT)


def names(front: pd.DataFrame, dy: int, x: alt.X, y: alt.Y) -> alt.Chart:
    """The names of patterns, beside their points; on a phone there is no room for them."""
    shown = alt.Chart(front).transform_calculate(name=f"{NARROW} ? '' : datum.label")
    text = shown.mark_text(align="left", dx=7, dy=dy, fontSize=12, limit=LABEL_LIMIT, color=GREY)
    return text.encode(x=x, y=y, text="name:N")


def place(row: pd.Series) -> str:
    """Where a row stands to the front."""
    return ON if row.on_front else NEAR if row.near_front else BEHIND
