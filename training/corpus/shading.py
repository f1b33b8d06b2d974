"""Colours mixed, darkened, lit and made vivid.

Mixing works in any space. What depends on the space says so in its name:
``rgb`` is gamma-encoded sRGB, ``oklab`` is Oklab.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.corpus.fields import Field, unit
from training.corpus.oklab import Oklab

RGB_WHITE = np.array([1, 1, 1], np.float32)
OKLAB_WHITE = np.array([1, 0, 0], np.float32)
MIN_LIGHTNESS_RANGE = 0.4
"""Colours of one lightness would draw a picture whose grey version is empty."""


def mix(first: ArrayLike, second: ArrayLike, share: ArrayLike) -> NDArray[np.float32]:
    """Return what lies at a share of the way from the first colours to the second.

    Parameters
    ----------
    first, second : array-like of float, shape (..., channels)
        Colours of one space, or points.
    share : array-like of float, shape (...) or scalar
        In [0, 1]: 0 is the first, 1 the second.

    Returns
    -------
    ndarray of float32, shape (..., channels)
    """
    start = np.asarray(first, np.float32)
    way = np.asarray(second, np.float32) - start
    return np.asarray(start + way * np.asarray(share, np.float32)[..., None], np.float32)


def shade_rgb(rgb: ArrayLike, light: ArrayLike) -> NDArray[np.float32]:
    """Darken (`light` < 0) or lighten (`light` > 0) colours, keeping their hue.

    Parameters
    ----------
    rgb : array-like of float, shape (..., 3)
        Gamma-encoded sRGB in [0, 1].
    light : array-like of float, shape (...) or scalar
        -1 is black and +1 is white. Scaling gamma-encoded values scales linear
        light too, all channels alike: that is less light on the same surface.

    Returns
    -------
    ndarray of float32, shape (..., 3)
        In [0, 1].
    """
    return _shade(rgb, light, RGB_WHITE)


def shade_oklab(oklab: ArrayLike, light: ArrayLike) -> NDArray[np.float32]:
    """Darken or lighten Oklab colours, shape (..., 3), as `shade_rgb` does sRGB ones."""
    return _shade(oklab, light, OKLAB_WHITE)


def relight(oklab: Oklab, lightness: Field) -> Oklab:
    """Give Oklab colours another lightness, in [0, 1]; hue stays, chroma yields to the gamut."""
    own = np.clip(oklab[..., 0], 0.02, 0.98)
    light = np.where(lightness < own, lightness / own - 1, (lightness - own) / (1 - own))
    return shade_oklab(oklab, light)


def spread_lightness(colors: Oklab) -> Oklab:
    """Pull colours apart in lightness where they lie too close; keep them off black and white."""
    low, high = float(colors[:, 0].min()), float(colors[:, 0].max())
    reach = max(high - low, MIN_LIGHTNESS_RANGE)
    start = float(np.clip((low + high - reach) / 2, min(low, 0.1), max(high, 0.95) - reach))
    return relight(colors, start + unit(colors[:, 0]) * reach)


def vivid(colors: Oklab, gain: float, most: float = 0.22) -> Oklab:
    """Raise the chroma of dull colours; none above ``most`` (or above what it was)."""
    chroma = np.hypot(colors[:, 1], colors[:, 2])[:, None] + 1e-6
    grown = np.maximum(np.minimum(chroma * gain, most), chroma) / chroma
    return np.concatenate([colors[:, :1], colors[:, 1:] * grown], axis=1)


def _shade(
    colors: ArrayLike, light: ArrayLike, white: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Scale towards black, which is 0 in either space, or mix towards white."""
    amount = np.clip(np.asarray(light, np.float32), -1, 1)
    kept = 1 + np.minimum(amount, 0)
    return mix(np.asarray(colors, np.float32) * kept[..., None], white, np.maximum(amount, 0))
