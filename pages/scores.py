"""Scores: who judges and how the scale was measured, where two judges disagree, what was copied, what changed."""

from typing import Any

import streamlit as st

from pages import _shared as shared
from pages._copies import copied_photos
from pages._drawn import worked_out
from pages._pictures import fact_table
from pages._second_judge import choose_second, where_they_disagree
from workbench import views
from workbench.findings.metrics import METRICS
from workbench.plans.plan import plan_of
from workbench.rating import revealing
from workbench.scores import judge_facts

ROW_PX, HEAD_PX = 72, 36  # of the table with pictures
MOST_ROWS = 8  # a longer one scrolls


def who_judges() -> None:
    """Each judge with its licence, its world and the subject's scale."""
    cards = judge_facts.judge_cards(db, project)
    if not cards:
        st.info("Nobody judges: both judges are 'none'. Your marks count. Judges are named on the Plan page.")
        return
    for column, card in zip(st.columns(len(cards), gap="large"), cards, strict=True):
        with column:
            st.markdown(f"**{card.title}**")
            st.caption(card.says)
            if card.problem:
                st.warning(shared.plain(card.problem), icon=":material/person_off:")
            fact_table(card.facts)
    shared.reference_notes(db, project)
    left_out()


def left_out() -> None:
    """What is stored and not shown, so that no two scales meet."""
    counts = {name.replace("_", " "): n for name, n in tables.previews.attrs.get("left_out", {}).items() if n}
    if counts:
        listed = ", ".join(f"{n:,} {name}" for name, n in counts.items())
        st.caption(f"Stored but not mixed in here: {listed}.")


def second() -> None:
    """Another judge beside the first: does it put the pictures into the same order?"""
    if project["face_judge"] == "none":
        st.caption("There is no first judge of faces to compare with.")
        return
    with st.container(width=440):
        choose_second(project["id"])
    if project["second_face_judge"] == "none":
        st.caption(
            "A second judge scores the same pictures on a scale of its own. Where the two disagree, look yourself: "
            "at least one of them is wrong."
        )
        return
    where_they_disagree(db, project, tables)


def looks(held: set[str]) -> None:
    """Drift, diversity and skin per checkpoint, with a picture each."""
    rows = views.pictured(worked_out(db, project["id"], views.look_rows), held)
    if not rows:
        st.caption("Not measured yet: it comes with the scores. What is held against the base row needs one.")
        return
    columns: dict[str, Any] = {"picture": st.column_config.ImageColumn("", width=72)}
    meanings = {METRICS[key].label: METRICS[key].meaning for key in views.LOOK if key in METRICS}
    columns |= {label: st.column_config.TextColumn(help=text) for label, text in meanings.items()}
    st.dataframe(
        rows,
        hide_index=True,
        column_config=columns,
        row_height=ROW_PX,
        height="content" if len(rows) <= MOST_ROWS else HEAD_PX + MOST_ROWS * ROW_PX,
    )
    st.caption(f"Means at LoRA strength {plan_of(db, project['id']).main_strength:g}.")
    told = {label: text for label, text in meanings.items() if label in rows[0]}
    with st.expander("What these say", icon=":material/help:"):
        st.markdown("\n".join(f"- **{label}** {shared.plain(text)}" for label, text in told.items()))


st.title("Scores")
db = shared.open_workbench()
project = shared.project_or_stop(db)
tables = shared.tables(db, project["id"])
st.subheader("Who judges")
who_judges()
if tables.previews.empty:
    shared.nothing_yet("No pictures yet, so there is nothing to judge.", "queue", "See the queue")
st.subheader("Copies of training photos")
copied_photos(db, project)
st.subheader("A second judge of faces")
second()
st.subheader("What else changes in the pictures")
looks(revealing.may_be_asked(db, project, shared.rater()))
