"""Marks from elsewhere for people; they never enter our scores."""

from typing import Any

from sqlite_utils import Database

from db import marks
from workbench.sweep import article
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


def of_author(db: Database, project_id: int) -> list[Row]:
    """The article's author's marks in a project, in their order: label, pattern_id, rater, value, words, source."""
    return [row for row in marks.of_project(db, project_id) if row["rater"] == article.AUTHOR]
