"""Refuse photos that a judge was not made for: the embedded judges know synthetic people only, and guess at others.

What is measured: how well the miniature's own VAE gives a photo back (PSNR in dB at 64 px). It has seen rendered
portraits only, and loses what cameras see beyond these: skin, hair, backgrounds. The median over a subject's photos
counts, so that one odd photo decides nothing. On the shipped people, and on portraits of real people cut from the
sample pictures of face_recognition, deepface, facenet-pytorch and insightface (75, two cuts of each):

================================  ==========  ==============  =====================
photos                            median, dB  photos refused  people refused
================================  ==========  ==============  =====================
subject A, 30 train photos              29.9  6 %             0 of 1
20 other people, 4 photos each          31.5  3 %             0 of 20 (least 28.9)
5 series of blends, 10 photos each      31.3  0               0 of 5 (least 30.2)
real people, head and shoulders         25.2  86 %            9 of 10 (most 28.7)
real people, face only                  25.7  86 %            9 of 10 (most 28.0)
faces of 25 px, gray (LFW)              27.6  67 %            not known
================================  ==========  ==============  =====================

Real people counted: the 10 with 3 photos or more, sorted into people by dlib. So about one real person in ten gets
through, and small gray pictures more often; a check of the kind of photo, not a proof. The limit was chosen on these
same photos (27 to 28.5 dB were tried), so on others it will do somewhat worse.

A single photo is told with an AUC of .977. Other signs told less: the detector of the embedded pack is as sure of real
faces (.994 against .998), CLIP sees real portraits as near to the shipped people as these are to each other (.56 to .60
against .62), and weighing the dB with a photo's detail lowered the AUC for portraits.

Photos are measured, not previews: noise that a broken LoRA draws comes back at 22 dB. Where there are pictures and no
photos, those with a face are measured: previews of the miniature come back at 31 to 41 dB (base, trained, overtrained,
paintings: 60 previews), and in the noise there are no faces.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer import EMBEDDED
from workbench.dataset.crop import crop_square

SIDE_PX = 64  # of the pictures that the miniature's VAE was made for
LEAST_DB = 28.0
MOST_PHOTOS = 64  # that are looked at, spread over all
INSTEAD = {  # judges for photos of real people
    "face": "the face judge buffalo_l (weights for non-commercial research only), dlib, a pack's folder, or 'none'",
    "clip": "ViT-B-32/laion2b_s34b_b79k or another model of open_clip, or 'none'",
}

Rgb = NDArray[np.uint8]
Photo = TypeVar("Photo")


class WrongWorld(ValueError):
    """Photos that a judge was not made for. The text says which judge, how that is known, and what to do."""


def check_world(judge_kind: str, photos: Sequence[Rgb], whose: str) -> None:
    """Raise WrongWorld if photos show other people than the embedded judges know; of none there is nothing to say.

    ``judge_kind`` is face or clip; ``whose`` is what the error calls the photos.
    """
    measured = float(np.median(restored_db(spread(photos)))) if photos else np.inf
    if measured < LEAST_DB:
        raise WrongWorld(
            f"The embedded {judge_kind} judge knows the shipped synthetic people only, and {whose} show others: the "
            f"miniature gives them back at {measured:.1f} dB, its own people at {LEAST_DB:.0f} or more. Scores would "
            f"mean nothing. Choose {INSTEAD[judge_kind]}."
        )


def restored_db(photos: Sequence[Rgb]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB of each photo after the miniature's VAE: 10 log10(255^2 / mean square error)."""
    import torch

    vae = miniature_vae()
    found = []
    for photo in photos:  # one by one: some milliseconds each, and no photo's number depends on the others
        pixels = torch.from_numpy(small(photo).astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        with torch.inference_mode():
            restored = vae.decode(vae.encode(pixels).latent_dist.mode()).sample.clamp(-1, 1)
        found.append(10 * np.log10(4 / max(float((restored - pixels).square().mean()), 1e-10)))  # a span of 2, squared
    return np.array(found)


def spread(photos: Sequence[Photo]) -> list[Photo]:
    """At most MOST_PHOTOS of the photos, taken evenly from first to last."""
    places = np.linspace(0, len(photos) - 1, min(len(photos), MOST_PHOTOS)).round().astype(int)
    return [photos[place] for place in places]


def small(photo: Rgb) -> Rgb:
    """The middle square of a photo at SIDE_PX."""
    square, _ = crop_square(Image.fromarray(photo), None)
    return np.asarray(square.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))


@lru_cache(maxsize=1)
def miniature_vae() -> Any:
    """The VAE of the embedded base, on the CPU: the same numbers everywhere."""
    from trainer.device import probe
    from trainer.vae import load_vae

    return load_vae(EMBEDDED / "base", probe("cpu"))
