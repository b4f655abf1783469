"""Pictures that copy training photos, as pairs to look at: on the Scores page and on Home."""

from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import pair_flow
from workbench import views
from workbench.findings.analysis import Tables
from workbench.pictures.pairs import copies, share_words

AT_ONCE = 6


def copied_photos(db: Database, project: dict[str, Any], tables: Tables, flagged_only: bool = False) -> None:
    """How many pictures copy a training photo, and the pairs, flagged ones first.

    ``flagged_only``: nothing else is shown, as on Home.
    """
    photos = views.photos(db, project["dataset_id"], "train") if project["dataset_id"] else []
    found = copies(tables.previews, photos, shared.held_back(db, project, "reveal copies"))
    if found is None:
        if not flagged_only:
            st.caption("Not measured yet: it comes with the scores, and needs training photos with faces.")
        return
    st.markdown(share_words(found))  # of all, the hidden ones too
    pairs = found.flagged if flagged_only else found.pairs
    if not pairs:
        return
    n = len(pairs) if len(pairs) <= AT_ONCE or st.toggle(f"Show all {len(pairs)}", key="all pairs") else AT_ONCE
    pair_flow(pairs[:n])
