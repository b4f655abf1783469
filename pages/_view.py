"""What the views of the Charts page share: what they are about, the choice of a score, the pictures behind a point."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import Chart, Drawn, Found, drawn, show, worked_out
from pages._pictures import picture_grid, show_preview
from workbench.findings.analysis import Tables
from workbench.findings.metrics import METRICS
from workbench.pictures import gallery
from workbench.plans.plan import EvalPlan

__all__ = ["ROLES", "View", "behind", "download", "metric_choice", "pictures", "show"]

ROLES = {"all": ("identity", "neutral"), "identity": ("identity",), "neutral": ("neutral",)}


@dataclass(frozen=True)
class View:
    """What one page run of the Charts page is about."""

    db: Database
    project: dict[str, Any]
    tables: Tables
    plan: EvalPlan
    measured: list[str]  # the scores that any checkpoint has

    def worked_out(self, work: Callable[..., Found], *arguments: Hashable) -> Found:
        """``work(tables, *arguments)``, kept until the tables change: see :func:`_drawn.worked_out`."""
        return worked_out(self.db, self.project["id"], work, *arguments)

    def drawn(self, chart: Callable[..., Chart], *arguments: Hashable) -> Drawn:
        """The chart ``chart(tables, *arguments)``, kept in the same way."""
        return drawn(self.db, self.project["id"], chart, *arguments)


def metric_choice(view: View) -> str:
    """A score that was measured."""
    titles = {key: view.tables.metric(key).title for key in view.measured}
    return str(
        st.selectbox(
            "Score", view.measured, format_func=titles.__getitem__, key="score", bind="query-params", width=440
        )
    )


def pictures(view: View, column: str, values: list[Any], metric: str, key: str, strength: float | None = None) -> None:
    """The previews behind a point, under the person's photos and the base row. No strength = the plan's main one."""
    previews = view.tables.previews
    previews = previews[previews["is_base"] | previews[column].isin(values)]
    seeds = () if column == "preview_id" else gallery.shown_seeds(view.plan)
    chosen = gallery.choose(previews, view.plan, roles=ROLES[METRICS[metric].role], seeds=seeds, strength=strength)
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
        "Download as CSV",
        partial(table.to_csv, index=False),  # made when it is asked for
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
