"""Pictures that copy training photos, as pairs to look at: on the Scores page and on Home."""

from typing import Any

import pandas as pd
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import worked_out
from pages._pictures import pair_flow
from workbench import views
from workbench.findings.analysis import Tables
from workbench.pictures.pairs import copies_among, looked_at, lora_copies, share_words

AT_ONCE = 6


def copied_photos(db: Database, project: dict[str, Any], flagged_only: bool = False) -> None:
    """Which LoRAs copy one training photo, how many pictures do, and the pairs, flagged ones first.

    ``flagged_only``: nothing else is shown, as on Home.
    """
    photos = views.photos(db, project["dataset_id"], "train") if project["dataset_id"] else []
    by_id = {photo["id"]: photo for photo in photos}
    rows = worked_out(db, project["id"], pictures_looked_at, tuple(by_id))
    if rows is None:
        if not flagged_only:
            st.caption("Not measured yet: it comes with the scores, and needs training photos with faces.")
        return
    seen = rows[rows["n_flags"] > 0] if flagged_only else rows
    here = seen["token"].head(len(seen) if st.session_state.get("all pairs") else AT_ONCE)
    found = copies_among(rows, by_id, shared.held_back(db, project, "reveal copies", here))
    names = tuple((photo["id"], photo["name"]) for photo in photos)
    as_a_whole(worked_out(db, project["id"], of_loras, names))
    st.markdown(share_words(found))  # of all, the hidden ones too
    pairs = found.flagged if flagged_only else found.pairs
    if not pairs:
        return
    n = len(pairs) if len(pairs) <= AT_ONCE or st.toggle(f"Show all {len(pairs)}", key="all pairs") else AT_ONCE
    pair_flow(pairs[:n])


def pictures_looked_at(tables: Tables, photo_ids: tuple[int, ...]) -> pd.DataFrame | None:
    return looked_at(tables.previews, photo_ids)


def of_loras(tables: Tables, photos: tuple[tuple[int, str], ...]) -> list[str] | None:
    """What the previews of each LoRA file say together. ``photos``: id and name of the training photos."""
    return lora_copies(tables.checkpoints, [{"id": number, "name": name} for number, name in photos])


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
