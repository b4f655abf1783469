"""Cut the square that a base model is trained on out of a photo, around the face."""

from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom in px

# How much of the picture belongs to a head, in widths and heights of the face box: hair above, shoulders
# below.
MARGIN_SIDES = 0.75
MARGIN_ABOVE = 0.6
MARGIN_BELOW = 1.0
FACE_HEIGHT_IN_SQUARE = 0.42  # where the middle of the face sits, from the top, if there is room to choose
LARGEST_SQUARE_IN_FACES = 6  # of a full-length photo no more than this: else the face is a few pixels


def crop_square(image: Image.Image, face: Box | None) -> tuple[Image.Image, str]:
    """Cut a square out of a photo and say how: ``none`` (it is square), ``face`` or ``centre``.

    With a face, the square holds it with hair and shoulders as far as the photo has them; the face is cut
    only where it is itself larger than the photo's shorter side. Without one the square is centred from left
    to right and, in an upright photo, around a third of the height, where heads mostly are.
    """
    if image.width == image.height:
        return image, "none"
    left, top, side = square_for(image.width, image.height, face)
    return image.crop((left, top, left + side, top + side)), "face" if face else "centre"


def square_for(width: int, height: int, face: Box | None) -> tuple[int, int, int]:
    """Left, top and side in px of the square to cut from a photo of ``width`` x ``height``."""
    side = min(width, height)
    if face is None:
        return (width - side) // 2, placed(height / 3 - side / 2, side, height), side
    x0, y0, x1, y1 = inside(face, width, height)
    face_width, face_height = x1 - x0, y1 - y0
    side = min(side, round(LARGEST_SQUARE_IN_FACES * max(face_width, face_height)))
    left = (x0 + x1) / 2 - side / 2
    top = (y0 + y1) / 2 - FACE_HEIGHT_IN_SQUARE * side
    top = holding(top, side, y0 - MARGIN_ABOVE * face_height, y1 + MARGIN_BELOW * face_height, (y0, y1))
    left = holding(left, side, x0 - MARGIN_SIDES * face_width, x1 + MARGIN_SIDES * face_width, (x0, x1))
    return placed(left, side, width), placed(top, side, height), side


def inside(face: Box, width: int, height: int) -> Box:
    """The part of a face box that lies in the photo: detectors reach over the edge."""
    x0, y0, x1, y1 = face
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)


def holding(start: float, side: int, low: float, high: float, face: tuple[float, float]) -> float:
    """Move a stretch of ``side`` px, no more than needed, to hold ``low``..``high``; at least the face."""
    if high - low <= side:
        return min(max(start, high - side), low)
    return min(max(start, face[1] - side), face[0])


def placed(start: float, side: int, length: int) -> int:
    """``start`` in whole px, moved so that the stretch lies within 0..``length``."""
    return min(max(round(start), 0), length - side)


def fitted(square: Image.Image, size_px: int | None) -> Image.Image:
    """The square at ``size_px`` a side; smaller ones are left as they are, since enlarging adds nothing."""
    if size_px is None or square.width <= size_px:
        return square
    return square.resize((size_px, size_px), Image.Resampling.LANCZOS)
