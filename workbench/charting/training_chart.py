"""The chart of a score over the course of the training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    GREY,
    TICKS,
    finish,
    height_for,
    interval_texts,
    interval_tip,
    number_axis,
    picked,
    run_tips,
    wrecked_note,
)
from workbench.charting.focus import FADED, FEW, by_focus, grey_first, grey_note, in_focus
from workbench.findings.curves import NOTHING, PROMPTS, SEEDS, from_table, leading, pattern_means
from workbench.findings.derived import AXES
from workbench.findings.metrics import COSINE_ZERO, STRANGERS, ZEROS, Metric, metric_on

STRENGTH = "strength"
ROOM = 0.04  # of the span, above and below
Domain = tuple[float, float]


@dataclass(frozen=True)
class Curves:
    """What a chart of curves is drawn from."""

    cells: pd.DataFrame  # see curves.at_strengths; a line per run and strength
    means: pd.DataFrame  # see curves.pattern_means
    base: Sequence[float]  # the values without a LoRA: one for each base model and clip skip
    measured: Metric
    labels: Sequence[str]  # of all patterns, so that each keeps its colour
    zero: str = STRANGERS  # what 0 on the likeness scale is


def score_by_checkpoint(
    table: pd.DataFrame, metric: str, x: str = "updates", labels: Mapping[int, str] | None = None
) -> alt.LayerChart:
    """The chart from a checkpoint table (base rows included) alone, at the main strength.

    ``x``: updates or images_seen; ``labels``: all patterns of the project. See :func:`training_chart`.
    """
    cells = from_table(table, metric)
    base = table.loc[table["is_base"], metric].dropna()
    every = list(labels.values()) if labels else list(cells["label"].unique())
    zero = COSINE_ZERO if COSINE_ZERO in set(table["zero"]) else STRANGERS
    measured = metric_on(metric, table["zero"])
    found = Curves(cells, pattern_means(cells), list(base), measured, every, zero)
    return training_chart(found, x, notes=[*curve_notes(found, x), *wrecked_note(table, metric)])


def training_chart(
    curves: Curves,
    x: str = "updates",
    chosen: Sequence[str] = (),
    leaders: Sequence[str] = (),
    domain: Domain | None = None,
    notes: Sequence[str] = (),
) -> alt.LayerChart:
    """A thin line per run and a thick one per pattern over the training, with an interval at each of its checkpoints.

    ``x``: a key of AXES, or "strength"; ``chosen``: labels to colour in place of the leading few; ``leaders``: these,
    and ``domain``: of the score's axis, where charts stand side by side. Without a LoRA is a rule; on likeness
    strangers (0; without any, cosine 0) and real photos (100) are rules too. A click selects a ``checkpoint_id`` (and
    the ``strength``, where cells have one) under the name "pick". ``notes`` stand underneath: see :func:`curve_notes`.
    """
    measured, cells, means = curves.measured, curves.cells, curves.means.dropna(subset=[x])
    focus = in_focus(cells["label"], chosen, leaders or leading(curves.means, measured.key, FEW))
    cells = grey_first(with_line(cells.drop(columns=["replicate"]).dropna(subset=[x])), focus)
    cells = cells.assign(interval=interval_texts(cells, measured))
    means = grey_first(with_line(means), focus)
    means = means.assign(interval=interval_texts(means, measured))
    colour, shape = by_focus(curves.labels, focus)
    axis, y = place_axis(x, cells), value_axis(measured, domain)
    shown, others, own = means[means["named"]], means[~means["named"]], cells[cells["named"]]
    layers = level_rules(curves.base, measured, ZEROS[curves.zero])
    grey = alt.Chart(others).mark_line(color=GREY, strokeWidth=1.5, opacity=FADED)
    layers.append(grey.encode(x=axis, y=y, detail="line:N"))
    layers += interval_layers(shown, axis, colour)
    thin = alt.Chart(own).mark_line(strokeWidth=1, opacity=0.5)
    layers.append(thin.encode(x=axis, y=y, color=colour, detail="run_id:N"))
    thick = alt.Chart(shown).mark_line(strokeWidth=3, opacity=0.9)
    layers.append(thick.encode(x=axis, y=y, color=colour, detail="line:N"))
    stops = alt.Chart(shown).mark_point(shape="stroke", size=260, strokeWidth=2, opacity=1)
    layers.append(stops.encode(x=axis, y=y, color=colour, tooltip=mean_tips(x, measured)))
    fields = ["checkpoint_id", STRENGTH] if cells[STRENGTH].notna().any() else ["checkpoint_id"]
    size = alt.condition("datum.named", alt.value(70), alt.value(25))
    layers.append(picked(cells, fields, point_tips(x, measured), x=axis, y=y, color=colour, shape=shape, size=size))
    return finish(layers, notes, height_for(focus))


def common_domain(curves: Curves) -> Domain:
    """Ends of the score's axis that hold all points, intervals and rules of ``curves``, with a little room."""
    ends = [*curves.cells["value"], *curves.means["low"].dropna(), *curves.means["high"].dropna(), *curves.base]
    ends += [0.0, 100.0] if curves.measured.key == "likeness" else []
    room = ROOM * (max(ends) - min(ends))
    return float(min(ends) - room), float(max(ends) + room)


