"""What pages share: the workspace, the project that the sidebar chose, cached tables, the way on."""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import streamlit as st
from sqlite_utils import Database

from workbench import views
from workbench.findings import analysis
from workbench.pictures.gallery import Grid, with_photos
from workbench.plans.plan import plan_of
from workbench.rating import pool, revealing, standing
from workbench.rating.standing import AtStake
from workbench.running import queue
from workbench.running.device import DeviceInfo
from workbench.running.progress import Progress
from workbench.running.waiting import NO_WORKER as NO_WORKER_CODE
from workbench.sentences import worker_state
from workbench.sweep import patterns, settings
from workbench.workspace import Workspace

HERE = Path(__file__).parent
NO_WORKER = (
    "Nothing trains until a worker runs, and no picture is judged. Press Ctrl-C in the terminal of `python start.py` "
    "and start it again; or run `python -m workbench worker` in a second terminal."
)


ONLY_IMPORTED = (
    "This project's plan is that of its imported pictures: what is trained here gets no previews and no scores. Choose "
    "another plan on the Plan page, or better, train in a project of its own."
)


def workspace() -> Workspace:
    return Workspace.default()


def open_workbench() -> Database:
    """The database, opened anew by each page run and each fragment: a connection belongs to one thread."""
    return workspace().open()


def project_picker() -> None:
    """The choice of the project in the sidebar; it stands in the address, so a page can be bookmarked."""
    rows = views.projects(open_workbench())
    names = {row["id"]: row["name"] for row in rows}
    made = st.session_state.pop("new project id", None)  # by a page; a widget's own key can't be set there
    if made in names:
        st.session_state["project"] = made
    if st.session_state.get("project") not in names:
        st.session_state.pop("project", None)  # it went into the bin
    if names:
        st.selectbox("Project", names, format_func=names.__getitem__, key="project", bind="query-params")


@st.fragment(run_every=10)
def worker_badge() -> None:
    """Is anybody training? And on what."""
    worker = next(iter(views.live_workers(open_workbench(), views.MISSING_S)), None)
    if worker is None:
        st.badge("no worker", icon=":material/power_off:", color="gray", help=NO_WORKER)
        return
    device = DeviceInfo.from_json(worker["device"])
    where = f"on {device.name}" if device else ""
    st.badge(f"worker {worker_state(worker['state'])}", icon=":material/bolt:", color="green")
    st.caption(where)


def project_or_stop(db: Database) -> dict[str, Any]:
    """The project that the sidebar shows; without any project, say what to do and end the page."""
    chosen = st.session_state.get("project")
    row = views.project(db, chosen) if chosen else None
    if row is None:
        nothing_yet("There is no project yet. A project is one question about one subject.", "home", "Make a project")
    return row


def project_of(db: Database, run: dict[str, Any]) -> dict[str, Any]:
    """The project that a run belongs to."""
    row = views.project(db, run["project_id"])
    assert row is not None  # the schema sees to it
    return row


def reference(db: Database, project: dict[str, Any]) -> list[dict[str, Any]]:
    """The photos that no training sees: what likeness is measured against."""
    return views.photos(db, project["dataset_id"], "reference") if project["dataset_id"] else []


def held_back(db: Database, project: dict[str, Any], key: str, here: Iterable[str]) -> set[str]:
    """Tokens of all pictures that wait to be rated, which no page shows by name.

    ``here``: tokens of what would stand in this place. Those of them that wait can be had all the same: what that
    costs is said first, and it is kept (see workbench/rating/revealing.py), so that this person isn't asked about them.
    So is what may be asked later and is shown here already.
    """
    held, shown = hidden(db, project), set(here)
    revealing.note(db, project, rater(), shown - held)
    waiting = held & shown
    if waiting:
        with st.popover(revealing.offer(len(waiting)), icon=":material/visibility_off:"):
            st.markdown(plain(f"{revealing.hidden(len(waiting), rater())} {revealing.COST}"))
            st.button(
                f"Show {'it' if len(waiting) == 1 else 'them'}, and don't ask me about "
                f"{'it' if len(waiting) == 1 else 'them'}",
                key=key,
                on_click=reveal,
                args=(project, waiting),
            )
    return held


def hidden(db: Database, project: dict[str, Any]) -> set[str]:
    """Tokens of all pictures that wait to be rated by who sits here."""
    return pool.held_back_tokens(db, project, rater(), at_stake(db, project["id"]).open)


