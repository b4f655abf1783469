"""Whether a preview copies a training photo: closer to it than a real photo that nobody trained on ever comes.

Three measures, each against what the same subject's real photos show of it, every photo left out in turn:

- Faces, and whole pictures as CLIP sees them: the angle to the nearest reference photo over the angle to the
  nearest train photo (:func:`times_nearer`). A ratio of angles, as in the copy measure of WithAnyone
  (arXiv 2510.14975), and not a difference of cosines: the same difference means less far from the subject than near.
  By the difference 3 of 12 previews of a LoRA that generalises were flagged by face, by the ratio none.
- The layout of whole pictures: bits in which the perceptual hash differs from that of the nearest train photo.

Limits are prediction bounds: if the measure is normal over real photos, 1 in 100 new ones lies beyond (for the hash
1 in 20, which comes in steps of 2 bits). The ratio, among four formulas, and both shares were chosen with the shipped
photos and the first LoRAs of docs/validity.md in view; the LoRAs trained after that are listed apart there. Sets of
different size need no subsets: there are more train photos than references, so any picture comes nearer to one of
them, and so do the real photos that make the limit.

How often each flags what it should is in docs/validity.md. This module knows no torch.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.dataset.duplicates import ALIKE_BITS
from workbench.scores.one_photo import popular_share

BEYOND_ALL_BUT = 0.01  # share of unseen real photos beyond the limit of a ratio
BEYOND_HASH = 0.05
FEWEST = 4  # real photos to take a spread from
LEAST_ANGLE_DEG = 1.0  # under it two pictures differ by rounding
MOST_BITS = 10  # a hash this far off is of another picture whatever the photos' spread; of 64; imagededup's default

Vectors = NDArray[np.float32]  # number x width, unit length


def angle(cosine: float) -> float:
    """The angle of two unit vectors in degrees."""
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


def times_nearer(nearest_train: float, nearest_reference: float) -> float:
    """How many times nearer a picture is to its nearest train photo than to its nearest reference photo, in angles.

    >>> round(times_nearer(0.5 * 3**0.5, 0.5), 6)  # 30 degrees against 60
    2.0
    """
    return max(angle(nearest_reference), LEAST_ANGLE_DEG) / max(angle(nearest_train), LEAST_ANGLE_DEG)


def real_nearest(train: Vectors, reference: Vectors) -> list[tuple[float, float]]:
    """Cosines of each real photo to its nearest train and nearest reference photo, itself left out.

    The references first. A side of one photo has no other: then only the other side's photos count.
    """
    pairs = []
    for own, photos in ((reference, "reference"), (train, "train")):
        for i, photo in enumerate(own if len(own) > 1 else own[:0]):
            others = np.delete(own, i, axis=0)
            trained, held_out = (train, others) if photos == "reference" else (others, reference)
            pairs.append((float(np.max(trained @ photo)), float(np.max(held_out @ photo))))
    return pairs


def real_nearest_photo(train: Vectors, reference: Vectors) -> list[int]:
    """Which train photo each real photo is nearest to, itself left out; references first."""
    among = train @ train.T
    np.fill_diagonal(among, -np.inf)
    rows = [reference @ train.T, among] if len(train) > 1 else [reference @ train.T]
    return [int(i) for row in rows for i in np.argmax(row, axis=1)]


def gap_rule(train: Vectors, reference: Vectors) -> dict[str, Any]:
    """What a calibration keeps to tell copies by, JSON-able; None where there are too few photos.

    ``usual_gap`` and ``gap_spread``: mean and standard deviation of nearest train minus nearest reference cosine
    over ``gap_photos`` real photos; ``usual_ratio`` and ``ratio_limit``: :func:`times_nearer` of them.
    ``popular``: share of real photos whose nearest train photo is the most popular one.
    """
    pairs = real_nearest(train, reference)
    popular = popular_share(real_nearest_photo(train, reference))
    if len(pairs) < FEWEST:
        return {
            "gap_photos": len(pairs),
            "popular": popular,
            "usual_gap": None,
            "gap_spread": None,
            "usual_ratio": None,
            "ratio_limit": None,
        }
    gaps = [near - far for near, far in pairs]
    ratios = np.log([times_nearer(near, far) for near, far in pairs])
    return {
        "gap_photos": len(pairs),
        "popular": popular,
        "usual_gap": float(np.mean(gaps)),
        "gap_spread": float(np.std(gaps, ddof=1)),
        "usual_ratio": float(np.exp(np.mean(ratios))),
        "ratio_limit": float(np.exp(upper_bound(ratios, BEYOND_ALL_BUT))),
    }


def hash_rule(train: Sequence[int], reference: Sequence[int]) -> dict[str, Any]:
    """What a calibration keeps of perceptual hashes: ``usual_bits`` to the nearest train photo, and ``hash_limit``.

    Photos that are nearly the same (one burst, one photo saved twice) don't count as each other's nearest.
    ``hash_popular``: share of real photos whose nearest train photo is the most popular one.
    """
    nearest = [
        min((own ^ other).bit_count() for other in others)
        for own in (*reference, *train)
        if (others := [other for other in train if (own ^ other).bit_count() > ALIKE_BITS])
    ]
    popular = popular_share(real_nearest_hash(train, reference))
    if len(nearest) < FEWEST:
        return {"usual_bits": None, "hash_limit": None, "hash_popular": popular}
    limit = -upper_bound(-np.array(nearest, dtype=float), BEYOND_HASH)
    return {
        "usual_bits": float(np.mean(nearest)),
        "hash_limit": float(min(limit, MOST_BITS)),
        "hash_popular": popular,
    }


def real_nearest_hash(train: Sequence[int], reference: Sequence[int]) -> list[int]:
    """Which train photo each real photo is nearest to by hash, itself left out; references first."""
    found = [nearest_hash(own, train)[1] for own in reference if len(train)]
    for i, own in enumerate(train if len(train) > 1 else ()):
        others = [*train[:i], *train[i + 1 :]]
        nearest = nearest_hash(own, others)[1]
        found.append(nearest + (nearest >= i))
    return found


def upper_bound(values: NDArray[np.floating[Any]], beyond: float) -> float:
    """Prediction bound: a further value of the same kind lies above with the chance ``beyond``.

    mean + t(n - 1) s sqrt(1 + 1 / n) for normal values (Hahn & Meeker, Statistical Intervals, 1991).
    """
    from scipy.stats import t

    n = len(values)
    spread = float(np.std(values, ddof=1))
    return float(np.mean(values) + t.ppf(1 - beyond, n - 1) * spread * np.sqrt(1 + 1 / n))


def nearest_hash(own: int, others: Sequence[int]) -> tuple[int, int]:
    """Bits of 64 to the nearest of other hashes, and its index."""
    bits = [(own ^ other).bit_count() for other in others]
    index = int(np.argmin(bits))
    return bits[index], index


def is_face_copy(detail: Mapping[str, Any], calibration: Mapping[str, Any]) -> bool:
    """Whether a face is a copy, from the ``detail`` of a likeness score and the row of its calibration.

    False where it can't be told: too few photos, no face, or scored by version 0.2.
    """
    return beyond_ratio(detail, limits(calibration["detail"]))


def is_picture_copy(detail: Mapping[str, Any], calibration: Mapping[str, Any]) -> bool:
    """Whether a whole picture is a copy, by its hash or by CLIP: the same of a clip_i score."""
    rule = limits(calibration["detail"])
    return same_layout(detail, rule) or beyond_ratio(detail, rule)


def copied_photo(detail: Mapping[str, Any], calibration: Mapping[str, Any]) -> int | None:
    """Which train photo to look at beside a picture: the nearest, by layout if that is what gives it away."""
    by_layout = same_layout(detail, limits(calibration["detail"]))
    return detail.get("hash_train_photo" if by_layout else "nearest_train_photo")


def same_layout(detail: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Whether a picture's hash is nearer to a train photo's than those of real photos are."""
    limit, bits = rule.get("hash_limit"), detail.get("hash_train")
    return limit is not None and bits is not None and bits <= limit


def beyond_ratio(detail: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Whether a picture is more times nearer to a train photo than real photos are."""
    limit, near, far = rule.get("ratio_limit"), detail.get("nearest_train"), detail.get("nearest_reference")
    return limit is not None and near is not None and far is not None and times_nearer(near, far) > limit


@lru_cache(maxsize=64)
def limits(detail: str) -> dict[str, Any]:
    """A stored calibration's detail, read once for its thousands of pictures."""
    read: dict[str, Any] = json.loads(detail)
    return read
