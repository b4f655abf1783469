"""Photos and captions as the U-Net sees them: latents and text embeddings, cached on disk."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image, ImageOps
from safetensors import SafetensorError
from torch import Tensor

from trainer.adapter import use
from trainer.base import BaseModel, encode

REMEMBERED = 256  # shuffled captions whose embeddings stay in memory: 60 MB for SD 1.x
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class PhotoError(ValueError):
    """A photo or caption that cannot be trained on."""


@dataclass(frozen=True)
class Photo:
    """One training photo. `sha256` is of the file's bytes (hex) and names its cached latents."""

    path: Path
    caption: str
    sha256: str

    @classmethod
    def read(cls, path: Path, caption: str) -> "Photo":
        """The photo at this path, with its hash."""
        try:
            return cls(path, caption, hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError as error:
            raise PhotoError(f"The photo {path.name} cannot be read: {error.strerror}.") from error


def read_folder(folder: Path) -> list[Photo]:
    """The photos of a folder by name, each with the caption of the .txt beside it."""
    if not folder.is_dir():
        raise PhotoError(f"There is no folder {folder}. Give the folder that holds the photos.")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise PhotoError(f"There is no photo in {folder}. Put {', '.join(SUFFIXES)} files there.")
    without = [p.name for p in paths if not p.with_suffix(".txt").is_file()]
    if without:
        some = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        raise PhotoError(
            f"{len(without)} of {len(paths)} photos have no caption ({some}). Write one into a .txt "
            f"file of the same name beside each, such as {Path(without[0]).stem}.txt: photo of a zwx woman."
        )
    return [Photo.read(p, p.with_suffix(".txt").read_text(encoding="utf-8-sig").strip()) for p in paths]


def read_pixels(path: Path, size: int) -> Tensor:
    """A photo as (3, size, size) in -1..1: turned by EXIF, centre-cropped to a square, resized."""
    try:
        with Image.open(path) as file:
            image = ImageOps.fit(ImageOps.exif_transpose(file).convert("RGB"), (size, size), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PhotoError(f"The photo {path.name} cannot be read ({error}). Replace it or leave it out.") from error
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


@dataclass(frozen=True)
class Latents:
    """What the VAE says of the photos: mean and deviation, each (variants, photos, c, h, w) in fp32.

    Variant 1, where there is one, is the mirrored photo.
    """

    mean: Tensor
    std: Tensor

    def sample(self, photos: Tensor, variants: Tensor, generator: torch.Generator) -> Tensor:
        """One latent for each photo number, (n, c, h, w), scaled as by `encode_photos`."""
        mean, std = self.mean[variants, photos], self.std[variants, photos]
        return mean + std * torch.randn(mean.shape, generator=generator).to(mean.device)


def encode_photos(
    base: BaseModel, photos: Sequence[Photo], size: int, flip: bool = False, cache: Path | None = None
) -> Latents:
    """Latents of the photos, scaled as the U-Net wants them; one by one: no bit depends on a batch."""
    variants = [_encode_side(base, photos, size, mirrored, cache) for mirrored in ([False, True] if flip else [False])]
    return Latents(torch.stack([mean for mean, _ in variants]), torch.stack([std for _, std in variants]))


def encode_captions(
    base: BaseModel, captions: Sequence[str], clip_skip: int, cache: Path | None = None
) -> dict[str, Tensor]:
    """The frozen text encoder's words for each caption, (tokens, width) in fp32."""
    found: dict[str, Tensor] = {}
    for caption in dict.fromkeys(captions):
        model = f"{base.fingerprints['text_encoder']}\n{base.text_encoder.dtype}\n{base.device.torch_device}"
        key = hashlib.sha256(f"{model}\n{clip_skip}\n{caption}".encode()).hexdigest()[:32]
        path = cache / "text" / f"{key}.safetensors" if cache else None
        kept = _read_cache(path)
        if kept is None:
            with torch.no_grad(), use(base, None):
                kept = {"embedding": encode(base, [caption], clip_skip)[0].float()}
            _write_cache(path, kept)
        found[caption] = kept["embedding"].to(base.device.torch_device)
    return found


class Embeddings:
    """The frozen text encoder's words for any caption: those of the photos from the cache, new ones as needed."""

    def __init__(self, base: BaseModel, captions: Sequence[str], clip_skip: int, cache: Path | None = None) -> None:
        self.base, self.clip_skip = base, clip_skip
        self.known = encode_captions(base, captions, clip_skip, cache)
        self.room = len(self.known) + REMEMBERED

    def of(self, captions: Sequence[str]) -> Tensor:
        """(n, tokens, width) in fp32; a caption's bits do not depend on the others or on what is remembered."""
        new = encode_captions(self.base, [c for c in captions if c not in self.known], self.clip_skip)
        found = torch.stack([new[c] if c in new else self.known[c] for c in captions])
        self.known |= dict(list(new.items())[: self.room - len(self.known)])
        return found


def shuffled(caption: str, generator: torch.Generator) -> str:
    """The caption with its parts between commas in a new order; the first stays (sd-scripts with keep_tokens 1)."""
    first, *others = (part.strip() for part in caption.split(","))
    return ", ".join([first, *(others[i] for i in torch.randperm(len(others), generator=generator).tolist())])


def _encode_side(
    base: BaseModel, photos: Sequence[Photo], size: int, mirrored: bool, cache: Path | None
) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each photo or of its mirror image, (photos, c, h, w)."""
    rows = [_encode_photo(base, photo, size, mirrored, cache) for photo in photos]
    return torch.stack([row["mean"] for row in rows]), torch.stack([row["std"] for row in rows])


def _encode_photo(base: BaseModel, photo: Photo, size: int, mirrored: bool, cache: Path | None) -> dict[str, Tensor]:
    """The latent's mean and deviation, (c, h, w), from the cache or the VAE (which runs in fp32)."""
    key = hashlib.sha256(f"{base.fingerprints['vae']}\n{base.device.torch_device}".encode()).hexdigest()[:16]
    name = f"{photo.sha256[:32]}-{key}-{size}{'-flip' if mirrored else ''}.safetensors"
    path = cache / "latents" / name if cache else None
    kept = _read_cache(path)
    if kept is None:
        pixels = read_pixels(photo.path, size)
        pixels = pixels.flip(-1) if mirrored else pixels
        with torch.no_grad():
            said = base.vae.encode(pixels[None].to(base.device.torch_device)).latent_dist
        config = base.vae.config
        shift, scale = config.shift_factor or 0.0, config.scaling_factor
        kept = {"mean": (said.mean[0] - shift) * scale, "std": said.std[0] * scale}
        _write_cache(path, kept)
    return {name: value.to(base.device.torch_device) for name, value in kept.items()}


def _read_cache(path: Path | None) -> dict[str, Tensor] | None:
    """What was cached, or None; a broken file counts as absent."""
    try:
        return safetensors.torch.load(path.read_bytes()) if path else None
    except (FileNotFoundError, SafetensorError):
        return None


def _write_cache(path: Path | None, tensors: dict[str, Tensor]) -> None:
    """Keep tensors under this name; two processes that write the same name do no harm."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(safetensors.torch.save({n: t.contiguous().cpu() for n, t in tensors.items()}))
    try:
        os.replace(part, path)
    except PermissionError:  # Windows, while another process reads the same entry
        part.unlink()
