"""Queue: how far the sweep is, what trains now, and what became of every run."""

import contextlib
from typing import Any

import numpy as np
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import charted, show_still
from pages._pictures import picture_grid
from workbench import sentences, views
from workbench.charting.loss_curve import loss_curve
from workbench.keeping import bin
from workbench.pictures import gallery
from workbench.plans.plan import plan_of
from workbench.running import hours, queue, run_log
from workbench.running.progress import Progress, progress
from workbench.words import duration

MOST_ROWS, ROW_PX = 12, 33  # a longer table scrolls; a row with the theme's font size


@st.fragment(run_every=2)
def sweep() -> None:
    """Everything that moves, read anew every two seconds while the page is open."""
    db = shared.open_workbench()
    listed = views.runs(db, project["id"])
    now = progress(db, project["id"])
    overview(now)
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
    if not now.finished or hours.is_paused(shared.open_workbench()):
        shared.waits(now)


def controls() -> None:
    """Pause or resume the whole queue."""
    paused = hours.is_paused(shared.open_workbench())
    st.button(
        "Resume" if paused else "Pause",
        icon=":material/play_arrow:" if paused else ":material/pause:",
        type="primary" if paused else "secondary",
        help="What trains saves its state and goes on from there later. Previews and scores stop too.",
        on_click=switch,
        args=(not paused,),
    )


def switch(pause: bool) -> None:
    """Pause the queue, or let it go on. (A database that the page has open belongs to the page's own thread.)"""
    (hours.pause if pause else hours.resume)(shared.open_workbench())


def run_hours() -> None:
    """The hours in which the queue may work."""
    db = shared.open_workbench()
    now = hours.window(db)
    with st.popover(f"Works {now}" if now else "Works at any hour", icon=":material/schedule:"):
        st.markdown("Train and make pictures only at certain hours, such as at night.")
        night = now or hours.parse_window("22:00-07:00")
        start, end = st.columns(2)
        first = start.time_input("From", night.start, step=900)
        last = end.time_input("Until", night.end, step=900)
        with st.container(horizontal=True):
            if st.button("Only in these hours", type="primary"):
                try:
                    hours.set_window(db, hours.make_window(first, last))
                except hours.HoursError as error:
                    st.error(shared.plain(str(error)))
                else:
                    st.rerun()
            if st.button("At any hour", disabled=now is None):
                hours.set_window(db, None)
                st.rerun()
        st.caption("Times of this computer. What trains when the time is over saves its state and waits.")


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
    name = f"{views.run_name(run)}, seed {run['seed']}"
    st.subheader(shared.plain(f"{name}: {sentences.status_word(run['status'])}"))
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
        if run["status"] == "queued":
            order(run["id"])
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
            show_still(charted(loss_curve, np.array(points)), f"loss-{run['id']}", 280)
        else:
            st.caption("No loss yet.")
    with log:
        st.code(lines or "nothing logged yet", language=None, height=280, wrap_lines=True)
    samples(db, run)


PLACES: dict[queue.Where, str] = {
    "first": ":material/vertical_align_top:",
    "up": ":material/arrow_upward:",
    "down": ":material/arrow_downward:",
    "last": ":material/vertical_align_bottom:",
}


def order(run_id: int) -> None:
    """Buttons that move a waiting run."""
    for where, icon in PLACES.items():
        st.button(where.capitalize(), icon=icon, key=f"{where}-{run_id}", on_click=move, args=(run_id, where))


def move(run_id: int, where: queue.Where) -> None:
    """Move a run in the queue, and keep it open below; if it trains by now there is nothing left to move."""
    with contextlib.suppress(queue.QueueError):
        queue.move(shared.open_workbench(), run_id, where)
    st.session_state["ticked run"] = run_id


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
    chosen = gallery.choose(own, plan, seeds=gallery.shown_seeds(plan))
    held = shared.held_back(db, project, f"reveal of run {run['id']}", chosen["token"])
    picture_grid(gallery.preview_grid(chosen, plan, held), 96, None, "samples")


def just_deleted() -> None:
    """Say once that the run page has put a run into the bin, with the way back."""
    run_id = st.session_state.pop("deleted run", None)
    if run_id is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Run {run_id} is in the bin, which is at the end of Home.", width="content")
        st.button("Undo", icon=":material/undo:", on_click=bring_back, args=(run_id,))


def bring_back(run_id: int) -> None:
    """Take a run out of the bin again, unless it is out or gone already."""
    with contextlib.suppress(bin.BinError):
        bin.restore(shared.workspace(), shared.open_workbench(), f"run {run_id}")


st.title("Queue")
ws, db = shared.workspace(), shared.open_workbench()
just_deleted()
project = shared.project_or_stop(db)
if not views.runs(db, project["id"]):
    shared.nothing_yet("Nothing is queued. Choose patterns and seeds, and queue them.", "patterns", "Choose patterns")
shared.plan_note(db, project)
with st.container(horizontal=True):
    controls()
    run_hours()
sweep()
