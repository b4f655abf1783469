"""LoRA files made elsewhere: what is known of each, the trainings they become, and the import."""

from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._sources import problem_list, source_field
from workbench import views
from workbench.elsewhere import found_rows, uploads
from workbench.elsewhere.loras.import_loras import FoundLoras, FoundRun, LorasError, import_loras, look_into_loras
from workbench.plans.plan import plan_of
from workbench.words import counted

SAME_BASE_HELP = "Files name their base by its file name, if at all. Tick it if you know that it is this project's."


def loras_tab() -> None:
    """From files to checkpoints of runs that previews are made of."""
    db = shared.open_workbench()
    able = {row["id"]: row for row in views.projects(db) if takes_loras(db, row)}
    st.markdown(
        "LoRA files of kohya's sd-scripts, diffusers or peft for SD 1.x become checkpoints of runs: previews of each "
        "are made by the project's plan, and judged. Settings are read from the file; what isn't there stays unknown."
    )
    if not able:
        st.info(
            "LoRAs need a project with photos and a base model, so that pictures can be made and judged. Make one on "
            "Home and add its photos; or import finished pictures in the other tab.",
            icon=":material/hourglass_empty:",
        )
        return
    chosen = st.session_state.get("project")
    ids = sorted(able, key=lambda project: project != chosen)
    project_id = int(st.selectbox("Into the project", ids, format_func=lambda key: able[key]["name"], width=440))
    source = source_field("LoRA file, or folder with LoRA files", ["safetensors"], "loras")
    if source is None:
        return
    base = shared.plain(str(able[project_id]["base_model"]))
    same_base = st.checkbox(f"They were trained on this project's base model ({base})", help=SAME_BASE_HELP)
    ws = shared.workspace()
    try:
        with st.spinner("Reading the files ..."):
            found = look_into_loras(ws, db, project_id, [source], same_base)
    except LorasError as error:
        refused(error)
        return
    show(found)
    if found.problems or not found.runs:
        return
    n = sum(not checkpoint.already for run in found.runs for checkpoint in run.checkpoints)
    label = f"Import {counted(n, 'LoRA file')}" if n else "All of these are here already"
    if not st.button(label, type="primary", icon=":material/move_to_inbox:", disabled=not n):
        return
    bar = st.progress(0.0, "Copying the files ...")
    try:
        done = import_loras(
            ws,
            project_id,
            [source],
            same_base=same_base,
            on_progress=lambda n, of, name: bar.progress(min(n / max(of, 1), 1.0), f"{n:,} of {of:,}: {name}"),
        )
    except LorasError as error:
        bar.empty()
        refused(error)
        return
    uploads.forget(ws, source)
    st.session_state["new project id"] = done.project_id
    st.session_state["imported"] = [f"{counted(done.checkpoints, 'LoRA file')} imported.", *done.told]
    shared.go("home")


def takes_loras(db: Database, project: dict[str, Any]) -> bool:
    """Whether pictures of a LoRA can be made and judged in a project."""
    return bool(project["dataset_id"]) and project["base_model"] != "none" and not plan_of(db, project["id"]).elsewhere


def refused(error: LorasError) -> None:
    if error.problems:
        problem_list(error.problems, "Nothing was imported, because of:")
    else:
        st.error(shared.plain(str(error)))


def show(found: FoundLoras) -> None:
    """The trainings that the files become, and what is wrong with which file."""
    problem_list(found.problems, "Nothing can be imported until these are left out or mended:")
    for note in found.told:
        st.info(shared.plain(note), icon=":material/info:")
    for run in found.runs:
        with st.container(border=True):
            one_run(run)


def one_run(run: FoundRun) -> None:
    """A training: its files, what is known of its settings, and what isn't."""
    seed = f"seed {run.seed}" if run.seed is not None else "seed not known"
    files = counted(len(run.checkpoints), "checkpoint")
    st.markdown(f"**{shared.plain(run.label)}**: one run with {files}, {seed}; {len(run.known)} settings known")
    for note in run.told:
        st.caption(shared.plain(note))
    st.dataframe(found_rows.lora_rows(run), hide_index=True)
    with st.expander("Settings: what is known, and why others are not"):
        st.dataframe(found_rows.setting_rows(run), hide_index=True, height="content")
