"""Tables to charts, each with units, intervals and numbers of cases; a click names what was picked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    COLOURS,
    GREY,
    TICKS,
    by_pattern,
    finish,
    height_for,
    interval_texts,
    interval_tip,
    number_axis,
    picked,
    run_tips,
    score_axis,
    value_tip,
    wrecked_note,
)
from workbench.charting.setting_chart import score_by_setting, setting_notes
from workbench.findings.contrast import noise_floor
from workbench.findings.metrics import COSINE_ZERO, METRICS, STRANGERS, ZEROS, Metric, metric_on

__all__ = [
    "contrast_chart",
    "loss_curve",
    "score_by_checkpoint",
    "score_by_setting",
    "setting_notes",
]

WORDINGS = {  # wording code -> (words, colour) of a contrast's row
    "seems_to_matter": ("seems to matter", COLOURS[0]),
    "matters_on_these_prompts": ("seems to matter on these prompts", COLOURS[2]),
    "checkpoints_differ": ("these checkpoints differ", COLOURS[1]),
    "cannot_tell": ("can't be told apart", GREY),
    "the_same": ("the same", GREY),
    "one_prompt": ("one prompt only", GREY),
    "wrecked": ("a run is wrecked", COLOURS[5]),
}
MAX_POINTS = 800  # of a loss curve
LABEL_LIMIT = alt.ExprRef("min(400, windowSize()[0] / 3)")  # px; on a phone the plot keeps its place


def score_by_checkpoint(
    table: pd.DataFrame, metric: str, x: str = "updates", labels: Mapping[int, str] | None = None
) -> alt.LayerChart:
    """A thin line per run and a thick one per pattern over the training, with the base row as a rule.

    ``table``: the checkpoint table; ``x``: updates or images_seen; ``labels``: all patterns of the project,
    so that each keeps its colour. On likeness, strangers (0; without any, cosine 0) and real photos (100) are
    rules too. The bar at a pattern's last checkpoint is the noise floor's interval. A click selects a
    ``checkpoint_id`` under the name "pick".
    """
    measured = metric_on(metric, table["zero"])
    base = table[table["is_base"]].dropna(subset=[metric])
    rows = table[~table["is_base"]].dropna(subset=[metric]).drop(columns=["replicate", "zero"])
    noise = noise_floor(table, metric)
    means = rows.groupby(["pattern_id", "label", x], sort=False).agg(
        **{metric: (metric, "mean"), "n": (metric, "size"), "is_last": ("is_last", "all")}
    )
    means = means.reset_index()
    colour, shape = by_pattern(labels.values() if labels else list(rows["label"].unique()), rows["label"])
    axis = alt.X(
        f"{x}:Q",
        title="updates" if x == "updates" else "images seen",
        scale=alt.Scale(zero=True, nice=False, padding=12),
        axis=alt.Axis(tickCount=TICKS),
    )
    y = score_axis(measured)
    tips = run_tips(
        alt.Tooltip("images_seen:Q", title="images seen"),
        value_tip(measured),
        alt.Tooltip("n_previews:Q", title="previews (n)"),
    )
    points = picked(rows, ["checkpoint_id"], tips, x=axis, y=y, color=colour, shape=shape)
    runs = alt.Chart(rows).encode(x=axis, y=y, color=colour, detail="run_id:N")
    thick = alt.Chart(means).mark_line(strokeWidth=3, opacity=0.9).encode(x=axis, y=y, color=colour)
    zero = COSINE_ZERO if COSINE_ZERO in set(table["zero"]) else STRANGERS
    layers = [*level_rules(base, measured, ZEROS[zero]), runs.mark_line(strokeWidth=1, opacity=0.5), thick]
    notes = ["Thin lines: single runs. Thick lines: mean over training seeds.", *wrecked_note(table, metric)]
    if noise:
        ends = means[means["is_last"]]
        half = pd.Series([noise.half_width(int(n)) for n in ends["n"]], index=ends.index, dtype="float64")
        ends = ends.assign(low=ends[metric] - half, high=ends[metric] + half)
        bars = alt.Chart(ends).mark_rule(strokeWidth=2, opacity=0.7)
        layers.append(bars.encode(x=axis, y="low:Q", y2="high:Q", color=colour))
        notes.append(f"Bars: 95 % interval of a mean from training seeds (sd {measured.show_change(noise.sd)}).")
    return finish([*layers, points], notes, height_for(rows["label"]))


def level_rules(base: pd.DataFrame, measured: Metric, zero: str) -> list[alt.Chart]:
    """Horizontal rules: the base row, named at the left; the likeness scale's ends, named at the right.

    ``zero``: what the scale's 0 is, in words.
    """
    rows = pd.DataFrame({"level": base[measured.key].astype("float64"), "name": "without LoRA"})
    rules = alt.Chart(rows).encode(y="level:Q")
    layers = [rules.mark_rule(color=GREY, strokeDash=[2, 3])]
    layers.append(named(rules, alt.value(0), align="left", dx=4))
    if measured.key == "likeness":
        for level, name in ((0.0, zero), (100.0, "real photos")):
            rules = alt.Chart(pd.DataFrame({"level": [level], "name": [name]})).encode(y="level:Q")
            layers.append(rules.mark_rule(color=GREY))
            layers.append(named(rules, alt.value("width"), align="right", dx=-4, below=level == 0))
    return layers


def named(rules: alt.Chart, place: Any, align: Literal["left", "right"], dx: int, below: bool = False) -> alt.Chart:
    """The names of rules, just above or below them."""
    baseline: Literal["top", "bottom"] = "top" if below else "bottom"
    text = rules.mark_text(color=GREY, align=align, baseline=baseline, dx=dx, dy=2 if below else -2)
    return text.encode(x=place, text="name:N")


# pairs


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


# the loss


def loss_curve(points: Sequence[tuple[int, float]]) -> alt.LayerChart:
    """The training loss, thin, and its running median. It says that a run learns, not how well."""
    table = pd.DataFrame(points, columns=["update", "loss"])
    window = max(len(table) // 20, 1)
    table["median"] = table["loss"].rolling(window, center=True, min_periods=1).median()
    table = table.iloc[:: max(len(table) // MAX_POINTS, 1)]
    base = alt.Chart(table).encode(x=alt.X("update:Q", title="updates"))
    loss = alt.Y("loss:Q", title="training loss", scale=alt.Scale(zero=False))
    tips = [
        alt.Tooltip("update:Q"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("median:Q", format=".4f"),
    ]
    return finish(
        [
            base.mark_line(strokeWidth=1, opacity=0.35, color=COLOURS[0]).encode(y=loss),
            base.mark_line(strokeWidth=2, color=COLOURS[0]).encode(y="median:Q", tooltip=tips),
        ],
        [f"Thick: running median of {window} updates."] if window > 1 else [],
    )
