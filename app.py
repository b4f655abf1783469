"""Navigation: which pages there are, which project they show, and whether a worker is alive."""

from pathlib import Path
from typing import Any

import streamlit as st

from pages import _shared as shared

PAGES = Path(__file__).parent / "pages"


def page(name: str, title: str, icon: str, **options: Any) -> st.Page:
    return st.Page(PAGES / f"{name}.py", title=title, icon=f":material/{icon}:", **options)


st.set_page_config(page_title="LoRA workbench", page_icon=str(PAGES / "_icon.svg"), layout="wide")
pages = {
    "Prepare": [
        page("home", "Home", "home", default=True),
        page("photos", "Photos", "photo_library"),
        page("patterns", "Patterns", "tune"),
        page("plan", "Plan", "checklist"),
        page("made_elsewhere", "Import", "move_to_inbox"),
    ],
    "Run": [
        page("queue", "Queue", "queue_play_next"),
        page("run", "Run", "model_training", visibility="hidden"),
    ],
    "Judge": [
        page("rate", "Rate", "star_half"),
        page("gallery", "Gallery", "grid_view"),
        page("scores", "Scores", "scoreboard"),
    ],
    "Learn": [
        page("charts", "Charts", "bar_chart"),
        page("recipes", "Recipes", "menu_book"),
        page("people", "People", "groups"),
    ],
}
current = st.navigation(pages)
with st.sidebar:
    shared.project_picker()
    shared.worker_badge()
current.run()
