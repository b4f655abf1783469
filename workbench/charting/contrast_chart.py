"""The chart of pairs of patterns that differ in one setting."""

from dataclasses import replace

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    COLOURS,
    GREY,
    finish,
    interval_texts,
    interval_tip,
    number_axis,
    picked,
)
from workbench.findings.metrics import METRICS

WORDINGS = {  # wording code -> (words, colour) of a contrast's row
    "seems_to_matter": ("seems to matter", COLOURS[0]),
    "matters_on_these_prompts": ("seems to matter on these prompts", COLOURS[2]),
    "checkpoints_differ": ("these checkpoints differ", COLOURS[1]),
    "cannot_tell": ("can't be told apart", GREY),
    "the_same": ("the same", GREY),
    "one_prompt": ("one prompt only", GREY),
    "wrecked": ("a run is wrecked", COLOURS[5]),
}
LABEL_LIMIT = alt.ExprRef("min(400, windowSize()[0] / 3)")  # px; on a phone the plot keeps its place


def contrast_chart(rows: pd.DataFrame) -> alt.LayerChart:
    """A forest plot of ``contrast.contrast_table``: per changed setting the difference and its 95 % interval.

    The grey band around zero is the noise floor: what another training seed alone can make. A pair without a
    difference stands there in words. A click selects ``pattern_a`` and ``pattern_b`` under the name "pick".
    """
    measured = METRICS["likeness"]
    if len(rows):
        measured = replace(METRICS[str(rows["metric"].iloc[0])], unit=str(rows["unit"].iloc[0]))
    table = rows.assign(
        row=row_names(rows),
        verdict=[WORDINGS[code][0] for code in rows["wording"]],
        unmeasured=[f"{labels} wrecked: too few faces to compare" for labels in rows["wrecked"]],
        interval=interval_texts(rows, measured, sign=True),
        band_low=-rows["noise"].astype("float64"),
        band_high=rows["noise"].astype("float64"),
    )
    in_order = list(table["row"])  # named, since a row without a difference is in some layers only
    y = alt.Y("row:N", title=None, sort=in_order, axis=alt.Axis(labelLimit=LABEL_LIMIT))
    x = alt.X("diff:Q", title=f"change of {measured.title}, {measured.better}", axis=number_axis(measured))
    present = list(dict.fromkeys(table["verdict"]))
    colours = dict(WORDINGS.values())
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=present, range=[colours[words] for words in present]),
        legend=alt.Legend(orient="bottom", title=None, columns=2, labelLimit=260),
    )
    base = alt.Chart(table).encode(y=y)
    said = alt.Tooltip("sentence:N", title="verdict")
    tips = [
        said,
        alt.Tooltip("diff:Q", title="difference", format=measured.number),
        interval_tip(),
        alt.Tooltip("df:Q", title="degrees of freedom"),
        alt.Tooltip("n_cells:Q", title="shared previews (n)"),
        alt.Tooltip("n_a:Q", title="runs of the first (n)"),
        alt.Tooltip("n_b:Q", title="runs of the second (n)"),
    ]
    points = picked(table, ["pattern_a", "pattern_b"], tips, x=x, y=y, color=colour)
    words = alt.Chart(table[table["diff"].isna()]).mark_text(align="right", dx=-6, fontSize=12, fontWeight="bold")
    layers = [
        base.mark_bar(color=GREY, opacity=0.2, height=18).encode(x="band_low:Q", x2="band_high:Q"),
        alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(x="zero:Q"),
        base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=colour),
        words.encode(y=y, x=alt.value("width"), text="unmeasured:N", color=colour, tooltip=[said]),
        points,
    ]
    note = (
        "Lines: 95 % interval over prompts; none where every prompt shows the same difference. "
        "Grey band: what other training seeds can make of all these pairs together."
    )
    return finish(layers, [note], height=200 + 34 * len(rows))


def row_names(rows: pd.DataFrame) -> list[str]:
    """The change, and where several pairs have the same one, whose."""
    twice = rows["change"].duplicated(keep=False)
    return [
        f"{row.change} ({row.label_a} / {row.label_b})" if double else str(row.change)
        for row, double in zip(rows.itertuples(), twice, strict=True)
    ]
