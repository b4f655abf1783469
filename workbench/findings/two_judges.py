"""Where two face judges disagree: the same pictures in the order of each, and how far apart they rank them."""

from dataclasses import dataclass

import pandas as pd

from workbench.findings.ranks import rank_correlation

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
