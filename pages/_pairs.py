"""Pairs of patterns that differ in one setting: the fairest comparison there is."""

import pandas as pd
import streamlit as st

from pages import _shared as shared
from pages._drawn import charted
from pages._next_runs import interplay, next_runs
from pages._summary import blocks, pairs_and_summary
from pages._view import View, download, metric_choice, pictures, show
from workbench.charting.contrast_chart import contrast_chart
from workbench.findings.contrast import shared_runs
from workbench.findings.summary import telling
from workbench.findings.verdicts import CLAIMS, exploratory

LINES = 4  # of a block, before the others fold away
MOST = 24  # rows of the chart that can be taken in at once


def only_one_differs(view: View) -> None:
    """Which setting helped, how sure that is, what to train next, and the pictures of both sides."""
    tables, metric = view.tables, metric_choice(view)
    rows, found = pairs_and_summary(view.db, view.project, metric)
    blocks(found, tables, LINES)
    if rows.empty:
        shared.nothing_yet("Clone a pattern and change one thing: that makes a pair.", "patterns", "Clone one")
    next_runs(view.db, view.project, tables)
    st.subheader("Only one thing differs")
    chosen = chosen_rows(rows)
    picked = show(charted(contrast_chart, chosen), "pairs")
    clicked = shared.matching(rows, picked)
    pair(view, first_of(chosen) if clicked is None else clicked, metric)
    st.caption(tables.metric(metric).meaning)
    if together := exploratory(len(rows), metric, tables.main_metric):
        with st.expander("How pairs are judged together", icon=":material/help:"):
            st.markdown(together)
    download(rows, "pairs")
    interplay(view.db, view.project, tables)


def chosen_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """All pairs where they are few; of many the MOST that say most, and the others a click away.

    In between: of a setting with many values the pairs with the value that most pairs share.
    """
    if len(rows) <= MOST:
        return rows
    early = rows[rows["shown_first"].astype(bool)]
    most = telling(rows, MOST, fill=True)
    choices = {f"The {len(most)} that say most": most, f"{len(early)} with the usual value": early}
    choices[f"All {len(rows)} pairs"] = rows
    if len(early) in (len(most), len(rows)):
        del choices[f"{len(early)} with the usual value"]
    claims = rows["wording"].isin(CLAIMS)
    about = f"{int(claims.sum())} of all {len(rows)} seem to matter, {int(claims[most.index].sum())} of these here. "
    shown = st.segmented_control(
        "Pairs",
        list(choices),
        default=next(iter(choices)),
        key="pairs-shown",
        required=True,
        help=f"{about}All pairs are judged together either way.",
        label_visibility="collapsed",
    )
    return choices.get(str(shown), most)


def first_of(rows: pd.DataFrame) -> pd.Series:
    """The row that is shown before any was clicked: the largest claim, else the first."""
    claims = rows[rows["wording"].isin(CLAIMS)]
    return (claims if len(claims) else rows).iloc[0]


def pair(view: View, row: pd.Series, metric: str) -> None:
    """One pair: the verdict, and a training of each side under the photos and the base row, cell by cell."""
    st.subheader(shared.plain(row["change"]))
    st.markdown(shared.plain(row["sentence"]))
    runs = shared_runs(view.tables.runs, row["pattern_a"], row["pattern_b"])
    sides = [runs[runs["pattern_id"] == row[side]] for side in ("pattern_a", "pattern_b")]
    seeds = sorted(set(map(int, sides[0]["train_seed"])) & set(map(int, sides[1]["train_seed"])))
    seed = seeds[0] if seeds else None
    if len(seeds) > 1:
        seed = st.segmented_control("Training seed", seeds, default=seeds[0], key="pair-seed", required=True)
    shown = [side[side["train_seed"] == seed] if seed is not None else side for side in sides]
    ids = [int(side["checkpoint_id"].iloc[-1]) for side in shown if len(side)]
    pictures(view, "checkpoint_id", ids, metric, "pair-pictures")
