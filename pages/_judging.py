"""The form for a project's judges, its base model, and the plan of its previews."""

from typing import Any

import streamlit as st

from pages import _shared as shared
from pages._projects import BASE_HELP, STRANGERS_HELP, judge
from workbench import project_settings, views
from workbench.plan import EvalPlan, plan_of, set_plan
from workbench.project_settings import PlanError
from workbench.projects import ProjectError, change_project

ROLE_HELP = (
    "identity: names the subject; likeness is measured here. neutral: without the trigger word; likeness here is "
    "leakage."
)


@st.fragment
def judging(project_id: int) -> None:
    """Judges and plan as they are, to be changed; what a change will cost is said before it is saved."""
    db = shared.open_workbench()
    now = views.project(db, project_id)
    assert now is not None  # projects are never deleted
    keys = {name: f"{name} of {project_id}, was {now[name]}" for name in now}  # what is saved is where it begins anew
    left, right = st.columns(2, gap="medium")
    with left:
        face, clip = (judge(kind, now[f"{kind}_judge"], keys[f"{kind}_judge"]) for kind in ("face", "clip"))
        for kind, spec in (("face", face), ("clip", clip)):
            problem = project_settings.judge_problem(kind, spec)
            if problem:
                st.warning(shared.plain(problem), icon=":material/person_off:")
    with right:
        base = st.text_input("Base model for new patterns", now["base_model"], key=keys["base_model"], help=BASE_HELP)
        strangers = st.text_input(
            "Folder with other people", now["strangers"] or "", key=keys["strangers"], help=STRANGERS_HELP
        )
    try:
        plan = plan_fields(now, plan_of(db, project_id))
    except PlanError as error:
        st.error(shared.plain(str(error)))
        plan = None
    else:
        st.markdown(project_settings.cost_of(db, project_id, plan))
    st.caption("Previews and scores that are missing under what you save are made next; earlier ones stay stored.")
    if not st.button("Save judges and prompts", icon=":material/save:", disabled=plan is None) or plan is None:
        return
    try:
        change_project(db, project_id, base_model=base, face_judge=face, clip_judge=clip, strangers=strangers)
    except ProjectError as error:
        st.error(shared.plain(str(error)))
        return
    set_plan(db, project_id, plan)
    st.rerun()


def plan_fields(project: dict[str, Any], plan: EvalPlan) -> EvalPlan:
    """The plan as it is typed now. Raises PlanError while it can't be used."""
    words = f"`{{trigger}}` is {project['trigger_word']}, `{{class_noun}}` is {project['class_noun']}"
    key = f"{project['id']}-{project['plan_id']}"  # another plan begins with its own values
    columns = {
        "text": st.column_config.TextColumn("Prompts", required=True, width="large", help=words),
        "role": st.column_config.SelectboxColumn(
            "Role", options=["identity", "neutral"], default="identity", required=True, help=ROLE_HELP
        ),
    }
    prompts = st.data_editor(
        [prompt.model_dump() for prompt in plan.prompts],
        column_config=columns,
        num_rows="dynamic",
        hide_index=True,
        height="content",
        key=f"prompts-{key}",
    )
    first, second, third = st.columns([2, 1, 1], gap="medium")
    seeds = first.text_input("Preview seeds", ", ".join(map(str, plan.seeds)), key=f"preview-seeds-{key}")
    steps = second.text_input("Sampler steps", str(plan.steps), key=f"steps-{key}")
    cfg = third.text_input("Guidance scale (CFG)", f"{plan.cfg:g}", key=f"cfg-{key}")
    return project_settings.changed_plan(plan, prompts, seeds, steps, cfg)
