"""Another split, and the versions of the photos with what changed in each and the way back."""

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from workbench.dataset import photos
from workbench.dataset.versions import go_back, versions

SPLIT = (
    "Photos of both sides are divided anew at random; nearly equal ones stay together. Runs that are there keep the "
    "photos that they were given, and compare only with runs on the same version. Single photos change sides in the "
    "table under Edit."
)


def split_again(project: dict[str, Any]) -> None:
    """A new random split by seed."""
    st.markdown(SPLIT)
    seed = st.number_input("Seed of the split", 0, 9999, 1, help="The same seed gives the same split.")
    if st.button("Split again", icon=":material/shuffle:"):
        try:
            photos.split_again(shared.workspace(), project["id"], int(seed))
        except photos.PhotosError as error:
            st.error(shared.plain(str(error)))
        else:
            st.rerun()


def version_list(db: Database, project: dict[str, Any]) -> None:
    """Every version, newest first, and a way back to one."""
    listed = versions(db, project["id"])
    rows = [
        {
            "version": each.number,
            "": "in use" if each.is_current else "",
            "what changed": each.change,
            "trained on": each.train,
            "held out": each.reference,
            "runs": each.runs,
            "when": datetime.fromtimestamp(each.created_at),
        }
        for each in listed
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    others = {each.number: each for each in listed if not each.is_current}
    if not others:
        return
    number = st.selectbox("Version", others, format_func=lambda n: f"{n}: {others[n].change}", width=420)
    if st.button("Use this version again", icon=":material/history:"):
        go_back(db, others[number].dataset_id)
        st.rerun()
    st.caption(
        "New runs use the version in use. No version is deleted, so photos that were left out come back with it."
    )
