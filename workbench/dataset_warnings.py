"""What a person should know about a dataset before training on it."""

from collections.abc import Sequence
from typing import Any

from workbench.split import FEW_PHOTOS, REFERENCE

Row = dict[str, Any]  # of table photos


def dataset_warnings(rows: Sequence[Row], size: int | None = None, *, faces: bool = True) -> list[str]:
    """Sentences about photos that are few, small, faceless, alike or not held out.

    ``size``: px, side at which they will be trained; ``faces``: the subject has a face.
    """
    references = [row for row in rows if row["side"] == REFERENCE]
    warnings = []
    if len(rows) < FEW_PHOTOS:
        warnings.append(
            f"Photos: {len(rows)}, held out as reference: {len(references)}. A LoRA of a person needs 15 or "
            "more, and likeness against so few references is a rough figure."
        )
    if not references:
        warnings.append("No photo is held out as reference, so likeness can't be scored. Add different photos.")
    lost = [row["name"] for row in rows if row["face_px"] is None]
    if faces and lost:
        warnings.append(f"No face was found in {names_of(lost)}. Look at the crop on the Photos page.")
    small = [row["name"] for row in rows if size and min(row["width"], row["height"]) < size]
    if small:
        warnings.append(f"Smaller than {size} px, so blurred when trained at that size: {names_of(small)}.")
    return warnings + group_warnings(rows)


def group_warnings(rows: Sequence[Row]) -> list[str]:
    """Groups of photos that look nearly alike, and those that stand on both sides of the split."""
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row["duplicate_group"] is not None:
            groups.setdefault(row["duplicate_group"], []).append(row)
    warnings = []
    for group in groups.values():
        names = names_of([row["name"] for row in group])
        if len({row["side"] for row in group}) > 1:
            warnings.append(f"On both sides though nearly alike, so likeness will reward copying: {names}.")
        elif len(group) > 1:
            warnings.append(f"Nearly alike, so they count as one photo in the split: {names}.")
    return warnings


def names_of(names: Sequence[str], most: int = 5) -> str:
    """Names in a row, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
