"""The choice of a base model, with what kind of file each one is, and the folder where they are looked for."""

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from workbench import bases

HELP = (
    "The miniatures come along. Else a Stable Diffusion 1.x model: a `.safetensors` checkpoint, or a folder in "
    "diffusers layout. Choose one, or paste its path. What lies in the folder with base models is listed too."
)
FOLDER_HELP = (
    "Its `.safetensors` checkpoints and diffusers folders are offered wherever a base model is chosen. Only their "
    f"headers are read. `{bases.MODELS_VARIABLE}` in the environment names it too."
)


def base_field(db: Database, label: str, now: str = "embedded", key: str | None = None) -> str:
    """A base model out of those that are on this computer, or the path of another; says what the chosen one is.

    ``now``: the one that is chosen to begin with.
    """
    found = {base.location: base for base in bases.candidates(db, now)}
    chosen = st.selectbox(
        label,
        found,
        index=list(found).index(now),
        format_func=lambda location: f"{bases.short(location)}: {found[location].sentence}",
        accept_new_options=True,
        key=key,
        help=HELP,
    )
    location = str(chosen or now).strip().strip('"')  # Windows copies paths with quotes
    described = bases.describe(bases.place(db, location))
    if location not in found or not described.ok:
        st.caption(shared.plain(described.sentence))
    return location


def models_folder(db: Database) -> None:
    """Name the folder that holds a person's base models."""
    now = bases.models_folder(db)
    typed = st.text_input("Folder with base models", str(now or ""), help=FOLDER_HELP)
    if st.button("Look there", icon=":material/folder_open:"):
        try:
            bases.set_models_folder(db, typed)
        except bases.BaseError as error:
            st.error(shared.plain(str(error)))
        else:
            st.rerun()
