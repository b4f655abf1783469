"""What people found: checkpoints in order with intervals, by marks and by choices, and what was flagged."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from sqlite_utils import Database
from streamlit.delta_generator import DeltaGenerator

from pages import _shared as shared
from pages._drawn import Drawn, charted, show
from pages._pictures import picture_grid, show_preview
from workbench import views
from workbench.charting.rank_chart import mark_chart, rank_chart
from workbench.findings.analysis import Tables
from workbench.people import found
from workbench.people.bradley_terry import Ranking
from workbench.pictures import gallery
from workbench.pictures.eye_grid import flag_grid
from workbench.plans.plan import plan_of
from workbench.workspace import Workspace

Row = dict[str, Any]

FIRST = 20  # checkpoints that a chart shows before it is asked for more
MARKS, CHOICES = "Marks and choices", "Choices alone"
MARK_NOTE = "From all marks and choices together, with 95 % intervals.{judge} Click a point for its pictures."
JUDGE_NOTE = " Where people have said little the judge's likeness fills in, as a mark that may be 50 points off."
RANK_NOTE = (
    "Ranks from pairs and from best and worst, with 95 % intervals that hold for all rows at once. Click a point for "
    "its pictures."
)


def what_people_found(db: Database, project: Row, tables: Tables, rater: str | None, controls: DeltaGenerator) -> None:
    """The order that people put checkpoints into, and the flags. ``controls``: where a choice of views stands."""
    revision = views.revision(db)
    home = str(shared.workspace().home)
    marked = _marked(home, project["id"], revision, rater)
    order = _from_choices(home, project["id"], revision, rater)
    offered = [name for name, there in ((MARKS, len(marked)), (CHOICES, order is not None)) if there]
    if offered:
        by = offered[0]
        if len(offered) > 1:
            by = controls.segmented_control(
                "From", offered, default=by, key="people-by", bind="query-params", required=True
            )
        if by == MARKS:
            from_marks(db, project, tables, marked)
        elif order is not None:
            from_choices(db, project, tables, order)
    else:
        st.info(
            f"{'Nobody' if rater is None else shared.plain(rater)} has given likeness marks or chosen between pictures "
            "yet: flags alone make no order.",
            icon=":material/hourglass_empty:",
        )
    flags(db, project, tables)


def what_leads(db: Database, project: Row) -> pd.DataFrame:
    """All raters' checkpoints, best first (columns of workbench.people.found.marked)."""
    return _marked(str(shared.workspace().home), project["id"], views.revision(db), None)


@st.cache_data(max_entries=8, show_spinner=False)
def _marked(home: str, project_id: int, revision: int, rater: str | None) -> pd.DataFrame:
    db = Workspace(Path(home)).open()
    project = views.project(db, project_id)
    assert project is not None  # the page shows it
    return found.marked(db, project, shared.tables(db, project_id), rater)


@st.cache_data(max_entries=8, show_spinner=False)
def _from_choices(home: str, project_id: int, revision: int, rater: str | None) -> Ranking | None:
    db = Workspace(Path(home)).open()
    project = views.project(db, project_id)
    assert project is not None  # the page shows it
    return found.from_choices(db, project, shared.tables(db, project_id), rater)


def from_marks(db: Database, project: Row, tables: Tables, rows: pd.DataFrame) -> None:
    """Mean marks, best first."""
    st.subheader(shared.plain(found.told_apart(rows)))
    shown = leading(rows, "marks")
    ids = clicked_in(charted(mark_chart, shown), "people-marks")
    st.caption(MARK_NOTE.format(judge=JUDGE_NOTE if tables.previews["likeness"].notna().any() else ""))
    pictures(db, project, tables, ids, "marks")
    st.download_button("Download as CSV", rows.to_csv(index=False), "marks.csv", "text/csv", icon=":material/download:")


def from_choices(db: Database, project: Row, tables: Tables, order: Ranking) -> None:
    """Ranks by choices, a chart for each group of checkpoints that were compared with each other."""
    each = found.order_of(order, found.names_of(tables))
    st.subheader(f"{'Group 1: ' if len(each) > 1 else ''}{shared.plain(found.told_apart(each[0]))}")
    st.markdown(shared.plain(order.behind))
    if len(each) > 1:
        st.warning(
            f"Not connected: these are {len(each)} groups of checkpoints that were never compared with each other, so "
            "there is no order between them. More pairs connect them.",
            icon=":material/link_off:",
        )
    ids: list[int] = []
    for number, rows in enumerate(each, 1):
        if len(each) > 1:
            st.markdown(f"**Group {number}**")
        ids += clicked_in(charted(rank_chart, leading(rows, f"group {number}"), len(rows)), f"people-ranks-{number}")
    st.caption(RANK_NOTE)
    pictures(db, project, tables, ids, "choices")
    table = pd.concat(each)
    st.download_button(
        "Download as CSV", table.to_csv(index=False), "choices.csv", "text/csv", icon=":material/download:"
    )


def leading(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """The first rows of an order, or all when they are asked for."""
    if len(rows) <= FIRST or st.toggle(f"Show all {len(rows)} checkpoints", key=f"all of {what}"):
        return rows
    return rows.head(FIRST)


def clicked_in(chart: Drawn, key: str) -> list[int]:
    """Draw a chart; returns the checkpoints that were clicked in it."""
    return [int(point["checkpoint_id"]) for point in show(chart, key)]


def pictures(db: Database, project: Row, tables: Tables, checkpoint_ids: list[int], key: str) -> None:
    """The pictures of clicked checkpoints under the person's photos; those that wait to be rated stay hidden."""
    if not checkpoint_ids:
        return
    previews, plan = tables.previews, plan_of(db, project["id"])
    wanted = previews["is_base"] | previews["checkpoint_id"].isin(checkpoint_ids)
    chosen = gallery.choose(previews[wanted], plan, roles=("identity",))
    held = shared.held_back(db, project, f"reveal in people {key}", chosen["token"])
    grid = gallery.preview_grid(chosen, plan, held)
    clicked(tables, picture_grid(shared.with_reference(db, project, grid), 128, None, f"people-pictures-{key}"), db)


def clicked(tables: Tables, token: str | None, db: Database) -> None:
    """A picture as it was rendered, when one was clicked just now."""
    if token:
        row = tables.previews[tables.previews["token"] == token].iloc[0].to_dict()
        show_preview(row, shared.all_settings(db, row))


def flags(db: Database, project: Row, tables: Tables) -> None:
    """How many pictures of each checkpoint were flagged, and those pictures."""
    held = shared.hidden(db, project)
    counts, rows = found.flagged(tables.previews, held)
    if counts.empty:
        return
    st.subheader("Flagged")
    names = found.names_of(tables)
    table = counts.drop(columns="checkpoint_id")
    table.insert(0, "checkpoint", [names[int(key)] for key in counts["checkpoint_id"]])
    table = table.loc[:, [name for name in table if name in ("checkpoint", "pictures") or table[name].any()]]
    st.dataframe(table, hide_index=True, height="content", width="content")
    if rows.empty:
        st.caption("The flagged pictures wait to be rated by you, so they are hidden.")
        return
    if st.toggle(f"Show the flagged pictures ({len(rows)})", key="flagged pictures"):
        shared.shown_by_name(db, project, rows["token"])
        clicked(tables, picture_grid(flag_grid(rows), 128, None, "people-flagged"), db)
