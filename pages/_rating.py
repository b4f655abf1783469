"""Parts of the Rate page: how the minutes could be spent, the sitting itself, and what it brought."""

import json
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._pictures import source
from workbench.people.drift import drift
from workbench.people.haste import notices
from workbench.people.steadiness import steadiness
from workbench.pictures.gallery import photo_url
from workbench.rating import sitting
from workbench.rating.answers import sitting_of, undo
from workbench.rating.choose import Proposal, nothing_to_ask, propose
from workbench.rating.foretell import known_now
from workbench.rating.modes import MODES
from workbench.rating.pool import rating_set
from workbench.rating.problem import NoSuchSitting, RatingError
from workbench.rating.progress import progress

Row = dict[str, Any]

MINUTES = (5, 10, 20, 40)
VISITS = "sittings left"  # how many, in this window
WORDS = {
    "axes": {
        "likeness": {"label": "Likeness", "anchors": ["0 someone else", "50 could be a relative", "100 this person"]},
        "quality": {"label": "Quality", "anchors": ["0 broken", "50 usable after a retouch", "100 flawless"]},
        "prompt": {"label": "Prompt followed", "anchors": ["0 nothing of it", "50 half of it", "100 all of it"]},
    },
    "flags": {"broken": "Broken", "not_the_person": "Not the person", "copy_of_a_photo": "Copy of a photo"},
}
# Pictures need the whole window: while they are rated nothing else of the page is there, nor in the order of Tab. Of an
# app that is gone the pictures' own line says more than Streamlit's dialog, which asks for the internet.
ALONE = (
    "<style>[data-testid=stSidebar], [data-testid=stHeader], [data-testid=stExpandSidebarButton], "
    "[data-testid=stSkipToContent], [data-testid=stDialog] {display: none;} body {overflow: hidden;}</style>"
)

SCRIPTS = (
    "_zoom.js",
    "_rate_wire.js",
    "_rate_parts.js",
    "_rate_dialogs.js",
    "_rate_tiles.js",
    "_rate_picture.js",
    "_rate_row.js",
    "_rate_pair.js",
    "_rate_grid.js",
    "_rate.js",
)
_RATE = st.components.v2.component(
    "rate",
    html='<div class="rate" tabindex="-1"></div>',
    css=source("_zoom.css", "_rate.css", "_rate_many.css"),
    js=source(*SCRIPTS),
)


def rate_pictures(db: Database, project: Row, token: str) -> str | None:
    """Show what a sitting asks over the whole window; why it ended just now: over, stopped, gone."""
    st.html(ALONE)
    reference = [
        {"src": photo_url(photo, full=True), "thumb": photo_url(photo)} for photo in shared.reference(db, project)
    ]
    data = {"sitting": token, "reference": reference, "words": WORDS}
    visit = st.session_state.setdefault(VISITS, 0)
    key = f"rate-{token.replace('_', '.')}-{visit}"  # Streamlit allows no "__" in it; no token has a "."
    why = _RATE(data=data, key=key, on_finished_change=_ignore).finished
    return str(why) if why else None


def _ignore() -> None:
    """A trigger needs a callback to be delivered; the page reads the value itself."""


# the form


def who_and_how_long(db: Database, project: Row) -> tuple[str, float]:
    """The rater's name and the minutes that they have."""
    name, time = st.columns([2, 3], vertical_alignment="bottom")
    mine, known = st.session_state.get("rater"), sitting.raters(db, project)
    names = list(dict.fromkeys([*known, *([mine] if mine else [])])) or ["me"]
    rater = name.selectbox(
        "Your name",
        names,
        index=0 if len(names) == 1 else None,  # of several nobody is taken for another one
        key="rater",
        placeholder="Choose your name, or type it",
        accept_new_options=True,
        persist_state="session",
        help="Answers are kept apart by name. Type a new one to begin as somebody else.",
    )
    minutes = time.segmented_control(
        "I have",
        MINUTES,
        default=10,
        required=True,
        format_func="{} minutes".format,
        key="minutes",
        persist_state="session",
    )
    return str(rater or "").strip(), float(minutes or 10)


def go_on(db: Database, project: Row, rater: str, first: str = "") -> bool:
    """Sittings that were left, the one of token ``first`` first: each can be taken up or put away. Are there any?"""
    left = sorted(sitting.open_sittings(db, project, rater), key=lambda one: one.token != first)
    for number, one in enumerate(left):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{MODES[one.mode].label}**")
            label = f"Go on ({one.done} of {one.total} answered)"
            if st.button(label, key=f"go-on-{one.token}", type="secondary" if number else "primary"):
                enter(one.token)
            why = "What you answered stays. What is left is not asked."
            if st.button("Put it away", key=f"away-{one.token}", help=why):
                sitting.stop(db, one.token)
                st.rerun()
    return bool(left)


