"""Find photos that show nearly the same picture: shots of one burst, or one photo saved twice."""

from collections.abc import Sequence

from PIL import Image

HASH_SIDE = 8  # 8 x 8 lowest frequencies = 64 bits
PICTURE_SIDE_PX = 32
# Of 64 bits. JPEG at quality 30, half size, brighter and paler copies differ by at most 4 on the demo photos,
# which differ from each other by 8 or more although all are one person in one framing.
ALIKE_BITS = 6


def near_duplicates(images: Sequence[Image.Image]) -> list[list[int]]:
    """Groups of two and more pictures that look nearly the same, as sorted indices."""
    return alike_groups([perceptual_hash(image) for image in images])


def perceptual_hash(image: Image.Image) -> int:
    """64-bit hash of how a picture looks: signs of its lowest frequencies against their median (pHash).

    The discrete cosine transform of 32 x 32 grey levels, its 8 x 8 low corner, one bit for each coefficient
    above the median; the first, the mean brightness, is left out of the median (Zauner 2010, pHash).
    """
    import numpy as np
    from scipy.fft import dctn

    small = image.convert("L").resize((PICTURE_SIDE_PX, PICTURE_SIDE_PX), Image.Resampling.LANCZOS)
    low = dctn(np.asarray(small, dtype=np.float64), norm="ortho")[:HASH_SIDE, :HASH_SIDE].ravel()
    bits = low > np.median(low[1:])
    return int("".join("1" if bit else "0" for bit in bits), 2)


def alike_groups(hashes: Sequence[int], limit: int = ALIKE_BITS) -> list[list[int]]:
    """Groups of two and more hashes linked by distances of at most ``limit`` bits, as sorted indices."""
    group_of = list(range(len(hashes)))
    for i, first in enumerate(hashes):
        for j in range(i):
            if (first ^ hashes[j]).bit_count() <= limit and group_of[i] != group_of[j]:
                old, new = group_of[i], group_of[j]
                group_of = [new if group == old else group for group in group_of]
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(group_of):
        groups.setdefault(group, []).append(index)
    return [members for members in groups.values() if len(members) > 1]
