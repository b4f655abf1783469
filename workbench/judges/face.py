"""The face judge: finds faces and turns each into a vector, through insightface and any of its packs."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.judges.info import JudgeInfo, JudgeUnavailable
from workbench.judges.threads import in_threads

Rgb = NDArray[np.uint8]  # height x width x 3
Box = tuple[float, float, float, float]  # left, top, right, bottom in px

CROPS_PER_BATCH = 8  # small enough that a batch of pictures keeps every thread busy
# A box is a second find of the same face if a better one covers this share of the smaller of the two. The
# detector's own suppression compares overlap with the union, which lets a small box inside a large one
# through.
SAME_FACE_COVER = 0.6


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a picture."""

    box: Box
    score: float  # the detector's confidence, 0 to 1
    embedding: NDArray[np.float32]  # unit vector
    size_px: float  # side of a square as large as the box


class FaceJudge:
    """A loaded face pack. Loading takes about a second; the packs' weights stay in memory.

    ``device`` is ``cpu`` or ``cuda``; None takes CUDA where ONNX Runtime has it.
    """

    def __init__(self, info: JudgeInfo, device: str | None = None) -> None:
        self.info = info
        # a deprecated call in insightface, once a face; for good, since threads share one list of filters
        warnings.filterwarnings("ignore", "`estimate` is deprecated", FutureWarning)
        with quiet():
            import onnxruntime
            from insightface.app import FaceAnalysis

            cuda = device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
            providers = ["CUDAExecutionProvider"] * cuda + ["CPUExecutionProvider"]
            try:
                # a folder, never a name: insightface downloads a pack whose name it doesn't find
                pack = FaceAnalysis(
                    name=info.location,
                    allowed_modules=["detection", "recognition"],
                    providers=providers,
                    sess_options=session_options(),
                )
            except AssertionError:  # what it raises for a folder without a detector
                raise JudgeUnavailable("face_pack_incomplete", folder=info.location) from None
            if "recognition" not in pack.models or not getattr(pack.det_model, "use_kps", True):
                raise JudgeUnavailable("face_pack_incomplete", folder=info.location)
            pack.prepare(ctx_id=0 if cuda else -1)
        self.detector: Any = pack.det_model
        self.recogniser: Any = pack.models["recognition"]

    def faces(self, rgb: Rgb) -> list[Face]:
        """The faces in one picture, the detector's surest first."""
        return self.faces_many([rgb])[0]

    def faces_many(self, pictures: Sequence[Rgb]) -> list[list[Face]]:
        """The faces in each picture (any sizes), with the same numbers as one by one."""
        found = in_threads(self._detect, pictures)
        crops = [crop for detections in found for _, _, crop in detections]
        vectors = iter(self._embed(crops))
        return [[Face(box, score, next(vectors), side_px(box)) for box, score, _ in detections] for detections in found]

    def _detect(self, rgb: Rgb) -> list[tuple[Box, float, Rgb]]:
        """Box, confidence and upright crop of each face in a picture."""
        import cv2
        from insightface.utils.face_align import norm_crop

        bgr = cv2.cvtColor(checked(rgb), cv2.COLOR_RGB2BGR)
        rows, landmarks = self.detector.detect(bgr)
        kept = distinct([box_of(row) for row in rows])
        side = self.recogniser.input_size[0]
        return [(box_of(rows[i]), float(rows[i][4]), norm_crop(bgr, landmarks[i], side)) for i in kept]

    def _embed(self, crops: list[Rgb]) -> list[NDArray[np.float32]]:
        """Unit vector of each aligned crop."""
        fixed = isinstance(self.recogniser.input_shape[0], int)  # takes one picture at a time
        step = 1 if fixed else CROPS_PER_BATCH
        batches = in_threads(self.recogniser.get_feat, [crops[i : i + step] for i in range(0, len(crops), step)])
        return [vector / np.linalg.norm(vector) for batch in batches for vector in batch]


def checked(rgb: Rgb) -> Rgb:
    """The same, if it is a picture."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"Not a picture of height x width x 3 in uint8: {rgb.shape} in {rgb.dtype}.")
    return rgb


def distinct(boxes: Sequence[Box]) -> list[int]:
    """Indices of the boxes that are faces of their own; ``boxes`` come best first.

    >>> distinct([(0, 0, 40, 40), (10, 10, 30, 30), (50, 0, 90, 40)])
    [0, 2]
    """
    kept: list[int] = []
    for i, box in enumerate(boxes):
        if all(cover(box, boxes[j]) <= SAME_FACE_COVER for j in kept):
            kept.append(i)
    return kept


def cover(a: Box, b: Box) -> float:
    """Area that two boxes share, as a part of the smaller one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min(side_px(a), side_px(b)) ** 2
    return max(0.0, width) * max(0.0, height) / smaller if smaller else 0.0


def side_px(box: Box) -> float:
    """Side of a square that is as large as the box."""
    return float(np.sqrt(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])))


def box_of(row: NDArray[np.float32]) -> Box:
    """Left, top, right, bottom of one of the detector's rows."""
    left, top, right, bottom = (float(value) for value in row[:4])
    return left, top, right, bottom


def session_options() -> Any:
    """ONNX Runtime's settings: one thread within a picture, since several pictures are looked at beside each other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries print while they load off standard output: the engine speaks JSON there."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
