"""The colours that sRGB can show, and how much chroma the others must lose.

How far chroma may go, at each lightness and in each hue, is in `gamut.png`, a 16-bit
picture: to find it takes longer than to start. `python -m service.gamut` makes it anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.cie import Float32, UInt16, lab_to_linear

GAMUT_TOLERANCE = np.float32(1e-4)
"""Linear light that may be clipped: far below one 8-bit code."""
YELLOW_BULGE = np.float32(0.031)
YELLOW_BULGE_LIGHTNESS = 90.0
"""Above L* 90, the way from grey to yellow leaves sRGB by up to 3 % of red and
comes back. Were that outside, yellows would be cut to a third of their chroma;
clipping it instead moves L* by at most 0.25."""

LIGHTNESS_STEPS = 200
HUE_STEPS = 4096
"""Size of the table of the largest chroma, 3 MB. It is read between its entries;
what counts is the ridge where two channels are at zero, which is sharp in hue:
with half as many, greens keep up to 3 codes of what should be none."""
LARGEST_SIZE = 256.0
"""Above |a*| + |b*| of every colour in sRGB."""
BISECTIONS = 14
"""To a 64th of a unit of chroma, always inside."""
TINY_SIZE = np.float32(1e-6)
SIZE_UNIT = np.float32(LARGEST_SIZE / 2**BISECTIONS)
"""What sizes are whole multiples of."""
TABLE_FILE = Path(__file__).with_name("gamut.png")
TABLE_LIGHTNESS = np.linspace(0, 100, LIGHTNESS_STEPS + 1, dtype=np.float32)
"""L* of each row of it."""


def lab_to_linear_in_gamut(lightness: Float32, a: Float32, b: Float32) -> Float32:
    """Convert colours to linear sRGB, with less chroma where sRGB cannot show it.

    Parameters
    ----------
    lightness, a, b : ndarray of float32, shape (...), contiguous

    Returns
    -------
    linear : ndarray of float32, shape (3, ...)
        In [0, 1], give or take what may be clipped.
    """
    linear = lab_to_linear(lightness, a, b)
    outside = np.flatnonzero(_is_outside(linear, lightness))
    if outside.size:
        lightness, a, b = (plane.reshape(-1).take(outside) for plane in (lightness, a, b))
        scale = chroma_scale(lightness, a, b)
        reduced = lab_to_linear(lightness, a * scale, b * scale)
        # One channel after the other: all at once takes three times as long.
        for channel, values in zip(linear, reduced, strict=True):
            channel.reshape(-1)[outside] = values
    return linear


def _is_outside(linear: Float32, lightness: Float32) -> NDArray[np.bool_]:
    """Tell which linear colours, shape (3, ...), sRGB cannot show; shape (...)."""
    red, green, blue = linear
    outside: NDArray[np.bool_] = np.minimum(np.minimum(red, green), blue) < -GAMUT_TOLERANCE
    outside |= np.maximum(green, blue) > 1 + GAMUT_TOLERANCE
    bulging = (lightness > YELLOW_BULGE_LIGHTNESS) & (red <= 1 + YELLOW_BULGE)
    outside |= (red > 1 + GAMUT_TOLERANCE) & ~bulging
    return outside


def chroma_scale(lightness: Float32, a: Float32, b: Float32) -> Float32:
    """Find what to multiply chroma by to bring it to the surface of sRGB.

    Parameters
    ----------
    lightness, a, b : ndarray of float32, shape (n,)

    Returns
    -------
    scale : ndarray of float32, shape (n,)
        In [0, 1].
    """
    return HueLimits(a, b).scale(lightness)


class HueLimits:
    """The largest chroma within sRGB, of the hues of colours, at any lightness.

    Hue and chroma are measured along the diamond |a*| + |b*| = 1 instead of the
    circle: that takes a division in place of an arc tangent and a root.

    Parameters
    ----------
    a, b : ndarray of float32, shape (n,)
    """

    def __init__(self, a: Float32, b: Float32) -> None:
        self._size = np.maximum(np.abs(a) + np.abs(b), TINY_SIZE)
        hue = np.copysign(1 - b / self._size, a)
        self._column, self._column_share = _locate((hue + 2) * np.float32(HUE_STEPS / 4), HUE_STEPS)

    def scale(self, lightness: Float32) -> Float32:
        """Find what to multiply chroma by to bring it to the surface of sRGB.

        Parameters
        ----------
        lightness : ndarray of float32, shape (n,) or (1,)

        Returns
        -------
        scale : ndarray of float32, shape (n,)
            In [0, 1].
        """
        row, row_share = _locate(lightness * np.float32(LIGHTNESS_STEPS / 100), LIGHTNESS_STEPS)
        table = _largest_size_table()
        corner = (row * (HUE_STEPS + 1) + self._column).astype(np.intp)
        below = _between(table.take(corner), table.take(corner + 1), self._column_share)
        corner += HUE_STEPS + 1
        above = _between(table.take(corner), table.take(corner + 1), self._column_share)
        scale: Float32 = np.minimum(_between(below, above, row_share) / self._size, 1)
        return scale


def _locate(position: Float32, steps: int) -> tuple[NDArray[np.int32], Float32]:
    """Split positions in [0, steps] into the entry before and the share of the next."""
    entry = np.clip(position.astype(np.int32), 0, steps - 1)
    share: Float32 = (position - entry).astype(np.float32)
    return entry, share


def _between(first: Float32, second: Float32, share: Float32) -> Float32:
    second -= first
    second *= share
    second += first
    return second


@cache
def _largest_size_table() -> Float32:
    """Largest |a*| + |b*| within sRGB, shape (LIGHTNESS_STEPS + 1, HUE_STEPS + 1)."""
    with Image.open(TABLE_FILE, formats=("PNG",)) as table:
        return np.asarray(table, np.float32) * SIZE_UNIT


def find_largest_sizes(lightness: Float32) -> UInt16:
    """Find the largest |a*| + |b*| within sRGB, by hue.

    Parameters
    ----------
    lightness : ndarray of float32, shape (n,)

    Returns
    -------
    ndarray of uint16, shape (n, HUE_STEPS + 1)
        In multiples of `SIZE_UNIT`; hue along the diamond, from -2 at -b* over -1 at
        -a*, 0 at +b* and 1 at +a* to 2, which is -b* again.
    """
    hue = np.linspace(-2, 2, HUE_STEPS + 1, dtype=np.float32)
    b = 1 - np.abs(hue)
    a = np.copysign(1 - np.abs(b), hue)
    sizes = _largest_size(np.repeat(lightness[:, None], hue.size, axis=1), a, b)
    return (sizes / SIZE_UNIT).astype(np.uint16)


def _largest_size(lightness: Float32, a: Float32, b: Float32) -> Float32:
    """Bisect for what chroma of |a*| + |b*| = 1 can be multiplied by, shape (rows, n)."""
    # At size 0 a colour is grey and inside; at the largest it is outside.
    inside = np.zeros_like(lightness)
    step = np.float32(LARGEST_SIZE)
    for _ in range(BISECTIONS):
        step /= 2
        trial = inside + step
        outside = _is_outside(lab_to_linear(lightness, a * trial, b * trial), lightness)
        inside = np.where(outside, inside, trial)
    return inside


if __name__ == "__main__":
    Image.fromarray(find_largest_sizes(TABLE_LIGHTNESS)).save(TABLE_FILE, optimize=True)
