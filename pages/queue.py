"""Queue: how far the sweep is, what trains now, and what became of every run."""

from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import picture_grid
from workbench import charts, gallery, queue, rating, run_log, sentences, views
from workbench.plan import plan_of
from workbench.progress import Progress, progress
from workbench.words import duration

MOST_ROWS, ROW_PX = 12, 33  # a longer table scrolls; a row with the theme's font size


@st.fragment(run_every=2)
def sweep() -> None:
    """Everything that moves, read anew every two seconds while the page is open."""
    db = shared.open_workbench()
    listed = views.runs(db, project["id"])
    overview(progress(db, project["id"]))
    chosen = table(listed)
    detail(chosen)


def overview(now: Progress) -> None:
    """One bar for the whole sweep, with the time that is left."""
    ended = now.runs_done + now.runs_failed + now.runs_cancelled
    parts = [
        f"{ended} of {now.runs_total} runs ended",
        f"{now.previews_done} of {now.previews_expected} previews",
    ]
    if now.scores_missing:
        parts.append(f"{now.scores_missing} scores to come")
    if now.eta_s and not now.finished:
        parts.append(f"about {duration(now.eta_s)} left")
    st.progress(now.share, " · ".join(parts))
    if now.worker is None and not now.finished:
        st.warning(shared.NO_WORKER, icon=":material/power_off:")


def table(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """All runs; returns the one that is ticked, else the first: it trains, or is next, or was last."""
    rows = views.in_queue_order(listed)
    order = [row["id"] for row in rows]
    ticked = st.session_state.get("ticked run")
    columns = {
        "run": st.column_config.NumberColumn(width=50),
        "pattern": st.column_config.TextColumn(width=170),
        "seed": st.column_config.NumberColumn(width=50),
        "status": st.column_config.TextColumn(width=85),
        "progress": st.column_config.ProgressColumn(format="percent", width="small"),
        "what happened": st.column_config.TextColumn(width="large"),
    }
    picked = st.dataframe(
        views.run_rows(rows),
        hide_index=True,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        key=f"runs {order}",  # a tick means a place: where runs have moved it is set anew
        selection_default={"selection": {"rows": [order.index(ticked)] if ticked in order else []}},
        height="content" if len(rows) <= MOST_ROWS else (MOST_ROWS + 1) * ROW_PX + 3,
    )
    chosen = rows[picked.selection.rows[0]] if picked.selection.rows else None
    st.session_state["ticked run"] = chosen and chosen["id"]
    return chosen or rows[0]


def detail(run: dict[str, Any]) -> None:
    """One run: its loss, its log, the pictures that it has made so far."""
    db = shared.open_workbench()
    st.subheader(shared.plain(f"{run['label']}, seed {run['seed']}: {sentences.status_word(run['status'])}"))
    st.caption(views.how_far(db, run))
    why = views.why(run)
    if why:
        st.markdown(shared.plain(why))
    with st.container(horizontal=True):
        if run["status"] in ("queued", "running"):
            asked = bool(run["cancel_requested"])
            st.button(
                "Cancelling: stops after this update" if asked else "Cancel",
                icon=":material/stop:",
                key=f"cancel-{run['id']}",
                on_click=cancel,
                args=(run["id"],),
                disabled=asked,
            )
        if run["status"] in ("failed", "cancelled"):
            st.button(
                "Retry",
                icon=":material/replay:",
                key=f"retry-{run['id']}",
                on_click=shared.retry,
                args=(run["id"],),
            )
        if st.button("Open the run", icon=":material/open_in_new:", key=f"open-{run['id']}"):
            shared.go("run", run=str(run["id"]))
    points, lines = run_log.losses(ws, run["id"]), run_log.log_tail(ws, run["id"], 14)
    if not points and not lines:
        return
    loss, log = st.columns(2)
    with loss:
        if points:
            st.altair_chart(charts.loss_curve(points), key=f"loss-{run['id']}", height=280)
        else:
            st.caption("No loss yet.")
    with log:
        st.code(lines or "nothing logged yet", language=None, height=280, wrap_lines=True)
    samples(db, run)


def cancel(run_id: int) -> None:
    """Cancel, and keep this run open below: a second click must not hit whichever run comes next."""
    queue.cancel(shared.open_workbench(), run_id)
    st.session_state["ticked run"] = run_id


def samples(db: Database, run: dict[str, Any]) -> None:
    """The run's previews as they appear; those that wait to be rated stay hidden."""
    previews = shared.tables(db, project["id"]).previews
    own = previews[previews["run_id"] == run["id"]]
    if own.empty:
        return
    plan = plan_of(db, project["id"])
    held = rating.held_back_tokens(db, project, shared.rater())
    picture_grid(
        gallery.preview_grid(gallery.choose(own, plan, seeds=gallery.shown_seeds(plan)), plan, held),
        96,
        None,
        "samples",
    )


st.title("Queue")
ws, db = shared.workspace(), shared.open_workbench()
project = shared.project_or_stop(db)
if not views.runs(db, project["id"]):
    shared.nothing_yet("Nothing is queued. Choose patterns and seeds, and queue them.", "patterns", "Choose patterns")
sweep()
