"""Trained with one base or clip skip, looked at with another: a small table with pictures, for the Charts page."""

from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import picture_grid, show_preview
from workbench import sentences
from workbench.findings.analysis import Tables
from workbench.findings.matrix import families, matrix
from workbench.pictures import gallery
from workbench.plans.plan import EvalPlan
from workbench.plans.wanted import SETTINGS


def through_other_eyes(db: Database, project: dict[str, Any], tables: Tables, plan: EvalPlan) -> None:
    """One table per group of patterns that differ in their base or clip skip alone."""
    found = [name for name in SETTINGS if families(tables.contrasts, name)]
    if not found:
        shared.nothing_yet(
            "No two patterns differ in their base model or their clip skip alone. Clone one and change that.",
            "patterns",
            "Clone one",
        )
    if not plan.variants:
        shared.nothing_yet(
            "Each LoRA is looked at with what it was trained with. To look at it with another base or clip skip "
            "too, add variants to the plan.",
            "plan",
            "Change the plan",
        )
    everything = tables.everything
    with st.container(horizontal=True):
        titles = {name: sentences.setting(name).label for name in found}
        setting = st.selectbox("Setting", found, format_func=titles.__getitem__, key="matrix-setting", width=280)
        words = project["trigger_word"], project["class_noun"]
        texts = {n: plan.text(n, *words) for n, prompt in enumerate(plan.prompts) if prompt.role == "identity"}
        prompt = st.selectbox("Picture of", texts, format_func=texts.__getitem__, key="matrix-prompt", width=440)
    table = matrix(tables, setting)
    if table.empty:
        st.info("Nothing rendered yet: this is about last checkpoints, and variants are made when the queue is idle.")
        return
    seed = gallery.shown_seeds(plan)[-1]
    here = everything[(everything["prompt"] == prompt) & (everything["seed"] == seed)]
    here = here[here["token"].isin([token for tokens in table["tokens"] for token in tokens])]
    held = shared.held_back(db, project, "reveal in matrix", here["token"])
    for family, rows in table.groupby("family", sort=False):
        grid = gallery.matrix_grid(rows, setting, everything, prompt, seed, held)
        picked = picture_grid(grid, 192, None, f"matrix-{family}")
        if picked:
            row = everything[everything["token"] == picked].iloc[0].to_dict()
            show_preview(row, shared.all_settings(db, row))
    st.caption(
        "Likeness: mean over the identity prompts, all preview seeds and training seeds, at the last checkpoints. "
        "The base alone is drawn the same way, without the LoRA. Variants count in no other chart."
    )
    st.download_button(
        "Download as CSV",
        table.drop(columns="tokens").to_csv(index=False),
        f"{setting}.csv",
        "text/csv",
        icon=":material/download:",
    )
