"""The chart of the patterns, best first: how good each is and how sure that is."""

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish, interval_texts, number_axis
from workbench.charting.rank_chart import LABEL, LABEL_LIMIT, NARROW
from workbench.findings.metrics import Metric
from workbench.findings.ranking_words import chance_short, chance_words, time_words

ROW_PX, FRAME_PX = 30, 140  # a row; axis, title and legend
CHANCE_PX, CHANCE_NARROW_PX = 90, 34  # what stands on the right: "62 of 100", on a phone "62"
TWO_LINES = f"{NARROW} && indexof(datum.label, ', ') >= 0"  # a name that LABEL breaks
MAY_BE_BEST, MEASURED, EXCLUDED, WRECKED = "may be the best", "measured", "hardly the best", "wrecked"
SAID = {MAY_BE_BEST: COLOURS[0], MEASURED: COLOURS[0], EXCLUDED: GREY, WRECKED: COLOURS[5]}  # -> colour
LEFT_OUT = ["checkpoint_ids", "metric", "device", "unit"]


def ranking_chart(rows: pd.DataFrame, measured: Metric) -> alt.LayerChart:
    """A row per pattern of ``ranking.ranking``: value with its interval, and its chance to be the best on the right.

    Where several strengths were rendered, a hollow diamond is the value at the pattern's best one and the point that at
    the main one. Grey: what can be left out (:func:`ranking_words.chart_notes` says how it is read). A click selects
    ``pattern_id`` under the name "pick".
    """
    table = for_chart(rows, measured)
    several = bool(table["best_strength"].notna().any())
    axis = alt.Axis(
        labelLimit=LABEL_LIMIT,
        labelExpr=LABEL,
        labelOffset={"condition": {"test": TWO_LINES, "value": -6}, "value": 0},  # px: half a line
        labelBaseline="middle",
        labelOverlap=False,
    )
    y = alt.Y("label:N", title=None, sort=list(table["label"]), axis=axis)
    x = alt.X(
        "value:Q",
        title=[measured.title, measured.better],
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=number_axis(measured),
    )
    present = [words for words in SAID if words in set(table["said"])]
    colour = alt.Color(
        "said:N",
        scale=alt.Scale(domain=present, range=[SAID[words] for words in present]),
        legend=alt.Legend(orient="bottom", title=None, columns=1, symbolOpacity=1, symbolType="circle"),
    )
    pick = alt.selection_point(name="pick", fields=["pattern_id"])
    faded = alt.when(pick).then(alt.value(1)).otherwise(alt.value(0.3))
    base = alt.Chart(table).encode(y=y, color=colour, opacity=faded, tooltip=tips(measured, several))
    lines = base.mark_rule(strokeWidth=3, strokeCap="round").encode(x=alt.X("low:Q"), x2="high:Q")
    points = base.mark_point(filled=True, size=100).encode(x=x).add_params(pick)
    hollow = base.mark_point(shape="diamond", filled=False, size=120, strokeWidth=2).encode(x="value_best_strength:Q")
    # beside the plot, where no line can run through it
    words = (
        alt.Chart(table)
        .transform_calculate(beside=f"{NARROW} ? datum.share : datum.chance")
        .mark_text(align="left", dx=8, fontSize=12)
        .encode(y=y, x=alt.value("width"), text="beside:N", color=alt.value(GREY))
    )
    layers = [lines, *([hollow] if several else []), points, words]
    chart = finish(layers, height=FRAME_PX + ROW_PX * len(table))
    room = f"{NARROW} ? {CHANCE_NARROW_PX} : {CHANCE_PX}"
    return chart.properties(padding=alt.ExprRef(f"{{left: 5, top: 5, bottom: 5, right: {room}}}"))


def for_chart(rows: pd.DataFrame, measured: Metric) -> pd.DataFrame:
    """The rows with what is said of each, as text."""
    best = rows[["low_best_strength", "high_best_strength"]].set_axis(["low", "high"], axis=1)
    known = rows["chance_best"].notna()
    return rows.drop(columns=LEFT_OUT, errors="ignore").assign(
        said=[said(row) for row in rows.itertuples()],
        chance=["wrecked" if row.wrecked else chance_short(row.chance_best) for row in rows.itertuples()],
        share=(100 * rows["chance_best"]).round().map("{:.0f}".format).where(known, ""),
        in_words=[chance_words(chance) or "not known" for chance in rows["chance_best"]],
        interval=interval_texts(rows, measured),
        at_best=["not rendered" if pd.isna(value) else f"{value:g}" for value in rows["best_strength"]],
        best_interval=interval_texts(best, measured),
        time=[time_words(minutes) for minutes in rows["minutes"]],
    )


def said(row: pd.Series) -> str:
    """A row's place in the legend."""
    if row.wrecked:
        return WRECKED
    if pd.isna(row.chance_best):
        return MEASURED
    return EXCLUDED if row.excluded else MAY_BE_BEST


def tips(measured: Metric, several: bool) -> list[alt.Tooltip]:
    """What a row says when it is pointed at."""
    strengths = [
        alt.Tooltip("at_best:N", title="best strength"),
        alt.Tooltip("value_best_strength:Q", title=f"{measured.label} there", format=measured.number),
        alt.Tooltip("best_interval:N", title="95 % interval there"),
    ]
    return [
        alt.Tooltip("label:N", title="pattern"),
        alt.Tooltip("value:Q", title=measured.label, format=measured.number),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("in_words:N", title="chance"),
        alt.Tooltip("n_seeds:Q", title="runs (n)"),
        *(strengths if several else []),
        alt.Tooltip("time:N", title="time of one training"),
    ]
