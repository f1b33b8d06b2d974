"""Planes brought to another size, and small chroma to full size along its edges."""

from __future__ import annotations

import numpy as np
from PIL import Image

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
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100]: the guide.

    References
    ----------
    .. [1] K. He, J. Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
    """

    def __init__(self, chroma: Float32, lightness: Float32) -> None:
        small_height, small_width = chroma.shape[:2]
        height, width = lightness.shape
        guide = resize_plane(lightness, small_height, small_width)
        # A tiny picture is smaller than its chroma: there is nothing to enlarge.
        small_height = min(small_height, height)
        self._lightness = lightness
        self._coefficients = np.stack(
            [
                resize_plane(coefficient, small_height, width)
                for plane in range(2)
                for coefficient in _fit(chroma[..., plane], guide)
            ]
        ).reshape(2, 4, small_height, width)
        """Slope, offset, lowest and highest value of a* and of b*."""
        self._steps = np.diff(self._coefficients, axis=2, append=self._coefficients[:, :, -1:])
        """From each small row to the next."""
        # Centres of pixels over centres of pixels, as in any bilinear enlarging.
        position = (np.arange(height) + 0.5) * small_height / height - 0.5
        position = position.clip(0, small_height - 1)
        self._small_row = position.astype(np.intp)
        self._share_of_next = (position - self._small_row).astype(np.float32)

    def make_scratch(self, rows: slice) -> Float32:
        """Make the room that `enlarge` needs for as many rows."""
        return np.empty((2, 4, rows.stop - rows.start, self._lightness.shape[1]), np.float32)

    def enlarge(self, rows: slice, scratch: Float32) -> tuple[Float32, Float32]:
        """Compute full-size chroma of some rows.

        Parameters
        ----------
        rows : slice
        scratch : ndarray of float32
            From `make_scratch`, for at least as many rows.

        Returns
        -------
        a, b : ndarray of float32, shape (rows, W)
            Parts of `scratch`: they last until it is used again.
        """
        lightness = self._lightness[rows]
        coefficients = scratch[:, :, : len(lightness)]
        self._enlarge_coefficients(rows, coefficients)
        for fitted, offset, lowest, highest in coefficients:
            fitted *= lightness
            fitted += offset
            # Twice as fast as `np.clip`.
            np.maximum(fitted, lowest, out=fitted)
            np.minimum(fitted, highest, out=fitted)
        return coefficients[0, 0], coefficients[1, 0]

    def _enlarge_coefficients(self, rows: slice, out: Float32) -> None:
        top = rows.start
        while top < rows.stop:
            # All rows that lie between the same two small ones.
            small_row = self._small_row[top]
            bottom = min(rows.stop, int(self._small_row.searchsorted(small_row, side="right")))
            part = out[:, :, top - rows.start : bottom - rows.start]
            share_of_next = self._share_of_next[top:bottom, None]
            np.multiply(self._steps[:, :, None, small_row], share_of_next, out=part)
            part += self._coefficients[:, :, None, small_row]
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
    guided = GuidedChroma(chroma, lightness)
    rows = slice(0, len(lightness))
    return np.stack(guided.enlarge(rows, guided.make_scratch(rows)), axis=-1)


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


def _fit(values: Float32, guide: Float32) -> tuple[Float32, Float32, Float32, Float32]:
    """Fit one plane of chroma to the guide: slope, offset, lowest, highest value."""
    mean_guide, mean_values = _box_mean(guide), _box_mean(values)
    variance = np.maximum(_box_mean(guide * guide) - mean_guide**2, 0)
    covariance = _box_mean(guide * values) - mean_guide * mean_values
    spread = _box_mean(values * values) - mean_values**2
    slope = covariance / (variance + np.float32(GUIDE_REGULARIZATION))
    offset = mean_values - slope * mean_guide
    misfit = np.maximum(spread - 2 * slope * covariance + slope * slope * variance, 0)
    negligible = np.float32(NEGLIGIBLE_VARIANCE)
    weight: Float32 = (variance + negligible) / (misfit + negligible)
    sum_of_weights = _box_mean(weight)
    return (
        _box_mean(weight * slope) / sum_of_weights,
        _box_mean(weight * offset) / sum_of_weights,
        _window_extreme(values, np.minimum),
        _window_extreme(values, np.maximum),
    )


def _box_mean(plane: Float32) -> Float32:
    """Average over square windows of `FIT_RADIUS`, cut off at the borders."""
    for axis in range(2):
        size = plane.shape[axis]
        sums = np.cumsum(plane, axis=axis, dtype=np.float64)
        sums = np.insert(sums, 0, 0, axis=axis)
        last = np.minimum(np.arange(size) + FIT_RADIUS + 1, size)
        first = np.maximum(np.arange(size) - FIT_RADIUS, 0)
        count = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        plane = ((sums.take(last, axis) - sums.take(first, axis)) / count).astype(np.float32)
    return plane


def _window_extreme(plane: Float32, extreme: np.ufunc) -> Float32:
    """Smallest or largest value over square windows of `BOUND_RADIUS`."""
    for axis in range(2):
        padding = [(BOUND_RADIUS, BOUND_RADIUS) if axis == a else (0, 0) for a in range(2)]
        padded = np.pad(plane, padding, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * BOUND_RADIUS + 1, axis)
        plane = extreme.reduce(windows, axis=-1)
    return plane
