"""People: what raters found of each checkpoint, how steady they are, and whether the judges see the same."""

import streamlit as st

from pages import _shared as shared
from pages._people_found import what_people_found
from pages._people_judge import eye_and_judge
from pages._people_steady import steady
from workbench.people import found

FOUND, STEADY, JUDGE = "What people found", "Steady?", "Eye and judge"

st.title("People")
db = shared.open_workbench()
project = shared.project_or_stop(db)
raters = found.raters(db, project["id"])
if not raters:
    shared.nothing_yet("Nobody has rated a picture yet. Ten minutes are enough for a first order.", "rate", "Rate")
tables = shared.tables(db, project["id"])
view = st.segmented_control(
    "View",
    [FOUND, STEADY, JUDGE],
    default=FOUND,
    key="people-view",
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
if view == STEADY:
    steady(db, project)
else:
    rater = None
    controls = st.container(horizontal=True, gap="medium")
    if len(raters) > 1:
        names = {"": "everybody", **{name: name for name in raters}}
        whose = controls.segmented_control(
            "Whose eyes", names, default="", format_func=names.__getitem__, key="whose", required=True
        )
        rater = whose or None
    (what_people_found if view == FOUND else eye_and_judge)(db, project, tables, rater, controls)
