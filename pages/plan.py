"""Plan: what is rendered from every checkpoint, and who judges it."""

import streamlit as st

from pages import _shared as shared
from pages._judging import judging
from pages._plan import plan_editor
from workbench.plans.plan import plan_of

st.title("Plan")
db = shared.open_workbench()
project = shared.project_or_stop(db)
if not plan_of(db, project["id"]).elsewhere:
    st.markdown(
        "Every checkpoint gets the same previews, so that they can be compared. A changed plan begins with what it "
        "shares with the earlier ones; the rest is rendered next."
    )
plan_editor(project["id"])
st.divider()
st.subheader("Judges")
judging(project["id"])
