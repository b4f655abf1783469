"""On which settings a score depends over all patterns: exploratory, and hidden while there are few."""

import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._drawn import charted, show_still
from pages._view import View, download, metric_choice
from workbench import views
from workbench.charting.importance_chart import LEGEND, importance_chart
from workbench.findings.importance import NOTHING, Importance, caveats, importance, words


def over_all_patterns(view: View) -> None:
    """Bars with intervals and the line of chance, or the one line on why there are none."""
    metric = metric_choice(view)
    found = found_of(str(shared.workspace().home), view.project["id"], views.revision(view.db), metric)
    if not found.bars:
        icon = ":material/block:" if found.why_not == NOTHING else ":material/hourglass_empty:"
        st.info(shared.plain(found.why_not), icon=icon)
        return
    label = view.tables.metric(metric).label
    st.markdown(shared.plain(words(found, label)))
    show_still(charted(importance_chart, found, label), "importance-bars")
    st.caption(shared.plain(LEGEND))
    st.caption(shared.plain(f"{caveats(found)} {view.tables.metric(metric).meaning}"))
    download(
        pd.DataFrame([{**vars(bar), "settings": bar.label, "line": found.line} for bar in found.bars]), "importance"
    )


@st.cache_data(max_entries=16, show_spinner="Foretelling held-out patterns ...")
def found_of(home: str, project_id: int, revision: int, metric: str) -> Importance:
    """Computed again only when something that it is made from has changed."""
    return importance(shared.tables(shared.open_workbench(), project_id), metric)
