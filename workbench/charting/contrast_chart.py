"""The chart of pairs of patterns that differ in one setting, setting by setting."""

import json
import math
import textwrap
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
from workbench.findings.metrics import METRICS, Metric
from workbench.findings.verdicts import CLAIMS

WORDINGS = {  # wording code -> (words, colour) of a contrast's row
    "seems_to_matter": ("seems to matter, on new prompts too", COLOURS[0]),
    "matters_on_these_prompts": ("seems to matter, on these prompts only", COLOURS[2]),
    "checkpoints_differ": ("these checkpoints differ", COLOURS[1]),
    "cannot_tell": ("can't be told apart", GREY),
    "the_same": ("the same", GREY),
    "one_prompt": ("one prompt only", GREY),
    "wrecked": ("a run is wrecked", COLOURS[5]),
}
NARROW = 56  # characters of a note: a phone's width
ON_A_PHONE = "windowSize()[0] < 640"
ROW_PX, LONE_PX, FRAME_PX = 31, 40, 250  # a row under a head or the head; a row with its own; axis, legend, notes
SECOND_LINE_PX = 8  # more for each row where any says whose it is in a line of its own
CLAIM, WRECKED = 1e6, 1e9  # what puts a setting before others, above any difference
LEGEND_COLUMNS = alt.ExprRef(f"{ON_A_PHONE} ? 1 : 2")
LEGEND_SIZE = alt.ExprRef(f"{ON_A_PHONE} ? 11 : 12")
LABEL_LIMIT = alt.ExprRef("min(320, windowSize()[0] / 2.6)")  # px; on a phone the plot keeps its place
# A row is called "alpha: 1 → 16", with whose it is after a line break, and a group "alpha".
IS_HEAD = "indexof(datum.value, ': ') < 0"
UNDER_HEAD = f"{IS_HEAD} ? datum.value : split(slice(datum.value, indexof(datum.value, ': ') + 2), '\\n')"
ALONE = "split(replace(datum.value, ': ', ':\\n'), '\\n')"
SAID = alt.Tooltip("sentence:N", title="verdict")


def contrast_chart(rows: pd.DataFrame, heads: bool = True) -> alt.LayerChart:
    """A forest plot of ``contrast.contrast_table``, a group per setting: the difference and its 95 % interval.

    Settings that seem to matter come first (:func:`grouped`). The grey band around zero is the noise floor: what
    another training seed alone can make. A pair without a difference stands there in words. A click selects
    ``pattern_a`` and ``pattern_b`` under the name "pick". ``heads``: each setting's name above its rows, not in them.
    """
    measured = METRICS["likeness"]
    if len(rows):
        measured = replace(METRICS[str(rows["metric"].iloc[0])], unit=str(rows["unit"].iloc[0]))
    table = grouped(rows)
    table = table.assign(
        row=row_names(table),
        verdict=[WORDINGS[code][0] for code in table["wording"]],
        unmeasured=[f"{labels} wrecked: too few faces to compare" for labels in table["wrecked"]],
        interval=interval_texts(table, measured, sign=True),
        band_low=-table["noise"].astype("float64"),
        band_high=table["noise"].astype("float64"),
    )
    places = with_heads(table) if heads else list(table["row"])
    # the domain is named, since a head has no mark, and a row without a difference is in some layers only
    y = alt.Y("row:N", title=None, scale=alt.Scale(domain=places), axis=row_labels(heads))
    unit = [f"({measured.unit})"] if measured.unit else []
    title = [f"change of {measured.label}", *unit, ways(measured)]
    x = alt.X("diff:Q", title=title, axis=number_axis(measured))
    present = list(dict.fromkeys(table["verdict"]))
    colours = dict(WORDINGS.values())
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=present, range=[colours[words] for words in present]),
        legend=alt.Legend(
            orient="top", title=None, columns=LEGEND_COLUMNS, labelLimit=260, labelFontSize=LEGEND_SIZE, symbolOpacity=1
        ),
    )
    base = alt.Chart(table).encode(y=y)
    tips = pair_tips(measured)
    points = picked(table, ["pattern_a", "pattern_b"], tips, x=x, y=y, color=colour)
    words = alt.Chart(table[table["diff"].isna()]).mark_text(align="right", dx=-6, fontSize=12, fontWeight="bold")
    layers = [
        base.mark_bar(color=GREY, opacity=0.2, height=18).encode(x="band_low:Q", x2="band_high:Q"),
        alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(x="zero:Q"),
        base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", color=colour),
        words.encode(y=y, x=alt.value("width"), text="unmeasured:N", color=colour, tooltip=[SAID]),
        points,
    ]
    note = (
        "Lines: 95 % interval over prompts; none where every prompt shows the same difference. "
        "Grey band: what other training seeds can make of all these pairs together."
    )
    row_px = (ROW_PX if heads else LONE_PX) + SECOND_LINE_PX * any("\n" in name for name in table["row"])
    chart = finish(layers, [note], height=FRAME_PX + row_px * len(places))
    if isinstance(chart.title, alt.TitleParams):
        narrow, wide = (json.dumps(lines) for lines in (textwrap.wrap(note, NARROW), chart.title.text))
        chart.title.text = alt.ExprRef(f"{ON_A_PHONE} ? {narrow} : {wide}")
    return chart


