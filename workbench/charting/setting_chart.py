"""The chart of a score over one training setting, and what may be read from it."""

from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    GREY,
    TICKS,
    by_pattern,
    finish,
    height_for,
    interval_texts,
    interval_tip,
    picked,
    run_tips,
    score_axis,
    value_tip,
    wrecked_note,
)
from workbench.findings.analysis import Tables
from workbench.findings.contrast import shown
from workbench.findings.metrics import Metric
from workbench.findings.noise import Noise, noise_floor
from workbench.sweep.patterns import Contrast
from workbench.sweep.settings import field

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

    The interval around a mean is that of the noise floor, t(df) x sd / sqrt(runs). A dashed line joins
    patterns that differ in this setting only: along it the setting alone is compared. Runs where the
    setting has no effect are not drawn. A click selects a ``run_id`` under the name "pick".
    """
    measured, about = tables.metric(metric), field(setting)
    every = runs_with(tables, setting)
    rows = every.dropna(subset=[metric])
    noise = noise_floor(tables.checkpoints, metric)
    means = pattern_means(rows, metric, noise)
    means = means.assign(interval=interval_texts(means, measured))
    pairs = [pair for pair in tables.contrasts if pair.setting == setting]
    x = setting_axis(setting, rows)
    y = score_axis(measured)
    colour, shape = by_pattern(tables.labels.values(), rows["label"])
    tips = [alt.Tooltip("shown:N", title=about.label), value_tip(measured)]
    of_run = run_tips(*tips, alt.Tooltip("n_previews:Q", title="previews (n)"))
    points = picked(rows, ["run_id"], of_run, x=x, y=y, color=colour, shape=shape)
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
    if noise:
        layers.append(
            alt.Chart(means).mark_rule(strokeWidth=2, opacity=0.7).encode(x=x, y="low:Q", y2="high:Q", color=colour)
        )
    layers.append(
        alt.Chart(means)
        .mark_point(shape="stroke", size=500, strokeWidth=3)
        .encode(x=x, y=y, color=colour, tooltip=of_pattern)
    )
    notes = [*wrecked_note(every, metric), *setting_notes(tables, setting, pairs, noise, measured)]
    return finish([*layers, points], notes, height_for(rows["label"]))


def runs_with(tables: Tables, setting: str) -> pd.DataFrame:
    """Finished runs in which a setting has an effect, with its ``value``, also as text (``shown``)."""
    having = [pattern for pattern, settings in tables.settings.items() if setting in settings]
    rows = tables.runs[tables.runs["pattern_id"].isin(having)].drop(columns=["replicate", "zero"])
    values = [tables.settings[int(pattern)][setting] for pattern in rows["pattern_id"]]
    return rows.assign(value=pd.Series(values, index=rows.index, dtype=object), shown=[shown(v) for v in values])


def pattern_means(rows: pd.DataFrame, metric: str, noise: Noise | None) -> pd.DataFrame:
    """Mean over the ``n`` runs of each pattern; ``low`` and ``high``: the noise floor's interval."""
    groups = rows.groupby("pattern_id", sort=False)
    means = groups.agg(
        **{metric: (metric, "mean"), "n": (metric, "size")},
        label=("label", "first"),
        value=("value", "first"),
        shown=("shown", "first"),
    ).reset_index()
    half = [noise.half_width(int(n)) if noise else None for n in means["n"]]
    halves = pd.Series(half, index=means.index, dtype="float64")
    return means.assign(low=means[metric] - halves, high=means[metric] + halves)


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
        return alt.X("shown:N", title=title, sort=None, axis=alt.Axis(labelAngle=0))
    if setting not in LOG_SETTINGS or not all(value > 0 for value in values):
        return alt.X("value:Q", title=title, scale=alt.Scale(zero=False, padding=30), axis=alt.Axis(tickCount=TICKS))
    ticks = sorted({float(value) for value in values})
    return alt.X(
        "value:Q",
        title=f"{title}, log scale",
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(values=ticks, labelExpr="'' + datum.value", grid=False, labelOverlap=True),
    )


def setting_notes(
    tables: Tables, setting: str, pairs: Sequence[Contrast], noise: Noise | None, measured: Metric
) -> list[str]:
    """What to know about a setting's chart: what can be compared, what the interval is, what is missing."""
    label = field(setting).label
    names = [f"{tables.labels[pair.a]} / {tables.labels[pair.b]}" for pair in pairs]
    notes = [
        f"Differ only in {label} (dashed lines): {'; '.join(names)}."
        if names
        else f"No two patterns differ only in {label}: whatever this shows may come from another setting."
    ]
    if noise:
        notes.append(
            "Bars: 95 % interval of a pattern's mean, from training seeds "
            f"(sd {measured.show_change(noise.sd)}, {noise.df} degrees of freedom)."
        )
    else:
        notes.append("No intervals: no pattern was trained with two seeds yet.")
    trained = {int(pattern) for pattern in tables.runs["pattern_id"]}
    missing = [pattern for pattern in sorted(trained) if setting not in tables.settings[pattern]]
    unknown = [tables.labels[pattern] for pattern in missing if setting in tables.unknown.get(pattern, ())]
    without = [tables.labels[pattern] for pattern in missing if tables.labels[pattern] not in unknown]
    if unknown:
        notes.append(f"Not drawn, since {label} is not known there: {', '.join(unknown)}.")
    if without:
        notes.append(f"Not drawn, since {label} has no effect there: {', '.join(without)}.")
    return notes
