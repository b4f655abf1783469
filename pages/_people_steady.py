"""Steady?: what repeats say of the rater who sits here, drift over a sitting, and agreement between raters."""

from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from workbench.people import found
from workbench.people.agreement import agreement
from workbench.people.drift import drift
from workbench.people.haste import notices
from workbench.people.steadiness import steadiness
from workbench.rating.modes import MODES

NO_REPEATS = (
    "No picture came to you twice yet. Every sitting shows some pictures again, without saying which: from these it "
    "is known how far two marks of yours must lie apart to mean something."
)


def steady(db: Database, project: dict[str, Any]) -> None:
    """One's own marks, and how far raters agree. What is said of haste is for oneself alone."""
    several = found.raters(db, project["id"])
    me = who(several)
    if me:
        alone(db, project, me, several)
    st.subheader("Between raters")
    if len(several) < 2:
        st.caption(
            "Only one person has rated so far. A second one, under another name, shows whether others see the same."
        )
        return
    agreed = agreement(db, project)
    if agreed is None:
        st.caption("No two raters have marked the same pictures yet, so nothing can be said of their agreement.")
        return
    st.markdown(shared.plain(agreed.words))


def who(several: list[str]) -> str:
    """Who sits here: of several raters nobody is taken for another one. Empty = not said yet."""
    mine = st.session_state.get("rater")
    names = list(dict.fromkeys([*several, *([mine] if mine else [])]))
    if len(names) == 1:
        return names[0]
    chosen = st.selectbox(
        "Your name",
        names,
        index=None,
        key="rater",
        placeholder="Choose your name to see how steady you are",
        persist_state="session",
        width=400,
    )
    return str(chosen or "")


def alone(db: Database, project: dict[str, Any], me: str, several: list[str]) -> None:
    """What is for this rater's eyes."""
    st.subheader(f"You ({shared.plain(me)})")
    if me not in several:
        shared.nothing_yet(
            f"There are no ratings under the name “{shared.plain(me)}” yet. Rate a little, or type your name on the "
            "Rate page.",
            "rate",
            "Rate",
        )
    own = steadiness(db, project, me)
    if own and own.marks:
        st.dataframe(found.repeat_rows(own), hide_index=True, height="content", width="content")
    said = own.by_mode if own else {}
    for mode, words in said.items():
        st.markdown(f"**{MODES[mode].label}.** {shared.plain(words)}")
    if not said:
        st.markdown(NO_REPEATS)
    slope = drift(db, project, me)
    if slope:
        st.markdown(shared.plain(slope.words))
    for notice in notices(db, project, me):
        st.info(shared.plain(notice), icon=":material/speed:")
