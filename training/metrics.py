"""How near a coloured picture comes to its original, and how it looks.

All take `rgb` of shape (H, W, 3), gamma-encoded sRGB in 8 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio
from skimage.segmentation import felzenszwalb, find_boundaries

from service.color import rgb_to_lab

Rgb = NDArray[np.uint8]

FLAT_SCALE, FLAT_SIGMA, FLAT_MIN_SIZE = 60, 0.5, 100
FLAT_MIN_PIXELS = 150
FLAT_MAX_DEVIATION = 3.0


def ciede2000(original: Rgb, colored: Rgb) -> float:
    """Mean CIEDE2000 colour difference; 0 is identical, 1 just noticeable.

    References
    ----------
    .. [1] ISO/CIE 11664-6.
    """
    return float(deltaE_ciede2000(rgb_to_lab(original), rgb_to_lab(colored)).mean())


def psnr(original: Rgb, colored: Rgb) -> float:
    """Peak signal-to-noise ratio of sRGB, in dB; at most 100."""
    if np.array_equal(original, colored):
        return 100.0
    return min(100.0, float(peak_signal_noise_ratio(original, colored)))


def colorfulness(rgb: Rgb) -> float:
    """Colourfulness M3, with signed opponents; 0 for grey.

    References
    ----------
    .. [1] D. Hasler, S. Suesstrunk, "Measuring colourfulness in natural images", 2003.
    """
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    deviation = np.hypot(red_green.std(), yellow_blue.std())
    return float(deviation + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def flat_spread(original: Rgb, colored: Rgb) -> float:
    """How much chroma varies inside shapes that are flat in the original.

    Returns
    -------
    float
        Mean over the shapes of the root of the summed variances of a* and b*;
        not a number when the original has no flat shape.

    References
    ----------
    .. [1] P. Felzenszwalb, D. Huttenlocher, "Efficient Graph-Based Image
       Segmentation", IJCV 2004: what counts as a shape.
    """
    shapes = felzenszwalb(original, FLAT_SCALE, FLAT_SIGMA, FLAT_MIN_SIZE) + 1
    shapes[find_boundaries(shapes)] = 0
    numbers = np.flatnonzero(np.bincount(shapes.ravel()) > FLAT_MIN_PIXELS)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        return float("nan")
    own = _spread(rgb_to_lab(original), shapes, numbers)
    spread = _spread(rgb_to_lab(colored), shapes, numbers)[own < FLAT_MAX_DEVIATION]
    return float(spread.mean()) if spread.size else float("nan")


def lightness_error(original: Rgb, colored: Rgb) -> float:
    """Mean absolute difference in L*."""
    difference = rgb_to_lab(original)[..., 0] - rgb_to_lab(colored)[..., 0]
    return float(np.abs(difference).mean())


def _spread(
    lab: NDArray[np.float32], shapes: NDArray[np.int64], numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Root of the summed variances of a* and b* in each of the numbered shapes."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(shapes.ravel(), values.ravel())
        return np.asarray(sums[numbers] / np.bincount(shapes.ravel())[numbers])

    planes = np.moveaxis(lab[..., 1:].astype(np.float64), -1, 0)
    variances = [mean(plane**2) - mean(plane) ** 2 for plane in planes]
    return np.asarray(np.sqrt(np.maximum(np.sum(variances, axis=0), 0)))
