"""What was measured of each checkpoint in training: how far the weights moved, the loss on photos that were and
were not trained on, time and memory."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import (
    COLOURS,
    GREY,
    TICKS,
    finish,
)
from workbench.words import duration

STORED = ("updates", "images_seen", "seconds", "memory_bytes", "loss_train", "loss_reference", "weight_change")
ALL = "all"  # the name of the whole LoRA among its blocks
GROWS = 0.03  # of the first loss on reference photos: below this a wider gap is no news
ROW_PX, FRAME_PX = 26, 110  # a block in the chart; its axis and notes
TRAIN, REFERENCE = "training photos", "reference photos, never trained on"


def measurements(checkpoints: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per checkpoint (rows of table checkpoints), by updates; missing where nothing was measured.

    Columns: updates, images_seen, seconds, memory_bytes, loss_train, loss_reference, ``gap`` (reference - train),
    ``blocks`` (block -> |scale BA| / |W|) and ``change``, that of the whole LoRA.
    """
    names = list(STORED[:-1])
    table = pd.DataFrame([{name: row[name] for name in names} for row in checkpoints], columns=names)
    table = table.astype("float64")
    blocks = [json.loads(row["weight_change"] or "{}") for row in checkpoints]
    table["blocks"] = pd.Series(blocks, dtype="object")
    table["change"] = pd.Series([found.get(ALL, math.nan) for found in blocks], dtype="float64")
    table["gap"] = table["loss_reference"] - table["loss_train"]
    return table.sort_values("updates", ignore_index=True)


def measurement_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """The same as a table shows it; what was measured of no checkpoint has no column."""
    shown = {
        "weight change": ("change", lambda value: f"{100 * value:.3g} %"),
        "loss, training photos": ("loss_train", lambda value: f"{value:.4f}"),
        "loss, reference photos": ("loss_reference", lambda value: f"{value:.4f}"),
        "gap": ("gap", lambda value: f"{value:+.4f}"),
        "trained for": ("seconds", duration),
        "memory at most": ("memory_bytes", lambda value: f"{value / 1e9:.2f} GB"),
    }
    columns = {head: how for head, how in shown.items() if table[how[0]].notna().any()}
    if not columns:
        return []
    return [
        {
            "updates": f"{row['updates']:,.0f}",
            "images seen": f"{row['images_seen']:,.0f}",
            **{head: "" if pd.isna(row[key]) else show(row[key]) for head, (key, show) in columns.items()},
        }
        for _, row in table.iterrows()
    ]


def overfitting(table: pd.DataFrame) -> str:
    """What the gap between the two losses says, in a sentence; empty where it was not measured.

    Both losses are at the same noise, so that they fall and rise by the weights alone. The gap widens as the LoRA
    learns the training photos by heart: overfitting, once the loss on reference photos rises.
    """
    rows = table.dropna(subset=["gap"])
    if rows.empty:
        return ""
    first, last = rows.iloc[0], rows.iloc[-1]
    if len(rows) == 1:
        where = f"at update {last['updates']:,.0f}"
        return f"The gap is {last['gap']:+.4f} {where}. Another checkpoint tells whether it grows."
    ends = [f"{row['gap']:+.4f} at {row['updates']:,.0f}" for row in (first, last)]
    widest = f"from {ends[0].replace('at', 'at update')} to {ends[1]}"
    share = (last["gap"] - first["gap"]) / first["loss_reference"]
    if share <= GROWS:
        return f"No overfitting to see: the gap went {widest}."
    grew = f"the gap grew {widest}, by {100 * share:.0f} % of the loss"
    best = rows.loc[rows["loss_reference"].idxmin(), "updates"]
    if best < last["updates"]:
        return (
            f"Overfitting: {grew}. On reference photos the loss was lowest at update {best:,.0f} and has risen since."
        )
    return f"It learns its own photos faster than others: {grew}. On reference photos the loss still falls, too."


def loss_chart(table: pd.DataFrame) -> alt.LayerChart | None:
    """Loss at fixed noise over the training, on photos that were trained on and on those that were not."""
    rows = table.dropna(subset=["loss_train"])
    if rows.empty:
        return None
    names = {"loss_train": TRAIN, "loss_reference": REFERENCE}
    long = rows.melt(["updates", "images_seen"], list(names), "photos", "loss").dropna(subset=["loss"])
    long["photos"] = long["photos"].map(names)
    x = alt.X("updates:Q", title="updates", scale=alt.Scale(padding=12), axis=alt.Axis(tickCount=TICKS))
    y = alt.Y("loss:Q", title=["loss at fixed noise", "lower is better"], scale=alt.Scale(zero=False))
    present = [name for name in names.values() if name in set(long["photos"])]
    colour = alt.Color(
        "photos:N",
        scale=alt.Scale(domain=present, range=[COLOURS[0], COLOURS[5]]),
        legend=alt.Legend(orient="bottom", title=None, labelLimit=300),
    )
    tips = [
        alt.Tooltip("photos:N"),
        alt.Tooltip("updates:Q"),
        alt.Tooltip("images_seen:Q", title="images seen"),
        alt.Tooltip("loss:Q", format=".4f"),
    ]
    both = rows.dropna(subset=["loss_reference"])
    gap = alt.Chart(both).mark_area(color=GREY, opacity=0.15).encode(x=x, y="loss_train:Q", y2="loss_reference:Q")
    line = alt.Chart(long).mark_line(point=alt.OverlayMarkDef(size=60), strokeWidth=2)
    notes = ["Grey: the gap. It grows when the LoRA learns its photos by heart."] if len(both) else []
    return finish([gap, line.encode(x=x, y=y, color=colour, tooltip=tips)], notes, height=300)


def weight_change_chart(table: pd.DataFrame) -> alt.LayerChart | None:
    """How far each block of the model was moved: a row per block, a point per checkpoint."""
    rows = pd.DataFrame(
        [
            {"block": block, "change": change, "updates": int(row["updates"])}
            for _, row in table.iterrows()
            for block, change in row["blocks"].items()
        ]
    )
    if rows.empty:
        return None
    blocks = in_order(rows["block"].unique())
    rows["block"] = rows["block"].map(spoken)
    y = alt.Y("block:N", title=None, sort=[spoken(block) for block in blocks])
    x = alt.X(
        "change:Q",
        title="relative weight change |ΔW| / |W|",
        scale=alt.Scale(zero=True),
        axis=alt.Axis(format="~%", tickCount=TICKS),
    )
    colour = alt.Color(
        "updates:O", scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="bottom", title="updates", columns=8)
    )
    tips = [alt.Tooltip("block:N"), alt.Tooltip("updates:Q"), alt.Tooltip("change:Q", format=".3%", title="change")]
    base = alt.Chart(rows).encode(y=y)
    span = base.mark_rule(color=GREY, opacity=0.5).encode(x="min(change):Q", x2="max(change):Q")
    points = base.mark_point(filled=True, size=90, opacity=1).encode(x=x, color=colour, tooltip=tips)
    return finish([span, points], height=FRAME_PX + ROW_PX * len(blocks))


def in_order(blocks: Iterable[str]) -> list[str]:
    """Blocks as the picture passes them: text encoder, down 0, down 1, mid, up 0, up 1; the whole LoRA last."""
    parts = ["text encoder", "down", "mid", "up", ALL]

    def place(block: str) -> tuple[int, str]:
        part = block.rstrip("0123456789 ")
        return parts.index(part) if part in parts else len(parts), block

    return sorted(blocks, key=place)


def spoken(block: str) -> str:
    return "whole LoRA" if block == ALL else block
