"""Photos to look at again: each with its picture, what is wrong with it, and a way to leave it out."""

from pathlib import Path
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import picture_flow
from workbench.dataset import photos
from workbench.dataset.photo_flaws import flaws, names_of
from workbench.dataset.prepare import measured
from workbench.pictures import gallery
from workbench.workspace import Workspace

COLUMNS = 4
MOST = 24  # at a time: each has a button


def look_at_these(db: Database, project: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """The section; nothing when no photo has a flaw."""
    faces = project["face_judge"] != "none"
    unmeasured = [row for row in rows if row["faces"] is None]
    ws = shared.workspace()
    rows = _measured(str(ws.home), rows, [ws.path(row["file"]).is_file() for row in rows])
    size = photos.trained_at(db, project)
    found = flaws(rows, size, faces=faces)
    if faces and unmeasured:
        text = f"{len(unmeasured)} photos were imported before faces were counted and cut faces noticed."
        st.caption(text)
        if st.button("Measure them now", icon=":material/straighten:"):
            with st.spinner("Looking for faces ..."):
                photos.measure_again(shared.workspace(), project["id"])
            st.rerun()
    if not found:
        return
    st.subheader(f"Look at these ({len(found)})")
    st.caption(
        "Nothing is decided for you. A photo that you leave out is not deleted: the version that it is in stays, and "
        "Versions leads back to it."
    )
    places = st.columns(COLUMNS)
    for place, number in enumerate(list(found)[:MOST]):
        row = rows[number]
        with places[place % COLUMNS].container(border=True):
            picture_flow([gallery.Picture(gallery.photo_url(row), row["name"], row["name"])], 120)
            for flaw in found[number]:
                st.markdown(shared.plain(flaw.text))
            st.button("Leave it out", key=f"leave-out-{row['id']}", on_click=leave_out, args=(row["id"], row["name"]))
    if len(found) > MOST:
        st.caption(f"And {shared.plain(names_of([rows[n]['name'] for n in list(found)[MOST:]], 20))}.")


def leave_out(photo_id: int, name: str) -> None:
    """Store a version without the photo; what came of it is said when the page has come up again."""
    try:
        photos.change_photos(shared.workspace(), remove=[photo_id])
    except photos.PhotosError as error:
        st.session_state["photos said"] = ("error", str(error))
    else:
        st.session_state["photos said"] = ("info", f"{name} is left out. The version before still has it.")


@st.cache_data(max_entries=8, show_spinner=False)
def _measured(home: str, rows: list[dict[str, Any]], there: list[bool]) -> list[dict[str, Any]]:
    """``there``: which files are, so that one that is gone, or back again, is seen."""
    return measured(Workspace(Path(home)), rows)
