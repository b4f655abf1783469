"""Charts: which setting helped, how sure that is, and the pictures behind every point."""

from collections.abc import Callable

import streamlit as st

from pages import _shared as shared
from pages._author import the_authors_marks
from pages._by_setting import by_setting, keep_old_links
from pages._importance import over_all_patterns
from pages._map import answer_in_map
from pages._matrix import through_other_eyes
from pages._over_training import over_the_training
from pages._pairs import only_one_differs
from pages._ranking import best_of_each
from pages._view import View
from workbench import views
from workbench.plans.plan import plan_of
from workbench.sweep.marks import of_author

VIEWS: dict[str, Callable[[View], None]] = {
    "Only one thing differs": only_one_differs,
    "Best of each pattern": best_of_each,
    "One setting": by_setting,
    "Over the training": over_the_training,
    "Epochs x strengths": lambda of: answer_in_map(of.db, of.project, of.tables, of.plan, prominent=False),
    "Other base or clip skip": lambda of: through_other_eyes(of.db, of.project, of.tables, of.plan),
    "The author's marks": the_authors_marks,
    "Importance": over_all_patterns,
}
OF_PICTURES = ("Epochs x strengths",)
OF_MARKS = "The author's marks"
PLAN_CHANGED = (
    "No scores under this plan yet. The plan was changed: its pictures are being made of the LoRAs that are there, and "
    "the first points come with these. Under the plan before, all scores are still there."
)

st.title("Charts")
db = shared.open_workbench()
project = shared.project_or_stop(db)
tables, plan = shared.tables(db, project["id"]), plan_of(db, project["id"])
measured = views.measured(tables)
if (tables.previews["face_status"] == "unavailable").any():
    st.warning(
        f"Likeness is not measured: the judge {shared.plain(project['face_judge'])} is not on this computer. "
        "`python -m workbench doctor` says how to get it.",
        icon=":material/face:",
    )
if not measured or tables.checkpoints["is_base"].all():
    if len(tables.previews) and project["face_judge"] == project["clip_judge"] == "none":
        shared.nothing_yet("No scores yet. Without a judge they are your marks.", "rate", "Rate")
    under_this_plan = int((~tables.everything["is_base"].astype(bool)).sum())
    if sum(row["checkpoint_id"] is not None for row in views.shown(db, project["id"])) > under_this_plan:
        shared.nothing_yet(PLAN_CHANGED, "queue", "See the queue")
    shared.nothing_yet("No scores yet. The first points come with the first checkpoint.", "queue", "See the queue")
shared.reference_notes(db, project)
# of pictures made elsewhere no setting, weight or number of images is known, and updates only sometimes
offered = [name for name in VIEWS if name in OF_PICTURES] if plan.elsewhere else list(VIEWS)
if not of_author(db, project["id"]):
    offered = [name for name in offered if name != OF_MARKS]
keep_old_links()
first = "Epochs x strengths" if views.made_elsewhere(db, project) else "Only one thing differs"
chosen = st.segmented_control(
    "View",
    offered,
    default=first,
    key="view",
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
VIEWS[chosen or first](View(db, project, tables, plan, measured))
