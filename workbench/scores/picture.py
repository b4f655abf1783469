"""Tell a usable preview from a broken one before any judge looks at it."""

import numpy as np
from numpy.typing import NDArray

# Grey levels, 0 to 255. Previews of the miniature span at least 100 levels in every channel (16 measured);
# pictures that a decoder lost to fp16 come out as exact zeros. The margins allow for a few stray pixels.
BLACK_MEAN = 3.0
BLACK_PEAK = 16.0  # 99.5th percentile
FLAT_SPREAD = 6.0  # between the 0.5th and the 99.5th percentile, in every channel


def picture_status(rgb: NDArray[np.uint8], finite: bool = True) -> str:
    """``ok``, ``black``, ``flat`` or ``non_finite`` for a picture of height x width x 3.

    ``finite`` is False when the decoder gave NaN or infinity somewhere. Black: mean level under 3 and 99.5 %
    of the levels at most 16. Flat: in every colour channel 99 % of the levels lie within 6, as with one plain
    colour. Noise is ``ok`` here: it is a picture, and the judges say what is missing in it.
    """
    if not finite:
        return "non_finite"
    low, high = np.percentile(rgb.reshape(-1, 3), [0.5, 99.5], axis=0)
    if rgb.mean() < BLACK_MEAN and high.max() <= BLACK_PEAK:
        return "black"
    if (high - low).max() <= FLAT_SPREAD:
        return "flat"
    return "ok"
