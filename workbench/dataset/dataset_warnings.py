"""What a person should know about a dataset before training on it, in sentences."""

from collections.abc import Sequence
from typing import Any

from workbench.dataset.photo_flaws import by_kind, flaws, names_of
from workbench.dataset.split import FEW_PHOTOS, REFERENCE

Row = dict[str, Any]  # of table photos

SENTENCES = {  # of photos that a list names; on the page they stand with the picture (workbench/dataset/photo_flaws.py)
    "no_face": "No face was found in {names}. Look at the crop on the Photos page.",
    "several_faces": "Several faces are in {names}. Crop these photos first.",
    "cut": "The face is cut off in {names}.",
    "close": "The face fills nearly all of {names}: hair and shoulders are missing.",
    "blurred": "Blurred: {names}.",
    "small": "Smaller than {size} px, so blurred when trained at that size: {names}.",
}


def dataset_warnings(rows: Sequence[Row], size: int | None = None, *, faces: bool = True) -> list[str]:
    """Sentences about photos that are few, small, faceless, blurred, alike or not held out.

    ``size``: px, side at which they will be trained; ``faces``: the subject has a face that a judge looks for.
    """
    named = by_kind(flaws(rows, size, faces=faces), rows)
    about = [text.format(names=names_of(named[kind]), size=size) for kind, text in SENTENCES.items() if kind in named]
    return [*set_warnings(rows, faces=faces), *about, *group_warnings(rows, faces=faces)]


def set_warnings(rows: Sequence[Row], *, faces: bool = True) -> list[str]:
    """Sentences about the photos as a whole: too few, or none held out."""
    references = [row for row in rows if row["side"] == REFERENCE]
    warnings = []
    if len(rows) < FEW_PHOTOS:
        why = (
            "A LoRA of a person needs 15 or more, and likeness against so few references is a rough figure."
            if faces
            else "A LoRA needs 15 or more."
        )
        warnings.append(f"Photos: {len(rows)}, held out as reference: {len(references)}. {why}")
    if not references and faces:
        warnings.append("No photo is held out as reference, so likeness can't be scored. Add different photos.")
    return warnings


def group_warnings(rows: Sequence[Row], *, faces: bool = True) -> list[str]:
    """Groups of photos that look nearly alike, and those that stand on both sides of the split."""
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row["duplicate_group"] is not None:
            groups.setdefault(row["duplicate_group"], []).append(row)
    warnings = []
    for group in groups.values():
        names = names_of([row["name"] for row in group])
        if len({row["side"] for row in group}) > 1:
            why = "likeness will reward copying" if faces else "what is held out is no real test"
            warnings.append(f"On both sides though nearly alike, so {why}: {names}.")
        elif len(group) > 1:
            warnings.append(f"Nearly alike, so they count as one photo in the split: {names}.")
    return warnings
