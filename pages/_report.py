"""What was found, to keep and to pass on: three files, each made when it is asked for."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import worked_out
from workbench.findings.best import best_so_far
from workbench.report import deliver
from workbench.report.leader import has_leader
from workbench.words import slug


def downloads(db: Database, project: dict[str, Any], elsewhere: bool) -> None:
    """A button per file, once there is something to report; what waits to be rated is blank in them."""
    project_id = project["id"]
    if elsewhere:
        there = worked_out(db, project_id, has_leader, True)
    else:
        there = worked_out(db, project_id, best_so_far) is not None  # Home has just asked for it
    if not there:
        return
    home, rater, name = shared.workspace().home, shared.rater(), slug(project["name"])

    def made(kind: str, photos: bool = False) -> Callable[[], bytes]:
        return lambda: deliver.made(home, project["id"], kind, rater, photos)

    with st.expander("Report: keep it, or pass it on", icon=":material/summarize:"):
        st.markdown(
            "The report is one file for a browser: what helped, how sure that is and what to train next, then every "
            "pair, the ranking, time against score, pictures, every setting, and how it was measured. It fetches "
            "nothing. The figures are all tables as CSV and JSON. The picture shows the best row beside the "
            "base row."
        )
        photos = st.toggle(
            "Show the real reference photos in the report",
            help="Whoever gets the report then sees them too. The other two files never hold them.",
        )
        with st.container(horizontal=True):
            st.download_button(
                "Download the report",
                made("html", photos),
                f"{name}-report.html",
                "text/html",
                icon=":material/description:",
                on_click="ignore",
            )
            st.download_button(
                "All figures",
                made("zip"),
                f"{name}-figures.zip",
                "application/zip",
                icon=":material/table_view:",
                on_click="ignore",
            )
            st.download_button(
                "Picture to share",
                made("png"),
                f"{name}.png",
                "image/png",
                icon=":material/image:",
                on_click="ignore",
            )
        st.caption("Pictures that wait to be rated blind are left blank.")
