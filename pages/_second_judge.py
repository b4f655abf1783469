"""A second face judge: who it is, and where the two disagree, with the pictures."""

from typing import Any

import altair as alt
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import drawn, show, worked_out
from pages._pictures import picture_grid, show_preview
from pages._projects import judge
from workbench import views
from workbench.charting.judges_chart import judges_chart
from workbench.findings.analysis import Tables
from workbench.findings.two_judges import Disagreement, disagreement
from workbench.pictures.judges_grid import judges_grid
from workbench.projects import ProjectError, change_project

SHOWN = 8  # pictures on which two judges are furthest apart


@st.fragment
def choose_second(project_id: int) -> None:
    """Name a second judge of faces, or none; what it scores stands beside the first one's."""
    db = shared.open_workbench()
    now = views.project(db, project_id)
    assert now is not None  # the page has just shown it
    second = now["second_face_judge"]
    chosen = judge("face", second, f"second judge of {project_id}, was {second}", "Second judge of likeness")
    if chosen == second:
        return
    if st.button("Save the second judge", icon=":material/save:"):
        try:
            change_project(db, project_id, second_face_judge=chosen)
        except ProjectError as error:
            st.error(shared.plain(str(error)))
        else:
            st.rerun()


def where_they_disagree(db: Database, project: dict[str, Any], tables: Tables) -> None:
    """Both judges' ranks of the same pictures, and the pictures on which they are furthest apart."""
    found = worked_out(db, project["id"], compared)
    if found is None:
        st.info("The second judge has not scored yet: it does as soon as the worker is free.")
        return
    first, second = project["face_judge"], project["second_face_judge"]
    chart = drawn(db, project["id"], two_judges, first, second)
    picked = [point["preview_id"] for point in show(chart, "two-judges")]
    st.markdown(shared.plain(faces_seen(found, first, second)))
    wanted = found.rows[found.rows["preview_id"].isin(picked)] if picked else found.rows.head(SHOWN)
    st.markdown("**The chosen picture**" if picked else "**Furthest apart**")
    held = shared.held_back(db, project, "reveal in judges", wanted["token"])
    free = found.rows[~found.rows["token"].isin(list(held))]
    rows = free[free["preview_id"].isin(picked)] if picked else free.head(SHOWN)
    if rows.empty:
        st.caption("Hidden: it waits to be rated blind.")
        return
    token = picture_grid(judges_grid(rows, first, second, len(found.rows)), 128, None, "judges-pictures")
    if token:
        row = tables.previews[tables.previews["token"] == token].iloc[0].to_dict()
        show_preview(row, shared.all_settings(db, row))


def compared(tables: Tables) -> Disagreement | None:
    return disagreement(tables.previews)


def two_judges(tables: Tables, first: str, second: str) -> alt.LayerChart:
    """The chart of pictures that both judges have scored."""
    found = compared(tables)
    assert found is not None  # the page has just found it
    return judges_chart(found, first, second)


def faces_seen(found: Disagreement, first: str, second: str) -> str:
    """Where only one of them found a face."""
    parts = [
        f"in {n} pictures only {who} found a face"
        for n, who in ((found.only_first, first), (found.only_second, second))
        if n
    ]
    said = " and ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else "Both found faces in the same pictures."
