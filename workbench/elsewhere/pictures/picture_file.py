"""Open pictures that strangers' programs wrote: their size and text at once, their pixels when they are wanted."""

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from workbench.dataset.photo_file import MIN_SIDE_PX, to_rgb
from workbench.elsewhere.pictures.comfyui import parse_comfyui
from workbench.elsewhere.pictures.found import Box
from workbench.elsewhere.pictures.infotext import Drawn, TextProblem, parse_infotext
from workbench.elsewhere.problem import Problem

FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LARGEST_BYTES = 300_000_000
LARGEST_SIDE_PX = 65_500  # of a grid; a single picture has at most LARGEST_PICTURE_PX
LARGEST_PICTURE_PX = 8192
EXIF, USER_COMMENT = 0x8769, 0x9286  # where JPEG and WebP keep what PNG keeps in the chunk "parameters"
CAMERA = (0x0110, 0x010F)  # where ComfyUI's savers of WebP put "prompt:" and the graph (comfy_extras/nodes_images.py)


class BrokenPicture(ValueError):
    """A picture that can't be used; ``problem`` names it and says why."""

    def __init__(self, name: str, why: str) -> None:
        self.problem = Problem(name, why)
        super().__init__(str(self.problem))


@dataclass(frozen=True)
class Header:
    """Size in px, and what the text inside says; ``scheme``: infotext, comfyui, or "" without a text."""

    width: int
    height: int
    scheme: str = ""
    drawn: Drawn | None = None


def read_header(file: Path, name: str) -> Header:
    """Size and text of a picture, without its pixels. Raises BrokenPicture."""
    with _opened(file, name) as image:
        width, height = image.size
        if min(width, height) < MIN_SIDE_PX:
            raise BrokenPicture(name, f"is only {width} x {height} px: {MIN_SIDE_PX} px a side are the least.")
        if max(width, height) > LARGEST_SIDE_PX:
            raise BrokenPicture(name, f"is {width} x {height} px: {LARGEST_SIDE_PX} px a side are the most.")
        try:
            texts = _texts(image)
            if "parameters" in texts:
                return Header(width, height, "infotext", parse_infotext(texts["parameters"]))
            if "prompt" in texts:
                return Header(width, height, "comfyui", parse_comfyui(texts["prompt"]))
        except TextProblem as error:
            raise BrokenPicture(name, str(error)) from None
        except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error) as error:
            raise BrokenPicture(name, f"has a text that can't be read ({error}).") from None
    return Header(width, height)


def read_pixels(file: Path, name: str, box: Box | None = None) -> NDArray[np.uint8]:
    """The pixels of a picture, or of a part of it: uint8 (height, width, 3). Raises BrokenPicture."""
    try:
        with _opened(file, name) as image:
            image.load()
            return np.asarray(to_rgb(image.crop(box) if box else image, name))
    except Image.DecompressionBombError:
        raise BrokenPicture(name, "has more pixels than a picture can have.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        if isinstance(error, BrokenPicture):
            raise
        raise BrokenPicture(name, f"is damaged or cut short ({error}): copy it again.") from None


def _opened(file: Path, name: str) -> Image.Image:
    """The picture, its pixels not yet read."""
    try:
        n_bytes = file.stat().st_size
        if n_bytes == 0:
            raise BrokenPicture(name, "is empty (0 bytes): copy it again from its source.")
        if n_bytes > LARGEST_BYTES:
            raise BrokenPicture(name, f"has {n_bytes // 1_000_000} MB: {LARGEST_BYTES // 1_000_000} MB are the most.")
        data = file.read_bytes()
    except OSError as error:
        raise BrokenPicture(name, f"can't be opened ({error.strerror or error}).") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large grids are expected; the limits are ours
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise BrokenPicture(name, "isn't a PNG, JPEG or WebP picture, whatever its name says.") from None
    except Image.DecompressionBombError:
        raise BrokenPicture(name, "says that it has more pixels than a picture can have.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise BrokenPicture(name, f"is damaged ({error}): copy it again.") from None
    if getattr(image, "n_frames", 1) > 1:
        raise BrokenPicture(name, "is an animation: a still picture is needed.")
    return image


def _texts(image: Image.Image) -> dict[str, str]:
    """The texts inside: PNG chunks by name; the EXIF comment of JPEG and WebP as ``parameters``."""
    found = {key: value for key, value in image.info.items() if isinstance(key, str) and isinstance(value, str)}
    if "parameters" in found or image.format == "PNG":
        return found
    comment = image.getexif().get_ifd(EXIF).get(USER_COMMENT)
    if isinstance(comment, bytes) and comment.startswith(b"UNICODE\0"):
        written = comment[8:]
        # piexif, which A1111 uses, writes big-endian whatever the file's byte order; others follow the file
        order = "utf-16-le" if written[1:2] == b"\0" else "utf-16-be"
        found["parameters"] = written.decode(order, "replace")
    elif isinstance(comment, bytes) and comment.startswith(b"ASCII\0\0\0"):
        found["parameters"] = comment[8:].decode("utf-8", "replace")
    for tag in CAMERA:
        if str(image.getexif().get(tag, "")).lower().startswith("prompt:"):
            found["prompt"] = str(image.getexif()[tag])[len("prompt:") :]
    return found
