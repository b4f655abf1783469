"""What CLIP sees in a picture: how well it fits its prompt, and how alike it looks to the reference photos."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.dataset.crop import crop_square
from workbench.dataset.duplicates import perceptual_hash
from workbench.judges.threads import in_threads
from workbench.scores.copying import gap_rule, hash_rule, nearest_hash
from workbench.scores.likeness import CalibrationError, Rgb, Vectors, at_size, mean_cosine
from workbench.scores.scoring import CLIP_T, ScoreResult

CLIP_I = "clip_i"
LOOK_ESTIMATOR = "mean_of_pairs"  # CLIP-I: the mean cosine to the reference photos (DreamBooth, Ruiz et al. 2023)


class SeesPictures(Protocol):
    """What a CLIP judge must be able to do."""

    def images(self, images: Sequence[Rgb]) -> Vectors: ...

    def texts(self, texts: Sequence[str]) -> Vectors: ...


@dataclass(frozen=True, eq=False)
class LookScale:
    """The photos of a subject as CLIP sees them at one picture size."""

    real: float  # mean cosine of the train photos to the reference photos
    strangers: float | None  # the same of other people's photos; None = there are none
    size_px: int
    train: Vectors
    reference: Vectors
    train_hashes: tuple[int, ...]
    reference_hashes: tuple[int, ...]
    counts: dict[str, int]  # photos on each side
    detail: dict[str, Any]  # JSON-able: what copies are told by; see workbench/scores/copying.py
    threshold: None = None  # a look is no identity: from no value on is it the person


@dataclass(frozen=True, eq=False)
class Looked:
    """What was seen in one picture."""

    scores: tuple[ScoreResult, ...]
    vector: NDArray[np.float32]


def calibrate_look(
    judge: SeesPictures, train: Sequence[Rgb], reference: Sequence[Rgb], strangers: Sequence[Rgb], size_px: int
) -> LookScale:
    """See the photos as CLIP does, scaled to ``size_px`` first, the size of the previews.

    Raises CalibrationError where there are no train or no reference photos.
    """
    for photos, what in ((train, "train"), (reference, "reference")):
        if not len(photos):
            raise CalibrationError(f"There are no {what} photos, so there is nothing that a picture could look like.")
    sized = {
        side: [at_size(square(photo), size_px) for photo in photos]
        for side, photos in (("train", train), ("reference", reference), ("strangers", strangers))
    }
    seen = {side: judge.images(photos) for side, photos in sized.items() if photos}
    hashes = {side: tuple(in_threads(hashed, sized[side])) for side in ("train", "reference")}
    others = seen.get("strangers")
    return LookScale(
        real=float((seen["train"] @ seen["reference"].T).mean()),
        strangers=None if others is None else float((others @ seen["reference"].T).mean()),
        size_px=size_px,
        train=seen["train"],
        reference=seen["reference"],
        train_hashes=hashes["train"],
        reference_hashes=hashes["reference"],
        counts={side: len(photos) for side, photos in sized.items()},
        detail={
            **gap_rule(seen["train"], seen["reference"]),
            **hash_rule(hashes["train"], hashes["reference"]),
        },
    )


def score_look(
    judge: SeesPictures, scale: LookScale | None, images: Sequence[Rgb], prompts: Sequence[str | None]
) -> list[Looked]:
    """Per picture its vector, prompt adherence where it has a prompt, and look where there is a scale.

    A picture is encoded once, whatever is measured of it; both values are raw cosines.
    """
    if not len(images):
        return []
    texts = list(dict.fromkeys(prompt for prompt in prompts if prompt is not None))
    words = dict(zip(texts, judge.texts(texts), strict=True)) if texts else {}

    def looked(given: tuple[Rgb, str | None, NDArray[np.float32]]) -> Looked:
        image, prompt, vector = given
        scores = []
        if prompt is not None:
            scores.append(ScoreResult(CLIP_T, float(vector @ words[prompt]), "ok", {"text": prompt}))
        if scale is not None:
            scores.append(look(scale, image, vector))
        return Looked(tuple(scores), vector)

    return in_threads(looked, zip(images, prompts, judge.images(images), strict=True))


def look(scale: LookScale, image: Rgb, vector: NDArray[np.float32]) -> ScoreResult:
    """CLIP-I of one picture, and the photos that it comes nearest to.

    Detail: ``nearest_train`` and ``nearest_reference`` (cosines), ``nearest_train_photo`` and
    ``nearest_reference_photo`` (which of the photos that the scale was made from), ``usual_gap``, and
    ``hash_train`` and ``hash_reference``: bits of 64 by which the perceptual hash differs from the photo of that side
    that is nearest by hash, ``hash_train_photo`` and ``hash_reference_photo`` (CLIP's nearest is often another one).
    """
    own = hashed(at_size(square(image), scale.size_px))
    detail: dict[str, Any] = {"usual_gap": scale.detail["usual_gap"]}
    for side, photos, hashes in (
        ("train", scale.train, scale.train_hashes),
        ("reference", scale.reference, scale.reference_hashes),
    ):
        cosines = photos @ vector
        nearest = int(np.argmax(cosines))
        detail[f"nearest_{side}"] = float(cosines[nearest])
        detail[f"nearest_{side}_photo"] = nearest
        detail[f"hash_{side}"], detail[f"hash_{side}_photo"] = nearest_hash(own, hashes)
    return ScoreResult(CLIP_I, mean_cosine(vector, scale.reference), "ok", detail)


def square(rgb: Rgb) -> Rgb:
    """The middle of a picture, as CLIP itself cuts it."""
    if rgb.shape[0] == rgb.shape[1]:
        return rgb
    return np.asarray(crop_square(Image.fromarray(rgb), None)[0])


def hashed(rgb: Rgb) -> int:
    """The perceptual hash of a picture."""
    return perceptual_hash(Image.fromarray(rgb))


def packed(vector: NDArray[np.float32]) -> str:
    """A vector as it travels from the engine to the worker: base64 of float16, little-endian."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii")