def row_labels(heads: bool) -> alt.Axis:
    """The names of rows; with ``heads`` those of settings in bold, above theirs."""
    return alt.Axis(
        labelLimit=LABEL_LIMIT,
        labelExpr=UNDER_HEAD if heads else ALONE,
        labelFontWeight=alt.condition(IS_HEAD, alt.value("bold"), alt.value("normal")),
        labelFontSize=alt.condition(IS_HEAD, alt.value(13), alt.value(12)),
        labelLineHeight=13,
        labelOverlap=False,
        ticks=False,
        domain=False,
    )


def pair_tips(measured: Metric) -> list[alt.Tooltip]:
    """What pointing at a pair shows."""
    return [
        alt.Tooltip("label_a:N", title="from pattern"),
        alt.Tooltip("label_b:N", title="to pattern"),
        SAID,
        alt.Tooltip("diff:Q", title="difference", format=measured.number),
        interval_tip(),
        alt.Tooltip("df:Q", title="degrees of freedom"),
        alt.Tooltip("n_cells:Q", title="shared previews (n)"),
        alt.Tooltip("n_a:Q", title="runs of the first (n)"),
        alt.Tooltip("n_b:Q", title="runs of the second (n)"),
    ]


def ways(measured: Metric) -> str:
    """Which end of the axis is the better one."""
    if measured.higher_is_better is None:
        return measured.better
    return "← worse · better →" if measured.higher_is_better else "← better · worse →"


def grouped(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows setting by setting: those that destroy pictures first, then those that seem to matter, then by size.

    In a setting in the order of its numbers, or the largest difference first where it has none.
    """
    size = rows["diff"].astype("float64").abs().fillna(math.inf)
    weight = (
        size.clip(upper=WRECKED / 10) + WRECKED * (rows["wording"] == "wrecked") + CLAIM * rows["wording"].isin(CLAIMS)
    )
    heaviest = weight.groupby(rows["setting"]).transform("max")
    table = rows.assign(heaviest=-heaviest, step=[numbers(change) for change in rows["change"]], size=-size)
    keys = ["heaviest", "setting", "step", "shown_first", "size"]
    ascending = [key != "shown_first" for key in keys]
    return table.sort_values(keys, ascending=ascending, kind="stable").drop(columns=["heaviest", "step", "size"])


def numbers(change: str) -> tuple[float, ...]:
    """The two values of a change where both are numbers, to sort by.

    >>> numbers("alpha: 1 → 16"), numbers("optimizer: adam → lion")
    ((1.0, 16.0), ())
    """
    try:
        return tuple(float(value) for value in change.partition(": ")[2].split(" → "))
    except ValueError:
        return ()


def with_heads(table: pd.DataFrame) -> list[str]:
    """The rows in their order, before each setting's its name."""
    heads = table["group"].where(~table["setting"].duplicated())
    return [
        name for head, row in zip(heads, table["row"], strict=True) for name in (head, row) if isinstance(name, str)
    ]


def row_names(rows: pd.DataFrame) -> list[str]:
    """The change; where several pairs have the same one, in a second line the pattern by which they are told apart."""
    count = rows.groupby("change")["change"].transform("size")
    from_own = rows.groupby("change")["label_a"].transform("nunique") == count
    to_own = rows.groupby("change")["label_b"].transform("nunique") == count
    names = []
    for row, several, by_a, by_b in zip(rows.itertuples(), count > 1, from_own, to_own, strict=True):
        whose = f"from {row.label_a}" if by_a else f"to {row.label_b}" if by_b else f"{row.label_a} / {row.label_b}"
        names.append(f"{row.change}\n({whose})" if several else str(row.change))
    return names
