"""Home: the question, where things stand, the next thing to do, the best so far, and what went wrong."""

from typing import Any, Literal

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._copies import copied_photos
from pages._drawn import charted, show_still, worked_out
from pages._folded import folded
from pages._keep import bin_and_backup, keeping
from pages._map import answer_in_map
from pages._next_runs import interplay, next_runs
from pages._people_found import what_leads
from pages._pictures import picture_grid
from pages._projects import demo_button, new_project
from pages._report import downloads
from pages._sources import problem_list
from pages._summary import blocks, pairs_and_summary
from workbench import views
from workbench.charting.contrast_chart import contrast_chart
from workbench.findings.best import best_so_far
from workbench.findings.summary import telling
from workbench.findings.verdicts import verdict
from workbench.next_step import next_step
from workbench.people.found import told_apart
from workbench.pictures import gallery
from workbench.plans.plan import plan_of
from workbench.running.progress import Progress, progress
from workbench.sweep import preflight
from workbench.words import counted, duration

FIGURE_PX = 160  # two beside each other on a phone
LINES, PAIRS = 3, 8  # of a block before the others fold away; rows of the chart


@st.fragment(run_every=5)
def standing(project_id: int) -> None:
    """Counts, time left and the next step, kept up to date while the page is open."""
    db = shared.open_workbench()
    now = progress(db, project_id)
    step = next_step(db, project_id, now, shared.rater(), shared.at_stake(db, project_id))
    kind: Literal["primary", "secondary"] = "secondary" if now.trained else "primary"  # then it is what to train next
    if st.button(step.text, type=kind, icon=":material/arrow_forward:", icon_position="right"):
        shared.go(step.page)
    others = {"waiting": now.runs_queued, "failed": now.runs_failed, "cancelled": now.runs_cancelled}
    if now.finished and not any(others.values()):
        done = (
            f"Runs done {now.runs_done} of {now.runs_total} · previews {now.previews_done} of {now.previews_expected}"
        )
        st.caption(f"{done} · scores {scores_text(now)}")
        return
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=FIGURE_PX):
            st.metric("Runs done", f"{now.runs_done} of {now.runs_total}")
            if said := " · ".join(f"{count} {word}" for word, count in others.items() if count):
                st.caption(said)
        left = "nothing to do" if now.finished else duration(now.eta_s) if now.eta_s else "not known yet"
        st.metric("Previews", f"{now.previews_done} of {now.previews_expected}", width=FIGURE_PX)
        st.metric("Scores", scores_text(now), width=FIGURE_PX)
        st.metric("Time left", left, width=FIGURE_PX)
    if not now.finished and now.runs_total:
        st.progress(now.share)
        shared.waits(now)


def scores_text(now: Progress) -> str:
    """How many scores are still to come."""
    if not now.previews_done:
        return "none yet"
    return f"{now.scores_missing} to come" if now.scores_missing else "all there"


@st.fragment(run_every=3)
def judging(project_id: int) -> None:
    """How far pictures made elsewhere are judged, kept up to date; the page comes up again when all are."""
    db = shared.open_workbench()
    now, project = progress(db, project_id), views.project(db, project_id)
    assert project is not None  # the page has just shown it
    step = next_step(db, project_id, now, shared.rater(), shared.at_stake(db, project_id))
    if st.button(step.text, type="primary", icon=":material/arrow_forward:", icon_position="right"):
        shared.go(step.page)
    before = st.session_state.get("judging")
    st.session_state["judging"] = (project_id, now.scores_missing)
    if before and before[0] == project_id and before[1] != now.scores_missing:
        st.rerun()  # the answer below grows with the scores
    if now.finished:
        return
    if now.previews_expected > now.previews_done:
        share = now.previews_done / now.previews_expected
        st.progress(share, f"Making pictures: {now.previews_expected - now.previews_done:,} to come.")
    if now.scores_missing:
        left = f"{now.scores_missing:,} scores of {now.previews_done:,} pictures to come"
        st.progress(views.judged_share(now, project), f"Judging: {left}. The answer below grows with them.")
    shared.waits(now)


def the_answer(db: Database, project: dict[str, Any]) -> None:
    """What was made elsewhere: which checkpoint at which strength, and which photos it copies."""
    tables = shared.tables(db, project["id"])
    answer_in_map(db, project, tables, plan_of(db, project["id"]), prominent=True)
    if tables.previews.empty:
        return
    st.subheader("Photos that it copies")
    copied_photos(db, project, flagged_only=True)
    if st.button("All pairs, and who judges", icon=":material/scoreboard:"):
        shared.go("scores")


