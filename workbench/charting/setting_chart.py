"""The chart of a score over one training setting, and what may be read from it."""

import json
import textwrap
from collections.abc import Iterable

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    GREY,
    TICKS,
    finish,
    height_for,
    interval_texts,
    interval_tip,
    picked,
    run_tips,
    score_axis,
    value_tip,
    with_intervals,
    wrecked_note,
)
from workbench.charting.focus import FADED, MOST, by_focus, grey_first
from workbench.findings.analysis import Tables
from workbench.findings.contrast import said
from workbench.findings.noise import Noise, noise_floor
from workbench.sweep.patterns import Contrast
from workbench.sweep.settings import field
from workbench.words import few

MOST_NAMED = 6  # pairs that are named under a chart
NAME_WIDTH, NAME_PX = 14, 8  # of a name on an axis: characters in a line, px of each
LOG_SETTINGS = (
    "dim",
    "alpha",
    "learning_rate",
    "text_encoder_lr",
    "batch_size",
    "repeats",
    "epochs",
    "max_updates",
)


def score_by_setting(tables: Tables, setting: str, metric: str) -> alt.LayerChart:
    """A point per run (its last checkpoint) over the value of one setting, and the mean of each pattern.

    The interval around a mean is from training seeds, by the noise floor moderated with the pattern's own variance. A
    dashed line joins patterns that differ in this setting only: along it the setting alone is compared. Of many
    patterns only those are coloured and named, the others are grey. Runs where the setting has no effect are not
    drawn. A click selects a ``run_id`` under the name "pick". What stands underneath: :func:`setting_notes`.
    """
    measured, about = tables.metric(metric), field(setting)
    rows = runs_with(tables, setting).dropna(subset=[metric])
    noise = noise_floor(tables.checkpoints, metric)
    pairs = pairs_in(tables, setting)
    focus = compared(tables, pairs, rows["label"])
    rows = grey_first(rows, focus)
    means = grey_first(pattern_means(rows, metric, noise), focus)
    means = means.assign(interval=interval_texts(means, measured))
    x = setting_axis(setting, rows)
    y = score_axis(measured)
    colour, shape = by_focus(tables.labels.values(), focus)
    tips = [alt.Tooltip("shown:N", title=about.label), value_tip(measured)]
    of_run = run_tips(*tips, alt.Tooltip("n_previews:Q", title="previews (n)"))
    size = alt.condition("datum.named", alt.value(80), alt.value(30))
    points = picked(rows, ["run_id"], of_run, x=x, y=y, color=colour, shape=shape, size=size)
    of_pattern = [
        alt.Tooltip("label:N", title="pattern"),
        *tips,
        interval_tip(),
        alt.Tooltip("n:Q", title="runs (n)"),
    ]
    layers: list[alt.Chart] = []
    if pairs:
        lines = joined(means, pairs, metric)
        layers.append(alt.Chart(lines).mark_line(color=GREY, strokeDash=[4, 3]).encode(x=x, y=y, detail="pair:N"))
    faded = alt.condition("datum.named", alt.value(0.8), alt.value(FADED))
    if noise:
        bars = alt.Chart(means).mark_rule(strokeWidth=2)
        layers.append(bars.encode(x=x, y="low:Q", y2="high:Q", color=colour, opacity=faded))
    layers.append(
        alt.Chart(means)
        .mark_point(shape="stroke", size=500, strokeWidth=3)
        .encode(x=x, y=y, color=colour, opacity=faded, tooltip=of_pattern)
    )
    return finish([*layers, points], (), height_for(focus))


def pairs_in(tables: Tables, setting: str) -> list[Contrast]:
    return [pair for pair in tables.contrasts if pair.setting == setting]


def compared(tables: Tables, pairs: Iterable[Contrast], present: Iterable[str]) -> list[str]:
    """The labels that a setting's chart names: all of a few patterns, of many those of a pair in this setting alone."""
    shown_labels = list(dict.fromkeys(present))
    if len(shown_labels) <= MOST:
        return shown_labels
    ends = {tables.labels[pattern] for pair in pairs for pattern in (pair.a, pair.b)}
    return [label for label in shown_labels if label in ends]


def runs_with(tables: Tables, setting: str) -> pd.DataFrame:
    """Finished runs in which a setting has an effect, with its ``value``, also as text (``shown``)."""
    having = [pattern for pattern, settings in tables.settings.items() if setting in settings]
    rows = tables.runs[tables.runs["pattern_id"].isin(having)].drop(columns=["replicate", "zero"])
    values = [tables.settings[int(pattern)][setting] for pattern in rows["pattern_id"]]
    names = [said(setting, value) for value in values]
    return rows.assign(value=pd.Series(values, index=rows.index, dtype=object), shown=names)


