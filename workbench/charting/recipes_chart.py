"""The chart of a challenger over several people: each person's difference, and what they say together."""

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish, number_axis
from workbench.findings.metrics import METRICS
from workbench.recipes import words
from workbench.recipes.verdicts import Verdict

ROW_PX = 30
LABEL_LIMIT = alt.ExprRef("min(260, windowSize()[0] / 3)")  # px; on a phone the plot keeps its place


def people_chart(verdict: Verdict) -> alt.LayerChart:
    """A forest plot: people as rows with their own intervals, at the bottom the challenger pooled over them (diamond).

    A person without a difference stands there in words.
    """
    metric = METRICS[verdict.scale.metric]
    rows = chart_rows(verdict)
    in_order = list(rows["row"])
    y = alt.Y("row:N", title=None, sort=in_order, axis=alt.Axis(labelLimit=LABEL_LIMIT))
    x = alt.X("value:Q", title=["challenger - default", metric.title], axis=number_axis(metric))
    tips = [
        alt.Tooltip("row:N", title="who"),
        alt.Tooltip("shown:N", title="difference"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("trainings:N", title="trainings"),
    ]
    single, pooled = rows[~rows["is_pooled"]], rows[rows["is_pooled"]]
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(x="zero:Q")
    missing = alt.Chart(single[single["value"].isna()]).mark_text(align="right", dx=-6, fontSize=12, color=COLOURS[5])
    layers = [
        zero,
        alt.Chart(single).mark_rule(strokeWidth=2, color=COLOURS[0]).encode(y=y, x="low:Q", x2="high:Q"),
        missing.encode(y=y, x=alt.value("width"), text="problem:N"),
        alt.Chart(single).mark_point(filled=True, size=70, color=COLOURS[0], opacity=1).encode(y=y, x=x, tooltip=tips),
        alt.Chart(pooled).mark_rule(strokeWidth=5, color=COLOURS[1]).encode(y=y, x="low:Q", x2="high:Q"),
        alt.Chart(pooled)
        .mark_point(filled=True, shape="diamond", size=220, color=COLOURS[1], opacity=1)
        .encode(y=y, x=x, tooltip=tips),
    ]
    over = sorted({row.difference.over for row in verdict.counted} - {""})
    own = f" over {' or '.join(over)}" if over else ""
    note = (
        f"Points: one person each; line: that person's own 95 % interval{own}. Diamond: the mean over people, with "
        "its 95 % interval."
    )
    return finish(layers, [note], height=110 + ROW_PX * len(rows))


def chart_rows(verdict: Verdict) -> pd.DataFrame:
    """One row per person and the pooled one last: row, value, low, high, shown, interval, trainings, problem."""
    metric, pooled = METRICS[verdict.scale.metric], verdict.pooled
    found = [
        {
            "row": each.person.name,
            "value": each.difference.value,
            "low": each.difference.low,
            "high": each.difference.high,
            "shown": "" if each.difference.problem else metric.show_change(each.difference.value, sign=True),
            "interval": words.own_interval(each.difference, metric),
            "trainings": f"{each.difference.n_default} with the default, {each.difference.n_challenger} with the other",
            "problem": words.PROBLEMS.get(each.difference.problem, "").partition(":")[0],
            "is_pooled": False,
        }
        for each in (*verdict.counted, *verdict.left_out)
    ]
    last = {
        "row": f"{verdict.label}, {words.counted_people(pooled.people)}",
        "value": pooled.mean,
        "low": pooled.low,
        "high": pooled.high,
        "shown": words.figures(pooled, metric),
        "interval": words.figures(pooled, metric),
        "trainings": "",
        "problem": "",
        "is_pooled": True,
    }
    return pd.DataFrame([*found, last])
