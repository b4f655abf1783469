"""Gallery: every checkpoint's previews of the same prompts and seeds, side by side."""

import streamlit as st

from pages import _shared as shared
from pages._pictures import picture_grid, show_preview
from workbench import gallery, rating
from workbench.plan import plan_of

SIZES = {"S": 96, "M": 128, "L": 192, "XL": 320}
ROLES = {"all": ("identity", "neutral"), "with the trigger": ("identity",), "without": ("neutral",)}

st.title("Gallery")
db = shared.open_workbench()
project = shared.project_or_stop(db)
table = shared.tables(db, project["id"]).previews
if table.empty:
    shared.nothing_yet(
        "No previews yet. They appear as soon as the first checkpoint is saved.", "queue", "See the queue"
    )

plan = plan_of(db, project["id"])
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    seeds = st.pills("Preview seeds", plan.seeds, selection_mode="multi", default=plan.seeds[-1:], key="seeds")
    role = st.segmented_control("Prompts", ROLES, default="all", key="prompts", bind="query-params", required=True)
    strength = plan.main_strength
    if len(plan.strengths) > 1:
        strength = st.segmented_control(
            "LoRA strength", plan.strengths, default=strength, key="strength", required=True
        )
    size = st.segmented_control("Size", SIZES, default="M", key="size", bind="query-params", required=True)
    last_only = st.toggle("Last checkpoints only", key="last", bind="query-params")
held = rating.held_back_tokens(db, project, shared.rater())
if held:
    reveal = st.toggle(
        f"Show the {len(held)} pictures that wait to be rated",
        key="reveal",
        help="Hidden, so that you rate them blind. What you have seen here you can't rate blind any more.",
    )
    held = set() if reveal else held

chosen = gallery.choose(table, plan, roles=ROLES[role], seeds=seeds, strength=strength, last_only=last_only)
grid = gallery.preview_grid(chosen, plan, held)
picked = picture_grid(gallery.with_photos(grid, shared.reference(db, project)), SIZES[size], 720, "gallery")
st.caption("Under each picture: its likeness (0 a stranger, 100 the person's own photos). Click one to enlarge it.")
if picked:
    row = table[table["token"] == picked].iloc[0].to_dict()
    show_preview(row, shared.all_settings(db, row))
