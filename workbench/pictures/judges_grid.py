"""Pictures on which two face judges disagree, with the value and the rank that each gives."""

import pandas as pd

from workbench.pictures.gallery import Column, Grid, GridRow, Tile, preview_url


def judges_grid(rows: pd.DataFrame, first: str, second: str, n: int) -> Grid:
    """Pictures with both judges' values, as one row; ``n``: how many pictures the ranks are of."""
    listed = rows.to_dict("records")
    columns = tuple(
        Column(str(row["label"]), f"{first} {row['likeness']:.0f}, {second} {row['second_likeness']:.0f}")
        for row in listed
    )
    tiles = tuple(
        Tile(preview_url(row["token"]), row["text"], f"{row['rank']:.0f} / {row['second_rank']:.0f}", id=row["token"])
        for row in listed
    )
    head = GridRow(f"rank by {first} / {second}", f"of {n} pictures, 1 = most alike", "", tiles)
    return Grid("likeness by each, on its own scale", columns, (head,))
