"""Gallery: every checkpoint's previews of the same prompts and seeds, side by side, at a glance, or two against
each other."""

from typing import Any

import streamlit as st

from pages import _shared as shared
from pages._drawn import worked_out
from pages._pictures import compare_pictures, picture_grid, show_preview
from workbench import views
from workbench.pictures import compare, contact_sheet, gallery
from workbench.plans.plan import plan_of

SIZES = {"S": 96, "M": 128, "L": 192, "XL": 320}
ROLES = {"all": ("identity", "neutral"), "with the trigger": ("identity",), "without": ("neutral",)}


def choose_strength() -> float:
    """The LoRA strength to look at, where the plan has several."""
    if len(plan.strengths) == 1:
        return plan.main_strength
    return float(
        st.segmented_control("LoRA strength", plan.strengths, default=plan.main_strength, key="strength", required=True)
    )


def choose_size() -> int:
    return SIZES[
        st.segmented_control("Size", SIZES, default="M", key="size", bind="query-params", required=True) or "M"
    ]


def choose_role() -> tuple[str, ...]:
    return ROLES[
        st.segmented_control("Prompts", ROLES, default="all", key="prompts", bind="query-params", required=True)
        or "all"
    ]


def choose_seeds() -> list[int]:
    few = () if plan.elsewhere else plan.seeds[-1:]  # made elsewhere: not every prompt has every seed
    return list(st.pills("Preview seeds", plan.seeds, selection_mode="multi", default=few, key="seeds"))


def every_checkpoint() -> None:
    """Rows of checkpoints under shared prompts and seeds."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        seeds, role, strength, px = choose_seeds(), choose_role(), choose_strength(), choose_size()
        last_only = st.toggle("Last checkpoints only", key="last", bind="query-params")
    chosen = gallery.choose(table, plan, roles=role, seeds=seeds, strength=strength, last_only=last_only)
    held = shared.held_back(db, project, "reveal", chosen["token"])
    grid = shared.with_reference(db, project, gallery.preview_grid(chosen, plan, held))
    picked = picture_grid(grid, px, 720, "gallery", zoom=True)
    st.caption("Under each picture: its likeness (0 a stranger, 100 the person's own photos). Click one to enlarge it.")
    if picked:
        row = table[table["token"] == picked].iloc[0].to_dict()
        show_preview(row, shared.all_settings(db, row))


def one_picture() -> None:
    """All patterns in one picture, to look at and to keep."""
    seeds = tuple(sorted(choose_seeds() or plan.seeds))
    shown = worked_out(db, project["id"], contact_sheet.tokens, plan, seeds)
    held = ",".join(sorted(shared.held_back(db, project, "reveal", shown)))
    sheet, full = _sheet(str(shared.workspace().home), views.revision(db), project, seeds, held)
    st.image(sheet, output_format="JPEG", width="stretch")
    st.download_button("Download the picture", full, f"{project['name']}.png", "image/png", icon=":material/download:")
    st.caption(
        "The last checkpoint of every pattern, of its first training seed. The symbol at the picture's corner shows it "
        "as large as the window."
    )


@st.cache_resource(max_entries=4, show_spinner="Drawing ...")
def _sheet(home: str, revision: int, project: dict[str, Any], seeds: tuple[int, ...], held: str) -> tuple[bytes, bytes]:
    """The sheet as the page shows it, which Streamlit would else make anew at each click, and in full to be kept."""
    made = contact_sheet.sheet_of(shared.workspace(), db, project, tables, seeds, frozenset(held.split(",")))
    picture = contact_sheet.draw(made)
    return contact_sheet.jpeg(picture, contact_sheet.PAGE_PX), contact_sheet.png(picture)


def two() -> None:
    """Two checkpoints against each other."""
    names = compare.comparable(table)
    ids = list(names)
    if len(ids) < 2:
        st.info("There is only one row of pictures so far. Two are needed.", icon=":material/hourglass_empty:")
        return
    left, right = st.columns(2, gap="medium")
    first, second = compare.to_begin_with(table)
    a = left.selectbox("A", ids, ids.index(first), format_func=names.__getitem__, key="compare-a")
    b = right.selectbox("B", ids, ids.index(second), format_func=names.__getitem__, key="compare-b")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        seeds, role, strength, px = choose_seeds(), choose_role(), choose_strength(), choose_size()
    chosen = gallery.choose(table, plan, roles=role, seeds=seeds, strength=strength)
    both = chosen[chosen["is_base"] | chosen["checkpoint_id"].isin([a, b])]
    held = shared.held_back(db, project, "reveal", both["token"])
    compare_pictures(compare.compare(chosen, a, b, held), max(px, 192), "compare")


VIEWS = {
    "Every checkpoint": every_checkpoint,
    "All patterns in one picture": one_picture,
    "Two against each other": two,
}

st.title("Gallery")
db = shared.open_workbench()
project = shared.project_or_stop(db)
tables = shared.tables(db, project["id"])
table = tables.previews
if table.empty:
    shared.nothing_yet(
        "No previews yet. They appear as soon as the first checkpoint is saved.", "queue", "See the queue"
    )
plan = plan_of(db, project["id"])
view = st.segmented_control(
    "View",
    VIEWS,
    default="Every checkpoint",
    key="gallery-view",
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
VIEWS[view or "Every checkpoint"]()  # a link may name none
