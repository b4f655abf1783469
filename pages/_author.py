"""The author's marks beside this project's own sweep, contrast by contrast."""

import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._drawn import charted, show_still
from pages._view import View, download, metric_choice, pictures, show
from workbench import views
from workbench.charting.author_chart import LEGEND, marks_chart, ours_chart, pair_names
from workbench.findings.author import CATEGORIES, beside_ours, tally
from workbench.findings.author_notes import notes, spoken_of
from workbench.sweep.marks import of_author

COLUMNS = {
    "verdict": st.column_config.TextColumn(width=190),
    "what differs": st.column_config.TextColumn(width=200),
    "in words": st.column_config.TextColumn(width=900),
}


def the_authors_marks(view: View) -> None:
    """Where the article and this sweep agree, where not, and where the article couldn't know."""
    given = of_author(view.db, view.project["id"])
    if not given:
        shared.nothing_yet("The author's marks come with the article's patterns.", "patterns", "Add them")
    metric = metric_choice(view)
    rows = rows_of(str(shared.workspace().home), view.project["id"], views.revision(view.db), metric)
    if rows.empty:
        st.info(
            "No two of the author's marks here are of patterns that differ in one setting.", icon=":material/block:"
        )
        return
    st.markdown(shared.plain(tally(rows)))
    shown = spoken_of(rows)
    if len(shown) < len(rows) and st.toggle(f"All {len(rows)} contrasts", key="all-marks"):
        shown = rows
    left, right = st.columns([6, 5])
    with left:
        show_still(charted(marks_chart, shown), "author-marks")
    with right:
        picked = show(charted(ours_chart, shown), "author-ours")
    st.caption(shared.plain(f"{LEGEND} Click a point for its pictures."))
    st.caption(shared.plain(notes(view.tables, rows, given)))
    clicked = shared.matching(shown, picked)
    row = shown.iloc[0] if clicked is None else clicked
    st.subheader(shared.plain(pair_names(rows.loc[[row.name]])[0]))
    st.markdown(f"**{CATEGORIES[row['category']].capitalize()}.** {shared.plain(row['sentence'])}")
    both = view.tables.runs[view.tables.runs["pattern_id"].isin([row["pattern_a"], row["pattern_b"]])]
    if len(both):
        pictures(view, "checkpoint_id", list(both["checkpoint_id"]), metric, "author-pictures")
    with st.expander(f"All {len(rows)} contrasts in words", icon=":material/format_list_bulleted:"):
        st.dataframe(told(rows), hide_index=True, row_height=70, column_config=COLUMNS)
    download(rows, "the-authors-marks")


def told(rows: pd.DataFrame) -> pd.DataFrame:
    """Every row in words."""
    verdicts = [CATEGORIES[code] for code in rows["category"]]
    return pd.DataFrame({"verdict": verdicts, "what differs": pair_names(rows), "in words": rows["sentence"]})


@st.cache_data(max_entries=8, show_spinner=False)
def rows_of(home: str, project_id: int, revision: int, metric: str) -> pd.DataFrame:
    """Computed again only when something that it is made from has changed."""
    db = shared.open_workbench()
    return beside_ours(shared.tables(db, project_id), of_author(db, project_id), metric)
