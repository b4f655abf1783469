"""Rate: say how long you have, judge blind what tells most in that time, see what it brought."""

import streamlit as st

from pages import _rating
from pages import _shared as shared
from workbench.rating.progress import progress

if "sitting" not in st.query_params:
    st.title("Rate")
db = shared.open_workbench()
project = shared.project_or_stop(db)
asked = _rating.of_address(db, project, "sitting")
if asked:
    st.session_state["rater"] = asked["rater"]
    going_on = asked["ended_at"] is None and progress(db, asked).left
    if not going_on or _rating.rate_pictures(db, project, asked["token"]):
        _rating.leave(asked["token"])
    st.stop()

if "sitting" in st.query_params:
    st.title("Rate")
    st.query_params.pop("sitting")
    st.info("There is no such sitting in this project. Here is what can be rated now.")
over = _rating.of_address(db, project, "report")
if over and st.session_state.setdefault("rater", over["rater"]) == over["rater"]:
    _rating.report(db, project, over)
    st.subheader("What next", anchor=False)
else:
    over = None
rater, minutes = _rating.who_and_how_long(db, project)
if not rater:
    why = "Choose your name, or type it: what is asked depends on what you have said so far."
    st.info(why, icon=":material/person:")
    st.stop()
left = _rating.go_on(db, project, rater, over["token"] if over else "")
_rating.proposals(db, project, rater, minutes, f"Another {minutes:g} minutes" if over else "Start", quiet=left)
