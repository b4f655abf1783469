"""What helped, what can't be told yet and what was not tested alone: the three blocks on Home and on Charts."""

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from pages._drawn import worked_out
from workbench.findings.analysis import Tables
from workbench.findings.contrast import contrast_table
from workbench.findings.summary import Line, Summary, summary
from workbench.findings.verdicts import ALL_ALONE, HELPED, NOT_ALONE, OPEN, SIGNS, TOLD_ALL, summary_words

UNBROKEN, HYPHEN = re.compile(r"(?<=\de)-(?=\d)"), "\u2011"  # 1e-07 stays in one line


def pairs_and_summary(db: Database, project: dict[str, Any], metric: str) -> tuple[pd.DataFrame, Summary]:
    """All pairs that differ in one setting, and what they come to."""
    return worked_out(db, project["id"], found_of, metric)


def found_of(tables: Tables, metric: str) -> tuple[pd.DataFrame, Summary]:
    rows = contrast_table(tables, metric)
    return rows, summary(tables, metric, rows)


def blocks(found: Summary, tables: Tables, most: int) -> None:
    """The three blocks side by side, on a phone below each other, ``most`` lines each; the others fold away."""
    helped, open, alone = st.columns(3, gap="medium")
    with helped:
        st.markdown(f"#### {HELPED}")
        lines(found.helped, most)
        if found.nothing:
            st.markdown(words(found.nothing))
    with open:
        st.markdown(f"#### {OPEN}")
        lines(found.open, most)
        if found.n_pairs and not found.open and found.helped:
            st.markdown(TOLD_ALL)
    with alone:
        st.markdown(f"#### {NOT_ALONE}")
        lines(found.alone, most)
        if not found.alone and tables.runs["pattern_id"].nunique() > 1:
            st.markdown(ALL_ALONE)
    if found.wrecked:
        with st.container(border=True):
            st.markdown(":material/warning: **Wrecked**")
            lines(found.wrecked, most)
    if any(line.params.get("noise") is not None for line in (*found.helped, *found.open)):
        st.caption(SIGNS)


def lines(said: Sequence[Line], most: int) -> None:
    """A list, of which what is beyond ``most`` folds away."""
    if said:
        st.markdown("\n".join(f"- {words(line)}" for line in said[:most]))
    if len(said) > most:
        with st.expander(f"{len(said) - most} more"):
            st.markdown("\n".join(f"- {words(line)}" for line in said[most:]))


def words(line: Line) -> str:
    text = shared.plain(UNBROKEN.sub(HYPHEN, summary_words(line.code, line.params)))
    return f"**{shared.plain(line.params['head'])}:** {text}" if line.params["head"] else text
