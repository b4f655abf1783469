"""Write a preview's files: the picture as it is, and a thumbnail; their names and contents say nothing about it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from db.results import new_token
from workbench.scores.finish import finish
from workbench.scores.picture import picture_status

THUMB_PX = 384  # longest side; a smaller picture keeps its size


def write_preview(folder: Path, pixels: np.ndarray, finite: bool) -> dict[str, Any]:
    """Write TOKEN.png and TOKEN.webp into ``folder``; return token, file names, size, status and finish of the picture.

    pixels: uint8 (height, width, 3). Nothing is embedded in the files: a rater could read it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    token = new_token()
    picture = Image.fromarray(pixels)
    save(picture, folder / f"{token}.png")
    thumb = picture.copy()
    thumb.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS)
    save(thumb, folder / f"{token}.webp", lossless=max(picture.size) <= THUMB_PX, quality=90)
    return {
        "token": token,
        "file": f"{token}.png",
        "thumb": f"{token}.webp",
        "size_px": max(picture.size),
        "status": picture_status(pixels, finite),
        **finish(pixels)._asdict(),
    }


def save(picture: Image.Image, path: Path, **options: Any) -> None:
    """Write beside the final name, then rename: a crash leaves no half picture."""
    part = path.with_name(path.name + ".part")
    picture.save(part, format=path.suffix.lstrip("."), **options)
    os.replace(part, path)
