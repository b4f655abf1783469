"""Patterns: the settings to compare, what is known about them beforehand, and which are queued."""

import streamlit as st

from pages import _shared as shared
from pages._add_patterns import add_patterns, show_notes
from pages._folded import folded
from pages._pictures import fact_table
from workbench import views
from workbench.bases import NO_BASE
from workbench.running import device, queue
from workbench.sweep import cost, patterns, preflight, settings
from workbench.sweep.patterns import Pattern

SEEDS = range(1, 9)
SEEDS_HELP = "Each seed is a training of its own. Two or more for each pattern tell what chance alone makes."


def table() -> list[int]:
    """Every pattern with the settings that differ; returns the ids of those that are ticked, or all."""
    rows = settings.comparison(listed, views.trained(db, project["id"]), n_photos)
    known = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    rows = [{name: row[name] for name in known} for row in rows]
    columns = {
        "pattern": st.column_config.TextColumn(pinned=True, width=170),
        "trained": st.column_config.NumberColumn(format="%d x", width="small"),
        "note": st.column_config.TextColumn(width="large"),
    }
    picked = st.dataframe(
        rows,
        hide_index=True,
        column_config=columns,
        on_select="rerun",
        selection_mode="multi-row",
        key="patterns",
    )
    elsewhere = [pattern.label for pattern in listed if pattern.origin]
    if len(elsewhere) < len(listed):
        st.caption("Blank = as in the first pattern, the baseline. Tick patterns to queue only these.")
    if elsewhere:
        named = shared.plain(", ".join(elsewhere))
        offers = "" if project["base_model"] == NO_BASE else " Their run's page offers to train the like here."
        st.caption(f"Trained elsewhere, so not queued: {named}.{offers}")
    ticked = [listed[row] for row in picked.selection.rows] or listed
    return [pattern.pattern_id for pattern in ticked if pattern.origin is None]


def queue_form(chosen: list[int]) -> None:
    """Queue the chosen patterns with some seeds; what was trained already is not trained again."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        seeds = st.pills("Training seeds", SEEDS, selection_mode="multi", default=[1, 2], key="seeds", help=SEEDS_HELP)
        wanted = views.untried(db, project, chosen, seeds)
        n = sum(map(len, wanted.values()))
        nothing = "All of these are trained or queued" if seeds else "Choose a training seed"
        label = f"Queue {n} run{'s' if n != 1 else ''}" if n else nothing
        go = st.button(label, type="primary", icon=":material/queue_play_next:", disabled=not n)
    configs = {pattern.pattern_id: pattern.config for pattern in listed}
    price = cost.cost(db, project["id"], [configs[number] for numbers in wanted.values() for number in numbers])
    if n and price:
        st.caption(shared.plain(price.sentence))
    if go:
        try:
            for seed, pattern_ids in wanted.items():
                queue.enqueue(db, project["id"], pattern_ids, [seed])
        except queue.QueueError as error:
            st.error(shared.plain(str(error)))
        else:
            shared.go("queue")


def answered(listed: list[Pattern]) -> None:
    """What the sweep will be able to say about each setting that varies, and what it lacks."""
    labels = {pattern.pattern_id: pattern.label for pattern in listed}
    lines = [
        f"{':material/check:' if answer.pairs else ':material/close:'} "
        f"{shared.plain(preflight.answer_sentence(answer, labels))}"
        for answer in preflight.answers(listed, device.known_precisions(shared.open_workbench()))
    ]
    chance = preflight.chance_sentence(len(st.session_state.get("seeds") or []))
    st.markdown("\n\n".join([*lines, f":material/casino: {shared.plain(chance)}"]))


def every_setting(pattern: Pattern) -> None:
    fact_table(settings.lines(pattern.config.model_dump(), pattern.unknown))


st.title("Patterns")
db = shared.open_workbench()
project = shared.project_or_stop(db)
listed = patterns.listed(db, project["id"])
n_photos = len(views.photos(db, project["dataset_id"], "train")) if project["dataset_id"] else 0
if "patterns said" in st.session_state:
    st.success(shared.plain(st.session_state.pop("patterns said")), icon=":material/check:")
if not listed:
    st.markdown("A pattern is a set of training settings. The first one is the baseline of the others.")
    add_patterns(project, listed, n_photos)
    st.stop()

chosen = table()
if any(pattern.origin is None for pattern in listed):
    shared.plan_note(db, project)
    queue_form(chosen)
    show_notes(preflight.notes(db, project["id"]))
if len(listed) > 1:
    folded("What this sweep will answer, and what not", "answers", answered, listed, icon=":material/help:")
folded(
    f"Every setting of {shared.plain(listed[0].label)}",
    "every setting",
    every_setting,
    listed[0],
    icon=":material/list:",
)
st.subheader("Add patterns")
add_patterns(project, listed, n_photos)
