"""Pairs of patterns that differ in one setting: the fairest comparison there is."""

import streamlit as st

from pages import _shared as shared
from pages._next_runs import next_runs
from pages._view import View, download, metric_choice, pictures, show
from workbench.charting.contrast_chart import contrast_chart
from workbench.findings.contrast import contrast_table
from workbench.findings.verdicts import exploratory

ROW_PX, FRAME_PX = 38, 200  # a row of the chart; its axis, legend and notes


def only_one_differs(view: View) -> None:
    """Which setting helped, how sure that is, the pictures of both sides, and what to train next."""
    tables, metric = view.tables, metric_choice(view)
    rows = contrast_table(tables, metric)
    if rows.empty:
        shared.nothing_yet(
            "No two measured patterns differ in exactly one setting. Clone a pattern and change one thing.",
            "patterns",
            "Clone one",
        )
    picked = show(contrast_chart(rows), "pairs", FRAME_PX + ROW_PX * len(rows))
    row = shared.matching(rows, picked[0]) if picked else rows.iloc[0]
    st.subheader(shared.plain(row["change"]))
    st.markdown(shared.plain(row["sentence"]))
    both = tables.runs[tables.runs["pattern_id"].isin([row["pattern_a"], row["pattern_b"]])]
    pictures(view, "checkpoint_id", list(both["checkpoint_id"]), metric, "pair-pictures")
    st.caption(f"{exploratory(len(rows), metric, tables.main_metric)} {tables.metric(metric).meaning}")
    download(rows, "pairs")
    next_runs(view.db, view.project, tables)