def with_line(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with ``line``, equal along a pattern's line."""
    photos = rows["dataset_id"].astype("Int64").astype(str)
    return rows.assign(line=rows["pattern_id"].astype(str) + " on " + photos)


def interval_layers(means: pd.DataFrame, x: alt.X, colour: alt.Color) -> list[alt.Chart]:
    """A band along each line, and a bar at each checkpoint: dashed where it is over prompts of one run."""
    rows = means.dropna(subset=["low", "high"])
    band = alt.Chart(rows).mark_area(opacity=0.12).encode(x=x, y="low:Q", y2="high:Q", color=colour, detail="line:N")
    dashes: dict[str, list[float]] = {SEEDS: [1, 0], PROMPTS: [3, 3]}
    bars = [
        alt.Chart(rows[rows["over"] == over])
        .mark_rule(strokeWidth=2, opacity=0.6, strokeDash=dash)
        .encode(x=x, y="low:Q", y2="high:Q", color=colour)
        for over, dash in dashes.items()
        if (rows["over"] == over).any()
    ]
    return [band, *bars] if len(rows) else []


def curve_notes(curves: Curves, x: str, chosen: Sequence[str] = ()) -> list[str]:
    """What lines, bars and colours of the chart are, as far as they are drawn."""
    present = curves.cells["label"]
    focus = in_focus(present, chosen, leading(curves.means, curves.measured.key, FEW))
    shown = curves.means[curves.means["label"].isin(focus)]
    over = set(shown["over"]) - {NOTHING}
    notes = ["Thin lines: single runs. Thick lines: mean over training seeds."]
    if SEEDS in over:
        notes.append("Bars and bands: 95 % interval of a mean from training seeds, each checkpoint for itself.")
    if PROMPTS in over:
        notes.append(
            "Dashed bars: only one run; 95 % interval over its prompts, which says nothing of another training."
        )
    if not over:
        notes.append("No intervals: no pattern was trained with two seeds yet.")
    if x == STRENGTH:
        notes.append("Each pattern at its last checkpoint.")
    return [*notes, *grey_note(present, focus, why(chosen))]


def why(chosen: Sequence[str]) -> str:
    return "what you chose" if chosen else f"the {FEW} with the best last checkpoint"


def place_axis(x: str, rows: pd.DataFrame) -> alt.X:
    """The axis of a place in the training, or of strengths."""
    if x == STRENGTH:
        ticks = sorted(float(value) for value in rows[STRENGTH].unique())
        scale = alt.Scale(zero=False, nice=False, padding=24)
        return alt.X("strength:Q", title="LoRA strength", scale=scale, axis=alt.Axis(values=ticks, grid=False))
    percent = AXES[x].number.endswith("%")
    return alt.X(
        f"{x}:Q",
        title=AXES[x].title,
        scale=alt.Scale(zero=True, nice=False, padding=12),
        axis=alt.Axis(tickCount=TICKS, format="~%") if percent else alt.Axis(tickCount=TICKS),
    )


def value_axis(measured: Metric, domain: Domain | None) -> alt.Y:
    """The axis of the score; ``domain``: its ends, where charts share them."""
    scale = alt.Scale(domain=list(domain)) if domain else alt.Scale(zero=False)
    return alt.Y("value:Q", title=[measured.title, measured.better], scale=scale, axis=number_axis(measured))


def point_tips(x: str, measured: Metric) -> list[alt.Tooltip]:
    """What a run's point says."""
    about = alt.Tooltip("strength:Q") if x == STRENGTH else alt.Tooltip(f"{x}:Q", title=AXES[x].label, format=number(x))
    more = [] if x == "updates" else [about]
    value = alt.Tooltip("value:Q", title=measured.label, format=measured.number)
    over = alt.Tooltip("interval:N", title="95 % interval over prompts")
    return run_tips(*more, value, over, alt.Tooltip("n:Q", title="previews (n)"))


def mean_tips(x: str, measured: Metric) -> list[alt.Tooltip]:
    """What a pattern's mean says."""
    more = [] if x == "updates" else [alt.Tooltip(f"{x}:Q", format=number(x))]
    return [
        alt.Tooltip("label:N", title="pattern"),
        alt.Tooltip("updates:Q"),
        *more,
        alt.Tooltip("value:Q", title=f"{measured.label}, mean", format=measured.number),
        interval_tip(),
        alt.Tooltip("over:N", title="interval over"),
        alt.Tooltip("n:Q", title="runs (n)"),
    ]


def number(x: str) -> str:
    return "g" if x == STRENGTH else AXES[x].number


def level_rules(base: Sequence[float], measured: Metric, zero: str) -> list[alt.Chart]:
    """Horizontal rules: the values without a LoRA, named at the left; the likeness scale's ends, named at the right.

    ``zero``: what the scale's 0 is, in words.
    """
    levels = [float(value) for value in base]
    several = f"without LoRA ({len(levels)} bases or clip skips)"
    names = [several if len(levels) > 1 and level == max(levels) else "" for level in levels]
    rows = pd.DataFrame({"level": levels, "name": names if len(levels) > 1 else "without LoRA"})
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
