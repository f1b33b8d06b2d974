"""Oklab, the space in which the fluid pictures are painted and harmonies are drawn.

A blend of two Oklab colours stays between them in hue and lightness, and a
shadow is a plain multiplication. White is sRGB's, D65.

References
----------
.. [1] B. Ottosson, "A perceptual color space for image processing", 2020.
.. [2] IEC 61966-2-1, sRGB.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Oklab: TypeAlias = NDArray[np.floating[Any]]
"""Oklab colours, shape (..., 3): lightness in [0, 1], then green-red, then blue-yellow."""

OKLAB_TO_LMS_ROOT = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
LMS_TO_LINEAR_SRGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def srgb_to_oklab(rgb: NDArray[np.float32]) -> Oklab:
    """Convert colours to Oklab.

    Parameters
    ----------
    rgb : ndarray of float32, shape (..., 3)
        Gamma-encoded sRGB in [0, 1].

    Returns
    -------
    ndarray of float32, shape (..., 3)
        Oklab.
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    root = np.cbrt(linear @ np.linalg.inv(LMS_TO_LINEAR_SRGB).T)
    oklab: Oklab = root @ np.linalg.inv(OKLAB_TO_LMS_ROOT).T
    return oklab.astype(np.float32)


def oklab_to_srgb(oklab: Oklab) -> NDArray[np.float32]:
    """Convert colours from Oklab, clipping what lies outside the gamut.

    Parameters
    ----------
    oklab : ndarray of float, shape (..., 3)
        Oklab.

    Returns
    -------
    ndarray of float32, shape (..., 3)
        Gamma-encoded sRGB in [0, 1].
    """
    lms = (oklab @ OKLAB_TO_LMS_ROOT.T) ** 3
    return _encode(np.clip(lms @ LMS_TO_LINEAR_SRGB.T, 0, 1))


def oklab_picture_to_srgb(oklab: Oklab) -> NDArray[np.float32]:
    """Convert a picture, shape (height, width, 3), three times as fast as `oklab_to_srgb`.

    The encoding is looked up in a table: values are off by at most 1e-4, a
    fortieth of an 8-bit step.
    """
    root = cv2.transform(np.asarray(oklab, np.float32), OKLAB_TO_LMS_ROOT)
    linear = cv2.transform(root * root * root, LMS_TO_LINEAR_SRGB)
    # The square root spends the table's entries where the curve is steep.
    index = np.sqrt(np.clip(linear, 0, 1)) * (len(_ENCODED_SQUARES) - 1) + 0.5
    return np.asarray(_ENCODED_SQUARES[index.astype(np.int32)], np.float32)


def oklch_to_oklab(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue_rad: NDArray[np.float64]
) -> Oklab:
    """Convert polar coordinates, of one shape (...), to Oklab, shape (..., 3)."""
    return np.stack([lightness, chroma * np.cos(hue_rad), chroma * np.sin(hue_rad)], axis=-1)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float32]:
    """Gamma-encode linear sRGB in [0, 1]."""
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)


_ENCODED_SQUARES = _encode(np.linspace(0, 1, 8192) ** 2)
