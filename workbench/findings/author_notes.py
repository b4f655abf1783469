"""What to know of the author's marks before they are held against a project's own figures, and which can be."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.findings.analysis import Tables
from workbench.findings.author import BOTH_SPEAK, OF_100, OF_THE_PERSON, outside, scaled_here
from workbench.sweep.article import MARKS_SENTENCE

SCALED = "This project's patterns are the article's on the scale of the miniature, so ours are on this project's scale."
OTHER_QUESTION = "A mark says how well a LoRA shows the person; this score asks something else: agreement says little."

ONE_FOR_ONE = (
    "Whether a difference of marks can be chance is judged as if one mark were one point of our score: nobody knows "
    "the true rate."
)


def notes(tables: Tables, rows: pd.DataFrame, given: Sequence[Mapping[str, Any]]) -> str:
    """What to know of the marks, of our scale, and of the labels that stand in no pair."""
    said = [MARKS_SENTENCE]
    if rows["metric"].iloc[0] not in OF_THE_PERSON:
        said.append(OTHER_QUESTION)
    if rows["metric"].iloc[0] in OF_100:
        said.append(ONE_FOR_ONE)
    if scaled_here(tables, given):
        said.append(SCALED)
    alone = outside(rows, given)
    if alone:
        said.append(f"In no pair, since too much of them is unknown: {', '.join(alone)}.")
    return " ".join(said)


def spoken_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The contrasts in which both sides have something to say; all of them where that is none."""
    both = rows[rows["category"].isin(BOTH_SPEAK)]
    return both if len(both) else rows
