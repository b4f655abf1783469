"""Likeness to the subject on the subject's own scale: other people 0, other photos of the subject 100."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.dataset.crop import crop_square
from workbench.scores.copying import gap_rule

if TYPE_CHECKING:
    from workbench.judges.face import Face

# Mean cosine to the reference photos. The cosine to their centroid is the same number divided by the centroid's
# length, so it sorts pictures alike and gives the same points, but it grows with the number of photos: .87 with one
# reference and .93 with ten on the shipped people. The largest cosine grows for strangers too. See docs/validity.md.
ESTIMATOR = "mean_of_pairs"
SMALL_FACE_PX = 24  # recognisers scale a face to 112 px: below this, most of what they see is made up
CENTRE_WEIGHT = 2.0  # as insightface weighs the distance from the middle against the area
LEAST_SPREAD = 0.05  # cosine between real and strangers: below it the judge can't tell them apart

Rgb = NDArray[np.uint8]
Vectors = NDArray[np.float32]  # number x width, unit length


class CalibrationError(ValueError):
    """Photos that give no likeness scale. The text says why and what to do."""


class FindsFaces(Protocol):
    """What a face judge must be able to do."""

    def faces_many(self, pictures: Sequence[Rgb]) -> "list[list[Face]]": ...


@dataclass(frozen=True, eq=False)
class Calibration:
    """The ends of a subject's scale as one judge sees them at one picture size, and the faces behind them."""

    real: float  # mean cosine of the subject's train faces to the reference faces: 100 on the scale
    strangers: float | None  # the same of other people's faces: 0 on the scale; None = no such photos
    size_px: int
    reference: Vectors
    train: Vectors
    n_strangers: int
    found: dict[str, list[bool]]  # for train, reference, strangers: whether each photo shows a face
    threshold: float | None  # mean cosine from which on a face is recognisably the person
    detail: dict[str, Any]  # JSON-able: scores of single photos, and what copies are told by (see copying.py)
    estimator: str = ESTIMATOR

    def photo(self, side: str, index: int) -> int:
        """Index among all photos of a side of its ``index``-th face: photos without a face have none."""
        return int(np.flatnonzero(self.found[side])[index])

    @property
    def counts(self) -> dict[str, int]:
        """Faces that were found among the train photos, the references and the other people's photos."""
        return {"train": len(self.train), "reference": len(self.reference), "strangers": self.n_strangers}


def mean_cosine(face: NDArray[np.float32], references: Vectors) -> float:
    """Mean cosine of one face to each of the references; all of them unit vectors."""
    return float(np.mean(references @ face))


def on_scale(x: float, strangers: float | None, real: float) -> float:
    """``100 (x - strangers) / (real - strangers)`` for the mean cosine ``x`` of a picture.

    Without other people's photos the zero is cosine 0, near which a good judge puts two strangers.
    """
    zero = strangers or 0.0
    return 100 * (x - zero) / (real - zero)


def nearest(face: NDArray[np.float32], others: Vectors) -> float:
    """Cosine of one face to the nearest of others."""
    return float(np.max(others @ face))


def threshold(real: Sequence[float], strangers: Sequence[float]) -> float | None:
    """Mean cosine from which on a face is recognisably the person; None without strangers.

    Midway between the 10th percentile of the real photos and the 95th of the strangers; where these overlap, the
    point of equal error. The percentiles keep one odd photo from setting it. Chosen among ten rules on the shipped
    people, with strangers that the rule hadn't seen (docs/validity.md shows five): the real photos' 10th percentile
    alone rejects every tenth real photo, the strangers' 99th alone lets in look-alikes.
    """
    if not len(real) or not len(strangers):
        return None
    low, high = float(np.percentile(real, 10)), float(np.percentile(strangers, 95))
    return (low + high) / 2 if low > high else equal_error(real, strangers)


def equal_error(real: Sequence[float], strangers: Sequence[float]) -> float:
    """The value at which the share of real photos below and of strangers at or above it differ least.

    Only values midway between two neighbouring scores are looked at; of several as good, the middle.
    """
    scores = np.unique(np.concatenate([real, strangers]))
    if len(scores) < 2:
        return float(scores[0])
    between = (scores[1:] + scores[:-1]) / 2
    missed = np.searchsorted(np.sort(real), between, side="left") / len(real)
    taken = 1 - np.searchsorted(np.sort(strangers), between, side="left") / len(strangers)
    off = np.abs(missed - taken)
    return float(np.mean(between[np.isclose(off, off.min())]))


