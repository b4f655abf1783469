"""Where two face judges disagree: the same pictures in the order of each, and how far apart they rank them."""

from dataclasses import dataclass

import altair as alt
import pandas as pd

from workbench.charting.chart_parts import COLOURS, GREY, finish
from workbench.charting.charts import rank_correlation
from workbench.pictures.gallery import Column, Grid, GridRow, Tile, preview_url

COLUMNS = ["preview_id", "token", "label", "text", "seed", "likeness", "second_likeness"]


@dataclass(frozen=True)
class Disagreement:
    """Pictures that both judges scored. ``rows`` comes with the ranks, the widest apart first."""

    rows: pd.DataFrame  # COLUMNS, rank, second_rank (1 = most alike), apart (rank - second_rank)
    rho: float  # Spearman's rank correlation; missing below three pictures
    only_first: int  # pictures in which only the first judge found a face
    only_second: int


def disagreement(previews: pd.DataFrame) -> Disagreement | None:
    """How two judges order the same pictures; None without a second judge's scores.

    Each value is on its own judge's scale, so the values themselves are not comparable: only ranks are. Ties share
    their mean rank. ``previews``: the preview table; base rows take part, since they must rank low with both.
    """
    if "second_likeness" not in previews or previews["second_likeness"].isna().all():
        return None
    seen = previews[["likeness", "second_likeness"]].notna()
    both = previews.loc[seen.all(axis=1), COLUMNS]
    both["label"] = both["label"].fillna("without LoRA")
    judged = previews["second_face_status"].notna() & previews["face_status"].notna()
    rows = both.assign(
        rank=both["likeness"].rank(ascending=False), second_rank=both["second_likeness"].rank(ascending=False)
    )
    rows["apart"] = rows["rank"] - rows["second_rank"]
    rows = rows.sort_values("apart", key=abs, ascending=False, kind="stable", ignore_index=True)
    return Disagreement(
        rows,
        rank_correlation(both["likeness"], both["second_likeness"]),
        int((judged & seen["likeness"] & ~seen["second_likeness"]).sum()),
        int((judged & ~seen["likeness"] & seen["second_likeness"]).sum()),
    )


def judges_chart(found: Disagreement, first: str, second: str) -> alt.LayerChart:
    """A point per picture, by its rank with each judge; on the diagonal they agree. A click picks a ``preview_id``."""
    n = len(found.rows)
    pick = alt.selection_point(name="pick", fields=["preview_id"])
    scale = alt.Scale(domain=[n + 1, 0], nice=False)
    tips = [
        alt.Tooltip("label:N", title="pattern"),
        alt.Tooltip("text:N", title="prompt"),
        alt.Tooltip("likeness:Q", title=f"likeness, {first}", format=".1f"),
        alt.Tooltip("second_likeness:Q", title=f"likeness, {second}", format=".1f"),
        alt.Tooltip("rank:Q", title=f"rank, {first}"),
        alt.Tooltip("second_rank:Q", title=f"rank, {second}"),
    ]
    x = alt.X("rank:Q", title=f"rank by {first} (1 = most alike)", scale=scale)
    y = alt.Y("second_rank:Q", title=f"rank by {second} (1 = most alike)", scale=scale)
    points = (
        alt.Chart(found.rows)
        .mark_point(filled=True, size=80, color=COLOURS[0])
        .encode(x=x, y=y, tooltip=tips, opacity=alt.when(pick).then(alt.value(0.9)).otherwise(alt.value(0.3)))
        .add_params(pick)
    )
    ends = pd.DataFrame({"rank": [1, n], "second_rank": [1, n]})
    agree = alt.Chart(ends).mark_line(color=GREY, strokeDash=[4, 4]).encode(x=x, y=y)
    said = f"Rank correlation {found.rho:.2f}" if pd.notna(found.rho) else "No rank correlation yet"
    note = f"{said}, n = {n} pictures that both scored. Dashed: where they agree."
    return finish([agree, points], [note])


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
