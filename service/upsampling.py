"""Planes brought to another size, and small chroma to full size along its edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from service.bands import split_in_bands
from service.cie import Float32

FIT_RADIUS = 1
"""Half width of the guided filter's windows, in pixels of the small chroma, and
of the neighbourhood over which their fits are averaged."""
BOUND_RADIUS = 2
"""Half width of the window whose range chroma is kept in."""
GUIDE_REGULARIZATION = 0.3
"""Variance of L* under which a window counts as flat: its chroma is averaged."""
NEGLIGIBLE_VARIANCE = 1.0
"""Variance, of L* or of what a fit leaves over, that weighs no more than none."""

AVERAGING_GAP = 3
"""A plane that shrinks is first averaged in whole blocks, to this many times its
new size: a quarter of the time, and differences below what the kernel blurs."""


class Guide:
    """Lightness that chroma follows, and what all chroma of one size has in common.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    height, width : int
        Of the small chroma.
    """

    def __init__(self, lightness: Float32, height: int, width: int) -> None:
        self.lightness = lightness
        self.small = resize_plane(lightness, height, width)
        self.window_sizes = _box_sum(np.ones_like(self.small))
        self.mean = self.average(self.small)
        self.variance = np.maximum(self.average(self.small * self.small) - self.mean**2, 0)

    def average(self, planes: Float32) -> Float32:
        """Average planes, (..., h, w), over square windows cut off at the borders."""
        return _box_sum(planes) / self.window_sizes


class GuidedChroma:
    """Small chroma, fitted to lightness, of which any rows can be had at full size.

    In each small window chroma is fitted as a linear function of lightness; the
    coefficients are what is enlarged, and the full-size lightness is put into
    them. So colour changes exactly where lightness does. Fine lines and grain,
    which the small picture does not show, would lead the fit astray: chroma is
    kept within what was predicted thereabouts.

    Windows that overlap are averaged, each weighed by how well it fits and by
    how much lightness varies in it: one across three colours has no right line,
    and a flat one knows nothing of the edge beside it.

    No plane is ever enlarged as a whole: the coefficients are brought to full
    width at once and to full height row by row.

    Parameters
    ----------
    chroma : ndarray of float32, shape (h, w, 2)
        Predicted a* and b*.
    guide : Guide
    origin : sequence of float
        Of a*, then of b*: enlarged chroma is counted from here.
    step : float
        And in these.

    References
    ----------
    .. [1] K. He, J. Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
    """

    def __init__(
        self,
        chroma: Float32,
        guide: Guide,
        *,
        origin: Sequence[float] = (0, 0),
        step: float = 1,
    ) -> None:
        height, width = guide.lightness.shape
        # A tiny picture is smaller than its chroma: there is nothing to enlarge.
        small_height = min(len(chroma), height)
        self._lightness = guide.lightness
        planes = np.ascontiguousarray(np.moveaxis(chroma, -1, 0))
        fit = _recount(_fit(planes, guide), origin, step)
        self._coefficients = np.empty((small_height, 4, 2, width), np.float32)
        """In each row slope, offset, lowest and highest value, of a* and of b*."""
        for index in np.ndindex(4, 2):
            self._coefficients[:, *index] = resize_plane(fit[index], small_height, width)
        # Centres of pixels over centres of pixels, as in any bilinear enlarging.
        position = (np.arange(height) + 0.5) * small_height / height - 0.5
        position = position.clip(0, small_height - 1)
        self._small_row = position.astype(np.intp)
        self._share_of_next = (position - self._small_row).astype(np.float32)

    def enlarge(self) -> Iterator[tuple[slice, Float32, Float32]]:
        """Compute full-size chroma, band by band.

        Yields
        ------
        rows : slice
        a, b : ndarray of float32, shape (rows, W)
            In steps from the origin. They last until the next band.
        """
        # Few calls of NumPy, and large ones: threads that make many wait for each other.
        width = self._lightness.shape[1]
        scratch = np.empty((0, 4, 2, width), np.float32)
        for rows in split_in_bands(self._lightness.shape):
            lightness = self._lightness[rows]
            if not scratch.size:
                scratch = np.empty((len(lightness), 4, 2, width), np.float32)
            coefficients = scratch[: len(lightness)]
            self._enlarge_coefficients(rows, out=coefficients)
            values, offset, lowest, highest = np.moveaxis(coefficients, 1, 0)
            values *= lightness[:, None]
            values += offset
            # Twice as fast as `np.clip`.
            np.maximum(values, lowest, out=values)
            np.minimum(values, highest, out=values)
            yield rows, values[:, 0], values[:, 1]

    def _enlarge_coefficients(self, rows: slice, out: Float32) -> None:
        """Write the coefficients of rows: (rows, 4, 2, W)."""
        last = len(self._coefficients) - 1
        top = rows.start
        while top < rows.stop:
            # All rows that lie between the same two small ones.
            small_row = int(self._small_row[top])
            bottom = min(rows.stop, int(self._small_row.searchsorted(small_row, side="right")))
            part = out[top - rows.start : bottom - rows.start]
            share = self._share_of_next[top:bottom, None, None, None]
            above = self._coefficients[small_row]
            np.multiply(self._coefficients[min(small_row + 1, last)] - above, share, out=part)
            part += above
            top = bottom


def upsample_chroma(chroma: Float32, lightness: Float32) -> Float32:
    """Bring small chroma up to the size of the lightness, along its edges.

    Parameters
    ----------
    chroma : ndarray of float32, shape (h, w, 2)
        Predicted a* and b*.
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100]: the guide.

    Returns
    -------
    chroma : ndarray of float32, shape (H, W, 2)

    See Also
    --------
    GuidedChroma : How, and without the planes.
    """
    enlarged = np.empty((*lightness.shape, 2), np.float32)
    guide = Guide(lightness, *chroma.shape[:2])
    for rows, a, b in GuidedChroma(chroma, guide).enlarge():
        enlarged[rows, :, 0] = a
        enlarged[rows, :, 1] = b
    return enlarged


def resize_plane(plane: Float32, height: int, width: int) -> Float32:
    """Resize one plane, averaging where it shrinks and bilinear where it grows.

    Parameters
    ----------
    plane : ndarray of float32, shape (H, W)
    height, width : int
        The new size in pixels, at least 1.

    Returns
    -------
    ndarray of float32, shape (height, width)
    """
    if plane.shape == (height, width):
        return plane
    block = max(1, min(plane.shape[0] // height, plane.shape[1] // width) // AVERAGING_GAP)
    # The last blocks may be cut off by the border.
    box = (0, 0, plane.shape[1] / block, plane.shape[0] / block)
    image = Image.fromarray(_average_blocks(np.ascontiguousarray(plane, np.float32), block))
    # Pillow widens the bilinear kernel when it shrinks, so nothing aliases.
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box))


def _average_blocks(plane: Float32, side: int) -> Float32:
    """Average square blocks, those at the border over what there is of them."""
    if side == 1:
        return plane
    for _ in range(2):
        # Whole rows at a time: `np.add.reduceat` takes eight times as long.
        sums = plane[::side].copy()
        counts = np.ones((len(sums), 1), np.float32)
        for first in range(1, side):
            part = plane[first::side]
            sums[: len(part)] += part
            counts[: len(part)] += 1
        # Columns are the rows of the second turn.
        plane = (sums / counts).T
    return np.ascontiguousarray(plane)


def _fit(values: Float32, guide: Guide) -> Float32:
    """Fit planes of chroma to the guide.

    Parameters
    ----------
    values : ndarray of float32, shape (2, h, w)
    guide : Guide

    Returns
    -------
    ndarray of float32, shape (4, 2, h, w)
        Slope, offset, lowest and highest value of each plane.
    """
    mean, variance = guide.average(values), guide.variance
    covariance = guide.average(guide.small * values) - guide.mean * mean
    spread = guide.average(values * values) - mean**2
    slope = covariance / (variance + np.float32(GUIDE_REGULARIZATION))
    offset = mean - slope * guide.mean
    misfit = np.maximum(spread - 2 * slope * covariance + slope * slope * variance, 0)
    negligible = np.float32(NEGLIGIBLE_VARIANCE)
    weight: Float32 = (variance + negligible) / (misfit + negligible)
    sum_of_weights = _box_sum(weight)
    return np.stack(
        [
            _box_sum(weight * slope) / sum_of_weights,
            _box_sum(weight * offset) / sum_of_weights,
            _window_extreme(values, np.minimum),
            _window_extreme(values, np.maximum),
        ]
    )


def _recount(fit: Float32, origin: Sequence[float], step: float) -> Float32:
    """Have a fit give its values in steps from an origin."""
    shift = np.zeros((4, 2, 1, 1), np.float32)
    shift[1:, :, 0, 0] = origin
    return (fit - shift) / np.float32(step)


def _box_sum(planes: Float32) -> Float32:
    """Sum of planes, (..., h, w), over square windows of `FIT_RADIUS`."""
    return _combine_windows(planes, FIT_RADIUS, np.add)


def _window_extreme(planes: Float32, extreme: np.ufunc) -> Float32:
    """Smallest or largest value of planes over square windows of `BOUND_RADIUS`."""
    return _combine_windows(planes, BOUND_RADIUS, extreme)


def _combine_windows(planes: Float32, radius: int, combine: np.ufunc) -> Float32:
    """Combine what is in square windows cut off at the borders; shapes (..., h, w)."""
    for axis in (-2, -1):
        source = np.moveaxis(planes, axis, 0)
        combined = source.copy()
        for distance in range(1, radius + 1):
            combine(combined[distance:], source[:-distance], out=combined[distance:])
            combine(combined[:-distance], source[distance:], out=combined[:-distance])
        planes = np.moveaxis(combined, 0, axis)
    return planes
