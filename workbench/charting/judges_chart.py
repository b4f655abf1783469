"""The chart of two face judges: a point per picture, by its rank with each."""

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish
from workbench.findings.two_judges import Disagreement


def judges_chart(found: Disagreement, first: str, second: str) -> alt.LayerChart:
    """A point per picture, by its rank with each judge; on the diagonal they agree. A click picks a ``preview_id``."""
    n = len(found.rows)
    pick = alt.selection_point(name="pick", fields=["preview_id"])
    scale = alt.Scale(domain=[n + 1, 0], nice=False)
    tips = [
        alt.Tooltip("label:N", title="pattern"),
        alt.Tooltip("text:N", title="prompt"),
        alt.Tooltip("likeness:Q", title=f"likeness, {first}", format=".1f"),
        alt.Tooltip("second_likeness:Q", title=f"likeness, {second}", format=".1f"),
        alt.Tooltip("rank:Q", title=f"rank, {first}"),
        alt.Tooltip("second_rank:Q", title=f"rank, {second}"),
    ]
    x = alt.X("rank:Q", title=f"rank by {first} (1 = most alike)", scale=scale)
    y = alt.Y("second_rank:Q", title=f"rank by {second} (1 = most alike)", scale=scale)
    points = (
        alt.Chart(found.rows)
        .mark_point(filled=True, size=80, color=COLOURS[0])
        .encode(x=x, y=y, tooltip=tips, opacity=alt.when(pick).then(alt.value(0.9)).otherwise(alt.value(0.3)))
        .add_params(pick)
    )
    ends = pd.DataFrame({"rank": [1, n], "second_rank": [1, n]})
    agree = alt.Chart(ends).mark_line(color=GREY, strokeDash=[4, 4]).encode(x=x, y=y)
    said = f"Rank correlation {found.rho:.2f}" if pd.notna(found.rho) else "No rank correlation yet"
    note = f"{said}, n = {n} pictures that both scored. Dashed: where they agree."
    return finish([agree, points], [note])
