"""Patterns: the settings to compare, what is known about them beforehand, and which are queued."""

from collections.abc import Callable

import streamlit as st

from pages import _shared as shared
from pages._pictures import fact_table
from pages._settings import one_change, settings_fields
from workbench import patterns, preflight, queue, settings, views
from workbench.patterns import Pattern, PatternError

SEEDS = range(1, 9)
SEEDS_HELP = "Each seed is a training of its own. Two or more for each pattern tell what chance alone makes."


def table() -> list[int]:
    """Every pattern with the settings that differ; returns the ids of those that are ticked, or all."""
    n_photos = len(views.photos(db, project["dataset_id"], "train")) if project["dataset_id"] else 0
    rows = settings.comparison(listed, views.trained(db, project["id"]), n_photos)
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
    st.caption("Blank = as in the first pattern, the baseline. Tick patterns to queue only these.")
    return [listed[row].pattern_id for row in picked.selection.rows] or [p.pattern_id for p in listed]


def queue_form(chosen: list[int]) -> None:
    """Queue the chosen patterns with some seeds; what was trained already is not trained again."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        seeds = st.pills("Training seeds", SEEDS, selection_mode="multi", default=[1, 2], key="seeds", help=SEEDS_HELP)
        wanted = views.untried(db, project, chosen, seeds)
        n = sum(map(len, wanted.values()))
        nothing = "All of these are trained or queued" if seeds else "Choose a training seed"
        label = f"Queue {n} run{'s' if n != 1 else ''}" if n else nothing
        go = st.button(label, type="primary", icon=":material/queue_play_next:", disabled=not n)
    if go:
        try:
            for seed, pattern_ids in wanted.items():
                queue.enqueue(db, project["id"], pattern_ids, [seed])
        except queue.QueueError as error:
            st.error(shared.plain(str(error)))
        else:
            shared.go("queue")


def clone(source: Pattern) -> None:
    """Copy a pattern and change one setting: then the two say what that setting does."""
    change = one_change(source.config.model_dump(), f"clone-{source.pattern_id}")
    label = st.text_input("Label", settings.change_label(source.label, change))
    if st.button("Add this pattern", icon=":material/content_copy:"):
        save(lambda: patterns.clone(db, project["id"], source.pattern_id, label, **change))


def add(start: dict) -> None:
    """A pattern from scratch: every setting with its unit, its meaning and its default."""
    label = st.text_input("Label", placeholder="a few words that say what it tries", key="new label")
    values = settings_fields(start, "new")
    if st.button("Add the pattern", type="secondary" if listed else "primary", icon=":material/add:"):
        save(lambda: patterns.add(db, project["id"], settings.parse(values), label))


def save(work: Callable[[], object]) -> None:
    try:
        work()
    except (PatternError, settings.ConfigError) as error:
        st.error(shared.plain(str(error)))
    else:
        st.rerun()


st.title("Patterns")
db = shared.open_workbench()
project = shared.project_or_stop(db)
listed = patterns.listed(db, project["id"])
if not listed:
    st.markdown("A pattern is a set of training settings. The first one is the baseline of the others.")
    add(settings.start(project))
    st.stop()

queue_form(table())
for note in preflight.notes(db, project["id"]):
    (st.warning if note.level == "warn" else st.info)(shared.plain(note.text), icon=":material/lightbulb:")
with st.expander(f"Every setting of {shared.plain(listed[0].label)}", icon=":material/list:"):
    fact_table(settings.lines(listed[0].config.model_dump()))
with st.expander("Clone a pattern and change one setting", icon=":material/content_copy:"):
    names = {pattern.pattern_id: pattern for pattern in listed}
    chosen = st.selectbox("Pattern to copy", names, format_func=lambda id: names[id].label)
    clone(names[chosen])
with st.expander("Add a pattern from scratch", icon=":material/add:"):
    add(settings.start(project))
