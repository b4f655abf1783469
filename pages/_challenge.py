"""Challenge the default on the project that the sidebar shows: choose, see what it costs, queue, take it back."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._add_patterns import show_notes
from workbench import views
from workbench.recipes import challenge
from workbench.recipes.challenge import ChallengeError
from workbench.recipes.default import Default, current
from workbench.recipes.verdicts import Overview, Verdict
from workbench.running.queue import QueueError
from workbench.sweep.patterns import PatternError

SEEDS = range(1, 9)
BEGUN = "challenge begun"  # in the session: the last challenge, which may be taken back
TROUBLE = "challenge was not queued"


def challenge_default(db: Database, project: dict[str, Any], seen: Overview) -> None:
    """Choose a challenger and seeds for this project, and queue both; or why that can't be."""
    default = seen.default
    assert default is not None
    person = seen.people.of_project(project["id"])
    st.subheader(f"Challenge it for {shared.plain(person.name if person else project['name'])}")
    if trouble := st.session_state.pop(TROUBLE, None):
        st.error(shared.plain(trouble))
    if problem := challenge.problem_of(db, project, default.pattern_id, default.label):
        st.info(shared.plain(problem), icon=":material/block:")
        return
    offers = {each.pattern_id: each for each in challenge.offers(db, project, seen, leaders(db, project, default))}
    if not offers:
        st.info(
            "There is no pattern on this base model left to challenge it with: what there is, is settled or stopped. "
            "Clone your default on the Patterns page and change one setting.",
            icon=":material/tune:",
        )
        return
    picked = st.selectbox(
        "Challenger",
        offers,
        format_func=lambda number: f"{offers[number].label}: {offers[number].why}",
        key=f"challenger-{project['id']}",
    )
    already = [
        each.pooled.people
        for each in seen.verdicts
        if each.challenger == picked and person in {row.person for row in each.counted}
    ]
    if already:
        st.caption("This person is measured for this challenger already: more seeds make that surer, but it stays one.")
    seeds = st.pills("Training seeds", SEEDS, selection_mode="multi", default=list(challenge.SEEDS), key="duel-seeds")
    try:
        prepared = challenge.prepare(db, project, default, picked, seeds)
    except (ChallengeError, PatternError) as error:
        st.info(shared.plain(str(error)), icon=":material/block:")
        return
    if prepared.runs and prepared.price:
        st.caption(shared.plain(prepared.price.sentence))
    n = prepared.runs
    st.button(
        f"Queue {n} run{'s' if n != 1 else ''}" if n else "All of these are trained or queued",
        type="primary",
        icon=":material/swords:",
        disabled=not n,
        on_click=begin,
        args=(project["id"], picked, tuple(seeds)),
    )
    show_notes(prepared.notes)


def leaders(db: Database, project: dict[str, Any], default: Default) -> list[int]:
    """The pattern that leads in the last project, worked out again when something was measured."""
    return _leaders(str(shared.workspace().home), project["id"], default.pattern_id, views.revision(db))


@st.cache_data(max_entries=8, show_spinner=False)
def _leaders(home: str, project_id: int, default: int, revision: int) -> list[int]:
    db = shared.open_workbench()
    project = views.project(db, project_id)
    assert project is not None  # the page shows it
    return challenge.last_leaders(db, project, default)


def begin(project_id: int, challenger: int, seeds: Sequence[int]) -> None:
    """Queue a challenge as it stands now, and remember it, so that it can be taken back."""
    db = shared.open_workbench()
    project, default = views.project(db, project_id), current(db)
    try:
        if project is None or default is None:
            raise ChallengeError("The project or your default is gone. Choose again.")
        prepared = challenge.prepare(db, project, default, challenger, seeds)
        number = challenge.begin(db, prepared)
    except (ChallengeError, PatternError, QueueError) as error:
        st.session_state[TROUBLE] = str(error)
    else:
        st.session_state[BEGUN] = (number, f"{default.label} and {prepared.label} for {project['name']}", prepared.runs)


def just_begun() -> None:
    """What was queued a moment ago, with a way back."""
    if BEGUN not in st.session_state:
        return
    number, title, runs = st.session_state[BEGUN]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/check: Queued: **{shared.plain(title)}** ({runs} runs).")
        st.button("Undo", key="challenge-undo", icon=":material/undo:", on_click=take_back, args=(number,))


def take_back(number: int) -> None:
    """Cancel what the challenge queued and is not trained yet."""
    challenge.take_back(shared.open_workbench(), number)
    st.session_state.pop(BEGUN, None)


def stop_or_go_on(verdict: Verdict, number: int) -> None:
    """Stop a challenge for everybody, or take it up again."""
    default = current(shared.open_workbench())
    if default is None:
        return
    if verdict.stopped:
        st.button(
            "Take it up again",
            key=f"resume-{number}",
            icon=":material/play_arrow:",
            on_click=resume,
            args=(default.pattern_id, verdict.challenger),
        )
        st.caption("Stopped: it is not offered any more.")
    elif verdict.nothing_left and verdict.code != "better":
        waits = f" ({verdict.waiting} runs wait)" if verdict.waiting else ""
        st.button(
            f"Stop this challenge: nothing left to learn{waits}",
            key=f"stop-{number}",
            icon=":material/stop:",
            on_click=stop,
            args=(default.pattern_id, verdict.challenger),
        )


def stop(default: int, challenger: int) -> None:
    challenge.stop(shared.open_workbench(), default, challenger)


def resume(default: int, challenger: int) -> None:
    challenge.resume(shared.open_workbench(), default, challenger)
