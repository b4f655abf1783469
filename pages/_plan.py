"""The form for a plan: prompts, seeds, strengths, how previews are drawn, and through which other eyes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from workbench import bases, views
from workbench.plans import detectable
from workbench.plans import plan_editor as editor
from workbench.plans.plan import EvalPlan, plan_of, set_plan
from workbench.plans.plan_editor import PlanError
from workbench.workspace import Workspace

ROLE_HELP = (
    "identity: names the subject; likeness is measured here. neutral: without the trigger word; likeness here is "
    "leakage."
)
SAMPLERS = {
    "base": "the base's own",
    "dpm++2m": "DPM++ 2M",
    "euler": "Euler",
    "ddim": "DDIM",
}
PREVIEW_BASE_HELP = "The base that every LoRA is looked at with. Empty = the one that it was trained on."
VAE_HELP = "A folder in diffusers layout or a .safetensors file. Empty = the preview base's own."
SIZE_HELP = "Side of the square pictures in px, a multiple of 8. Empty = the base's own size."
CLIP_HELP = "1 = the text encoder's last layer, 2 = the one before. Empty = as each LoRA was trained."
SEEDS_HELP = "Each prompt is drawn once per seed. People rate the first one's pictures."
STRENGTHS_HELP = "Each picture is drawn once per strength. Headline figures are about 1 where it is there."
SCAN_HELP = (
    "Every checkpoint is drawn with so many of the preview seeds first, and with all of them only where the scores "
    "can't rule out that it is the best of its run. Empty = all at once."
)
CONFIRM_HELP = (
    "Fresh seeds for the leading checkpoints, once all runs are done: the best of many owes something to luck, and "
    "these pictures show what is left without it. Empty = none."
)
MADE_ELSEWHERE = (
    "The pictures under this plan were made elsewhere, so nothing is rendered by it, also not of what you train here. "
    "For that begin with a preset. The imported pictures stay stored, but are no longer shown or compared then: better "
    "train in a project of its own."
)
VARIANTS_HELP = (
    "Besides, the last checkpoints of patterns that differ in their base or clip skip alone are looked at with another "
    "base or clip skip. It shows under Charts, Other base or clip skip, and counts in no other figure."
)


@st.fragment
def plan_editor(project_id: int) -> None:
    """A plan to begin with, its fields, what it will cost, and the button that puts it in force."""
    db = shared.open_workbench()
    project = views.project(db, project_id)
    assert project is not None  # the page has just shown it
    key = f"{project_id}-{project['plan_id']}"  # another plan begins with its own values
    choices = {choice.name: choice for choice in editor.choices(db, project)}
    name = st.selectbox("Begin with", choices, key=f"plan-{key}", width=520)
    choice = choices[name]
    if choice.note:
        st.caption(shared.plain(choice.note))
    if choice.plan.elsewhere:
        made_elsewhere(db, project_id, choice.plan)
        return
    try:
        plan = plan_fields(project, choice.plan, f"{key}-{name}")
    except PlanError as error:
        st.error(shared.plain(str(error)))
        st.button("Use this plan", disabled=True, icon=":material/save:")
        return
    for remark in editor.remarks(plan, project):
        st.warning(shared.plain(remark), icon=":material/help:")
    known = spreads(str(shared.workspace().home), project_id, views.revision(db))
    cost = editor.cost_of(db, project_id, plan, known)
    what_it_sees(cost.detects if cost else detectable.detectable(plan, project, known))
    if cost is None:
        st.caption("This is the plan in force.")
        return
    st.markdown(f"**{plan_size(plan)}.** {shared.plain(cost.sentence)}")
    st.caption("What was made under earlier plans stays stored: choose one of them above to see it again.")
    if st.button("Use this plan", type="primary", icon=":material/save:"):
        set_plan(db, project_id, plan)
        st.rerun()


def made_elsewhere(db: Database, project_id: int, plan: EvalPlan) -> None:
    """What imported pictures show, with nothing to change; an earlier plan of this kind can be chosen again."""
    st.info(MADE_ELSEWHERE, icon=":material/photo_library:")
    st.dataframe([{"prompt": prompt.text, "role": prompt.role} for prompt in plan.prompts], hide_index=True)
    strengths = ", ".join(f"{strength:g}" for strength in plan.strengths)
    st.caption(f"Seeds: {', '.join(map(str, plan.seeds))}. LoRA strengths: {strengths}.")
    if plan != plan_of(db, project_id) and st.button("Use this plan", type="primary", icon=":material/save:"):
        set_plan(db, project_id, plan)
        st.rerun()


def plan_size(plan: EvalPlan) -> str:
    """How many pictures of a checkpoint, and why."""
    counts = {"prompt": len(plan.prompts), "seed": len(plan.seeds), "strength": len(plan.strengths)}
    product = " × ".join(f"{n} {word}{'s' * (n > 1)}" for word, n in counts.items())
    first, fresh = len(plan.scan_cells()), len(plan.confirm_cells())
    which = "each checkpoint"
    if plan.scan_seeds:
        which = f"each promising or last checkpoint, {first} of the others"
    return f"{product} = {len(plan.cells())} previews of {which}" + (
        f"; {fresh} fresh ones of those that lead" if fresh else ""
    )


@st.cache_data(max_entries=4, show_spinner=False)
def spreads(home: str, project_id: int, revision: int) -> dict[str, detectable.Spread]:
    """What is known of the spread of scores, looked up again only when something has changed."""
    return detectable.spreads(Workspace(Path(home)).open(), project_id)


def what_it_sees(found: Iterable[detectable.Detectable]) -> None:
    """The smallest differences that the plan as it is typed can tell apart."""
    lines = [f"- {shared.plain(each.sentence)}" for each in found]
    if lines:
        st.markdown("\n".join(["**What this plan can tell apart**", "", *lines]), help=detectable.FOUND)


def plan_fields(project: dict[str, Any], plan: EvalPlan, key: str) -> EvalPlan:
    """The plan as it is typed now. Raises PlanError while it can't be used."""
    words = f"`{{trigger}}` is {project['trigger_word']}, `{{class_noun}}` is {project['class_noun']}"
    prompts = st.data_editor(
        [prompt.model_dump() for prompt in plan.prompts],
        column_config={
            "text": st.column_config.TextColumn("Prompts", required=True, width="large", help=words),
            "role": st.column_config.SelectboxColumn(
                "Role", options=["identity", "neutral"], default="identity", required=True, help=ROLE_HELP
            ),
        },
        num_rows="dynamic",
        hide_index=True,
        height="content",
        key=f"prompts-{key}",
    )
    st.caption(words)
    typed: dict[str, Any] = {"prompts": prompts}

    def text(place: Any, name: str, label: str, value: Any, **more: Any) -> None:
        typed[name] = place.text_input(label, "" if value is None else str(value), key=f"{name}-{key}", **more)

    first, second, third, fourth = st.columns(4, gap="medium")
    text(first, "seeds", "Preview seeds", ", ".join(map(str, plan.seeds)), help=SEEDS_HELP)
    text(second, "strengths", "LoRA strengths", ", ".join(f"{w:g}" for w in plan.strengths), help=STRENGTHS_HELP)
    text(third, "steps", "Sampler steps", plan.steps)
    text(fourth, "cfg", "Guidance scale (CFG)", f"{plan.cfg:g}")
    names = get_args(EvalPlan.model_fields["sampler"].annotation)
    typed["sampler"] = first.selectbox(
        "Sampler",
        names,
        names.index(plan.sampler),
        format_func=lambda name: SAMPLERS.get(name, name),
        key=f"sampler-{key}",
    )
    text(second, "size", "Size (px)", plan.size, placeholder="the base's own", help=SIZE_HELP)
    text(third, "clip_skip", "Clip skip", plan.clip_skip, placeholder="as trained", help=CLIP_HELP)
    text(fourth, "negative", "Negative prompt", plan.negative)
    left, right = st.columns(2, gap="medium")
    text(
        left,
        "scan_seeds",
        "Seeds of the first look (how many)",
        plan.scan_seeds,
        placeholder="all at once",
        help=SCAN_HELP,
    )
    fresh = ", ".join(map(str, plan.confirm_seeds))
    text(right, "confirm_seeds", "Confirmation seeds", fresh, placeholder="none", help=CONFIRM_HELP)
    text(left, "preview_base", "Preview base", plan.preview_base, placeholder="as trained", help=PREVIEW_BASE_HELP)
    text(right, "vae", "VAE", plan.vae, placeholder="the preview base's own", help=VAE_HELP)
    if typed["preview_base"].strip():
        left.caption(shared.plain(bases.describe(typed["preview_base"].strip()).sentence))
    with st.expander("Look at the same LoRA with another base or clip skip too", expanded=bool(plan.variants)):
        st.caption(VARIANTS_HELP)
        typed["variants"] = st.data_editor(
            editor.variant_rows(plan.variants),
            column_config={
                "preview_base": st.column_config.TextColumn("Preview base", width="large", help="Empty = as above."),
                "clip_skip": st.column_config.NumberColumn("Clip skip", min_value=1, step=1, help="Empty = as above."),
            },
            num_rows="dynamic",
            hide_index=True,
            height="content",
            key=f"variants-{key}",
        )
    return editor.typed_plan(plan, typed)
