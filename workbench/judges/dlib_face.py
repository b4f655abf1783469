"""The extra face judge: dlib's detector, its 5-point predictor and its recogniser, free for any use."""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.judges.face import Face, Rgb, checked, distinct, side_px
from workbench.judges.find import DLIB_FILES
from workbench.judges.info import JudgeInfo

CHIPS_PER_BATCH = 32
DETECTED_AT_PX = 256  # shorter side; see _enlargings
CHIP_PX, CHIP_PADDING = 150, 0.25  # what the recogniser was trained on: dlib, examples/face_recognition.py


class DlibJudge:
    """dlib's models, loaded. Answers as :class:`workbench.judges.face.FaceJudge` does, on the CPU.

    Vectors are brought to length 1 (dlib's are 1.2 to 1.4 long on the shipped people, and meant for Euclidean
    distance), so that their products are cosines and every formula for likeness holds: between unit vectors distance^2
    is 2 - 2 cosine, so both sort faces alike. All cosines lie high (on the shipped people .82 to .93 between strangers,
    .95 to .99 within a person), which the subject's own scale takes out; AUC among the 20 other people .993.
    ``Face.score`` is the detector's margin: above 0, mostly under 3, not a share.

    The 68-point predictor beside it is never loaded: what it was trained on excludes commercial use.
    """

    def __init__(self, info: JudgeInfo) -> None:
        import dlib

        self.info = info
        predictor, recogniser = (str(Path(info.location) / name) for name in DLIB_FILES)
        self.dlib: Any = dlib
        self.detector: Any = dlib.get_frontal_face_detector()
        self.predictor: Any = dlib.shape_predictor(predictor)
        self.recogniser: Any = dlib.face_recognition_model_v1(recogniser)
        self.one_at_a_time = threading.Lock()  # its objects keep intermediate results in themselves

    def faces(self, rgb: Rgb) -> list[Face]:
        """The faces in one picture, the detector's surest first."""
        return self.faces_many([rgb])[0]

    def faces_many(self, pictures: Sequence[Rgb]) -> list[list[Face]]:
        """The faces in each picture (any sizes), with the same numbers as one by one."""
        with self.one_at_a_time:
            found = [self._detect(checked(picture)) for picture in pictures]
            vectors = iter(self._embed([chip for detections in found for _, _, chip in detections]))
        return [[Face(box, score, next(vectors), side_px(box)) for box, score, _ in detections] for detections in found]

    def _detect(self, rgb: Rgb) -> list[tuple[Any, float, Rgb]]:
        """Box, margin and upright chip of each face."""
        rgb = np.ascontiguousarray(rgb)
        for enlarged in _enlargings(rgb):
            found, margins, _ = self.detector.run(rgb, enlarged, 0.0)
            if len(found):
                break
        boxes = [(float(r.left()), float(r.top()), float(r.right() + 1), float(r.bottom() + 1)) for r in found]
        chips = [self.dlib.get_face_chip(rgb, self.predictor(rgb, r), CHIP_PX, CHIP_PADDING) for r in found]
        return [(boxes[i], float(margins[i]), chips[i]) for i in distinct(boxes)]

    def _embed(self, chips: list[Rgb]) -> Iterable[np.ndarray]:
        """Unit vector of each chip."""
        for start in range(0, len(chips), CHIPS_PER_BATCH):
            for vector in self.recogniser.compute_face_descriptor(chips[start : start + CHIPS_PER_BATCH]):
                values = np.asarray(vector, dtype=np.float32)
                yield values / np.linalg.norm(values)


def _enlargings(rgb: Rgb) -> tuple[int, int]:
    """How many times to double a picture before detection, and how many if that finds nothing.

    The detector sees faces of 80 px and more: of 300 synthetic portraits of 128 px it found 59 % as they were, 98 %
    doubled. A preview of 64 px is doubled twice: a face in 120 of 120 shipped photos at 64 px, and at 256 px.
    """
    doublings = max(0, int(np.ceil(np.log2(DETECTED_AT_PX / min(rgb.shape[:2])))))
    return doublings, doublings + 1
