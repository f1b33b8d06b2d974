"""How near a coloured picture comes to its original, and how it looks.

`rgb` is gamma-encoded sRGB in 8 bits, `lab` is L*a*b*, both of shape (H, W, 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio
from skimage.segmentation import felzenszwalb, find_boundaries

from service.color import rgb_to_lab

Rgb = NDArray[np.uint8]
Lab = NDArray[np.floating[Any]]
Numbers = NDArray[np.intp]

FLAT_SCALE, FLAT_SIGMA, FLAT_MIN_SIZE = 60, 0.5, 100
FLAT_MIN_PIXELS = 150
FLAT_MAX_DEVIATION = 3.0
RIM_WIDTH = 3
"""How far from its border, in pixels, colour that leaks into a shape is looked for."""

LEAST_CHROMA = 5.0
"""C* up to which a pixel or a colour counts as grey: its hue is not seen."""
HUE_BINS = 36
HUE_TOLERANCE = 10.0
"""Degrees by which a hue may leave those that its palette allows."""

EQUAL_LIGHTNESS = 4.0
"""|dL*| under which neighbours count as equally light."""
OTHER_COLOR = 15.0
"""a*b* distance over which they count as different in colour."""


@dataclass(frozen=True)
class Shapes:
    """The shapes of an original; where colour ought to be flat.

    Attributes
    ----------
    flat : ndarray of int, shape (H, W)
        Number of the flat shape that a pixel lies within, from 1; 0 elsewhere,
        and on borders.
    rims : ndarray of int, shape (H, W)
        Number of the flat shape that a pixel belongs to, within `RIM_WIDTH`
        pixels of its border with another shape; 0 elsewhere.
    areas : ndarray of int, shape (H, W)
        Number of the flat shape that a pixel belongs to, up to its border.
    members : tuple of ndarrays of int
        Places of the pixels of each flat shape in the flattened picture.
    rim_deviations : ndarray of float, shape (rim pixels,)
        a*b* distance of the original's rims from the medians of their shapes.

    References
    ----------
    .. [1] P. Felzenszwalb, D. Huttenlocher, "Efficient Graph-Based Image
       Segmentation", IJCV 2004: what counts as a shape.
    """

    flat: Numbers
    rims: Numbers
    areas: Numbers
    members: tuple[Numbers, ...]
    rim_deviations: NDArray[np.float64]

    @classmethod
    def find(cls, original: Rgb) -> Shapes:
        """Find the shapes of a picture."""
        lab = rgb_to_lab(original)
        segments = felzenszwalb(original, FLAT_SCALE, FLAT_SIGMA, FLAT_MIN_SIZE) + 1
        borders = find_boundaries(segments)
        inside = np.where(borders, 0, segments)
        large = np.bincount(inside.ravel()) > FLAT_MIN_PIXELS
        large[0] = False
        numbers = np.flatnonzero(large)
        numbers = numbers[_spread(lab, inside, numbers) < FLAT_MAX_DEVIATION]
        renumber = np.zeros(segments.max() + 1, np.intp)
        renumber[numbers] = np.arange(1, len(numbers) + 1)
        flat, areas = renumber[inside], renumber[segments]
        # Without any border everything would be infinitely far from one.
        is_rim = distance_transform_edt(~borders) < RIM_WIDTH if borders.any() else borders
        rims = np.where(is_rim, areas, 0)
        members = tuple(np.flatnonzero(flat == number) for number in range(1, len(numbers) + 1))
        return cls(flat, rims, areas, members, _rim_deviations(lab, rims, members))

    def __len__(self) -> int:
        return len(self.members)

    def medians(self, lab: Lab) -> NDArray[np.float64]:
        """Return the median L*, a* and b* of each flat shape, shape (shapes, 3)."""
        return _medians(lab, self.members)


def ciede2000(original: Lab, colored: Lab) -> float:
    """Mean CIEDE2000 colour difference; 0 is identical, 1 just noticeable.

    Parameters
    ----------
    original, colored : ndarray of float, shape (..., 3)

    References
    ----------
    .. [1] ISO/CIE 11664-6.
    """
    return float(deltaE_ciede2000(original, colored).mean())


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


def flat_spread(shapes: Shapes, colored: Lab) -> float:
    """How much chroma varies inside shapes that are flat in the original.

    Returns
    -------
    float
        Mean over the shapes of the root of the summed variances of a* and b*;
        not a number when the original has no flat shape.
    """
    if not len(shapes):
        return float("nan")
    return float(_spread(colored, shapes.flat, np.arange(1, len(shapes) + 1)).mean())


def leak(shapes: Shapes, colored: Lab) -> float:
    """How far colour comes over the borders of shapes that are flat in the original.

    The a*b* distance of each pixel of a shape's rim from the median of the
    shape, as far as it is larger than in the original, where borders are
    blended too. What leaks less because there is less colour leaks less here:
    read it beside the colourfulness.

    Returns
    -------
    float
        Mean over the pixels of each rim, then over the shapes; not a number
        when the original has no flat shape with a border.
    """
    numbers = shapes.rims[shapes.rims > 0]
    if not numbers.size:
        return float("nan")
    deviations = _rim_deviations(colored, shapes.rims, shapes.members)
    excess = np.maximum(deviations - shapes.rim_deviations, 0)
    pixels = np.bincount(numbers)
    means = np.bincount(numbers, excess)[pixels > 0] / pixels[pixels > 0]
    return float(means.mean())


def hue_entropy(lab: Lab) -> float:
    """How many hues there are, in bits; 0 for one hue and for grey.

    Entropy of a histogram of 36 bins of 10 degrees, each pixel that is not grey
    counted by its C*: 2 bits are as varied as four hues in equal parts.
    """
    hues, amount = _hues(lab)
    histogram, _ = np.histogram(hues, HUE_BINS, (0, 360), weights=amount)
    shares = histogram[histogram > 0] / max(histogram.sum(), 1e-9)
    # Adding zero turns -0 into 0.
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def palette_obedience(lab: Lab, palette: NDArray[np.floating[Any]]) -> float:
    """Share of the colour in a picture whose hue comes from a palette.

    A hue does when it is that of one of the palette's colours or lies between
    two of them that are neighbours on the hue circle, on an arc of less than
    180 degrees: shades where colours blend. `HUE_TOLERANCE` is forgiven.

    Parameters
    ----------
    lab : ndarray of float, shape (H, W, 3)
    palette : ndarray of float, shape (K, 4)
        L*, a*, b* and weight.

    Returns
    -------
    float
        In percent of the pixels that are not grey; not a number when all are,
        or when all of the palette is.
    """
    hues, _ = _hues(lab)
    allowed = np.unique(_hues(palette[palette[:, 3] > 0, :3])[0])
    if not hues.size or not allowed.size:
        return float("nan")
    arcs = (np.roll(allowed, -1) - allowed) % 360
    arcs[arcs >= 180] = 0
    beyond = (hues[:, None] - allowed + HUE_TOLERANCE) % 360  # (pixels, hues)
    obeys = (beyond <= arcs + 2 * HUE_TOLERANCE).any(axis=1)
    return float(100 * obeys.mean())


def lightness_error(original: Lab, colored: Lab) -> float:
    """Mean absolute difference in L*."""
    return float(np.abs(original[..., 0] - colored[..., 0]).mean())


def count_borders(shapes: Shapes, original: Lab) -> tuple[int, int]:
    """Count where flat shapes of an original meet, and where lightness does not tell them apart.

    Returns
    -------
    hard : int
        Pairs of adjacent pixels on both sides of a border of flat shapes whose
        medians are equally light and differ in colour.
    all : int
        Pairs on any border of two flat shapes.
    """
    if not len(shapes):
        return 0, 0
    areas = shapes.areas
    one = np.concatenate([areas[:, :-1].ravel(), areas[:-1].ravel()])
    other = np.concatenate([areas[:, 1:].ravel(), areas[1:].ravel()])
    meets = (one != other) & (one > 0) & (other > 0)
    medians = shapes.medians(original)
    difference = medians[one[meets] - 1] - medians[other[meets] - 1]
    equally_light = np.abs(difference[:, 0]) < EQUAL_LIGHTNESS
    differs = np.hypot(difference[:, 1], difference[:, 2]) > OTHER_COLOR
    return int((equally_light & differs).sum()), int(meets.sum())


def _hues(lab: Lab) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hue in degrees and C* of the colours that are not grey."""
    a, b = lab[..., 1].ravel().astype(np.float64), lab[..., 2].ravel().astype(np.float64)
    amount = np.hypot(a, b)
    is_seen = amount > LEAST_CHROMA
    return np.degrees(np.arctan2(b, a))[is_seen] % 360, amount[is_seen]


def _medians(lab: Lab, members: tuple[Numbers, ...]) -> NDArray[np.float64]:
    pixels = lab.reshape(-1, 3)
    medians = [np.median(pixels[places], axis=0) for places in members]
    return np.array(medians, np.float64).reshape(-1, 3)


def _rim_deviations(lab: Lab, rims: Numbers, members: tuple[Numbers, ...]) -> NDArray[np.float64]:
    """a*b* distance of the pixels of rims from the medians of their shapes."""
    is_rim = rims > 0
    away = lab[is_rim][:, 1:] - _medians(lab, members)[rims[is_rim] - 1, 1:]
    return np.hypot(away[:, 0], away[:, 1])


def _spread(lab: Lab, shapes: Numbers, numbers: Numbers) -> NDArray[np.float64]:
    """Root of the summed variances of a* and b* in each of the numbered shapes."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(shapes.ravel(), values.ravel())
        return np.asarray(sums[numbers] / np.bincount(shapes.ravel())[numbers])

    planes = np.moveaxis(lab[..., 1:].astype(np.float64), -1, 0)
    variances = [mean(plane**2) - mean(plane) ** 2 for plane in planes]
    return np.asarray(np.sqrt(np.maximum(np.sum(variances, axis=0), 0)))
