"""The chart of a score over the course of the training."""

from collections.abc import Mapping
from typing import Any, Literal

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    GREY,
    TICKS,
    by_pattern,
    finish,
    height_for,
    picked,
    run_tips,
    score_axis,
    value_tip,
    wrecked_note,
)
from workbench.findings.metrics import COSINE_ZERO, STRANGERS, ZEROS, Metric, metric_on
from workbench.findings.noise import noise_floor


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
