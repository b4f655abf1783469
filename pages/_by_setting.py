"""A score over the values of one setting, or over what several settings make together."""

import streamlit as st

from pages import _shared as shared
from pages._article import author_marks
from pages._view import View, behind, download, metric_choice, show
from workbench.charting import checkpoint_charts
from workbench.charting.setting_chart import score_by_setting
from workbench.sweep import settings


def by_setting(view: View) -> None:
    """A score over the values of one setting."""
    tables = view.tables
    names = settings.varied(tables.settings)
    if not names:
        shared.nothing_yet(
            "All patterns have the same settings so far. Clone one and change something.",
            "patterns",
            "Clone one",
        )
    with st.container(horizontal=True):
        titles = {name: settings.field(name).title for name in names}
        setting = st.selectbox(
            "Setting", names, format_func=titles.__getitem__, key="setting", bind="query-params", width=280
        )
        metric = metric_choice(view)
    picked = show(score_by_setting(tables, setting, metric), "by-setting")
    runs = [point["run_id"] for point in picked]
    last = tables.runs[tables.runs["run_id"].isin(runs)]
    behind(view, "checkpoint_id", list(last["checkpoint_id"]), metric, "setting-pictures")
    author_marks(view.db, view.project, setting)
    download(tables.runs, "runs")


def by_weight_change(view: View) -> None:
    """A score over how far the weights were moved."""
    metric = metric_choice(view)
    chart = checkpoint_charts.score_by_change(view.tables, metric)
    if chart is None:
        st.info(
            "No checkpoint has both a score and a measured weight change. Runs that are trained from now on measure it."
        )
        return
    st.caption("Alpha, rate, optimiser and updates all act through this: how far the LoRA moves the model's weights.")
    ids = [point["checkpoint_id"] for point in show(chart, "by-weight-change")]
    behind(view, "checkpoint_id", ids, metric, "weight-change-pictures")
    download(view.tables.checkpoints, "checkpoints")
