"""What is wrong with single photos of a dataset, each as a sentence to stand beside the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from workbench.dataset.split import REFERENCE

Row = dict[str, Any]  # of table photos, as workbench.dataset.prepare.measured gives them

# Variance of the Laplacian (see sharpness.py). The 120 embedded photos, all sharp, have .066 to .60, and none
# is under .26 of its set's median. Blurred by a Gaussian of 1 px (of 256) they fall to .015, at most .16 of the
# median; by 1.5 px to .005, at most .014. Five photos of scikit-image: .24 to .69 sharp, under .026 with 2 px of 512.
BLURRED = 0.01  # whatever the others are like
BLURRED_SHARE = 0.15  # of the median of the set ...
SURELY_SHARP = 0.05  # ... unless it is sharper than this: a plain wall has less detail than a meadow
# The embedded judge on 80 photos: whole faces lie inside by at least a tenth of their size. With a tenth of the face
# cut off at the top or a side, a median of .044 to .054 of its box lies outside; with a fifth, .11.
FACE_CUT = 0.03
FACE_FILLS = 0.85  # of the square's side; .71 at most in whole portraits, .9 when cropped to the face


@dataclass(frozen=True)
class Flaw:
    """A kind (unreadable, blurred, no_face, several_faces, small, cut, close, alike, both_sides) and its sentence."""

    kind: str
    text: str


def flaws(rows: Sequence[Row], size_px: int | None = None, *, faces: bool = True) -> dict[int, list[Flaw]]:
    """Position of a photo in ``rows`` -> what is wrong with it; photos without flaws are not named.

    ``size_px``: side at which they will be trained, None = not known. ``faces``: the subject has a face that a judge
    looks for.
    """
    known = [row["sharpness"] for row in rows if row.get("sharpness") is not None]
    usual = median(known) if known else None
    found: dict[int, list[Flaw]] = {}
    for number, row in enumerate(rows):
        wrong = [
            *_unreadable(row),
            *_blurred(row, usual),
            *_small(row, size_px),
            *(_face(row) if faces else []),
            *_alike(row, rows, faces),
        ]
        if wrong:
            found[number] = wrong
    return found


def _unreadable(row: Row) -> list[Flaw]:
    file = row.get("unreadable")
    if not file:
        return []
    text = (
        f"Its file is missing or broken: {file}. Put it back from a backup, or import the same photo again, or leave "
        "this one out: runs on these photos need it."
    )
    return [Flaw("unreadable", text)]


def _blurred(row: Row, usual: float | None) -> list[Flaw]:
    value = row.get("sharpness")
    if value is None or usual is None:
        return []
    share = value / usual if usual else 1.0
    if value >= BLURRED and (share >= BLURRED_SHARE or value >= SURELY_SHARP):
        return []
    than = f": {share:.0%} of the detail that these photos usually have" if share < BLURRED_SHARE else ""
    return [Flaw("blurred", f"It looks blurred{than}. A LoRA learns blur too.")]


def _small(row: Row, size_px: int | None) -> list[Flaw]:
    side = row.get("side_px") or min(row["width"], row["height"])
    if size_px is None or side >= size_px:
        return []
    return [Flaw("small", f"Its square is {side} px a side but trained at {size_px} px, so it will look soft.")]


def _face(row: Row) -> list[Flaw]:
    if row["face_px"] is None:
        return [Flaw("no_face", "No face was found in it. It can be trained on but is no reference.")]
    wrong = []
    if (row.get("faces") or 1) > 1:
        text = f"{row['faces']} faces are in the square: the LoRA would learn them all. Crop the photo first."
        wrong.append(Flaw("several_faces", text))
    cut, side = row.get("face_cut"), row.get("side_px")
    if cut is not None and cut > FACE_CUT:
        wrong.append(Flaw("cut", f"The face is cut off: {cut:.0%} of it lies outside the square."))
    elif side and row["face_px"] > FACE_FILLS * side:
        share = row["face_px"] / side
        text = f"The face fills {share:.0%} of the square's side: hair, ears and shoulders are missing."
        wrong.append(Flaw("close", text))
    return wrong


def _alike(row: Row, rows: Sequence[Row], faces: bool) -> list[Flaw]:
    if row["duplicate_group"] is None:
        return []
    others = [r for r in rows if r["duplicate_group"] == row["duplicate_group"] and r["name"] != row["name"]]
    if not others:
        return []
    names = names_of([other["name"] for other in others])
    if any(other["side"] != row["side"] for other in others):
        why = "likeness rewards copying" if faces else "what is held out is no real test"
        where = "held out" if row["side"] == REFERENCE else "trained on"
        return [
            Flaw("both_sides", f"It is {where}, but nearly the same picture is on the other side ({names}): {why}.")
        ]
    return [Flaw("alike", f"Nearly the same picture as {names}. One of them is enough.")]


def by_kind(found: Mapping[int, Sequence[Flaw]], rows: Sequence[Row]) -> dict[str, list[str]]:
    """Kind of flaw -> names of the photos that have it."""
    named: dict[str, list[str]] = {}
    for number, wrong in found.items():
        for flaw in wrong:
            named.setdefault(flaw.kind, []).append(rows[number]["name"])
    return named


def names_of(names: Sequence[str], most: int = 5) -> str:
    """Names in a row, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
