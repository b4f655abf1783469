"""A score over the course of the training, and over the LoRA's strength."""

import altair as alt
import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._view import View, download, metric_choice, pictures, show
from workbench.charting.chart_parts import wrecked_note
from workbench.charting.focus import FEW
from workbench.charting.training_chart import STRENGTH, Curves, common_domain, curve_notes, training_chart
from workbench.findings import curves
from workbench.findings.analysis import Tables
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
        cells, means = view.worked_out(measured_cells, metric)
        place = choose_place(cells)
        strength = choose_strength(view, cells) if place != STRENGTH else None
        labels = sorted(set(cells["label"]))
        chosen = st.multiselect("In colour", labels, key="in colour", placeholder="the leading few", width=420)
    if place == STRENGTH and metric == "likeness":
        st.caption(curves.FACELESS)
    if strength == BEST:
        st.caption(FLATTERS)
    if strength == ALL:
        picked = side_by_side(view, cells, metric, place, tuple(chosen))
    else:
        picked = show(view.drawn(curves_of, metric, place, strength, tuple(chosen)), f"by-{place}")
    st.caption(shared.plain(view.worked_out(notes_of, metric, place, strength, tuple(chosen))))
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
    return places[chosen or "updates"]  # a link may name none


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
    view: View, cells: pd.DataFrame, metric: str, place: str, chosen: tuple[str, ...]
) -> list[dict[str, float]]:
    """A chart for each strength, on one scale, with the same patterns in colour; returns what was clicked."""
    columns, picked = st.columns(2), []
    for number, strength in enumerate(sorted(cells[STRENGTH].unique())):
        chart = view.drawn(one_of_several, metric, place, float(strength), chosen, view.plan.main_strength)
        with columns[number % 2]:
            st.markdown(f"**Strength {strength:g}**")
            picked += show(chart, f"by-{place}-{strength:g}")
    return picked


def measured_cells(tables: Tables, metric: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The score at every checkpoint and strength, and the means over the runs of each pattern."""
    cells = curves.at_strengths(tables, metric)
    return cells, curves.pattern_means(cells)


def curve_at(tables: Tables, metric: str, place: str, strength: str | None) -> Curves:
    """What the chart of a place and strength is drawn from."""
    cells, means = measured_cells(tables, metric)
    whole = strength == ALL and place != STRENGTH
    return drawn_from(tables, metric, *((cells, means) if whole else part_of(cells, means, metric, place, strength)))


def curves_of(tables: Tables, metric: str, place: str, strength: str | None, chosen: tuple[str, ...]) -> alt.LayerChart:
    return training_chart(curve_at(tables, metric, place, strength), place, chosen)


def one_of_several(
    tables: Tables, metric: str, place: str, strength: float, chosen: tuple[str, ...], main: float
) -> alt.LayerChart:
    """The chart of one strength beside those of the others."""
    cells, means = measured_cells(tables, metric)
    at_main = means[means[STRENGTH] == main]
    leaders = curves.leading(at_main if len(at_main) else means, metric, FEW)
    domain = common_domain(drawn_from(tables, metric, cells, means))
    part = drawn_from(tables, metric, cells[cells[STRENGTH] == strength], means[means[STRENGTH] == strength])
    return training_chart(part, place, chosen, leaders, domain)


def notes_of(tables: Tables, metric: str, place: str, strength: str | None, chosen: tuple[str, ...]) -> str:
    """What stands under the chart."""
    missing = wrecked_note(tables.runs if place == STRENGTH else tables.checkpoints, metric)
    return " ".join([*curve_notes(curve_at(tables, metric, place, strength), place, chosen), *missing])


def drawn_from(tables: Tables, metric: str, cells: pd.DataFrame, means: pd.DataFrame) -> Curves:
    """All that a chart of the view is drawn from."""
    rows = tables.checkpoints
    base = list(rows.loc[rows["is_base"], metric].dropna())
    zero = COSINE_ZERO if COSINE_ZERO in set(rows["zero"]) else STRANGERS
    return Curves(cells, means, base, tables.metric(metric), list(tables.labels.values()), zero)
