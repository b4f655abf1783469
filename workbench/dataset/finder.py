"""Find the face that a photo is cropped around."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.dataset.crop import Box, crop_square, square_for
from workbench.judges.find import EMBEDDED_WORLD
from workbench.scores.likeness import pick_face

if TYPE_CHECKING:
    from workbench.judges.face import FaceJudge

# The embedded pack knows synthetic portraits. On real photos it finds large faces at .55 to .7, and a coffee
# cup at .61.
SURE = 0.8

SEARCH_SIDE_PX = 640  # longer side of the picture that the cascade looks at: a tenth of a second
SMALLEST_FACE_PX = 30
SCALE_STEP = 1.1
COUNTS_FROM = 0.4  # of the chosen face's side: smaller ones are passers-by, or patterns that look like a face
SUPPORT = 8  # overlapping finds that make a face; with scikit-image's 4 it sees faces in cats and shirts


class FaceFinder:
    """Looks with the project's face judge; without one for photos of real people, with a small free detector.

    That detector is scikit-image's cascade of local binary patterns for frontal faces. OpenCV 5 ships neither
    cascades nor a model for its ``FaceDetectorYN``.
    """

    def __init__(self, judge: "FaceJudge | None" = None) -> None:
        self.judge = judge
        self._cascade: Any = None

    def box(self, image: Image.Image) -> Box | None:
        """The box of the largest and most central face of an RGB picture, in px; None if there is no face."""
        found = self.boxes(image)
        return found[0] if found else None

    def boxes(self, image: Image.Image) -> list[Box]:
        """The boxes of all faces of an RGB picture that count, in px; the largest and most central one first."""
        rgb = np.asarray(image)
        if self.judge is not None:
            faces = self.judge.faces(rgb)
            chosen, _ = pick_face(faces, image.size)
            for_real_people = self.judge.info.world != EMBEDDED_WORLD
            if chosen is None and for_real_people:
                return []
            if chosen is not None and (for_real_people or chosen.score >= SURE):
                sure = [face for face in faces if for_real_people or face.score >= SURE]
                return that_count(chosen.box, [face.box for face in sure])
        return self._frontal_faces(image)

    def _frontal_faces(self, image: Image.Image) -> list[Box]:
        """The frontal faces that the cascade sees, the largest first."""
        small = image.copy()
        small.thumbnail((SEARCH_SIDE_PX, SEARCH_SIDE_PX))
        pixels: NDArray[np.uint8] = np.asarray(small)
        found = self._detector().detect_multi_scale(
            pixels,
            scale_factor=SCALE_STEP,
            step_ratio=1,
            min_size=(SMALLEST_FACE_PX, SMALLEST_FACE_PX),
            max_size=pixels.shape[:2],
            min_neighbor_number=SUPPORT,
        )
        scale = image.width / small.width
        boxes = [
            (scale * f["c"], scale * f["r"], scale * (f["c"] + f["width"]), scale * (f["r"] + f["height"]))
            for f in found
        ]
        boxes.sort(key=side_px, reverse=True)
        return that_count(boxes[0], boxes) if boxes else []

    def _detector(self) -> Any:
        if self._cascade is None:
            from skimage.data import lbp_frontal_face_cascade_filename
            from skimage.feature import Cascade

            self._cascade = Cascade(lbp_frontal_face_cascade_filename())
        return self._cascade


@dataclass(frozen=True)
class Square:
    """The square that was cut out of a photo, and what is known of the face in it.

    how: see crop_square. face_px: side of the face box in the square, px; face_cut: share of that box outside the
    square, 0 to 1; both None without a face. faces: how many there are in the square.
    """

    picture: Image.Image
    how: str
    face_px: float | None
    face_cut: float | None
    faces: int


def face_square(image: Image.Image, finder: FaceFinder) -> Square:
    """The square around a photo's face."""
    boxes = finder.boxes(image)
    box = boxes[0] if boxes else None
    picture, how = crop_square(image, box)
    left, top = (0, 0) if how == "none" else square_for(image.width, image.height, box)[:2]
    frame = (left, top, left + picture.width, top + picture.height)
    inside = [each for each in boxes if share_outside(each, frame) < 0.5]
    cut = share_outside(box, frame) if box else None
    return Square(picture, how, side_px(box) if box else None, cut, max(len(inside), int(box is not None)))


def that_count(chosen: Box, boxes: list[Box]) -> list[Box]:
    """The chosen face, then the others that are large enough to be taken for the subject."""
    others = [box for box in boxes if box != chosen and side_px(box) >= COUNTS_FROM * side_px(chosen)]
    return [chosen, *others]


def side_px(box: Box) -> float:
    """Side of a square as large as a box."""
    return float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))


def share_outside(box: Box, frame: Box) -> float:
    """Share of a box's area outside a frame, 0 to 1. Detectors complete a face beyond the picture's edge."""
    width = min(box[2], frame[2]) - max(box[0], frame[0])
    height = min(box[3], frame[3]) - max(box[1], frame[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return 1 - max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0
