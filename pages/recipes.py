"""Recipes: your default, what challenges it, and what that says of new people, with people as replicates."""

from datetime import datetime
from pathlib import Path

import streamlit as st

from pages import _shared as shared
from pages._challenge import challenge_default, just_begun, stop_or_go_on
from pages._drawn import finished, show_still, worked_out
from workbench import views
from workbench.charting.recipes_chart import chart_rows, people_chart
from workbench.findings.best import best_so_far
from workbench.findings.metrics import METRICS
from workbench.recipes import default, verdicts, words
from workbench.recipes.verdicts import Measured, Overview, Verdict
from workbench.sweep import patterns
from workbench.sweep.patterns import PatternError
from workbench.workspace import Workspace

TROUBLE = "recipes trouble"
CHANGED = "default changed"
SHOWN = 6  # challengers drawn at once; more are in an expander


@st.cache_data(max_entries=4, show_spinner="Comparing every person's trainings")
def _measured(home: str, revision: int, pattern_id: int) -> Measured:
    ws = Workspace(Path(home))
    return verdicts.measure(ws, ws.open(), pattern_id)


def seen_with(matters: float | None) -> Overview:
    """Where every challenger stands; the slow part is kept until something that it shows has changed."""
    ws = shared.workspace()
    now = default.current(db)
    measured = _measured(str(ws.home), views.revision(db), now.pattern_id) if now else None
    return verdicts.overview(ws, db, measured, matters)


def make_default(project_id: int, pattern_id: int, why: str) -> None:
    """Make a pattern the default, and remember that it can be taken back."""
    try:
        default.make_default(shared.open_workbench(), project_id, pattern_id, why)
    except PatternError as error:
        st.session_state[TROUBLE] = str(error)
    else:
        st.session_state[CHANGED] = True


def take_back() -> None:
    default.take_back(shared.open_workbench())
    st.session_state.pop(CHANGED, None)


def the_default(seen: Overview) -> None:
    """The default now, with a choice of another from the project that the sidebar shows."""
    now = seen.default
    if now:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Your default: {shared.plain(now.label)}**")
            if st.session_state.get(CHANGED):
                st.button("Undo", key="default-undo", icon=":material/undo:", on_click=take_back)
        if not now.in_use:
            st.warning(
                "It is in the bin of every project that had it. Restore it on Home, or make another pattern the "
                "default.",
                icon=":material/delete:",
            )
        st.caption(f"Chosen {day(now.chosen_at)}{': ' if now.why else '.'}{shared.plain(now.why)}")
    with st.expander("Choose another default" if now else "Choose a default", expanded=now is None):
        choose(seen)


def choose(seen: Overview) -> None:
    """Any pattern of the project can be the default; what was chosen before stands below."""
    project = shared.project_or_stop(db)
    own = {p.pattern_id: p for p in patterns.listed(db, project["id"]) if p.origin is None}
    if not own:
        st.markdown(
            f"{shared.plain(project['name'])} has no pattern to choose. Add one on the Patterns page, or choose "
            "another project in the sidebar."
        )
    else:
        leading = worked_out(db, project["id"], best_so_far)
        ahead = leading.pattern_id if leading else None
        picked = st.selectbox(
            f"Pattern of {shared.plain(project['name'])}",
            own,
            index=list(own).index(ahead) if ahead in own else 0,
            format_func=lambda number: own[number].label,
            key="default-pick",
        )
        if picked == ahead:
            st.caption(f"It is ahead in {shared.plain(project['name'])}.")
        used = len(seen.used.get(picked, ()))
        st.caption(f"Trained to the end for {words.counted_people(used)}." if used else "Not trained for anybody yet.")
        st.button(
            "Make it my default",
            icon=":material/bookmark:",
            type="secondary" if seen.default else "primary",
            disabled=bool(seen.default and seen.default.pattern_id == picked),
            on_click=make_default,
            args=(project["id"], picked, f"chosen by hand, in {project['name']}"),
        )
    changes = default.history(db)
    if changes:
        st.dataframe(
            [{"when": day(row["created_at"]), "default": row["label"] or "none", "why": row["why"]} for row in changes],
            hide_index=True,
        )


