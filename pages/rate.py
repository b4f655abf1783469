"""Rate: one picture at a time, blind, beside the real photos; every mark is saved at once."""

import secrets
import time

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import always_in_view, big_picture, picture_flow, scale_marks
from workbench import views
from workbench.pictures import gallery
from workbench.rating import old as rating

NOT_SET = "not set"
MARKS = [NOT_SET, *range(101)]
AXES = {
    "likeness": ("Likeness", ("0 someone else", "50 could be a relative", "100 this person")),
    "quality": ("Picture quality", ("0 broken", "50 usable after a retouch", "100 flawless")),
    "prompt": ("Prompt followed", ("0 nothing of it", "50 half of it", "100 all of it")),
}


@st.fragment
def panel() -> None:
    """The picture, the photos to compare with, the sliders. A fragment: the next picture comes at once."""
    db = shared.open_workbench()
    item, shown_at = on_show(db)
    if item is None:
        finished()
        return
    picture, side = st.columns([11, 9], gap="large")
    with picture:
        big_picture(gallery.preview_url(item.token, full=True), "the picture to rate", "58vh")
    with side:
        st.caption(progress_text(item))
        st.markdown(f"Asked for: **{shared.plain(item.text)}**" if item.text else "What was asked for is not known.")
        marks = sliders(item)
        buttons(item, marks, shown_at)
    with always_in_view("the person"):
        st.caption(f"The person: {views.seen_words(shared.open_workbench(), project)}")
        picture_flow(gallery.photo_pictures(reference), 84)


def on_show(db: Database) -> tuple[rating.Item | None, float]:
    """The picture to judge, and when it came up (seconds since 1970): how long people look says how sure they are.

    It stays until it is judged. While training goes on new pictures join the set at any place: one that came up
    now, under half-moved sliders, would take their marks and tell which run has just saved.
    """
    item, shown_at = st.session_state.get(shown, (None, 0.0))
    if item is None or not rating.is_open(db, project, shared.rater(), item):
        item, shown_at = rating.next_to_rate(db, project, shared.rater(), session), time.time()
        st.session_state[shown] = (item, shown_at)
    return item, shown_at


def progress_text(item: rating.Item) -> str:
    left = max(round(item.minutes_left), 1)
    return f"Picture {item.done + 1} of {item.done + item.remaining} · about {left} min left"


def sliders(item: rating.Item) -> dict[str, float]:
    """A slider per axis, not set until it is moved; only moved ones are saved."""
    marks = {}
    for axis, (label, anchors) in AXES.items():
        value = st.select_slider(label, MARKS, key=f"{axis}-{item.token}-{item.position}")
        scale_marks(anchors)
        if value != NOT_SET:
            marks[axis] = float(value)
    return marks


def buttons(item: rating.Item, marks: dict[str, float], shown_at: float) -> None:
    """Save, skip, undo: each is on disk before the next picture comes.

    Save and skip belong to their picture by their keys: a second click in haste is not taken for the next one.
    """
    which = f"{item.token}-{item.position}"
    with st.container(horizontal=True):
        st.button(
            "Save and next",
            type="primary",
            disabled=not marks,
            shortcut="Ctrl+Enter",
            key=f"save-{which}",
            on_click=answered,
            args=(item, marks, shown_at),
        )
        st.button(
            "Skip",
            key=f"skip-{which}",
            help="This picture is not judged and won't come again.",
            on_click=answered,
            args=(item, {}, shown_at),
        )
        undo_button("Undo", disabled=not item.done)


def undo_button(label: str, disabled: bool = False) -> None:
    st.button(label, disabled=disabled, on_click=undo, icon=":material/undo:", help="Brings the last picture back.")


def answered(item: rating.Item, marks: dict[str, float], shown_at: float) -> None:
    """Commit the marks of the picture that was on show when the button was drawn; no marks = skipped."""
    db = shared.open_workbench()
    if marks:
        rating.save(db, item, shared.rater(), session, marks, shown_at)
    else:
        rating.skip(db, item, shared.rater(), session, shown_at)
    st.session_state.pop(shown, None)


def undo() -> None:
    item = rating.undo_last(shared.open_workbench(), project, shared.rater())
    if item:
        st.session_state[shown] = (item, time.time())


def finished() -> None:
    """All done: what the marks are good for, and how steady they were."""
    db = shared.open_workbench()
    if not rating.rating_set(db, project):
        shared.nothing_yet("No pictures to rate yet. They come with the first checkpoints.", "queue", "See the queue")
    st.success("Every picture has been rated. Thank you.", icon=":material/check:")
    steady = rating.reliability(db, project, shared.rater())
    if steady:
        st.markdown(
            "Where the same picture came twice, your two marks lay "
            f"**{steady.mean_difference:.0f} points** apart on average ({steady.n} pairs of marks). "
            "Differences smaller than that say little."
        )
    if st.button("See what the marks say", type="primary", icon=":material/bar_chart:"):
        shared.go("charts")
    undo_button("Undo the last one")


title, who = st.columns([4, 1], vertical_alignment="bottom")
title.title("Rate")
project = shared.project_or_stop(shared.open_workbench())
with who:
    st.text_input("Your name", "me", key="rater", persist_state="session", help="Marks are kept apart by name.")
reference = shared.reference(shared.open_workbench(), project)
session = st.session_state.setdefault("rating session", secrets.token_hex(8))
shown = f"shown to {shared.rater()} in {project['id']}"  # where the picture on show is kept
panel()
