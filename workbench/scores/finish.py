"""How a picture is finished: colourful, burnt out, sharp. Figures of the pixels alone; no judge, no torch.

Looked at beside the picture of the base row (same prompt and seed): overtrained LoRAs are known for saturated,
burnt-out, over-sharpened skin.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.dataset.sharpness import sharpness

CRUSHED, BURNT = 2, 253  # grey levels of 0-255 beyond which a channel shows no detail any more


class Finish(NamedTuple):
    """Raw figures of one picture."""

    saturation: float  # mean over pixels of (max - min) / max of the channels, 0-1: grey 0, pure colours 1
    clipping: float  # share of pixels with a channel at its end, 0-1
    sharpness: float  # variance of the Laplacian, free of size and contrast; see workbench/dataset/sharpness.py


def finish(rgb: NDArray[np.uint8]) -> Finish:
    """Measure a picture of height x width x 3 in uint8.

    Saturation is S of HSV (Smith 1978); black pixels count as grey.
    """
    high, low = rgb.max(axis=2), rgb.min(axis=2)
    saturation = (high - low) / np.maximum(high, 1)
    clipped = (low <= CRUSHED) | (high >= BURNT)
    return Finish(float(saturation.mean()), float(clipped.mean()), sharpness(Image.fromarray(rgb)))
