"""A canvas for the generated pictures: antialiased shapes, gradients, soft shadows.

Coordinates are shares of the picture's longer side: the unit square, of which a
picture that is not square shows the middle. The same composition therefore
appears at any size, and a circle stays a circle at any aspect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.corpus.family import Rgb
from training.corpus.fields import turned
from training.corpus.outlines import Array, Points
from training.corpus.shading import mix

SUPERSAMPLING = 4
"""Samples per pixel and axis behind the coverage of a polygon: 17 levels of edge."""

SUBSAMPLE_BITS = 6
"""Fractional bits of a vertex, in samples, that are handed to the rasteriser."""

SHADOW_STRENGTH = 0.45
"""Share of the (gamma-encoded) light that the core of a shadow takes away."""


@dataclass(frozen=True)
class Gradient:
    """A colour that changes from `start` to `end`, along an axis or away from a point.

    Attributes
    ----------
    start, end : array-like of float, shape (3,)
        Gamma-encoded sRGB in [0, 1].
    origin : array-like of float, shape (2,)
        Where `start` is.
    axis : array-like of float, shape (2,)
        From `origin` to where `end` is; a radial gradient uses its length only.
    radial : bool
        Whether the colour depends on the distance from `origin`.
    """

    start: ArrayLike
    end: ArrayLike
    origin: ArrayLike
    axis: ArrayLike
    radial: bool = False

    def at(self, x: Array, y: Array) -> Rgb:
        """Return the colours at the given places, shape (*x.shape, 3)."""
        (left, top), (across, down) = np.asarray(self.origin), np.asarray(self.axis)
        dx, dy = x - np.float32(left), y - np.float32(top)
        if self.radial:
            share = np.hypot(dx, dy) / np.float32(np.hypot(across, down))
        else:
            share = dx * np.float32(across / (across**2 + down**2))
            share += dy * np.float32(down / (across**2 + down**2))
        return mix(self.start, self.end, np.clip(share, 0, 1))


Paint: TypeAlias = ArrayLike | Gradient
"""One colour, shape (3,), or one per pixel, shape (height, width, 3), or a gradient."""


class Canvas:
    """A picture in the making, painted back to front.

    Attributes
    ----------
    rgb : ndarray of float32, shape (height, width, 3)
        The picture so far, gamma-encoded sRGB in [0, 1].
    x, y : ndarray of float32, shape (height, width)
        Coordinates of the pixel centres, in shares of the longer side.
    pixel : float
        Size of a pixel, in shares of the longer side.
    """

    def __init__(self, height: int, width: int, background: Paint = (0, 0, 0)) -> None:
        longer = max(height, width)
        self.pixel = 1 / longer
        self._left, self._top = (longer - width) / 2, (longer - height) / 2
        across = (np.arange(width, dtype=np.float32) + self._left + 0.5) / longer
        down = (np.arange(height, dtype=np.float32) + self._top + 0.5) / longer
        self.x, self.y = np.meshgrid(across, down)
        self.rgb: Rgb = np.empty((height, width, 3), np.float32)
        everywhere = (slice(0, height), slice(0, width))
        self.rgb[:] = self._evaluate(background, everywhere)

    def picture(self) -> Rgb:
        """Return the picture; rounding may have left [0, 1] by a hair, so it is clipped."""
        return np.clip(self.rgb, 0, 1)

    def rotated(self, angle: float) -> tuple[Array, Array]:
        """Return the coordinates about the picture's centre, turned by `angle` radians."""
        return turned(self.x - 0.5, self.y - 0.5, angle)

    def coverage(self, distance: Array) -> Array:
        """Return how much of each pixel lies inside, given signed distances to the edge.

        Parameters
        ----------
        distance : ndarray of float, shape (height, width)
            Negative inside, in shares of the longer side.

        Returns
        -------
        ndarray of float32, shape (height, width)
            In [0, 1].
        """
        covered: Array = np.clip(0.5 - distance / np.float32(self.pixel), 0, 1, dtype=np.float32)
        return covered

    def fill(self, coverage: Array, paint: Paint, shadow: float = 0) -> None:
        """Lay paint over the whole picture, as much of it as `coverage` says.

        Parameters
        ----------
        coverage : ndarray of float32, shape (height, width)
            In [0, 1]: 0 leaves the pixel as it is.
        paint : Paint
            What to lay.
        shadow : float
            Softness and offset of the shadow beneath, in shares of the longer side.
        """
        height, width = self.x.shape
        self._blend((slice(0, height), slice(0, width)), coverage, paint, 1, shadow)

    def fill_polygon(
        self, outline: Points, paint: Paint, alpha: float = 1, shadow: float = 0
    ) -> None:
        """Fill one outline; what lies far outside of it costs nothing."""
        low, high = outline.min(axis=0) - 3 * shadow, outline.max(axis=0) + 3 * shadow
        region = self._region(low, high)
        height, width = (part.stop - part.start for part in region)
        if height <= 0 or width <= 0:
            return
        mask = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.uint8)
        cv2.fillPoly(mask, [self._to_samples(outline, region)], 255, shift=SUBSAMPLE_BITS)
        covered = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
        self._blend(region, covered.astype(np.float32) / 255, paint, alpha, shadow)

    def fill_polygons(
        self, outlines: Sequence[Points] | Array, colors: Array, alpha: float = 1, shadow: float = 0
    ) -> None:
        """Fill many outlines as one layer: neighbours meet without a seam.

        Parameters
        ----------
        outlines : sequence of ndarray, shape (vertices, 2) each
            Painted in this order.
        colors : ndarray of float, shape (outlines, 3)
            One flat colour each.
        alpha : float
            Opacity of the layer.
        shadow : float
            As for `fill`; cast by the layer as a whole.
        """
        height, width = self.x.shape
        everywhere = (slice(0, height), slice(0, width))
        size = (height * SUPERSAMPLING, width * SUPERSAMPLING, 4)
        layer = np.zeros(size, np.uint8)
        for outline, color in zip(outlines, (colors * 255).round().tolist(), strict=True):
            vertices = self._to_samples(outline, everywhere)
            cv2.fillPoly(layer, [vertices], (*color, 255), shift=SUBSAMPLE_BITS)
        layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)
        premultiplied = layer.astype(np.float32) / 255
        covered = premultiplied[..., 3]
        paint = premultiplied[..., :3] / np.maximum(covered, 1e-3)[..., None]
        self._blend(everywhere, covered, paint, alpha, shadow)

    def _region(self, low: Array, high: Array) -> tuple[slice, slice]:
        """Return rows and columns that hold the box from `low` to `high`, in the picture."""
        height, width = self.x.shape
        left, top = np.floor(low / self.pixel - (self._left, self._top)).astype(int)
        right, bottom = np.ceil(high / self.pixel - (self._left, self._top)).astype(int)
        rows = slice(max(top - 1, 0), min(bottom + 1, height))
        return rows, slice(max(left - 1, 0), min(right + 1, width))

    def _to_samples(self, outline: Points, region: tuple[slice, slice]) -> NDArray[np.int32]:
        """Return an outline in fixed-point samples, counted from the region's corner."""
        corner = (self._left + region[1].start, self._top + region[0].start)
        samples = (outline / self.pixel - corner) * SUPERSAMPLING - 0.5
        return np.asarray(np.round(samples * 2**SUBSAMPLE_BITS), np.int32)

    def _evaluate(self, paint: Paint, region: tuple[slice, slice]) -> Array:
        if isinstance(paint, Gradient):
            return paint.at(self.x[region], self.y[region])
        return np.asarray(paint, np.float32)

    def _blend(
        self,
        region: tuple[slice, slice],
        coverage: Array,
        paint: Paint,
        alpha: float,
        shadow: float,
    ) -> None:
        below = self.rgb[region]
        if shadow:
            below *= 1 - SHADOW_STRENGTH * alpha * self._cast(coverage, shadow)[..., None]
        opacity = (coverage * np.float32(alpha))[..., None]
        below += opacity * (self._evaluate(paint, region) - below)

    def _cast(self, coverage: Array, shadow: float) -> Array:
        """Return a blurred copy of the coverage, moved to the lower right."""
        sigma = shadow / self.pixel
        taps = 2 * int(np.ceil(2 * sigma)) + 1
        soft = cv2.GaussianBlur(coverage, (taps, taps), sigma, borderType=cv2.BORDER_REPLICATE)
        move = np.array([[1, 0, 0.5 * sigma], [0, 1, 0.8 * sigma]])
        moved: Array = cv2.warpAffine(soft, move, soft.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        return moved
