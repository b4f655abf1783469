"""What tells one base model's weights from another's: hashes of its files (no torch here)."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from trainer import EMBEDDED, EMBEDDED_BASES, PAINTED
from trainer.base_kind import base_kind, vae_beside, weights

PARTS = ("text_encoder", "vae", "unet")  # in the order in which a fingerprint has them
_hashed: dict[tuple[str, int, int], str] = {}  # (path, bytes, modified in ns) -> sha256


def sha256(file: Path) -> str:
    """sha256 of a file, remembered while its size and time stay the same."""
    stat = file.stat()
    key = (str(file.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _hashed:
        with file.open("rb") as stream:
            _hashed[key] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _hashed[key]


def combined(hashes: Iterable[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def fingerprint(location: str | Path) -> str:
    """The fingerprint that :func:`trainer.base.load_base` gives the base model there; reads all its weights."""
    place = EMBEDDED / "base" if str(location) in EMBEDDED_BASES else Path(location).expanduser()
    if place.is_file():
        beside = None if base_kind(place).own_vae else vae_beside(place)
        files = {part: [beside or place] if part == "vae" else [place] for part in PARTS}
        return combined(combined([part, *map(sha256, files[part])]) for part in PARTS)
    each = {part: combined(sha256(file) for file in weights(place / part)) for part in PARTS}
    if str(location) == "embedded-painted":
        each["unet"] = combined([each["unet"], sha256(PAINTED)])
    return combined(each.values())
