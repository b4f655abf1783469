"""Pictures that copy training photos, as pairs to look at: on the Scores page and on Home."""

from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import pair_flow
from workbench import views
from workbench.findings.analysis import Tables
from workbench.pictures.pairs import copies, lora_copies, share_words

AT_ONCE = 6


def copied_photos(db: Database, project: dict[str, Any], tables: Tables, flagged_only: bool = False) -> None:
    """Which LoRAs copy one training photo, how many pictures do, and the pairs, flagged ones first.

    ``flagged_only``: nothing else is shown, as on Home.
    """
    photos = views.photos(db, project["dataset_id"], "train") if project["dataset_id"] else []
    every = copies(tables.previews, photos)
    seen = every and (every.flagged if flagged_only else every.pairs)
    here = [pair.token for pair in (seen or ())[: None if st.session_state.get("all pairs") else AT_ONCE]]
    found = copies(tables.previews, photos, shared.held_back(db, project, "reveal copies", here))
    if found is None:
        if not flagged_only:
            st.caption("Not measured yet: it comes with the scores, and needs training photos with faces.")
        return
    as_a_whole(lora_copies(tables.checkpoints, photos))
    st.markdown(share_words(found))  # of all, the hidden ones too
    pairs = found.flagged if flagged_only else found.pairs
    if not pairs:
        return
    n = len(pairs) if len(pairs) <= AT_ONCE or st.toggle(f"Show all {len(pairs)}", key="all pairs") else AT_ONCE
    pair_flow(pairs[:n])


def as_a_whole(sentences: list[str] | None) -> None:
    """What the previews of each LoRA file say together; without enough of them nothing."""
    if sentences is None:
        return
    if not sentences:
        st.markdown("Of no LoRA file do most previews go back to one and the same training photo.")
        return
    for text in sentences[:AT_ONCE]:
        st.warning(shared.plain(text), icon=":material/content_copy:")
    if len(sentences) > AT_ONCE:
        with st.expander(f"{len(sentences) - AT_ONCE} more"):
            st.markdown("\n".join(f"- {shared.plain(text)}" for text in sentences[AT_ONCE:]))