def day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def challenger(verdict: Verdict, number: int, given: bool) -> None:
    """One challenger: the line, what it means, every person, and what can be done now."""
    with st.container(border=True):
        st.markdown(f"#### {shared.plain(words.headline(verdict))}")
        st.markdown(shared.plain(words.means(verdict)))
        reason = words.why_stop(verdict)
        for text in words.besides(verdict):
            if text == reason:
                st.info(shared.plain(text), icon=":material/flag:")
            else:
                st.caption(shared.plain(text))
        show_still(finished(people_chart(verdict)), f"people-{number}")
        st.caption(f"Measured on {shared.plain(words.scale_words(verdict.scale))}.")
        st.caption(shared.plain(words.matters_words(verdict, given)))
        with st.container(horizontal=True, vertical_alignment="center"):
            if verdict.code == "better":
                project_id = verdict.counted[0].difference.project_id
                figures = words.figures(verdict.pooled, METRICS[verdict.scale.metric])
                why = f"better than '{verdict.default_label}': {figures}"
                st.button(
                    "Make it the default",
                    key=f"make-{number}",
                    type="primary",
                    icon=":material/bookmark:",
                    on_click=make_default,
                    args=(project_id, verdict.challenger, why),
                )
            stop_or_go_on(verdict, number)
            st.download_button(
                "Download as CSV",
                chart_rows(verdict).to_csv(index=False),
                f"recipe-{number}.csv",
                "text/csv",
                key=f"csv-{number}",
                icon=":material/download:",
            )


def matters_field() -> float | None:
    """The smallest difference that is worth having; empty: what another training seed makes."""
    value = st.number_input(
        "A difference that matters (points of likeness)",
        min_value=0.0,
        value=None,
        step=1.0,
        key="matters",
        width=320,
        placeholder="as much as another training seed makes",
        help="Once a whole interval lies within this, nothing is left to learn. Empty: as much as another training "
        "seed alone moves one LoRA.",
    )
    return None if value is None else float(value)


st.title("Recipes")
st.markdown(
    "A **recipe** is a pattern that is used for several people. Which one is best for the *next* person is answered by "
    "people, not by pictures: each person is one measurement."
)
db = shared.open_workbench()
if not views.projects(db):
    shared.nothing_yet(
        "There is no project yet. A project is one question about one subject.", "home", "Make a project"
    )
if trouble := st.session_state.pop(TROUBLE, None):
    st.error(shared.plain(trouble))
given = st.session_state.get("matters")
seen = seen_with(given)
reason = words.empty(seen)
if reason and not seen.default:
    st.info(shared.plain(reason), icon=":material/bookmark:")
the_default(seen)
just_begun()
if reason and seen.default:
    st.info(shared.plain(reason), icon=":material/hourglass_empty:")
if todo := words.next_person(seen):
    st.info(shared.plain(todo), icon=":material/person_add:")
if seen.default:
    challenge_default(db, shared.project_or_stop(db), seen)
if seen.verdicts:
    st.subheader("What challenges it")
    st.caption(words.family(seen.verdicts))
    matters_field()
for number, verdict in enumerate(seen.verdicts[:SHOWN]):
    challenger(verdict, number, given is not None)
if len(seen.verdicts) > SHOWN:
    with st.expander(f"{len(seen.verdicts) - SHOWN} more"):
        for number, verdict in enumerate(seen.verdicts[SHOWN:], SHOWN):
            challenger(verdict, number, given is not None)
several = {pattern: names for pattern, names in seen.used.items() if len(names) > 1}
if several:
    st.subheader("Recipes: patterns trained for several people")
    st.dataframe(
        [
            {"recipe": seen.labels.get(pattern, f"pattern {pattern}"), "people": len(names), "who": ", ".join(names)}
            for pattern, names in sorted(several.items(), key=lambda item: -len(item[1]))
        ],
        hide_index=True,
    )
for note in seen.notes:
    st.caption(shared.plain(note))
