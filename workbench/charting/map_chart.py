"""The map of epochs and strengths as a chart: fields with their numbers, or a line where there is one row or column."""

import math
from collections.abc import Collection

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish, interval_texts, interval_tip, number_axis
from workbench.findings.epoch_map import CELL, BestCell
from workbench.findings.metrics import Metric
from workbench.findings.shares import CAUTION

ROW_PX, FRAME_PX = 42, 118  # a checkpoint's row; axis and legend
LINE_PX = 340
DARK = 0.62  # of the colour scale (viridis): up to here white digits read better than black ones
BEST, EQUAL = "★", "≈"  # beside a cell's number: signs that need no colour
FLOOR = 0.995  # face rate under which a cell says it


def map_chart(cells: pd.DataFrame, measured: Metric, best: BestCell | None, base: float = math.nan) -> alt.LayerChart:
    """The cells of one run (rows of ``epoch_map``), with the best one (★) and those like it (≈) marked.

    Several checkpoints at several strengths are fields, strengths to the right and checkpoints downwards; else a
    line with 95 % intervals over whichever there are several of, with ``base`` (the value without a LoRA) as a rule.
    A click selects ``checkpoint_id`` and ``strength`` under the name "pick".
    """
    rows = told(cells, measured, best)
    if is_map(rows):
        return fields(rows, measured)
    return line(rows, measured, base)


def told(cells: pd.DataFrame, measured: Metric, best: BestCell | None) -> pd.DataFrame:
    """The cells with all that is written in them. Where neither way is better no cell is marked."""
    neither = measured.higher_is_better is None
    best = None if neither else best
    equal: Collection[tuple[int, float]] = {(r.checkpoint_id, r.strength) for r in best.equals} if best else set()
    keys = [(int(row.checkpoint_id), float(row.strength)) for row in cells.itertuples()]
    sign = [BEST if best and key == best.key else EQUAL if key in equal else "" for key in keys]
    span = cells["value"].max() - cells["value"].min()
    place = (cells["value"] - cells["value"].min()) / span if span > 0 else cells["value"] * 0 + 1
    place = 1 - place if measured.higher_is_better is False else place  # where the scale of colours is turned round
    worse = {(r.checkpoint_id, r.strength) for r in best.rivals if r.apart} if best else set()
    return cells.drop(columns=["label"]).assign(
        lora=cells["label"],
        at=[f"{strength:g}" for strength in cells["strength"]],
        sign=sign,
        text=[
            f"{mark} {measured.show(row.value)}".strip() if pd.notna(row.value) else "no value"
            for mark, row in zip(sign, cells.itertuples(), strict=True)
        ],
        faces=[
            f"{100 * rate:.0f} % faces" if rate < FLOOR and measured.key != "face_rate" else ""
            for rate in cells["face_rate"]
        ],
        ink=["white" if known and share < DARK else "black" for known, share in zip(place.notna(), place, strict=True)],
        interval=interval_texts(cells, measured),
        face_words=[
            f"{100 * row.face_rate:.0f} % (95 % interval {100 * row.face_low:.0f} to {100 * row.face_high:.0f} %)"
            if pd.notna(row.face_rate)
            else "not measured"
            for row in cells.itertuples()
        ],
        means=[
            NEITHER if neither else WORDS.get(mark, WORSE if key in worse else NO_PART)
            for mark, key in zip(sign, keys, strict=True)
        ],
    )


WORDS = {BEST: "the best cell", EQUAL: "can't be told apart from the best cell"}
WORSE = "worse than the best cell by more than chance"
NEITHER = "not ranked: neither way is better as such"
NO_PART = "not compared: too few scored pictures or faces"


def tips(measured: Metric) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("place:N", title="checkpoint"),
        alt.Tooltip("strength:Q", title="LoRA strength"),
        alt.Tooltip("value:Q", title=measured.label, format=measured.number),
        interval_tip(),
        alt.Tooltip("n:Q", title="pictures (n)"),
        alt.Tooltip("n_prompts:Q", title="prompts"),
        alt.Tooltip("face_words:N", title="face rate"),
        alt.Tooltip("clip_t:Q", title="prompt adherence (CLIP cosine)", format=".3f"),
        alt.Tooltip("means:N", title="which is"),
    ]


