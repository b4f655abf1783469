"""Per checkpoint whether its previews copy one training photo, and how to say so."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.findings.preview_table import NEAREST
from workbench.scores.one_photo import FACE, LAYOUT, LOOK, ONE_PHOTO, copied_by, popular_share, usual_shares, verdict

Columns = Mapping[str, NDArray[np.float64]]  # columns of a preview table, a missing value as nan

COPIED_COLUMNS = ["copy_verdict", "copy_of", "copy_by", "copy_k", "copy_n", "copy_usual"]
JUDGED = ("copied", "recognised", "prompt")
LEAST_USUAL = 6  # previews of the base row to know from what is usual
LIKE = {LAYOUT: "are laid out most like", LOOK: "look most like", FACE: "have their face nearest to"}


def copied(main: pd.DataFrame, group: pd.Series, usual: Mapping[str, float]) -> pd.DataFrame:
    """Per group of previews (``group``: its number per preview) what its identity prompts' previews copy.

    ``copy_verdict``: one_photo, some, none (see one_photo.py), None on the base row and where nothing was measured;
    ``copy_of``: id of the training photo (for one_photo), ``copy_by``: the measure that shows it best, ``copy_k`` of
    ``copy_n`` previews are nearest to one photo by it, where ``copy_usual`` would be usual (missing: not known): the
    greater share among real photos (``usual``) and among the base row's previews of the same prompts.
    """
    identity = (main["role"] == "identity").to_numpy()
    is_base = main["is_base"].to_numpy(dtype=bool)
    columns = {name: main[name].to_numpy(dtype="float64", na_value=np.nan) for name in (*JUDGED, *NEAREST.values())}
    usual = usual_shares(usual, usual_of(taken(columns, np.flatnonzero(identity & is_base))))
    own = np.flatnonzero(identity & ~is_base)
    places = pd.Series(own).groupby(group.to_numpy()[own]).indices
    rows = {number: about(taken(columns, own[each]), usual) for number, each in places.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COPIED_COLUMNS).reindex(group.unique())
    for column in ("copy_verdict", "copy_by"):
        table[column] = table[column].astype(object).where(table[column].notna(), None)
    numbers = dict.fromkeys(["copy_k", "copy_n", "copy_usual"], "float64")
    return table.astype({"copy_of": "Int64", **numbers})


def taken(columns: Columns, places: NDArray[np.intp]) -> Columns:
    """Some rows of them."""
    return {name: values[places] for name, values in columns.items()}


def usual_of(base_row: Columns) -> dict[str, float | None]:
    """Measure -> share of the base row's previews that are nearest to one photo; without enough of them nothing."""
    nearest = nearest_photos(base_row)
    return {name: popular_share(photos) for name, photos in nearest.items() if len(photos) >= LEAST_USUAL}


def nearest_photos(previews: Columns) -> dict[str, list[int]]:
    """Measure -> id of the nearest train photo of each preview that has one."""
    return {name: known(previews[column]) for name, column in NEAREST.items()}


def known(values: NDArray[np.float64]) -> list[int]:
    """Ids that are not missing."""
    return [int(value) for value in values.tolist() if value == value]


def own_faces(previews: Columns) -> list[int]:
    """Ids of the train photos nearest to the faces that are recognisably the person, or all where that isn't known.

    A face between the base's and the person's is nearest to a hub of the photos without copying it.
    """
    return known(previews[NEAREST[FACE]][previews["recognised"] != 0])


def about(previews: Columns, usual: Mapping[str, float]) -> list[Any]:
    """COPIED_COLUMNS of one checkpoint."""
    flagged = previews["copied"]
    if np.isnan(flagged).all():
        return [None] * len(COPIED_COLUMNS)
    several = len(set(previews["prompt"].tolist())) > 1  # of one prompt all pictures may be laid out alike
    nearest = nearest_photos(previews) | {FACE: own_faces(previews)}
    found = copied_by(nearest, usual) if several else None
    said = verdict(found, int((flagged == 1).sum()))
    if found is None:
        return [said, None, None, None, None, None]
    photo = found.photo if said == ONE_PHOTO else None
    return [said, photo, found.measure, found.k, found.n, found.usual * found.n or None]


def copy_words(row: Mapping[str, Any], photo: str) -> str:
    """What makes a checkpoint a copy of one photo, as a sentence; ``photo``: the name of the photo ``copy_of``.

    >>> row = {"copy_by": "layout", "copy_k": 9, "copy_n": 12, "copy_usual": 2.2}
    >>> copy_words(row, "7.jpg")
    '9 of 12 previews are laid out most like one and the same training photo (7.jpg), where 2 would be usual.'
    """
    usual = "" if math.isnan(row["copy_usual"]) else f", where {row['copy_usual']:.0f} would be usual"
    k, n = (f"{row[column]:.0f}" for column in ("copy_k", "copy_n"))
    return f"{k} of {n} previews {LIKE[row['copy_by']]} one and the same training photo ({photo}){usual}."
