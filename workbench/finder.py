"""Find the face that a photo is cropped around."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.crop import Box, crop_square
from workbench.judges.find import EMBEDDED_WORLD
from workbench.likeness import pick_face

if TYPE_CHECKING:
    from workbench.judges.face import FaceJudge

# The embedded pack knows synthetic portraits. On real photos it finds large faces at .55 to .7, and a coffee
# cup at .61.
SURE = 0.8

SEARCH_SIDE_PX = 640  # longer side of the picture that the cascade looks at: a tenth of a second
SMALLEST_FACE_PX = 30
SCALE_STEP = 1.1
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
        rgb = np.asarray(image)
        if self.judge is not None:
            face, _ = pick_face(self.judge.faces(rgb), image.size)
            for_real_people = self.judge.info.world != EMBEDDED_WORLD
            if for_real_people or (face is not None and face.score >= SURE):
                return face.box if face is not None else None
        return self._frontal_face(image)

    def _frontal_face(self, image: Image.Image) -> Box | None:
        """The largest frontal face that the cascade sees."""
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
        if not found:
            return None
        best = max(found, key=lambda face: face["width"] * face["height"])
        scale = image.width / small.width
        left, top, width, height = (float(best[name]) * scale for name in ("c", "r", "width", "height"))
        return left, top, left + width, top + height

    def _detector(self) -> Any:
        if self._cascade is None:
            from skimage.data import lbp_frontal_face_cascade_filename
            from skimage.feature import Cascade

            self._cascade = Cascade(lbp_frontal_face_cascade_filename())
        return self._cascade


def face_square(image: Image.Image, finder: FaceFinder) -> tuple[Image.Image, str, float | None]:
    """The square around a photo's face, how it was cut, and the face box's side in px (None: no face)."""
    box = finder.box(image)
    square, how = crop_square(image, box)
    size_px = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1]))) if box else None
    return square, how, size_px
