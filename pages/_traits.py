"""The word list of permanent traits, and what each caption is trained as with and without them."""

from typing import Any

import pandas as pd
import streamlit as st

from pages import _shared as shared
from workbench.dataset import photos
from workbench.dataset.traits import TraitsError, caption_rows, checked_traits, found_in, suggested_traits
from workbench.pictures import gallery

HELP = (
    "Phrases that are always true of the subject. Training with `captions = traits_left_out` leaves them out of every "
    "caption, so that they come along with the trigger word. Whole words, any case; `*` stands for one word."
)
WHY = (
    "What a caption names is not bound to the trigger word: with *long red hair* in every caption, the hair has to be "
    "asked for again in each prompt. A pattern takes one of these three columns, by its setting **captions**."
)


def traits(project: dict[str, Any], version: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """The word list with suggestions, every caption under it as it stands now, and the button that stores it."""
    words = project["trigger_word"], project["class_noun"]
    captions = [row["caption"] for row in rows]
    stored, key = photos.traits_of(version), f"traits-{version['id']}"
    suggested = [trait for trait in suggested_traits(captions, *words) if trait not in stored]
    st.session_state.setdefault(key, stored)  # a default of the widget's own could not be changed by the button
    st.markdown(WHY)
    chosen = st.multiselect(
        "Word list",
        list(dict.fromkeys([*stored, *suggested, *st.session_state[key]])),
        accept_new_options=True,
        placeholder="Type a phrase, or choose a suggestion",
        key=key,
        help=HELP,
    )
    if open_ones := [trait for trait in suggested if trait not in chosen]:
        counted = ", ".join(f"{shared.plain(trait)} (in {found_in(trait, captions)})" for trait in open_ones)
        st.markdown(f"Most captions have in common: {counted}.")
        st.button("Use these", icon=":material/add:", on_click=_choose, args=(key, [*chosen, *open_ones]))
    try:
        checked = checked_traits(chosen, *words)
    except TraitsError as error:
        st.error(shared.plain(str(error)))
        checked = stored
    table = pd.DataFrame(caption_rows(rows, *words, checked))
    table.insert(0, "picture", [gallery.photo_url(row) for row in rows])
    columns = {
        "picture": st.column_config.ImageColumn("", width=72),
        "as written": st.column_config.TextColumn(width=330),
        "traits left out": st.column_config.TextColumn(width=260),
        "trigger and class only": st.column_config.TextColumn(width=150),
    }
    st.dataframe(table, hide_index=True, row_height=72, height=420, column_config=columns)
    lost = [trait for trait in checked if not found_in(trait, captions)]
    if lost:
        st.caption(f"In no caption: {shared.plain(', '.join(lost))}.")
    if st.button("Save the word list as a new version", icon=":material/save:", disabled=checked == stored):
        try:
            photos.set_traits(shared.workspace(), project["id"], checked)
        except photos.PhotosError as error:
            st.error(shared.plain(str(error)))
        else:
            st.rerun()


def _choose(key: str, chosen: list[str]) -> None:
    st.session_state[key] = chosen
