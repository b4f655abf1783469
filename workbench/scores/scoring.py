"""Score a preview's likeness by a face judge: a value, or the reason for none. Prompts as CLIP is asked them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.dataset.captions import one_line, word_pattern
from workbench.scores.likeness import Calibration, FindsFaces, at_size, mean_cosine, nearest, pick_face

LIKENESS, CLIP_T = "likeness", "clip_t"

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class ScoreResult:
    """One measurement of one picture: a value, or no value and the status that says why."""

    metric: str
    value: float | None  # raw cosine; charts put likeness on the calibration's scale
    status: str
    detail: dict[str, Any] = field(default_factory=dict)


def score_face(judge: FindsFaces, calibration: Calibration, image: Rgb) -> ScoreResult:
    """Likeness of one picture. See :func:`score_faces`."""
    return score_faces(judge, calibration, [image])[0]


def score_faces(judge: FindsFaces, calibration: Calibration, images: Sequence[Rgb]) -> list[ScoreResult]:
    """Likeness of each picture: mean cosine of its face to the reference faces; no face = no value.

    A picture is judged with its longer side at the size that the scale was measured at, in its own proportions.

    Detail: ``faces`` found, ``face_px``, ``box``, ``detector`` confidence, and for copying (see copying.py) the
    cosines ``nearest_train`` and ``nearest_reference``, which of the photos these are (``nearest_train_photo``,
    ``nearest_reference_photo``, counted over all photos of a side), and the ``usual_gap`` of the two cosines.
    """
    pictures = [at_size(image, calibration.size_px) for image in images]
    found = judge.faces_many(pictures)
    return [_likeness(faces, rgb.shape, calibration) for faces, rgb in zip(found, pictures, strict=True)]


def _likeness(faces: Sequence[Any], shape: tuple[int, ...], calibration: Calibration) -> ScoreResult:
    """The score of the faces in one picture of this shape (height, width, 3)."""
    face, status = pick_face(faces, (shape[1], shape[0]))
    if face is None:
        return ScoreResult(LIKENESS, None, status, {"faces": 0})
    detail = {
        "faces": len(faces),
        "face_px": round(face.size_px, 1),
        "box": [round(edge, 1) for edge in face.box],
        "detector": round(face.score, 3),
        "nearest_train": nearest(face.embedding, calibration.train),
        "nearest_reference": nearest(face.embedding, calibration.reference),
        "nearest_train_photo": calibration.photo("train", int(np.argmax(calibration.train @ face.embedding))),
        "nearest_reference_photo": calibration.photo(
            "reference", int(np.argmax(calibration.reference @ face.embedding))
        ),
        "usual_gap": calibration.detail["usual_gap"],
    }
    return ScoreResult(LIKENESS, mean_cosine(face.embedding, calibration.reference), status, detail)


def prompt_for_clip(prompt: str, trigger: str, class_noun: str) -> str:
    """A prompt in words that CLIP knows: the class noun in place of the trigger word, and not twice.

    >>> prompt_for_clip("photo of zwx woman, smiling", "zwx", "woman")
    'photo of woman, smiling'
    >>> prompt_for_clip("zwx at the beach", "zwx", "woman")
    'woman at the beach'
    """
    if not trigger:
        return one_line(prompt)
    noun = re.escape(class_noun)
    word = word_pattern(trigger).pattern
    text = re.sub(rf"{word}[\s,]+(?={noun}(?!\w))", "", prompt, flags=re.IGNORECASE) if class_noun else prompt
    text = re.sub(rf"(?<!\w)({noun})\s+{word}", r"\1", text, flags=re.IGNORECASE) if class_noun else text
    return one_line(word_pattern(trigger).sub(lambda _: class_noun, text))
