"""Pictures on which people and a judge part, each above the reference photo whose face is nearest."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.findings.metrics import Metric
from workbench.pictures.gallery import Column, Grid, GridRow, Tile, flag_words, photo_url, preview_url, saved_at

Row = Mapping[str, Any]


def eye_grid(rows: pd.DataFrame, judge: Metric, photos: Sequence[Row], head: str, human: str) -> Grid:
    """One row of pictures with both values, over a row of nearest reference photos; without those, all photos.

    ``rows``: of ``eye_and_judge.seen_by_both``; ``photos``: the reference photos.
    """
    listed = rows.to_dict("records")
    columns = tuple(Column(str(row["label"]), saved_at(row)) for row in listed)
    pictures = tuple(
        Tile(preview_url(row["token"]), row["text"], both(row, judge, human), id=row["token"]) for row in listed
    )
    first = GridRow(head, "mark and score", "", pictures)
    by_id = {int(photo["id"]): (number, photo) for number, photo in enumerate(photos, 1)}
    near = [by_id.get(int(row["nearest_reference"])) if pd.notna(row["nearest_reference"]) else None for row in listed]
    if any(near):
        tiles = tuple(None if found is None else photo_tile(*found) for found in near)
        second = GridRow("nearest reference photo", "by the face", "", tiles)
    else:
        given = [photo_tile(number, photo) for number, photo in enumerate(photos, 1)][: len(columns)]
        second = GridRow("reference photos", "", "", (*given, *[None] * (len(columns) - len(given))))
    return Grid("pattern", columns, (first, second))


def both(row: Row, judge: Metric, human: str) -> str:
    """What people and the judge say of a picture."""
    score = judge.show(row[judge.column]) if judge.number != ".1f" else f"{row[judge.column]:.0f}"
    return f"people {row[human]:.0f} · judge {score}"


def photo_tile(number: int, photo: Row) -> Tile:
    return Tile(photo_url(photo), f"reference photo {number}")


def flag_grid(rows: pd.DataFrame) -> Grid:
    """Flagged pictures in one row, with what they were flagged as."""
    listed = rows.to_dict("records")
    columns = tuple(Column(str(row["label"]), saved_at(row)) for row in listed)
    tiles = tuple(Tile(preview_url(row["token"]), row["text"], flag_words(row), id=row["token"]) for row in listed)
    return Grid("pattern", columns, (GridRow("flagged", "by raters", "", tiles),))