def real_scores(train: Vectors, reference: Vectors) -> list[float]:
    """Mean cosine of each real photo to the reference photos, itself left out: train photos first.

    A mean of pairs may leave one out: it doesn't depend on how many there are.
    """
    held_out = reference if len(reference) > 1 else reference[:0]
    return [
        *(mean_cosine(face, reference) for face in train),
        *(mean_cosine(face, np.delete(reference, i, axis=0)) for i, face in enumerate(held_out)),
    ]


def pick_face(faces: "Sequence[Face]", image_size: tuple[int, int]) -> "tuple[Face | None, str]":
    """The face that counts in a picture of (width, height) px, and a status.

    ``ok``; ``no_face``; ``several_faces``: the largest and most central one counts; ``small_face``: under 24
    px a side.
    """
    if not faces:
        return None, "no_face"
    width, height = image_size

    def weight(face: "Face") -> float:
        left, top, right, bottom = face.box
        off = ((left + right - width) / 2) ** 2 + ((top + bottom - height) / 2) ** 2
        return face.size_px**2 - CENTRE_WEIGHT * off

    chosen = max(faces, key=weight)
    if chosen.size_px < SMALL_FACE_PX:
        return chosen, "small_face"
    return chosen, "ok" if len(faces) == 1 else "several_faces"


def calibrate(
    judge: FindsFaces, train: Sequence[Rgb], reference: Sequence[Rgb], strangers: Sequence[Rgb], size_px: int
) -> Calibration:
    """Measure the ends of a subject's scale on photos, scaled to ``size_px`` first, the size of the previews.

    Photos that aren't square yet (other people's, as they come) are cut around the face before.
    Raises :class:`CalibrationError` when no face is found among the references or the train photos, or when
    the judge takes the subject for any stranger.
    """
    vectors, found = {}, {}
    for side, photos in (("train", train), ("reference", reference), ("strangers", strangers)):
        faces = judge.faces_many([at_size(squared(judge, photo), size_px) for photo in photos])
        picked = [pick_face(each, (size_px, size_px))[0] for each in faces]
        found[side] = [face is not None for face in picked]
        vectors[side] = np.array([face.embedding for face in picked if face is not None], dtype=np.float32)
    for side, what in (("reference", "reference photos"), ("train", "train photos")):
        if not len(vectors[side]):
            raise CalibrationError(
                f"No face was found in any of the {len(found[side])} {what}, so there is no scale for "
                f"likeness. Add {what} that show the face clearly, or choose the face judge 'none'."
            )
    n_strangers = len(vectors["strangers"])
    real = float(np.mean(vectors["train"] @ vectors["reference"].T))
    zero = float(np.mean(vectors["strangers"] @ vectors["reference"].T)) if n_strangers else None
    if real - (zero or 0.0) < LEAST_SPREAD:
        raise CalibrationError(
            f"This judge sees the subject's photos no more alike (cosine {real:.2f}) than other people's "
            f"({zero or 0.0:.2f}). Check that the photos show one person, or choose another face judge."
        )
    scores = real_scores(vectors["train"], vectors["reference"])
    others = [mean_cosine(face, vectors["reference"]) for face in vectors["strangers"]]
    copies = gap_rule(vectors["train"], vectors["reference"])
    return Calibration(
        real=real,
        strangers=zero,
        size_px=size_px,
        reference=vectors["reference"],
        train=vectors["train"],
        n_strangers=n_strangers,
        found=found,
        threshold=threshold(scores, others),
        detail={"real_each": rounded(scores), "strangers_each": rounded(others), **copies},
    )


def rounded(cosines: Sequence[float]) -> list[float]:
    """Cosines as they are stored for people to look at."""
    return [round(float(cosine), 4) for cosine in cosines]


def squared(judge: FindsFaces, photo: Rgb) -> Rgb:
    """A photo cut to a square around its face."""
    height, width = photo.shape[:2]
    if height == width:
        return photo
    face, _ = pick_face(judge.faces_many([photo])[0], (width, height))
    return np.asarray(crop_square(Image.fromarray(photo), face.box if face else None)[0])


def at_size(rgb: Rgb, size_px: int) -> Rgb:
    """A picture with its longer side at ``size_px``, in its own proportions: a squeezed face is another face."""
    height, width = rgb.shape[:2]
    longer = max(height, width)
    if longer == size_px:
        return rgb
    size = max(1, round(width * size_px / longer)), max(1, round(height * size_px / longer))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