def proposals(db: Database, project: Row, rater: str, minutes: float, start: str, quiet: bool) -> None:
    """The best way to spend the minutes as a card with its button; the other ways are a choice below it.

    ``start``: what the button says. ``quiet``: the page's one coloured button is elsewhere.
    """
    found = propose(db, project, rater, minutes)
    if not found:
        why = nothing_to_ask(db, project, rater)
        if not rating_set(db, project):
            shared.nothing_yet(shared.plain(why), "queue", "See the queue")
        st.info(shared.plain(why), icon=":material/check:")
        return
    by_mode = {proposal.mode: proposal for proposal in found}
    place = st.container()
    best = found[0].mode
    mode = best
    if len(found) > 1:
        mode = st.segmented_control(
            "Or another way",
            list(by_mode),
            default=best,
            required=True,
            format_func=lambda key: MODES[key].label,
            key=f"mode-{minutes:g}-{best}",
        )
    with place:
        card(db, project, rater, by_mode[mode or best], "suggested" if mode in (best, None) else "", start, quiet)


def card(db: Database, project: Row, rater: str, proposal: Proposal, badge: str, start: str, quiet: bool) -> None:
    """What would be done, how long it takes, why, and what will be known afterwards."""
    mode = MODES[proposal.mode]
    with st.container(border=True, key="proposal"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(mode.label, anchor=False)
            if badge:
                st.badge(badge, icon=":material/star:", color="blue")
        st.markdown(mode.what)
        st.markdown(f"**{facts(proposal)}**")
        st.markdown(shared.plain(proposal.why))
        if proposal.foretold.words:
            st.markdown(shared.plain(proposal.foretold.words))
        if st.button(
            start,
            type="secondary" if quiet else "primary",
            icon=":material/play_arrow:",
            key="start",
        ):
            try:
                token = sitting.begin(db, project, rater, proposal)
            except RatingError as problem:
                st.error(shared.plain(str(problem)))
            else:
                enter(token)


def facts(proposal: Proposal) -> str:
    """How much and how long: 30 pictures · 3 of them twice · about 4 minutes."""
    units = {"sheet": "row", "pair": "pair", "best_worst": "grid"}
    unit = units.get(proposal.mode, "picture")
    many = len(proposal.asked)
    parts = [f"{many} {unit}{'' if many == 1 else 's'}"]
    if proposal.repeats:
        parts.append(f"{proposal.repeats} of them twice, to see how steady you are")
    parts.append(f"about {max(round(proposal.minutes), 1)} min")
    return " · ".join(parts)


def enter(token: str) -> None:
    """Go into a sitting: its token stands in the address, so a reload and a second tab come to the same picture."""
    st.query_params.pop("report", None)
    st.query_params["sitting"] = token
    st.rerun()


def leave(token: str) -> None:
    """Out of the sitting, to what it brought. Who comes back to it gets the pictures anew, not as they were left."""
    st.session_state[VISITS] = st.session_state.get(VISITS, 0) + 1
    st.query_params.pop("sitting", None)
    st.query_params["report"] = token
    st.rerun()


# the report


def report(db: Database, project: Row, row: Row) -> None:
    """What a sitting brought: what is known now beside what was foretold, and how steady this rater is."""
    rater, now = row["rater"], progress(db, row)
    answers = f"{now.done} answer{'' if now.done == 1 else 's'}"
    what = f"by {shared.plain(rater)}, {MODES[row['mode']].label.lower()}"
    if now.done:
        st.success(f"**Saved: {answers}** {what}.", icon=":material/check:")
    else:
        st.info("**Nothing to count yet**: warm-ups aren't counted.", icon=":material/info:")
    with st.container(border=True):
        st.markdown(f"**Known now.** {shared.plain(known_now(db, project, rater))}")
        foretold = json.loads(row["foretold"] or "{}").get("words", "")
        if foretold:
            st.caption(f"Said before you began, of all {now.total}: “{shared.plain(foretold)}”")
    for words in about_rater(db, project, row):
        st.markdown(shared.plain(words))
    for notice in notices(db, project, rater, row["token"]):
        st.warning(shared.plain(notice), icon=":material/hourglass_bottom:")
    with st.container(horizontal=True):
        if st.button("See what people found", icon=":material/groups:"):
            shared.go("people")
        if now.last and st.button("Undo the last one", icon=":material/undo:"):
            undo(db, row["token"], now.last.token)
            enter(row["token"])


def about_rater(db: Database, project: Row, row: Row) -> list[str]:
    """Steadiness over all of this rater's sittings of this kind, and drift where there is one."""
    steady, drifting = steadiness(db, project, row["rater"]), drift(db, project, row["rater"], row["token"])
    said = [steady.by_mode[row["mode"]]] if steady and row["mode"] in steady.by_mode else []
    if drifting and drifting.found:
        said.append(drifting.words)
    return said


def of_address(db: Database, project: Row, name: str) -> Row | None:
    """The sitting whose token stands in the address under this name, if it is of this project."""
    try:
        row = sitting_of(db, str(st.query_params.get(name, "")))
    except NoSuchSitting:
        return None
    return row if row["project_id"] == project["id"] else None
