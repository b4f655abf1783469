"""What to train next: each suggestion with its reason, cost and a button; where all is learned, that it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import worked_out
from pages._folded import folded
from workbench import views
from workbench.findings import suggest, suggest_words, two_by_two
from workbench.findings.analysis import Tables
from workbench.findings.suggest import Advice, Suggestion
from workbench.findings.two_by_two import Interplay
from workbench.running.queue import QueueError
from workbench.sweep.patterns import PatternError
from workbench.workspace import Workspace

QUEUED = "queued from suggestions"  # in the session: what was queued last, and may be taken back
TROUBLE = "suggestion was not queued"
SHOWN = 1  # suggestion that stands there before one asks for more


def next_runs(db: Database, project: dict[str, Any], tables: Tables, prominent: bool = True) -> None:
    """At most five things to train next, the first in full, or why to stop.

    Nothing where nothing was measured, or where nothing is trained here. ``prominent``: it is the next thing to do.
    """
    if views.made_elsewhere(db, project):
        return
    if trouble := st.session_state.pop(TROUBLE, None):
        st.error(shared.plain(trouble))
    state = str(suggest.state(db, project["id"]))  # one text is hashed at once, a long tuple part by part
    home, revision = str(shared.workspace().home), views.revision(db)
    advice = _advice(home, project["id"], revision, state, tables)
    if advice.leader is None:
        return
    st.subheader("What to train next")
    just_queued(project["id"])
    if not advice.suggestions:
        st.info(shared.plain(suggest_words.stop(advice, tables.labels)), icon=":material/flag:")
    for number, suggestion in enumerate(advice.suggestions[:SHOWN]):
        offer(project["id"], advice, suggestion, number, tables.labels, prominent)
    if advice.suggestions:
        more = len(advice.suggestions) - SHOWN
        label = f"{more} more, and how this is reckoned" if more > 0 else "How this is reckoned"
        folded(label, "more to train", the_others, project["id"], advice, tables.labels)


def the_others(project_id: int, advice: Advice, labels: Mapping[int, str]) -> None:
    """What else could be trained, and where all these figures come from."""
    pressed = [
        offer(project_id, advice, suggestion, number, labels)
        for number, suggestion in enumerate(advice.suggestions[SHOWN:], SHOWN)
    ]
    st.caption(shared.plain(suggest_words.reckoned(advice, labels)))
    if any(pressed):
        st.rerun()  # what was queued is said above, outside of what is folded here


def interplay(db: Database, project: dict[str, Any], tables: Tables) -> None:
    """Which settings depend on each other, where all four combinations of two were trained here."""
    if not views.made_elsewhere(db, project):
        metric = tables.main_metric
        depend_on_each_other(worked_out(db, project["id"], two_by_two.interplays, metric))


@st.cache_data(max_entries=4, show_spinner=False)
def _advice(home: str, project_id: int, revision: int, state: str, _tables: Tables) -> Advice:
    return suggest.advice(Workspace(Path(home)).open(), project_id, _tables)


def offer(
    project_id: int,
    advice: Advice,
    suggestion: Suggestion,
    number: int,
    labels: Mapping[int, str],
    prominent: bool = False,
) -> bool:
    """One suggestion: what, why, what it costs, how much may come of it; and the button, and whether it was pressed."""
    with st.container(border=True):
        words, go = st.columns([5, 1], vertical_alignment="center")
        words.markdown(f"**{shared.plain(suggest_words.title(suggestion))}**")
        about = f"{suggest_words.price(suggestion)} {suggest_words.learned(advice, suggestion)}"
        words.markdown(shared.plain(about))
        words.caption(shared.plain(suggest_words.reason(advice, suggestion, labels)))
        return go.button(
            "Queue this",
            key=f"suggestion-{number}",
            type="primary" if prominent else "secondary",
            icon=":material/playlist_add:",
            on_click=take_up,
            args=(project_id, suggestion),
        )


def take_up(project_id: int, suggestion: Suggestion) -> None:
    """Queue a suggestion, and remember it, so that it can be taken back."""
    try:
        run_ids = suggest.take_up(shared.open_workbench(), project_id, suggestion)
    except (PatternError, QueueError) as error:
        st.session_state[TROUBLE] = str(error)
    else:
        st.session_state[QUEUED] = (project_id, suggest_words.title(suggestion), run_ids)


def just_queued(project_id: int) -> None:
    """What was queued a moment ago, with a way back."""
    project, title, run_ids = st.session_state.get(QUEUED, (None, "", []))
    if project != project_id:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        runs = ", ".join(map(str, run_ids))
        st.markdown(f":material/check: Queued: **{shared.plain(title)}** (run {runs}).")
        st.button("Undo", key="suggestion-undo", icon=":material/undo:", on_click=take_back, args=(run_ids,))


def take_back(run_ids: Sequence[int]) -> None:
    """Cancel what was queued from here; the pattern stays on the Patterns page."""
    suggest.take_back(shared.open_workbench(), run_ids)
    st.session_state.pop(QUEUED, None)


def depend_on_each_other(found: Sequence[Interplay]) -> None:
    """What two settings do together, where all four combinations were trained; else nothing is said of it."""
    if not found:
        return
    st.markdown(f"**{two_by_two.ASKED}**")
    st.caption(two_by_two.ONLY_WHERE)
    sentences(found[: two_by_two.SHOWN])
    if len(found) > two_by_two.SHOWN:
        folded(f"{len(found) - two_by_two.SHOWN} more", "more interplays", sentences, found[two_by_two.SHOWN :])


def sentences(found: Sequence[Interplay]) -> None:
    st.markdown("\n".join(f"- {shared.plain(each.sentence)}" for each in found))