def best(db: Database, project: dict[str, Any]) -> None:
    """The leading pattern in words and pictures, beside the person and the base model alone."""
    tables, plan = shared.tables(db, project["id"]), plan_of(db, project["id"])
    found = worked_out(db, project["id"], best_so_far)
    if found is None:
        return
    st.subheader(f"Best so far: {shared.plain(found.label)}")
    st.markdown(shared.plain(verdict(found.wording, found.params)))
    chosen = gallery.of_checkpoints(tables.previews, plan, found.checkpoint_ids[:1])
    grid = gallery.preview_grid(chosen, plan, shared.held_back(db, project, "reveal on home", chosen["token"]))
    picture_grid(shared.with_reference(db, project, grid), 128, None, "best")
    st.caption(tables.metric(found.metric).meaning)


def what_helped(db: Database, project: dict[str, Any], trained: bool) -> None:
    """What helped, how sure that is, what can't be told; what to train next; the pairs that say most as a chart."""
    tables = shared.tables(db, project["id"])
    if tables.runs.empty or tables.runs[tables.main_metric].isna().all():
        next_runs(db, project, tables, trained)
        return
    rows, found = pairs_and_summary(db, project, tables.main_metric)
    blocks(found, tables, LINES)
    next_runs(db, project, tables, trained)
    if rows.empty:
        return
    st.subheader("Only one thing differs")
    chosen = telling(rows, PAIRS)
    show_still(charted(contrast_chart, chosen, False), "home-pairs")
    with st.container(horizontal=True, vertical_alignment="center"):
        label = f"All {len(rows)} pairs, with pictures" if len(rows) > 1 else "See its pictures"
        if st.button(label, icon=":material/compare:"):
            shared.go("charts", view="Only one thing differs")
        if len(rows) > len(chosen):
            st.caption(f"Above: of each setting the pair that says most, {len(chosen)} of {len(rows)}.")


def people(db: Database, project: dict[str, Any]) -> None:
    """What people found so far, in a line, and the way to it."""
    rows = what_leads(db, project)
    if rows.empty:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**People:** {shared.plain(told_apart(rows))}")
        if st.button("See what people found", icon=":material/groups:", type="tertiary"):
            shared.go("people")


def failures(failed: list[dict[str, Any]]) -> None:
    """Runs that failed, each with its reason and a way to go on."""
    if not failed:
        return
    st.subheader("What went wrong")
    for run in failed:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{shared.plain(run['label'])}, seed {run['seed']}** {shared.plain(views.why(run))}")
            st.button(
                "Retry",
                key=f"retry-{run['id']}",
                icon=":material/replay:",
                on_click=shared.retry,
                args=(run["id"],),
            )


def welcome() -> None:
    """The first start: what this is for, and three ways to begin."""
    st.title("Which settings make the best LoRA of this person?")
    st.markdown(
        "Bring some photos of one subject. The workbench trains a LoRA for every pattern of settings, makes "
        "the same previews from each, measures likeness, lets you rate blind, and says which setting helped "
        "and how sure that is."
    )
    with st.container(horizontal=True):
        have_pictures(primary=True)
        demo_button()
    st.markdown("Or begin a project with your photos:")
    new_project(primary=False)
    bin_and_backup()


def have_pictures(primary: bool) -> None:
    """The way in for who trains already: an answer about pictures that exist."""
    label = "I already have pictures or LoRAs"
    if st.button(label, type="primary" if primary else "secondary", icon=":material/move_to_inbox:"):
        shared.go("made_elsewhere")


def another_project() -> None:
    """The ways to begin, beside a project that is there."""
    have_pictures(primary=False)
    new_project(primary=False)
    demo_button()


db = shared.open_workbench()
if not views.projects(db):
    welcome()
    st.stop()
project = shared.project_or_stop(db)
st.title(shared.plain(project["name"]))
question = (
    "Which checkpoint, at which strength, is the best of this"
    if views.made_elsewhere(db, project)
    else "Which settings make the best LoRA of this"
)
st.markdown(
    f"{question} {shared.plain(project['class_noun'])}? "
    f"The trigger word is **{shared.plain(project['trigger_word'])}**."
)
for number, text in enumerate(st.session_state.pop("imported", ())):
    show, icon = (st.info, "info") if number else (st.success, "check")
    show(shared.plain(text), icon=f":material/{icon}:")
if problems := st.session_state.pop("left out", ()):
    problem_list(problems, f"Left out: {counted(len(problems), 'file')}")
for note in preflight.judges(db, project["id"]):
    if note.level == "info" and views.judged(shared.tables(db, project["id"])):
        continue  # it is settled: the photos were accepted
    show = st.warning if note.level == "warn" else st.info
    show(shared.plain(note.text), icon=":material/person_off:")
shared.plan_note(db, project)
if views.made_elsewhere(db, project):
    judging(project["id"])
    the_answer(db, project)
    people(db, project)
else:
    standing(project["id"])
    what_helped(db, project, progress(db, project["id"]).trained)
    best(db, project)
    people(db, project)
    interplay(db, project, shared.tables(db, project["id"]))
downloads(db, project, views.made_elsewhere(db, project))
failures([run for run in views.runs(db, project["id"]) if run["status"] == "failed"])
folded("New project", "new project", another_project, icon=":material/add:")
keeping(project)
