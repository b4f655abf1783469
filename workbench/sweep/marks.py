"""Marks from elsewhere for people: as a table, and as a chart of their own; they never enter our scores."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
from sqlite_utils import Database

from db import marks
from workbench.charting.chart_parts import GREY, finish
from workbench.sweep import article, patterns
from workbench.sweep.settings import field, value_text

Row = dict[str, Any]


def article_rows() -> list[Row]:
    """The article's 25 labels: what is known of each, its mark, whether it can be trained again."""
    rows = []
    for entry in article.ENTRIES:
        told = article.described(entry)
        by_mark = {
            mark: ", ".join(
                f"{field(name).label} {value_text(said['value'])}"
                for name, said in told["settings"].items()
                if said["mark"] == mark and said["from"] != "the tool's code" and name not in article.SAID
            )
            for mark in "KI"
        }
        rows.append(
            {
                "pattern": entry.label,
                "author's mark": value_text(entry.score),
                "in words": entry.words,
                "known": by_mark["K"],
                "inferred": by_mark["I"],
                "unknown": ", ".join(field(name).label for name in told["unknown"]),
                "here": ", ".join(told["patterns"]) or told["remark"],
            }
        )
    return rows


def over_setting(db: Database, project_id: int, setting: str) -> list[Row]:
    """A project's marks from elsewhere, with the value of a setting in the pattern that each is of.

    Columns: pattern, value (in words; empty where the pattern's settings are not known), author's mark, in words.
    """
    configs = {pattern.pattern_id: pattern.config for pattern in patterns.listed(db, project_id)}
    return [
        {
            "pattern": row["label"],
            "value": value_text(getattr(configs[row["pattern_id"]], setting)) if row["pattern_id"] in configs else "",
            "author's mark": value_text(row["value"]),
            "in words": row["words"],
        }
        for row in marks.of_project(db, project_id)
    ]


def marks_chart(rows: Sequence[Row], setting: str) -> alt.LayerChart:
    """Marks over the values of a setting, faint, on an axis of their own."""
    known = [row for row in rows if row["author's mark"] and row["value"]]
    about = field(setting)
    columns = {"pattern": "pattern", "value": "value", "author's mark": "mark"}
    table = pd.DataFrame(
        [{new: row[old] for old, new in columns.items()} for row in known], columns=[*columns.values()]
    )
    table["mark"] = table["mark"].astype("float64")
    points = (
        alt.Chart(table)
        .mark_point(color=GREY, opacity=0.5, size=80)
        .encode(
            x=alt.X("value:N", title=about.title, sort=in_order(table["value"]), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("mark:Q", title=["the author's mark (0-100)", "other pictures"], scale=alt.Scale(domain=[0, 100])),
            tooltip=[
                alt.Tooltip("pattern:N", title="pattern of the article"),
                alt.Tooltip("value:N", title=about.label),
                alt.Tooltip("mark:Q", title="the author's mark"),
            ],
        )
    )
    return finish([points], height=300)


def in_order(values: Sequence[str]) -> list[str]:
    """Values as an axis lists them: numbers by size, then words."""

    def place(text: str) -> tuple[bool, float, str]:
        try:
            return False, float(text), text
        except ValueError:
            return True, 0.0, text

    return sorted(dict.fromkeys(values), key=place)
