"""The form for a new project, and the demo."""

from pathlib import Path

import streamlit as st

from pages import _shared as shared
from pages._bases import base_field, models_folder
from workbench import views
from workbench.bases import is_embedded
from workbench.judges import fitting, list_judges
from workbench.projects import ProjectError, add_project
from workbench.sweep.demo import NAME as DEMO
from workbench.sweep.demo import add_demo

FITTING = "what suits the base model"  # the embedded ones for a miniature, else one for real people that is here
FACE_HELP = (
    "Who measures likeness. `embedded` knows synthetic people only, and refuses photos of others. For photos of real "
    "people: `buffalo_l` (weights for non-commercial research only; fetch it once with `python -m workbench doctor "
    "--download buffalo_l`), or `dlib` (free for any use; see `requirements-dlib.txt`). `none` for anime, pets and "
    "objects."
)
CLIP_HELP = (
    "Who measures how well a picture fits its prompt, and its look: `embedded` for synthetic people only, an open_clip "
    "model such as `ViT-B-32/laion2b_s34b_b79k`, or `none`."
)
STRANGERS_HELP = "A folder with 20 or more photos of other people: they set the zero of the likeness scale."


def new_project(primary: bool) -> None:
    """The form. ``primary``: it is the main thing on the page."""
    with st.form("new project", border=not primary):
        left, middle, right = st.columns([2, 1, 1])
        name = left.text_input("Name", placeholder="Anna, first sweep")
        trigger = middle.text_input("Trigger word", "zwx", help="A rare word that will mean this subject.")
        noun = right.text_input("Class noun", placeholder="woman", help="What it is: woman, man, dog.")
        with st.expander("Base model and judges"):
            base = base_field(shared.open_workbench(), "Base model")
            face = judge("face")
            clip = judge("clip")
            strangers = st.text_input("Folder with other people's faces", help=STRANGERS_HELP)
        if st.form_submit_button("Make the project", type="primary" if primary else "secondary"):
            make(name, trigger, noun, base, face, clip, strangers)
    with st.popover("Where are your base models?", icon=":material/folder_open:"):
        models_folder(shared.open_workbench())


def judge(kind: str, now: str | None = None, key: str | None = None, label: str = "") -> str:
    """A judge that is on this computer, none, or one by name. ``now``: the one to begin with, else what suits."""
    present = [info.name for info in list_judges() if info.kind == kind]
    options = list(dict.fromkeys([now or FITTING, *present, "none"]))
    usual, help = {"face": ("Judge of likeness", FACE_HELP), "clip": ("Judge of prompt adherence", CLIP_HELP)}[kind]
    return str(st.selectbox(label or usual, options, accept_new_options=True, help=help, key=key))


def make(name: str, trigger: str, noun: str, base: str, face: str, clip: str, strangers: str) -> None:
    """Make the project, choose it in the sidebar, and go on to its photos."""
    folder = Path(strangers).expanduser() if strangers.strip() else None
    if folder and not folder.is_dir():
        st.error(f"There is no folder {folder}. Correct the path, or leave it empty.")
        return
    try:
        made = add_project(
            shared.open_workbench(),
            name,
            trigger,
            noun,
            base_model=base,
            face_judge=fitting("face", is_embedded(base.strip())) if face == FITTING else face,
            clip_judge=fitting("clip", is_embedded(base.strip())) if clip == FITTING else clip,
            strangers=folder,
        )
    except ProjectError as error:
        st.error(shared.plain(str(error)))
        return
    st.session_state["new project id"] = made
    shared.go("photos")


def demo_button() -> None:
    """The demo project: photos, patterns and a queued sweep, ready to watch."""
    if any(row["name"] == DEMO for row in views.projects(shared.open_workbench())):
        return
    if st.button("Try it with the demo subject", icon=":material/play_circle:"):
        with st.spinner("Importing the demo's photos ..."):
            st.session_state["new project id"] = add_demo(shared.workspace(), shared.open_workbench())
        st.rerun()
