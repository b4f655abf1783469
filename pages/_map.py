"""The map of epochs and strengths with its answer, on Home for what was made elsewhere and in Charts for all."""

from typing import Any

import altair as alt
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import drawn, show, worked_out
from pages._pictures import picture_grid, show_preview
from workbench import views
from workbench.charting.map_chart import map_chart, notes
from workbench.findings.analysis import Tables
from workbench.findings.epoch_map import BestCell, base_value, best_cell, epoch_map, in_cells
from workbench.findings.map_words import answer, places_of
from workbench.pictures import gallery
from workbench.plans.plan import EvalPlan

MAIN = ("likeness", "face_rate", "identity_yield", "clip_t", "human_likeness")


def answer_in_map(db: Database, project: dict[str, Any], tables: Tables, plan: EvalPlan, prominent: bool) -> None:
    """Which checkpoint at which strength: the answer in words, the map, the pictures of a cell.

    ``prominent``: the answer is the heading of the page's part, with the best cell's pictures at once.
    """
    names = {key: tables.metric(key).label for key in views.mapped(tables) if key in MAIN or not prominent}
    if not names:
        st.info("No scores yet: the map comes with them, or with your marks.", icon=":material/hourglass_empty:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        metric = choose_score(names, prominent)
        run_id = choose_lora(db, project["id"], tables, metric)
    measured = tables.metric(metric)
    everywhere = worked_out(db, project["id"], epoch_map, metric)
    cells = everywhere[everywhere["run_id"] == run_id]
    best = worked_out(db, project["id"], best_cell, metric, run_id)
    if best is None:
        st.info(f"No {measured.label} of this LoRA yet.", icon=":material/hourglass_empty:")
        return
    first, *more = answer(best, measured, places_of(cells))
    if prominent:
        st.subheader(shared.plain(first))
        st.markdown(shared.plain(" ".join(more)))
    else:
        st.markdown(f"**{shared.plain(first)}** {shared.plain(' '.join(more))}")
    if prominent:
        shared.reference_notes(db, project)
    base = base_value(tables, metric)
    picked = show(drawn(db, project["id"], map_of, metric, run_id), f"map-{metric}")
    st.caption(shared.plain(" ".join([*notes(cells, measured, base), measured.meaning])))
    shown = [(int(cell["checkpoint_id"]), float(cell["strength"])) for cell in picked]
    if not shown and prominent:
        shown = [best.key]
    if shown:
        cell_pictures(db, project, tables, plan, shown, best)
    else:
        st.caption("Click a cell to see its pictures.")
    st.download_button(
        "Download as CSV", everywhere.to_csv(index=False), "map.csv", "text/csv", icon=":material/download:"
    )


def map_of(tables: Tables, metric: str, run_id: int) -> alt.LayerChart:
    """The map of one LoRA that has the score."""
    cells, best = epoch_map(tables, metric), best_cell(tables, metric, run_id)
    assert best is not None  # the page has just named it
    return map_chart(cells[cells["run_id"] == run_id], tables.metric(metric), best, base_value(tables, metric))


def choose_score(names: dict[str, str], prominent: bool) -> str:
    """The score that the map shows. ``prominent``: only the main ones, each a click away."""
    if not prominent:
        return str(st.selectbox("Score", names, format_func=names.__getitem__, key="map score", width=260))
    first = next(iter(names))
    return str(
        st.segmented_control("Score", names, default=first, format_func=names.__getitem__, key="map", required=True)
    )


def choose_lora(db: Database, project_id: int, tables: Tables, metric: str) -> int:
    """The run that the map is of, that of the best cell first; chosen by hand where there are several."""
    leading = worked_out(db, project_id, best_cell, metric)
    names = views.lora_names(db, project_id, tables)
    if len(names) == 1 or leading is None:
        return next(iter(names))
    order = sorted(names, key=lambda run: run != leading.cell["run_id"])
    return int(st.selectbox("LoRA", order, format_func=names.__getitem__, key="map lora", width=340))


def cell_pictures(
    db: Database,
    project: dict[str, Any],
    tables: Tables,
    plan: EvalPlan,
    keys: list[tuple[int, float]],
    best: BestCell,
) -> None:
    """The pictures of chosen cells, beside the person and the base row."""
    previews = tables.previews
    chosen = previews[in_cells(previews, keys) | previews["is_base"]]
    one = keys[0] == best.key and len(keys) == 1
    st.markdown(f"**{'The best cell' if one else 'The chosen cell'}**" if len(keys) == 1 else "**The chosen cells**")
    grid = gallery.preview_grid(chosen, plan, shared.held_back(db, project, "reveal in map", chosen["token"]))
    picked = picture_grid(shared.with_reference(db, project, grid), 128, None, "map-pictures")
    if picked:
        row = previews[previews["token"] == picked].iloc[0].to_dict()
        show_preview(row, shared.all_settings(db, row))
