"""Eye and judge: do people and the automatic judges see the same, which judge follows the eye, where do they part."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from sqlite_utils import Database
from streamlit.delta_generator import DeltaGenerator

from pages import _shared as shared
from pages._drawn import charted, show
from pages._people_found import clicked
from pages._pictures import picture_grid
from workbench import views
from workbench.charting.people_chart import correlation_words, people_chart, signs
from workbench.findings.analysis import Tables
from workbench.findings.metrics import METRICS
from workbench.findings.preview_table import marks_of
from workbench.people import eye_and_judge as compare
from workbench.people.eye_and_judge import Ahead, Tracking
from workbench.pictures.eye_grid import eye_grid
from workbench.sweep import settings
from workbench.words import counted
from workbench.workspace import Workspace

Row = dict[str, Any]

SHOWN = 5  # pictures on each side
FIRST = 8  # rows of a table before it is asked for more
UNFOLDED = 16  # patterns in a legend that needs no click
SIGNS = """
<style>
.signs {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 190px), 1fr)); gap: 2px 14px;}
.signs span {font-size: .8rem; overflow-wrap: anywhere; padding-left: 1.3em; text-indent: -1.3em;}
.signs b {display: inline-block; width: 1.3em; text-indent: 0;}
details:has(> .signs) summary {font-size: .85rem; opacity: .8; cursor: pointer; padding-bottom: 4px;}
</style>
"""


def eye_and_judge(db: Database, project: Row, tables: Tables, rater: str | None, controls: DeltaGenerator) -> None:
    """Every comparison of people's marks with the judges' scores. ``controls``: where the choice of a judge stands."""
    asked = (str(shared.workspace().home), project["id"], views.revision(db), rater)
    seen = _marked(*asked, tables.previews)
    tracked = _trackings(*asked, seen)
    if not tracked:
        nothing_to_compare(project, seen)
    one = choose_judge(tracked, controls)
    held = shared.hidden(db, project)
    rows = compare.seen_by_both(seen, one.human, one.judge, within_prompts=True)
    ranked = rows if one.over_all is None else compare.seen_by_both(seen, one.human, one.judge)
    patterns = _patterns(*asked, one.human, one.judge, rows)
    st.subheader(shared.plain(compare.in_short(one, patterns)))
    scatter(db, project, tables, ranked, one, held)
    where_they_part(db, project, tables, ranked, one, held)
    by_group(tables, rows, patterns)
    which_judge(tracked, _ahead(*asked, seen))


@st.cache_data(max_entries=8, show_spinner=False)
def _marked(home: str, project_id: int, revision: int, rater: str | None, _previews: pd.DataFrame) -> pd.DataFrame:
    """The pictures of LoRAs that people, or one rater, gave a mark: few of many."""
    found = marks_of(Workspace(Path(home)).open(), project_id, _previews, rater)
    return found[~found["is_base"] & found[list(compare.JUDGES)].notna().any(axis=1)]


@st.cache_data(max_entries=8, show_spinner=False)
def _trackings(home: str, project_id: int, revision: int, rater: str | None, _seen: pd.DataFrame) -> list[Tracking]:
    return compare.trackings(_seen)


@st.cache_data(max_entries=8, show_spinner=False)
def _ahead(home: str, project_id: int, revision: int, rater: str | None, _seen: pd.DataFrame) -> list[Ahead]:
    return compare.ahead(_seen)


@st.cache_data(max_entries=8, show_spinner=False)
def _patterns(
    home: str, project_id: int, revision: int, rater: str | None, human: str, judge: str, _rows: pd.DataFrame
) -> pd.DataFrame:
    return compare.by_group(_rows, _rows["label"].astype(str))


def nothing_to_compare(project: Row, previews: pd.DataFrame) -> None:
    """Why there is nothing, and what to do."""
    if project["face_judge"] == project["clip_judge"] == "none":
        shared.nothing_yet("No judge is named, so people's marks stand alone.", "plan", "Name a judge")
    if not previews[["human_likeness", "human_prompt"]].notna().any(axis=None):
        shared.nothing_yet(
            "No single picture has a mark yet: rows, pairs and grids say nothing of one picture alone.", "rate", "Rate"
        )
    shared.nothing_yet(
        f"Fewer than {compare.FEWEST_PICTURES} pictures have both a mark and a score.", "rate", "Rate some more"
    )


def choose_judge(tracked: list[Tracking], controls: DeltaGenerator) -> Tracking:
    """The judge that the pictures are compared with."""
    names = {f"{one.human}/{one.judge}": one.title for one in tracked}
    if len(names) == 1:
        return tracked[0]
    chosen = controls.segmented_control(
        "Judge", names, default=next(iter(names)), format_func=names.__getitem__, key="people-judge", required=True
    )
    return tracked[list(names).index(str(chosen))]


def scatter(db: Database, project: Row, tables: Tables, rows: pd.DataFrame, one: Tracking, held: set[str]) -> None:
    """A point per rated picture; a click shows it."""
    shown = rows[~rows["token"].isin(list(held))]
    sure = one.over_all or one.within
    picked = []
    if len(shown):
        metric, labels = compare.metric_of(one.judge, tables), list(tables.labels.values())
        chart = charted(people_chart, shown, metric, labels, one.human)
        picked = [point["preview_id"] for point in show(chart, f"people-{one.judge}")]
        legend(signs(labels, set(shown["label"])))
    st.markdown(shared.plain(correlation_words(sure, within_prompts=one.over_all is None)))
    if len(shown) < len(rows):
        st.caption(f"{counted(len(rows) - len(shown), 'picture')} not drawn here: you have yet to rate them.")
    if picked:
        chosen = shown[shown["preview_id"].isin(picked)]
        shared.shown_by_name(db, project, chosen["token"])
        tiles(db, project, tables, chosen, one, "the chosen picture", "people-picked")
    elif len(shown):
        st.caption("Click a point to see its picture.")


def legend(known: Sequence[tuple[str, str, str]]) -> None:
    """Which sign is which pattern, in as many columns as fit; folded where there are many. ``known``: of ``signs``."""
    lines = "".join(
        f'<span><b style="color: {colour}">{sign}</b> {escape(label)}</span>' for label, sign, colour in known
    )
    listed = f'<div class="signs">{lines}</div>'
    if len(known) > UNFOLDED:
        listed = f"<details><summary>The signs of {counted(len(known), 'pattern')}</summary>{listed}</details>"
    st.html(f"{SIGNS}{listed}")


def which_judge(tracked: list[Tracking], ahead: list[Ahead]) -> None:
    """The rank correlation of each judge, and whether two of them differ."""
    st.subheader("Which judge follows the eye?")
    rows = []
    for one in tracked:
        over_all = one.over_all
        rows.append(
            {
                "judge": one.title,
                "same prompt": compare.rho_text(one.within.rho),
                "95 % ": one.within.interval,
                "all pictures": compare.rho_text(over_all.rho) if over_all else "not comparable",
                "95 %": over_all.interval if over_all else "",
                "people's marks": METRICS[one.human].label,
                "pictures": one.within.n,
                "checkpoints": one.within.checkpoints,
            }
        )
    st.dataframe(rows, hide_index=True, height="content", width="content")
    for pair in ahead:
        st.markdown(shared.plain(pair.words))
    st.caption(
        "Spearman's rank correlation: among pictures of the same prompt, which is what decides between checkpoints, "
        f"and over all pictures. CLIP's figures compare between the same prompts only. {compare.CAUTION}"
    )


def where_they_part(
    db: Database, project: Row, tables: Tables, rows: pd.DataFrame, one: Tracking, held: set[str]
) -> None:
    """The pictures that people put far above the judge, and far below."""
    st.subheader("Where they part most")
    above, below = compare.furthest(rows, SHOWN, list(held))
    if rows["token"].isin(list(held)).all():
        st.caption("These pictures wait to be rated by you: they are shown here afterwards.")
    elif above.empty and below.empty:
        st.caption("Nowhere: both put these pictures into the same order.")
    shared.shown_by_name(db, project, [*above["token"], *below["token"]])
    if len(above):
        tiles(db, project, tables, above, one, "people place it higher", "people-above")
    if len(below):
        tiles(db, project, tables, below, one, "the judge places it higher", "people-below")


def tiles(db: Database, project: Row, tables: Tables, rows: pd.DataFrame, one: Tracking, head: str, key: str) -> None:
    """Pictures over their nearest reference photos; a click opens one."""
    grid = eye_grid(rows, compare.metric_of(one.judge, tables), shared.reference(db, project), head, one.human)
    clicked(tables, picture_grid(grid, 128, None, key), db)


def by_group(tables: Tables, rows: pd.DataFrame, patterns: pd.DataFrame) -> None:
    """Does the eye part from the judge in the pictures of one pattern, or of one value of a setting?

    ``rows``: what both have seen, ranked within prompts; ``patterns``: the same by pattern.
    """
    st.subheader("In which patterns?")
    titles = {"pattern": "pattern"} | {name: settings.field(name).title for name in settings.varied(tables.settings)}
    by = str(st.selectbox("By", titles, format_func=titles.__getitem__, key="people-group", width=280))
    table = patterns
    if by != "pattern":
        values = {pattern: known.get(by) for pattern, known in tables.settings.items()}
        groups = rows["pattern_id"].map(lambda pattern: settings.value_text(values.get(int(pattern))))
        table = compare.by_group(rows, groups)
    for sentence in compare.group_words(table, titles[by]):
        st.markdown(shared.plain(sentence))
    if len(table) > FIRST and not st.toggle(f"Show all {len(table)}", key="people-groups"):
        table = table.head(FIRST)
    st.dataframe(
        pd.DataFrame(
            {
                titles[by]: table["group"],
                "people against the judge": [compare.places(value) for value in table["apart"]],
                "95 % interval": [compare.interval_text(row) for row in table.to_dict("records")],
                "pictures": table["n"],
                "prompts": table["n_prompts"],
            }
        ),
        hide_index=True,
        height="content",
        width="content",
    )
    st.caption(
        "Places in a hundred, among pictures of the same prompt: + people put the pictures higher than the judge does, "
        "- lower. Ranks are relative: where one goes down, others go up. Intervals over prompts: another training "
        "seed may differ more."
    )