def at_stake(db: Database, project_id: int) -> AtStake:
    """What rating is still for where who sits here is concerned; worked out when something was said or scored."""
    return _at_stake(str(workspace().home), project_id, views.revision(db), rater())


@st.cache_data(max_entries=8, show_spinner=False)
def _at_stake(home: str, project_id: int, revision: int, rater: str) -> AtStake:
    db = Workspace(Path(home)).open()
    project = views.project(db, project_id)
    assert project is not None  # the page shows it
    return standing.at_stake(db, project, rater)


def shown_by_name(db: Database, project: dict[str, Any], tokens: Iterable[str]) -> None:
    """Keep that pictures stood here by name: who looks on is never asked about them blind."""
    revealing.note(db, project, rater(), set(tokens))


def reveal(project: dict[str, Any], tokens: set[str]) -> None:
    """Show pictures by name that wait to be rated. (A database that the page has open belongs to its own thread.)"""
    revealing.reveal(open_workbench(), project, rater(), tokens)


def with_reference(db: Database, project: dict[str, Any], grid: Grid) -> Grid:
    """A grid under a row of the photos that likeness is measured against, and whether they were trained on."""
    return with_photos(grid, reference(db, project), views.seen_words(db, project))


def reference_notes(db: Database, project: dict[str, Any]) -> None:
    """Say where the photos that likeness is measured against may have been trained on."""
    for note in views.reference_note(db, project):
        st.warning(plain(note), icon=":material/visibility:")


def plan_note(db: Database, project: dict[str, Any]) -> None:
    """Say that what is trained here stays without previews under a plan whose pictures were made elsewhere."""
    if not plan_of(db, project["id"]).elsewhere:
        return
    if any(pattern.origin is None for pattern in patterns.listed(db, project["id"])):
        st.warning(ONLY_IMPORTED, icon=":material/image_not_supported:")


def waits(now: Progress) -> None:
    """Why nothing of this is done now, if something keeps it."""
    if now.waits == NO_WORKER_CODE:
        st.warning(NO_WORKER, icon=":material/power_off:")
    elif now.waits:
        st.warning(plain(now.waits), icon=":material/pause:")


def retry(run_id: int) -> None:
    """Queue a failed or cancelled run again; where another page was quicker there is nothing left to do."""
    with contextlib.suppress(queue.QueueError):
        queue.retry(open_workbench(), run_id)


def rater() -> str:
    """Whose marks these are: the name on the Rate page; in a new window that of who rated here last.

    Pictures that wait for that person stay hidden there too.
    """
    return str(st.session_state.get("rater") or views.last_rater(open_workbench()) or "me")


def tables(db: Database, project_id: int) -> analysis.Tables:
    """All tables of a project, computed again only when something that they show has changed.

    They may be changed without changing anybody else's: the values are copied when that happens, and not before.
    """
    return _tables(str(workspace().home), project_id, views.revision(db)).own()


@st.cache_resource(max_entries=4, show_spinner=False)
def _tables(home: str, project_id: int, revision: int) -> analysis.Tables:
    return analysis.tables(Workspace(Path(home)).open(), project_id)


def nothing_yet(text: str, page: str, label: str) -> NoReturn:
    """An empty state: why there is nothing, the one thing to do about it, and the end of the page."""
    st.info(text, icon=":material/hourglass_empty:")
    if st.button(label, type="primary"):
        go(page)
    st.stop()


def go(page: str, **query: str) -> NoReturn:
    """Leave for another page; ``query``: what its address says, such as run=7."""
    st.switch_page(HERE / f"{page}.py", query_params=query)


def all_settings(db: Database, preview: dict[str, Any]) -> list[tuple[str, str]]:
    """Every setting of the training that a preview comes from; none for the base row."""
    if preview["is_base"]:
        return []
    unknown = views.unknown_settings(views.run(db, int(preview["run_id"])) or {})
    return settings.lines(patterns.get(db, preview["pattern_id"]).model_dump(), unknown)


def matching(table: pd.DataFrame, picked: list[dict[str, Any]]) -> pd.Series | None:
    """The row that a click in a chart means; None before a click, and where what was clicked is not there any more."""
    if not picked:
        return None
    rows = table[(table[list(picked[0])] == pd.Series(picked[0])).all(axis=1)]
    return None if rows.empty else rows.iloc[0]


def plain(text: str) -> str:
    """A text that people wrote, for where Streamlit would read it as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!~$:|<>])", r"\\\1", text)
