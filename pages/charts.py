"""Charts: which setting helped, how sure that is, and the pictures behind every point."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._article import author_marks
from pages._map import answer_in_map
from pages._matrix import through_other_eyes
from pages._next_runs import next_runs
from pages._pictures import picture_grid, show_preview
from workbench import views
from workbench.charting import charts, checkpoint_charts
from workbench.findings.contrast import contrast_table
from workbench.findings.metrics import METRICS
from workbench.findings.verdicts import exploratory
from workbench.pictures import gallery
from workbench.plans.plan import plan_of
from workbench.sweep import settings

ROW_PX, FRAME_PX = 38, 200  # a row of the pairs' chart; its axis, legend and notes
ROLES = {"all": ("identity", "neutral"), "identity": ("identity",), "neutral": ("neutral",)}
PLACES = {"updates": "updates", "images seen": "images_seen"}


def show(chart: alt.LayerChart, key: str, height: int | None = None) -> list[dict[str, Any]]:
    """Draw a chart; returns what was clicked in it."""
    event = st.altair_chart(chart, key=key, height=height or chart.height, on_select="rerun", selection_mode="pick")
    return list(event.selection.get("pick", []))


def pictures(column: str, values: list[Any], metric: str, key: str) -> None:
    """The previews behind a point, under the person's photos and the base row."""
    previews = tables.previews[tables.previews["is_base"] | tables.previews[column].isin(values)]
    seeds = () if column == "preview_id" else gallery.shown_seeds(plan)
    chosen = gallery.choose(previews, plan, roles=ROLES[METRICS[metric].role], seeds=seeds)
    held = shared.held_back(db, project, f"reveal in {key}", chosen["token"])
    grid = shared.with_reference(db, project, gallery.preview_grid(chosen, plan, held))
    picked = picture_grid(grid, 128, None, key)
    if picked:
        row = previews[previews["token"] == picked].iloc[0].to_dict()
        show_preview(row, shared.all_settings(db, row))


def metric_choice() -> str:
    """A score that was measured."""
    titles = {key: tables.metric(key).title for key in measured}
    return str(
        st.selectbox("Score", measured, format_func=titles.__getitem__, key="score", bind="query-params", width=440)
    )


def behind(column: str, values: list[Any], metric: str, key: str) -> None:
    """The pictures of what was clicked, or how to get them."""
    st.caption(tables.metric(metric).meaning)
    if values:
        pictures(column, values, metric, key)
    else:
        st.caption("Click a point to see its pictures.")


def download(table: pd.DataFrame, name: str) -> None:
    st.download_button(
        "Download as CSV", table.to_csv(index=False), f"{name}.csv", "text/csv", icon=":material/download:"
    )


def only_one_differs() -> None:
    """Pairs of patterns that differ in one setting: the fairest comparison there is."""
    metric = metric_choice()
    rows = contrast_table(tables, metric)
    if rows.empty:
        shared.nothing_yet(
            "No two measured patterns differ in exactly one setting. Clone a pattern and change one thing.",
            "patterns",
            "Clone one",
        )
    picked = show(charts.contrast_chart(rows), "pairs", FRAME_PX + ROW_PX * len(rows))
    row = shared.matching(rows, picked[0]) if picked else rows.iloc[0]
    st.subheader(shared.plain(row["change"]))
    st.markdown(shared.plain(row["sentence"]))
    both = tables.runs[tables.runs["pattern_id"].isin([row["pattern_a"], row["pattern_b"]])]
    pictures("checkpoint_id", list(both["checkpoint_id"]), metric, "pair-pictures")
    st.caption(f"{exploratory(len(rows), metric, tables.main_metric)} {tables.metric(metric).meaning}")
    download(rows, "pairs")
    next_runs(db, project, tables)


def by_setting() -> None:
    """A score over the values of one setting."""
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
        metric = metric_choice()
    picked = show(charts.score_by_setting(tables, setting, metric), "by-setting")
    runs = [point["run_id"] for point in picked]
    last = tables.runs[tables.runs["run_id"].isin(runs)]
    behind("checkpoint_id", list(last["checkpoint_id"]), metric, "setting-pictures")
    author_marks(db, project, setting)
    download(tables.runs, "runs")


def by_checkpoint() -> None:
    """A score over the course of the training."""
    with st.container(horizontal=True):
        metric = metric_choice()
        place = st.segmented_control("Over", PLACES, default="updates", key="over", bind="query-params", required=True)
    chart = charts.score_by_checkpoint(tables.checkpoints, metric, PLACES[place], tables.labels)
    ids = [point["checkpoint_id"] for point in show(chart, "by-checkpoint")]
    behind("checkpoint_id", ids, metric, "checkpoint-pictures")
    download(tables.checkpoints, "checkpoints")


def by_weight_change() -> None:
    """A score over how far the weights were moved."""
    metric = metric_choice()
    chart = checkpoint_charts.score_by_change(tables, metric)
    if chart is None:
        st.info(
            "No checkpoint has both a score and a measured weight change. Runs that are trained from now on measure it."
        )
        return
    st.caption("Alpha, rate, optimiser and updates all act through this: how far the LoRA moves the model's weights.")
    ids = [point["checkpoint_id"] for point in show(chart, "by-weight-change")]
    behind("checkpoint_id", ids, metric, "weight-change-pictures")
    download(tables.checkpoints, "checkpoints")


VIEWS = {
    "Only one thing differs": only_one_differs,
    "One setting": by_setting,
    "Over the training": by_checkpoint,
    "Epochs x strengths": lambda: answer_in_map(db, project, tables, plan, prominent=False),
    "Weight change": by_weight_change,
    "Other base or clip skip": lambda: through_other_eyes(db, project, tables, plan),
}
OF_PICTURES = ("Epochs x strengths",)

st.title("Charts")
db = shared.open_workbench()
project = shared.project_or_stop(db)
tables, plan = shared.tables(db, project["id"]), plan_of(db, project["id"])
measured = views.measured(tables)
if (tables.previews["face_status"] == "unavailable").any():
    st.warning(
        f"Likeness is not measured: the judge {shared.plain(project['face_judge'])} is not on this computer. "
        "`python -m workbench doctor` says how to get it.",
        icon=":material/face:",
    )
if not measured:
    if len(tables.previews) and project["face_judge"] == project["clip_judge"] == "none":
        shared.nothing_yet("No scores yet. Without a judge they are your marks.", "rate", "Rate")
    shared.nothing_yet("No scores yet. The first points come with the first checkpoint.", "queue", "See the queue")
shared.reference_notes(db, project)
# of pictures made elsewhere no setting, weight or number of images is known, and updates only sometimes
offered = [name for name in VIEWS if name in OF_PICTURES] if plan.elsewhere else list(VIEWS)
view = st.segmented_control(
    "View",
    offered,
    default="Epochs x strengths" if views.made_elsewhere(db, project) else "Only one thing differs",
    key="view",
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
VIEWS[view]()
