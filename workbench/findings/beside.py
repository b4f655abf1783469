"""What a preview is beside others: beside the base row's picture of the same cell, and beside the other seeds'."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlite_utils import Database

from db import vectors
from workbench.scores.finish import Finish

Floats = NDArray[np.float32]

CELL = ["base_model", "clip_skip", "prompt", "seed"]  # without a LoRA strength means nothing
SIBLINGS = ["checkpoint_id", "base_model", "clip_skip", "prompt", "strength", "is_confirm"]  # differ in the seed
BESIDE_COLUMNS = ["drift", "diversity", *(f"{name}_change" for name in Finish._fields)]


def vectors_of(db: Database, project_id: int, plan_id: int, judge_id: int) -> tuple[NDArray[np.int64], Floats]:
    """Preview ids, and what a CLIP judge sees in these previews: number x width, unit length."""
    rows = vectors.vectors(db, project_id, plan_id, judge_id)
    ids = np.array([row["preview_id"] for row in rows], dtype=np.int64)
    stored = np.frombuffer(b"".join(row["vector"] for row in rows), dtype="<f2").astype(np.float32)
    seen = stored.reshape(len(rows), -1) if len(rows) else stored.reshape(0, 1)
    return ids, seen / np.linalg.norm(seen, axis=1, keepdims=True)  # float16 took a little of the length


def beside(previews: pd.DataFrame, ids: NDArray[np.int64], seen: Floats) -> pd.DataFrame:
    """BESIDE_COLUMNS for each preview, missing where there is nothing to compare.

    previews: CELL and SIBLINGS, preview_id, is_base, picture_status and the raw figures of Finish. ``drift``: 1 -
    cosine of what CLIP sees to the base row's picture of the same cell. ``diversity``: mean of 1 - cosine to the other
    seeds' pictures of the same checkpoint, prompt and strength. ``saturation_change`` and ``clipping_change``:
    difference to the base row's picture (0 to 1); ``sharpness_change``: log2 of the ratio to it.
    """
    columns = {"drift": np.full(len(previews), np.nan), "diversity": np.full(len(previews), np.nan)}
    base = base_rows(previews)
    place = pd.Index(ids).get_indexer(previews["preview_id"].to_numpy(dtype=np.int64))  # -1 = not seen
    of_base = np.where(base >= 0, place[base], -1)
    both = (place >= 0) & (of_base >= 0)
    columns["drift"][both] = np.maximum(0, 1 - np.einsum("ij,ij->i", seen[place[both]], seen[of_base[both]]))
    known = place >= 0
    group = previews.loc[known, SIBLINGS].groupby(SIBLINGS, dropna=False, sort=False).ngroup().to_numpy()
    columns["diversity"][known] = diversity(seen[place[known]], group)
    sound = previews["picture_status"].to_numpy() == "ok"
    comparable = sound & (base >= 0) & sound[base]
    for name in Finish._fields:
        own = previews[name].to_numpy(dtype="float64")
        columns[f"{name}_change"] = np.where(comparable, change(name, own, own[base]), np.nan)
    return pd.DataFrame(columns, index=previews.index)[BESIDE_COLUMNS]


def base_rows(previews: pd.DataFrame) -> NDArray[np.int64]:
    """For each preview the place of the base row's picture of its cell; -1 where there is none."""
    keys = previews[CELL].groupby(CELL, sort=False).ngroup().to_numpy()
    is_base = previews["is_base"].to_numpy(dtype=bool)
    place = np.full(keys.max(initial=-1) + 1, -1, dtype=np.int64)
    place[keys[is_base]] = np.flatnonzero(is_base)
    return place[keys]


def change(name: str, own: NDArray[np.float64], base: NDArray[np.float64]) -> NDArray[np.float64]:
    """A figure of Finish against the base row's."""
    if name != "sharpness":
        return own - base
    with np.errstate(divide="ignore", invalid="ignore"):
        doublings = np.log2(own / base)
    return np.where(np.isfinite(doublings), doublings, np.nan)


def diversity(seen: Floats, group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of 1 - cosine of each unit vector to the others of its group; missing for one alone.

    The mean over others of v.w is (v.S - 1) / (n - 1) with S the sum of the group's n vectors.
    """
    if not len(seen):
        return np.empty(0)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.add.reduceat(seen[order], starts, axis=0)
    n = np.bincount(group)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = 1 - (np.einsum("ij,ij->i", seen, sums[group]) - 1.0) / (n[group] - 1)
    return np.where(n[group] > 1, found, np.nan)
