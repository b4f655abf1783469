"""How sharp a photo is, as one figure that does not depend on its size, brightness or contrast."""

from PIL import Image

SIDE_PX = 256  # photos are measured at this side, so that a large photo is no blurrier than a small one


def sharpness(image: Image.Image) -> float:
    """Variance of the Laplacian of the grey picture at 256 x 256 px with mean 0 and variance 1.

    The Laplacian is the sum of the four neighbours minus four times the pixel (Pech-Pacheco et al. 2000). A plain
    picture has 0. Noise counts as sharp: it has detail at every pixel.
    """
    import numpy as np

    grey = np.asarray(image.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS), dtype=np.float64)
    spread = grey.std()
    if spread == 0:
        return 0.0
    z = (grey - grey.mean()) / spread
    laplacian = z[:-2, 1:-1] + z[2:, 1:-1] + z[1:-1, :-2] + z[1:-1, 2:] - 4 * z[1:-1, 1:-1]
    return float(laplacian.var())
