"""A score over the values of one setting, or over what several settings make together."""

import altair as alt
import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._summary import pairs_and_summary
from pages._view import View, behind, download, metric_choice, show
from workbench.charting.derived_chart import at_last, derived_notes, score_by_derived
from workbench.charting.setting_chart import score_by_setting, setting_notes
from workbench.findings import derived
from workbench.findings.analysis import Tables
from workbench.sweep import settings

TOGETHER = "made by several settings together"
OLD_VIEW = "Weight change"  # a view of its own once; links to it are still about


def keep_old_links() -> None:
    """Lead a link to the former view of the weight change to where it is now."""
    if st.query_params.get("view") == OLD_VIEW and "view" not in st.session_state:
        del st.query_params["view"]
        st.session_state["view"] = "One setting"
        st.session_state["setting"] = "weight_change"


def by_setting(view: View) -> None:
    """A score over the values of one setting, or of what several make together."""
    tables = view.tables
    names = settings.varied(tables.settings)
    rows = view.worked_out(derived.derived_table)
    axes = derived.offered(rows)
    if not names and not axes:
        shared.nothing_yet(
            "All patterns have the same settings so far. Clone one and change something.",
            "patterns",
            "Clone one",
        )
    titles = {name: settings.field(name).title for name in names}
    titles |= {key: f"{derived.AXES[key].title} · {TOGETHER}" for key in axes}
    first = list(titles).index(opens_on(view, list(titles)))
    with st.container(horizontal=True):
        chosen = st.selectbox(
            "Setting",
            titles,
            index=first,
            format_func=titles.__getitem__,
            key="setting",
            bind="query-params",
            width=420,
        )
        metric = metric_choice(view)
    if chosen in axes:
        over_an_axis(view, rows, str(chosen), axes, metric)
    else:
        over_a_setting(view, str(chosen), metric)


def opens_on(view: View, names: list[str]) -> str:
    """The setting that is shown before one is chosen: the first that helped, else the first of all."""
    rows, found = pairs_and_summary(view.db, view.project, view.tables.main_metric)
    heads = [line.params["head"] for line in found.helped]
    labels = rows.drop_duplicates("setting").set_index("setting")["group"]
    helped = [name for head in heads for name in labels.index[labels == head] if name in names]
    return (helped or names)[0]


def over_a_setting(view: View, setting: str, metric: str) -> None:
    """A point per run over the value of one setting."""
    picked = show(view.drawn(score_by_setting, setting, metric), "by-setting")
    st.caption(shared.plain(" ".join(view.worked_out(setting_notes, setting, metric))))
    runs = [point["run_id"] for point in picked]
    last = view.tables.runs[view.tables.runs["run_id"].isin(runs)]
    behind(view, "checkpoint_id", list(last["checkpoint_id"]), metric, "setting-pictures")
    download(view.tables.runs, "runs")


def over_an_axis(view: View, rows: pd.DataFrame, key: str, axes: list[str], metric: str) -> None:
    """A point per run, or per checkpoint, over what several settings make together."""
    axis, tables = derived.AXES[key], view.tables
    last = at_last(tables, rows)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        every = axis.grows and st.toggle("Every checkpoint", key="every checkpoint", help="Not only the last ones.")
        chosen = st.multiselect(
            "In colour", sorted(set(rows["label"])), key="in colour", placeholder="the leading few", width=420
        )
    if rows.dropna(subset=[key, metric]).empty:
        st.info(f"No checkpoint has both a score and a measured {axis.label}.")
        return
    st.caption(f"{axis.meaning} Source: {axis.source}. {derived.NOT_MATCHED}")
    order = derived.strongest(last, metric, axes)
    if order:
        st.markdown(shared.plain(derived.order_words(order, tables.metric(metric).label)))
    chart = view.drawn(over_axis_of, key, metric, bool(every), tuple(chosen))
    ids = [point["checkpoint_id"] for point in show(chart, "by-derived")]
    st.caption(shared.plain(" ".join(derived_notes(tables, rows, key, metric, bool(every), chosen))))
    behind(view, "checkpoint_id", ids, metric, "derived-pictures")
    download(rows if every else last, "runs")


def over_axis_of(tables: Tables, key: str, metric: str, every: bool, chosen: tuple[str, ...]) -> alt.LayerChart:
    """The chart over what several settings make together."""
    return score_by_derived(tables, derived.derived_table(tables), key, metric, every, chosen)
