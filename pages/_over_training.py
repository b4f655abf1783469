"""A score over the course of the training, and over the LoRA's strength."""

import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._view import View, download, metric_choice, pictures, show
from workbench.charting.chart_parts import wrecked_note
from workbench.charting.focus import FEW
from workbench.charting.training_chart import STRENGTH, Curves, common_domain, curve_notes, training_chart
from workbench.findings import curves
from workbench.findings.metrics import COSINE_ZERO, STRANGERS

PLACES = {
    "updates": "updates",
    "images seen": "images_seen",
    "minutes": "minutes",
    "weight change": "weight_change",
    "strength": STRENGTH,
}
BEST, ALL = "best of each", "all, side by side"
FLATTERS = (
    "Each pattern at the strength with its best last checkpoint. Choosing flatters: a part of its lead is luck, the "
    "more so where its strengths can't be told apart."
)


def over_the_training(view: View) -> None:
    """A score at every checkpoint with its interval, at one strength or at all; or over the strengths."""
    tables = view.tables
    with st.container(horizontal=True):
        metric = metric_choice(view)
        cells = curves.at_strengths(tables, metric)
        means = curves.pattern_means(cells)
        place = choose_place(cells)
        strength = choose_strength(view, cells) if place != STRENGTH else None
        labels = sorted(set(cells["label"]))
        chosen = st.multiselect("In colour", labels, key="in colour", placeholder="the leading few", width=420)
    if place == STRENGTH and metric == "likeness":
        st.caption(curves.FACELESS)
    if strength == BEST:
        st.caption(FLATTERS)
    if strength == ALL:
        picked = side_by_side(view, cells, means, metric, place, chosen)
        curve = drawn_from(view, metric, cells, means)
    else:
        curve = drawn_from(view, metric, *part_of(cells, means, metric, place, strength))
        picked = show(training_chart(curve, place, chosen), f"by-{place}")
    missing = wrecked_note(tables.runs if place == STRENGTH else tables.checkpoints, metric)
    st.caption(shared.plain(" ".join([*curve_notes(curve, place, chosen), *missing])))
    st.caption(tables.metric(metric).meaning)
    if not picked:
        st.caption("Click a point to see its pictures.")
    for at in dict.fromkeys(point[STRENGTH] for point in picked):
        ids = [point["checkpoint_id"] for point in picked if point[STRENGTH] == at]
        if len(view.plan.strengths) > 1:
            st.markdown(f"**Strength {at:g}**")
        pictures(view, "checkpoint_id", ids, metric, f"checkpoint-pictures-{at:g}", float(at))
    download(means.drop(columns="variance"), "checkpoints")


def choose_place(cells: pd.DataFrame) -> str:
    """Over what: what was measured of any checkpoint; the strength where there are several."""
    places = {
        name: key
        for name, key in PLACES.items()
        if (cells[STRENGTH].nunique() > 1 if key == STRENGTH else cells[key].notna().any() or key == "updates")
    }
    chosen = st.segmented_control("Over", places, default="updates", key="over", bind="query-params", required=True)
    return places[str(chosen)]


def choose_strength(view: View, cells: pd.DataFrame) -> str | None:
    """A strength as text, BEST or ALL; None where there is one only."""
    strengths = sorted(cells[STRENGTH].unique())
    if len(strengths) < 2:
        return None
    names = [f"{strength:g}" for strength in strengths]
    main = f"{view.plan.main_strength:g}"
    options = [*names, BEST, ALL]
    return str(
        st.selectbox(
            "Strength",
            options,
            index=options.index(main) if main in names else 0,
            key="at strength",
            bind="query-params",
            width=180,
        )
    )


def part_of(
    cells: pd.DataFrame, means: pd.DataFrame, metric: str, place: str, strength: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells and means of one chart."""
    if place == STRENGTH:
        return cells[cells["is_last"].astype(bool)], means[means["is_last"].astype(bool)]
    if strength == BEST:
        best = curves.best_strengths(means, metric)
        return curves.at_best_strength(cells, best), curves.at_best_strength(means, best)
    if strength is None:
        return cells, means
    return cells[cells[STRENGTH].map("{:g}".format) == strength], means[means[STRENGTH].map("{:g}".format) == strength]


def side_by_side(
    view: View, cells: pd.DataFrame, means: pd.DataFrame, metric: str, place: str, chosen: list[str]
) -> list[dict[str, float]]:
    """A chart for each strength, on one scale, with the same patterns in colour; returns what was clicked."""
    main = means[means[STRENGTH] == view.plan.main_strength]
    leaders = curves.leading(main if len(main) else means, metric, FEW)
    domain = common_domain(drawn_from(view, metric, cells, means))
    columns, picked = st.columns(2), []
    for number, strength in enumerate(sorted(cells[STRENGTH].unique())):
        part = (cells[cells[STRENGTH] == strength], means[means[STRENGTH] == strength])
        chart = training_chart(drawn_from(view, metric, *part), place, chosen, leaders, domain)
        with columns[number % 2]:
            st.markdown(f"**Strength {strength:g}**")
            picked += show(chart, f"by-{place}-{strength:g}")
    return picked


def drawn_from(view: View, metric: str, cells: pd.DataFrame, means: pd.DataFrame) -> Curves:
    """All that a chart of the view is drawn from."""
    rows = view.tables.checkpoints
    base = list(rows.loc[rows["is_base"], metric].dropna())
    zero = COSINE_ZERO if COSINE_ZERO in set(rows["zero"]) else STRANGERS
    return Curves(cells, means, base, view.tables.metric(metric), list(view.tables.labels.values()), zero)
