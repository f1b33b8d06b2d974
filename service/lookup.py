"""8-bit colours looked up: from lightness and chroma to sRGB codes in one step.

An 8-bit picture has 256 lightnesses, and no more colours than codes can say. So
the way from L*a*b* to codes, what sRGB cannot show included, is gone once for
each of the 256 and for chroma in steps of `CHROMA_STEP`; then a picture is one
access to a table for each pixel.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.cie import Float32, UInt8, UInt32, encode_linear, grey_lightness_table, lab_to_linear
from service.gamut import HueLimits

CHROMA_STEP = 1.0
"""Distance of table entries in a* and b*. Half of it, the most that rounding does,
moves a colour as far as rounding to 8 bits does."""
LOWEST_CHROMA = (-87.0, -108.0)
HIGHEST_CHROMA = (99.0, 95.0)
"""a*, then b*, just beyond those of every colour in sRGB."""
A_COUNT, B_COUNT = (
    round((highest - lowest) / CHROMA_STEP) + 1
    for lowest, highest in zip(LOWEST_CHROMA, HIGHEST_CHROMA, strict=True)
)

CHROMA_ORIGIN = (LOWEST_CHROMA[0] - CHROMA_STEP / 2, LOWEST_CHROMA[1] - CHROMA_STEP / 2)
"""What steps are counted from, so that cutting off their fractions rounds them."""

LIGHTNESS_CELLS = 4096
"""Cells of L* from 0 to 100, a tenth as wide as the smallest distance of two greys."""


def limit_chroma(chroma: Float32) -> Float32:
    """Bring chroma that no colour in sRGB has into the table, at constant hue.

    Parameters
    ----------
    chroma : ndarray of float32, shape (h, w, 2)

    Returns
    -------
    chroma : ndarray of float32, shape (h, w, 2)
        Between `LOWEST_CHROMA` and `HIGHEST_CHROMA`.
    """
    lowest, highest = np.array([LOWEST_CHROMA, HIGHEST_CHROMA], np.float32)
    shares = np.maximum(chroma / lowest, chroma / highest)
    excess = np.maximum(shares[..., 0], shares[..., 1])
    limited: Float32 = chroma / np.maximum(excess, 1)[..., None]
    return limited


def nearest_greys(lightness: Float32, adjustments: Adjustments = NO_ADJUSTMENTS) -> UInt8:
    """Find the 8-bit greys whose lightness is nearest to adjusted lightness.

    Parameters
    ----------
    lightness : ndarray of float32, shape (...)
        CIE L*.
    adjustments : Adjustments, optional
        Cost nothing: they are made to the table.

    Returns
    -------
    greys : ndarray of uint8, shape (...)
    """
    cells = (lightness * np.float32(LIGHTNESS_CELLS / 100)).astype(np.int32)
    return _nearest_grey_table(adjustments).take(cells, mode="clip")


def look_up(greys: UInt8, a: Float32, b: Float32, out: UInt32) -> None:
    """Write the sRGB codes of colours.

    Parameters
    ----------
    greys : ndarray of uint8, shape (...)
        Whose lightness the colours have.
    a, b : ndarray of float32, shape (...)
        Chroma in steps of `CHROMA_STEP` from `CHROMA_ORIGIN`, inside the table.
    out : ndarray of uint32, shape (...), contiguous
        Receives red, green, blue and 255, a byte each, in this order in memory.
    """
    entry = greys.astype(np.int32)
    entry *= np.int32(A_COUNT)
    entry += a.astype(np.int32)
    entry *= np.int32(B_COUNT)
    entry += b.astype(np.int32)
    # Looking up clips: whatever a model may predict, nothing else is read.
    _codes().take(entry, mode="clip", out=out)


@lru_cache(maxsize=16)
def _nearest_grey_table(adjustments: Adjustments) -> UInt8:
    """Grey nearest to the adjusted centre of each cell of L*."""
    greys = grey_lightness_table(256)
    middles = (greys[1:] + greys[:-1]) / 2
    centres = (np.arange(LIGHTNESS_CELLS, dtype=np.float32) + 0.5) * (100 / LIGHTNESS_CELLS)
    return middles.searchsorted(adjustments.adjust_lightness(centres)).astype(np.uint8)


@cache
def _codes() -> UInt32:
    """Codes by grey, a* and b*, shape (256 * A_COUNT * B_COUNT,): 39 MB."""
    a, b = (
        plane.ravel().astype(np.float32)
        for plane in np.meshgrid(
            LOWEST_CHROMA[0] + CHROMA_STEP * np.arange(A_COUNT),
            LOWEST_CHROMA[1] + CHROMA_STEP * np.arange(B_COUNT),
            indexing="ij",
        )
    )
    table = np.full((256, a.size, 4), 255, np.uint8)
    limits = HueLimits(a, b)
    for codes, lightness in zip(table, grey_lightness_table(256), strict=True):
        plane = np.full_like(a, lightness)
        scale = limits.scale(plane[:1])
        linear = lab_to_linear(plane, a * scale, b * scale)
        for channel, values in enumerate(encode_linear(linear, 8)):
            codes[:, channel] = values
    return table.view(np.uint32).ravel()
