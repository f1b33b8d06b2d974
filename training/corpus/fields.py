"""Fields, one number a pixel: coordinates, edges and relief.

Lengths are shares of the square root of the picture's area, measured from its
middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.floating[Any]]
"""One number a pixel, shape (height, width)."""


@dataclass(frozen=True)
class Grid:
    """Where the pixels are.

    Attributes
    ----------
    x, y : ndarray of float32, shape (height, width)
        Pixel centres in units, 0 in the middle of the picture.
    across, down : ndarray of float32, shape (height, width)
        The same as shares of width and height, in [0, 1].
    pitch : float
        Distance between neighbouring pixels, in units.
    """

    x: Field
    y: Field
    across: Field
    down: Field
    pitch: float

    @classmethod
    def of_size(cls, height: int, width: int) -> Grid:
        """Lay ``height`` x ``width`` pixels."""
        pitch = (height * width) ** -0.5
        across = ((np.arange(width) + 0.5) / width).astype(np.float32)
        down = ((np.arange(height) + 0.5) / height).astype(np.float32)
        across, down = np.meshgrid(across, down)
        x, y = (across - 0.5) * (width * pitch), (down - 0.5) * (height * pitch)
        return cls(x, y, across, down, pitch)

    def along(self, angle_rad: float) -> Field:
        """Return the coordinate that grows in one direction; about -0.5 to 0.5."""
        return turned(self.x, self.y, angle_rad)[0]


def turned(x: Field, y: Field, angle_rad: float) -> tuple[Field, Field]:
    """Return the coordinates along a direction and across it."""
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    return x * cosine + y * sine, y * cosine - x * sine


def unit(field: Field) -> Field:
    """Stretch a field to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return (field - low) / (high - low + 1e-6)


def smoothstep(low: float, high: float, field: Field) -> Field:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``; the other way round if they are."""
    t = np.clip((field - low) / (high - low), 0, 1)
    eased: Field = t * t * (3 - 2 * t)
    return eased


def footprint(field: Field) -> Field:
    """Return how much a field changes from one pixel to the next."""
    return np.hypot(*_differences(field))


def _differences(field: Field) -> tuple[Field, Field]:
    """Differentiate by pixel, to the right and down; the border repeats its neighbours."""
    field = np.asarray(field, np.float32)
    right = cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    down = cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    right[:, [0, -1]] = right[:, [1, -2]]
    down[[0, -1]] = down[[1, -2]]
    return right, down


def positive_share(field: Field) -> Field:
    """Return the share of each pixel where the field is positive: an antialiased edge."""
    return np.clip(field / (footprint(field) + 1e-6) + 0.5, 0, 1)


def slopes(height: Field, grid: Grid, smooth: float = 0.004) -> tuple[Field, Field]:
    """Differentiate a height field (heights in units) and smooth the slopes by ``smooth`` units."""
    sigma_px = max(smooth / grid.pitch, 0.8)
    right, down = (cv2.GaussianBlur(d, (0, 0), sigma_px) for d in _differences(height))
    return right / grid.pitch, down / grid.pitch


def lit(slope: tuple[Field, Field], angle_rad: float, gloss: float) -> tuple[Field, Field]:
    """Light a surface from one side.

    Returns
    -------
    diffuse : ndarray of float32, shape (height, width)
        Cosine between normal and light, in [0, 1]; about 0.7 where flat.
    specular : ndarray of float32, shape (height, width)
        Highlight in [0, 1], narrower as ``gloss`` grows.
    """
    right, down = slope
    length = np.sqrt(right * right + down * down + 1)
    sun_x, sun_y = math.cos(angle_rad) * 0.7, math.sin(angle_rad) * 0.7
    diffuse = np.clip((0.714 - right * sun_x - down * sun_y) / length, 0, 1)
    # Half way between the light and an eye straight above.
    halfway = np.clip((0.926 - right * sun_x * 0.54 - down * sun_y * 0.54) / length, 0, 1)
    return diffuse, halfway**gloss