def pattern_means(rows: pd.DataFrame, metric: str, noise: Noise | None) -> pd.DataFrame:
    """Mean over the ``n`` runs of each pattern, and their ``variance``; ``low`` and ``high``: its 95 % interval.

    By the noise floor, moderated with the pattern's own variance: see :meth:`Noise.half_width`.
    """
    groups = rows.groupby("pattern_id", sort=False)
    means = groups.agg(
        **{metric: (metric, "mean"), "n": (metric, "size"), "variance": (metric, "var")},
        label=("label", "first"),
        value=("value", "first"),
        shown=("shown", "first"),
    ).reset_index()
    return with_intervals(means, metric, noise)


def joined(means: pd.DataFrame, pairs: Iterable[Contrast], metric: str) -> pd.DataFrame:
    """Two rows per contrast: its ends, for a line from one to the other."""
    place = means.set_index("pattern_id")
    rows = [
        {"pair": f"{pair.a}-{pair.b}", **place.loc[end, ["value", "shown", metric]].to_dict()}
        for pair in pairs
        if {pair.a, pair.b} <= set(place.index)
        for end in (pair.a, pair.b)
    ]
    return pd.DataFrame(rows, columns=["pair", "value", "shown", metric])


def setting_axis(setting: str, rows: pd.DataFrame) -> alt.X:
    """The axis of a setting: numbers on a line (rates and sizes on a log axis), names side by side."""
    values = list(rows["value"])
    title = field(setting).title
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return alt.X("shown:N", title=title, sort=None, axis=names_axis(rows["shown"]))
    if setting not in LOG_SETTINGS or not all(value > 0 for value in values):
        return alt.X("value:Q", title=title, scale=alt.Scale(zero=False, padding=30), axis=alt.Axis(tickCount=TICKS))
    ticks = sorted({float(value) for value in values})
    return alt.X(
        "value:Q",
        title=f"{title}, log scale",
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(values=ticks, labelExpr="'' + datum.value", grid=False, labelOverlap=True),
    )


def names_axis(names: Iterable[str]) -> alt.Axis:
    """An axis of names, long ones in several lines; aslant where there is no room for them side by side."""
    shown = list(dict.fromkeys(names))
    lines = {name: textwrap.wrap(name, NAME_WIDTH) for name in shown}
    room = NAME_PX * sum(max(map(len, wrapped), default=0) for wrapped in lines.values())
    return alt.Axis(
        labelAngle=alt.ExprRef(f"width < {room} ? -45 : 0"),
        labelAlign=alt.ExprRef(f"width < {room} ? 'right' : 'center'"),
        labelExpr=f"({json.dumps(lines)})[datum.label]",
        labelOverlap=False,
    )


def setting_notes(tables: Tables, setting: str, metric: str) -> list[str]:
    """What to know about a setting's chart: what can be compared, what the interval is, what is missing or grey."""
    label, measured, pairs = field(setting).label, tables.metric(metric), pairs_in(tables, setting)
    every = runs_with(tables, setting)
    present = list(every.loc[every[metric].notna(), "label"])
    names = [f"'{tables.labels[pair.a]}' from '{tables.labels[pair.b]}'" for pair in pairs]
    notes = [
        *wrecked_note(every, metric),
        f"Differ only in {label} (dashed lines): {few(names, MOST_NAMED)}."
        if names
        else f"No two patterns differ only in {label}: whatever this shows may come from another setting.",
    ]
    if noise := noise_floor(tables.checkpoints, metric):
        notes.append(
            "Bars: 95 % interval of a pattern's mean, from training seeds "
            f"(sd {measured.show_change(noise.sd)}, {noise.df} degrees of freedom; a pattern's own spread counts too)."
        )
    else:
        notes.append("No intervals: no pattern was trained with two seeds yet.")
    trained = {int(pattern) for pattern in tables.runs["pattern_id"]}
    missing = [pattern for pattern in sorted(trained) if setting not in tables.settings[pattern]]
    unknown = [tables.labels[pattern] for pattern in missing if setting in tables.unknown.get(pattern, ())]
    without = [tables.labels[pattern] for pattern in missing if tables.labels[pattern] not in unknown]
    if unknown:
        notes.append(f"Not drawn, since {label} is not known there: {few(unknown, MOST_NAMED)}.")
    if without:
        notes.append(f"Not drawn, since {label} has no effect there: {few(without, MOST_NAMED)}.")
    others = len(set(present) - set(compared(tables, pairs, present)))
    if others:
        notes.append(f"Grey: {others} pattern{'s' * (others > 1)} without such a pair; point at one to see its name.")
    return notes
