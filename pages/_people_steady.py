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

NO_REPEATS = (
    "No picture came to you twice yet. Every sitting shows some pictures again, without saying which: from these it "
    "is known how far two marks of yours must lie apart to mean something."
)


def steady(db: Database, project: dict[str, Any]) -> None:
    """One's own marks, and how far raters agree. What is said of haste is for oneself alone."""
    me = shared.rater()
    st.subheader(f"You ({shared.plain(me)})")
    st.caption("The name on the Rate page. Nobody else's repeats or haste are shown here.")
    if me not in found.raters(db, project["id"]):
        shared.nothing_yet(
            f"There are no ratings under the name “{shared.plain(me)}” yet. Rate a little, or type your name on the "
            "Rate page.",
            "rate",
            "Rate",
        )
    own = steadiness(db, project, me)
    if own and own.marks:
        st.dataframe(found.repeat_rows(own), hide_index=True, height="content", width="content")
    st.markdown(shared.plain(own.words) if own else NO_REPEATS)
    slope = drift(db, project, me)
    if slope:
        st.markdown(shared.plain(slope.words))
    for notice in notices(db, project, me):
        st.info(shared.plain(notice), icon=":material/speed:")
    st.subheader("Between raters")
    several = found.raters(db, project["id"])
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
