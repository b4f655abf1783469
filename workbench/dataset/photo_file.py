"""Read a photo: any usual format in, an upright 8-bit RGB picture out, or the reason why not."""

import io
import struct
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF")  # JPEG takes in MPO, in which many phones save
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif")
HEIF_BRANDS = {
    **dict.fromkeys(("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"), "HEIC"),
    "avif": "AVIF",
}
MIN_SIDE_PX = 64  # the smallest picture that any base model here is trained on
SIXTEEN_TO_EIGHT_BIT = 257  # 65535 / 255


class PhotosError(ValueError):
    """Photos that give no dataset. The text says why and what to do."""


class BrokenPhoto(ValueError):
    """A photo that can't be used. ``name`` says which one, ``why`` is the rest of the sentence."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} {why}")
        self.name, self.why = name, why


def read_photo(source: Path | bytes, name: str = "") -> Image.Image:
    """Read one photo as upright RGB: EXIF rotation applied, colours in sRGB, transparency on white.

    ``source`` is a file or its content; ``name`` is what error messages call it (default: the file's name).
    Raises :class:`BrokenPhoto` for everything that isn't one whole still picture of a usual size.
    """
    name = name or (source.name if isinstance(source, Path) else "the photo")
    data = content(source, name)
    know_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about broken EXIF and about sizes that we accept
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                refuse_animation(image, name)
                image.load()
                picture = checked_size(to_rgb(upright(image), name), name)
                picture.info = {}  # place, camera and profile stay out of what is stored
                return picture
    except BrokenPhoto:
        raise
    except UnidentifiedImageError:
        raise BrokenPhoto(name, why_unreadable(data)) from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise BrokenPhoto(name, f"has more than {limit} megapixels: save it smaller.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise BrokenPhoto(name, f"is damaged or cut short ({error}): copy it again.") from None


@lru_cache(maxsize=1)
def know_heif() -> None:
    """Teach Pillow the format of phones, HEIC; AVIF it reads by itself.

    libheif turns such a picture upright itself and its reader sets the EXIF rotation to "none", so that the
    rotation is applied once.
    """
    from pi_heif import register_heif_opener

    register_heif_opener(thumbnails=False)


def content(source: Path | bytes, name: str) -> bytes:
    """The bytes of a photo."""
    try:
        data = source.read_bytes() if isinstance(source, Path) else bytes(source)
    except OSError as error:
        raise BrokenPhoto(name, f"can't be opened ({error.strerror or error}).") from None
    if not data:
        raise BrokenPhoto(name, "is empty (0 bytes): copy it again from its source.")
    return data


def why_unreadable(data: bytes) -> str:
    """What to do with a file that Pillow's readers for the usual formats don't know."""
    brand = data[8:12].decode("ascii", "replace").lower() if data[4:8] == b"ftyp" else ""
    if brand in HEIF_BRANDS:
        return f"is a damaged or unusual {HEIF_BRANDS[brand]} file: copy it again, or convert it to JPEG or PNG."
    if data[:4] == b"GIF8":
        return "is a GIF: save the picture that you want as JPEG or PNG."
    return "isn't a picture in a format that can be read here (JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF)."


def refuse_animation(image: Image.Image, name: str) -> None:
    """Moving WebP, PNG and AVIF files are no photos; further pictures inside an MPO, TIFF or HEIC are left out."""
    if image.format in ("WEBP", "PNG", "AVIF") and getattr(image, "n_frames", 1) > 1:
        raise BrokenPhoto(name, "is an animation: save the picture that you want as JPEG or PNG.")


def upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF rotation; a picture whose EXIF block is damaged stays as it is stored."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return image


def to_rgb(image: Image.Image, name: str) -> Image.Image:
    """8-bit sRGB from any mode: CMYK and profiles converted, 16 bit scaled, transparency put on white."""
    if image.mode == "F":
        raise BrokenPhoto(name, "holds numbers rather than colours (32-bit float): save it as JPEG or PNG.")
    if image.mode.startswith("I"):  # 16-bit grey; plain convert() would clip everything bright to white
        depth = image.convert("I").point(lambda v: v * (1 / SIXTEEN_TO_EIGHT_BIT) + 0.5)
        image = depth.convert("L")
    profile = image.info.get("icc_profile")
    if "A" in image.getbands() or "transparency" in image.info:
        image = on_white(image)
    return from_profile(image, profile) if profile else image.convert("RGB")


def on_white(image: Image.Image) -> Image.Image:
    """Put a picture with transparency on white, as most viewers show it."""
    picture = image.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture).convert("RGB")


def from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert from the photo's own colour space (phones write Display P3, scanners CMYK) to sRGB."""
    try:
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile, or one that doesn't fit the mode
        return image.convert("RGB")
    return converted if converted is not None else image.convert("RGB")


def checked_size(image: Image.Image, name: str) -> Image.Image:
    """Refuse pictures that are too small to show a face."""
    width, height = image.size
    if min(width, height) < MIN_SIDE_PX:
        raise BrokenPhoto(name, f"is only {width} x {height} px: {MIN_SIDE_PX} px a side are the least.")
    return image
