"""What the views of the Charts page share: what they are about, the choice of a score, the pictures behind a point."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import picture_grid, show_preview
from workbench.findings.analysis import Tables
from workbench.findings.metrics import METRICS
from workbench.pictures import gallery
from workbench.plans.plan import EvalPlan

ROLES = {"all": ("identity", "neutral"), "identity": ("identity",), "neutral": ("neutral",)}


@dataclass(frozen=True)
class View:
    """What one page run of the Charts page is about."""

    db: Database
    project: dict[str, Any]
    tables: Tables
    plan: EvalPlan
    measured: list[str]  # the scores that any checkpoint has


def show(chart: alt.LayerChart, key: str, height: int | None = None) -> list[dict[str, Any]]:
    """Draw a chart; returns what was clicked in it."""
    event = st.altair_chart(chart, key=key, height=height or chart.height, on_select="rerun", selection_mode="pick")
    return list(event.selection.get("pick", []))


def metric_choice(view: View) -> str:
    """A score that was measured."""
    titles = {key: view.tables.metric(key).title for key in view.measured}
    return str(
        st.selectbox(
            "Score", view.measured, format_func=titles.__getitem__, key="score", bind="query-params", width=440
        )
    )


def pictures(view: View, column: str, values: list[Any], metric: str, key: str) -> None:
    """The previews behind a point, under the person's photos and the base row."""
    previews = view.tables.previews
    previews = previews[previews["is_base"] | previews[column].isin(values)]
    seeds = () if column == "preview_id" else gallery.shown_seeds(view.plan)
    chosen = gallery.choose(previews, view.plan, roles=ROLES[METRICS[metric].role], seeds=seeds)
    held = shared.held_back(view.db, view.project, f"reveal in {key}", chosen["token"])
    grid = shared.with_reference(view.db, view.project, gallery.preview_grid(chosen, view.plan, held))
    picked = picture_grid(grid, 128, None, key)
    if picked:
        row = previews[previews["token"] == picked].iloc[0].to_dict()
        show_preview(row, shared.all_settings(view.db, row))


def behind(view: View, column: str, values: list[Any], metric: str, key: str) -> None:
    """The pictures of what was clicked, or how to get them."""
    st.caption(view.tables.metric(metric).meaning)
    if values:
        pictures(view, column, values, metric, key)
    else:
        st.caption("Click a point to see its pictures.")


def download(table: pd.DataFrame, name: str) -> None:
    """A button for the figures of a chart."""
    st.download_button(
        "Download as CSV", table.to_csv(index=False), f"{name}.csv", "text/csv", icon=":material/download:"
    )
