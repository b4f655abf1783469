"""The form for a project's judges, its folder with other people, and the base model of new patterns."""

import streamlit as st

from pages import _shared as shared
from pages._bases import base_field
from pages._projects import STRANGERS_HELP, judge
from workbench import project_settings, views
from workbench.projects import ProjectError, change_project


@st.fragment
def judging(project_id: int) -> None:
    """Judges as they are, to be changed; what a change will cost is said before it is saved."""
    db = shared.open_workbench()
    now = views.project(db, project_id)
    assert now is not None  # the page has just shown it
    keys = {name: f"{name} of {project_id}, was {now[name]}" for name in now}  # what is saved is where it begins anew
    left, right = st.columns(2, gap="medium")
    with left:
        face, clip = (judge(kind, now[f"{kind}_judge"], keys[f"{kind}_judge"]) for kind in ("face", "clip"))
        for kind, spec in (("face", face), ("clip", clip)):
            problem = project_settings.judge_problem(kind, spec)
            if problem:
                st.warning(shared.plain(problem), icon=":material/person_off:")
    with right:
        base = base_field(db, "Base model for new patterns", now["base_model"], keys["base_model"])
        strangers = st.text_input(
            "Folder with other people", now["strangers"] or "", key=keys["strangers"], help=STRANGERS_HELP
        )
    for kind, spec in (("face", face), ("clip", clip)):
        st.markdown(project_settings.judge_cost(db, now, kind, spec))
    if not st.button("Save the judges", icon=":material/save:"):
        return
    try:
        change_project(db, project_id, base_model=base, face_judge=face, clip_judge=clip, strangers=strangers)
    except ProjectError as error:
        st.error(shared.plain(str(error)))
        return
    st.rerun()