def fields(rows: pd.DataFrame, measured: Metric) -> alt.LayerChart:
    """A field per checkpoint and strength, its number written in it."""
    order = list(dict.fromkeys(rows["place"]))
    strengths = [f"{strength:g}" for strength in sorted(rows["strength"].unique())]
    x = alt.X("at:N", title="LoRA strength", sort=strengths, axis=alt.Axis(labelAngle=0, orient="top"))
    y = alt.Y("place:N", title=None, sort=order)
    pick = alt.selection_point(name="pick", fields=CELL)
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(scheme="viridis", reverse=measured.higher_is_better is False),
        legend=alt.Legend(orient="bottom", title=None, gradientLength=260, format=measured.number, tickCount=4),
    )
    chart = alt.Chart(rows).encode(x=x, y=y)
    chosen = alt.when(pick, empty=False)  # a frame: faded fields would take the digits' contrast
    boxes = chart.mark_rect(cornerRadius=3).encode(
        color=colour,
        stroke=chosen.then(alt.value(COLOURS[5])).otherwise(alt.value("white")),
        strokeWidth=chosen.then(alt.value(4)).otherwise(alt.value(1.5)),
        tooltip=tips(measured),
    )
    small = rows["faces"].ne("").any()
    numbers = chart.mark_text(fontSize=13, fontWeight="bold", dy=-6 if small else 0)
    ink = alt.when(alt.datum.ink == "white").then(alt.value("white")).otherwise(alt.value("black"))
    layers = [
        boxes.add_params(pick),
        numbers.encode(text="text:N", color=ink, tooltip=tips(measured)),
    ]
    if small:
        under = chart.mark_text(fontSize=10.5, dy=9)
        layers.append(under.encode(text="faces:N", color=ink, tooltip=tips(measured)))
    return finish(layers, height=FRAME_PX + ROW_PX * len(order))


def line(rows: pd.DataFrame, measured: Metric, base: float) -> alt.LayerChart:
    """A point per cell over the checkpoints, or over the strengths of one checkpoint, with its interval."""
    over_strength = rows["checkpoint_id"].nunique() == 1
    order = list(dict.fromkeys(rows["place"]))
    if over_strength:
        x = alt.X("strength:Q", title="LoRA strength", scale=alt.Scale(zero=False, padding=24))
    else:
        x = alt.X("place:N", title=None, sort=order, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    y = alt.Y(
        "value:Q",
        title=[measured.title, measured.better],
        scale=alt.Scale(zero=False),
        axis=number_axis(measured),
    )
    pick = alt.selection_point(name="pick", fields=CELL)
    chart = alt.Chart(rows).encode(x=x)
    layers = []
    if not math.isnan(base):
        rule = alt.Chart(pd.DataFrame({"base": [base], "name": ["without LoRA"]})).encode(y="base:Q")
        layers += [
            rule.mark_rule(color=GREY, strokeDash=[2, 3]),
            rule.mark_text(color=GREY, align="left", baseline="bottom", dx=4, dy=-2).encode(
                x=alt.value(0), text="name:N"
            ),
        ]
    points = chart.mark_point(filled=True, size=90, color=COLOURS[0]).encode(
        y=y, tooltip=tips(measured), opacity=alt.when(pick).then(alt.value(1.0)).otherwise(alt.value(0.4))
    )
    layers += [
        chart.mark_line(color=COLOURS[0], strokeWidth=2, opacity=0.6).encode(y=y),
        chart.mark_rule(color=COLOURS[0], strokeWidth=2).encode(y="low:Q", y2="high:Q"),
        points.add_params(pick),
        chart.mark_text(fontSize=16, color=COLOURS[5], align="left", dx=8, dy=-8).encode(y=y, text="sign:N"),
    ]
    return finish(layers, height=LINE_PX)


def notes(cells: pd.DataFrame, measured: Metric, base: float = math.nan) -> list[str]:
    """What the signs mean, how much stands behind a number, and where zero LoRA is, for under the chart."""
    pictures, prompts = (
        f"{low}" if low == high else f"{low} to {high}"
        for low, high in ((cells[name].min(), cells[name].max()) for name in ("n_pictures", "n_prompts"))
    )
    signs = "" if measured.higher_is_better is None else f"{BEST} best. {EQUAL} can't be told apart from it. "
    said = [f"{signs}n = {pictures} pictures of {prompts} prompts a cell."]
    if not is_map(cells) and cells["low"].notna().any():
        unit = "prompts" if cells["n_prompts"].max() > 1 else "seeds of the one prompt"
        said.append(f"Bars: 95 % interval over {unit}.")
    if not math.isnan(base):
        said.append(f"Without a LoRA: {measured.show(base)}.")
    if cells["face_rate"].notna().any():
        said.append(f"Face rates under the pointer: {CAUTION}")
    return said


def is_map(cells: pd.DataFrame) -> bool:
    """Whether there are several checkpoints and several strengths."""
    return cells["strength"].nunique() > 1 and cells["checkpoint_id"].nunique() > 1
