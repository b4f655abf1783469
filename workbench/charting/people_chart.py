"""The chart of eye and judge: a point per rated picture, by the mark that people gave it and a judge's score."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, SHAPES, finish, number_axis, picked, run_tips
from workbench.findings.metrics import METRICS, Metric
from workbench.people.eye_and_judge import Correlation

SIGNS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "cross": "✚", "triangle-down": "▼"}


def people_chart(
    rows: pd.DataFrame,
    judge: Metric,
    labels: Sequence[str],
    human: str = "human_likeness",
) -> alt.LayerChart:
    """A point per picture that has both a mark and a score; a click selects a ``preview_id`` under "pick".

    ``rows``: of ``eye_and_judge.seen_by_both``; ``judge``: the score's metric, its ``column`` in the rows; ``labels``:
    all patterns of the project, so that each keeps its sign. What the signs mean is said beside the chart (see
    :func:`signs`): a chart's own legend has as many columns on a phone as on a wide screen.
    """
    eye = METRICS[human]
    columns = ["preview_id", "label", "train_seed", "updates", "text", "eye_rank", "judge_rank", judge.column, human]
    points = rows[columns]
    drawn = drawn_as(labels)
    colours, shapes = ([each[part] for each in drawn.values()] for part in (0, 1))
    colour = alt.Color("label:N", scale=alt.Scale(domain=list(drawn), range=colours), legend=None)
    shape = alt.Shape("label:N", scale=alt.Scale(domain=list(drawn), range=shapes), legend=None)
    x = alt.X(
        f"{judge.column}:Q",
        title=[judge.title, "as the judge sees it"],
        scale=alt.Scale(zero=False),
        axis=number_axis(judge),
    )
    y = alt.Y(f"{human}:Q", title=[eye.title, "as people see it"], scale=alt.Scale(domain=[0, 100]))
    tips = run_tips(
        alt.Tooltip("text:N", title="prompt"),
        alt.Tooltip(f"{human}:Q", title=eye.label, format=eye.number),
        alt.Tooltip("eye_rank:Q", title="rank by people"),
        alt.Tooltip(f"{judge.column}:Q", title=judge.label, format=judge.number),
        alt.Tooltip("judge_rank:Q", title="rank by the judge"),
    )
    layers = [
        corner("↖ people place it higher", alt.value(6), alt.value(14), "left"),
        corner("the judge places it higher ↘", alt.value("width"), alt.value("height"), "right"),
        picked(points, ["preview_id"], tips, x=x, y=y, color=colour, shape=shape),
    ]
    return finish(layers)


def drawn_as(labels: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Label -> colour and shape: neighbours differ in both, and no two of 42 patterns share both."""
    every = dict.fromkeys(labels)
    return {label: (COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i, label in enumerate(every)}


def signs(labels: Sequence[str], present: Collection[str]) -> list[tuple[str, str, str]]:
    """What the chart draws for each pattern that is in it: label, sign, colour.

    >>> signs(["a", "b", "c"], {"a", "c"})
    [('a', '●', '#0072B2'), ('c', '◆', '#009E73')]
    """
    return [(label, SIGNS[shape], colour) for label, (colour, shape) in drawn_as(labels).items() if label in present]


def corner(text: str, x: Any, y: Any, align: Literal["left", "right"]) -> alt.Chart:
    """What a corner of the plot means."""
    mark = alt.Chart(pd.DataFrame({"words": [text]})).mark_text(align=align, color=GREY, fontSize=12, dy=-6, dx=-4)
    return mark.encode(x=x, y=y, text="words:N")


def correlation_words(found: Correlation, within_prompts: bool = False) -> str:
    """The rank correlation with its interval and the numbers behind it."""
    on = f"n = {found.n} rated pictures of {found.checkpoints} checkpoints"
    among = " among pictures of the same prompt" if within_prompts else ""
    if pd.isna(found.rho):
        return f"No rank correlation yet, {on}."
    sure = "no interval yet: rate pictures of more checkpoints" if pd.isna(found.low) else f"95 % {found.interval}"
    return f"Rank correlation{among} {found.rho:.2f} ({sure}), {on}. 1 = the same order, 0 = no relation."
