"""Colour of pictures: into lightness, and from lightness and chroma back.

Standards: sRGB as in IEC 61966-2-1, CIE L*a*b* as in ISO/CIE 11664-4, white
point D65 (the 2 degree observer). Arrays are ``(height, width, ...)``; ``rgb``
is gamma-encoded sRGB in RGB order, of 8 or 16 bits.
"""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.bands import split_in_bands
from service.cie import (
    LINEAR_SRGB_TO_XYZ,
    WHITE_XYZ,
    Float32,
    Pixels,
    UInt8,
    encode_linear,
    grey_lightness_table,
    lab_forward,
    linear_table,
)
from service.gamut import lab_to_linear_in_gamut
from service.lookup import CHROMA_ORIGIN, CHROMA_STEP, limit_chroma, look_up, nearest_greys
from service.upsampling import Guide, GuidedChroma, resize_plane, upsample_chroma

__all__ = [
    "apply_chroma",
    "merge_chroma",
    "resize_plane",
    "rgb_to_lab",
    "split_lightness",
    "upsample_chroma",
]

LUMINANCE_WEIGHTS = LINEAR_SRGB_TO_XYZ[1].astype(np.float32)
CODE_TYPES: dict[int, type[np.uint8 | np.uint16]] = {8: np.uint8, 16: np.uint16}
"""Bit depth -> type of sRGB codes."""


def split_lightness(pixels: Pixels) -> Float32:
    """Take the lightness of a picture.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Gamma-encoded grey, or sRGB.

    Returns
    -------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].

    Raises
    ------
    ValueError
        When the shape or the type is another; the message says which.
    """
    if pixels.dtype not in (np.uint8, np.uint16) or not (
        pixels.ndim == 2 or pixels.shape[2:] == (3,)
    ):
        raise ValueError(
            "`pixels` must be uint8 or uint16 of shape (H, W) or (H, W, 3). "
            f"Received: {pixels.dtype} of shape {pixels.shape}"
        )
    levels = np.iinfo(pixels.dtype).max + 1
    height, width = pixels.shape[:2]
    lightness = np.empty((height, width), np.float32)
    for rows in split_in_bands((height, width)):
        if pixels.ndim == 2:
            lightness[rows] = grey_lightness_table(levels).take(pixels[rows])
        else:
            channels = linear_table(levels).take(np.moveaxis(pixels[rows], -1, 0))
            red, green, blue = channels * LUMINANCE_WEIGHTS[:, None, None]
            lightness[rows] = 116 * lab_forward(red + green + blue) - 16
    return lightness


def rgb_to_lab(rgb: Pixels) -> Float32:
    """Convert a picture to L*a*b*.

    Parameters
    ----------
    rgb : ndarray of uint8 or uint16, shape (..., 3)
        Gamma-encoded sRGB.

    Returns
    -------
    lab : ndarray of float32, shape (..., 3)
        L* in [0, 100]; a* and b* unnormalised, D65.
    """
    linear = linear_table(np.iinfo(rgb.dtype).max + 1)[rgb]
    xyz = linear @ (LINEAR_SRGB_TO_XYZ / WHITE_XYZ[:, None]).T.astype(np.float32)
    fx, fy, fz = np.moveaxis(lab_forward(xyz), -1, 0)
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def warm_up() -> None:
    """Build the tables that the first picture would otherwise wait 0.5 s for."""
    apply_chroma(np.full((8, 8), 50, np.float32), np.zeros((1, 1, 2), np.float32))


@overload
def apply_chroma(
    lightness: Float32,
    chroma: Float32,
    adjustments: Adjustments = ...,
    *,
    greys: UInt8 | None = ...,
    guide: Guide | None = ...,
    bit_depth: Literal[8] = 8,
) -> UInt8: ...


@overload
def apply_chroma(
    lightness: Float32,
    chroma: Float32,
    adjustments: Adjustments = ...,
    *,
    greys: UInt8 | None = ...,
    guide: Guide | None = ...,
    bit_depth: int,
) -> Pixels: ...


def apply_chroma(
    lightness: Float32,
    chroma: Float32,
    adjustments: Adjustments = NO_ADJUSTMENTS,
    *,
    greys: UInt8 | None = None,
    guide: Guide | None = None,
    bit_depth: int = 8,
) -> Pixels:
    """Put small chroma on full-size lightness.

    What `merge_chroma` does with what `upsample_chroma` gives, but band by band:
    full-size chroma exists only within a band. With 8 bits it is also quicker, and
    coarser: lightness is rounded to the nearest 8-bit grey, which is no change for
    a grey picture, and a* and b* to `service.lookup.CHROMA_STEP`.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    chroma : ndarray of float32, shape (h, w, 2)
        Predicted a* and b*, small.
    adjustments : Adjustments, optional
    greys : ndarray of uint8, shape (H, W), optional
        The 8-bit greys that `lightness` was split from, where it was: spares
        looking for them.
    guide : Guide, optional
        Of this lightness for chroma of this size: spares making it again where
        several colourings are made.
    bit_depth : int
        8 or 16.

    Returns
    -------
    rgb : ndarray of uint8 or uint16, shape (H, W, 3)
        As that of `merge_chroma`. With 8 bits pixels lie four bytes apart, as
        Pillow has them; the fourth is 255.

    Raises
    ------
    ValueError
        When there is no such bit depth; the message says what was received.
    """
    chroma = adjustments.adjust_chroma(chroma)
    guide = guide or Guide(lightness, *chroma.shape[:2])
    if _code_type(bit_depth) is np.uint8:
        return _apply_looked_up(guide, chroma, adjustments, greys)
    rgb = np.empty((*lightness.shape, 3), np.uint16)
    for rows, a, b in GuidedChroma(chroma, guide).enlarge():
        _merge(adjustments.adjust_lightness(lightness[rows]), a, b, out=rgb[rows])
    return rgb


def _apply_looked_up(
    guide: Guide, chroma: Float32, adjustments: Adjustments, greys: UInt8 | None
) -> UInt8:
    """Put adjusted chroma on lightness that is yet to be adjusted."""
    lightness = guide.lightness
    if greys is not None and not adjustments.keeps_lightness:
        greys = nearest_greys(grey_lightness_table(256), adjustments).take(greys)
    words = np.empty(lightness.shape, np.uint32)
    guided = GuidedChroma(limit_chroma(chroma), guide, origin=CHROMA_ORIGIN, step=CHROMA_STEP)
    for rows, a, b in guided.enlarge():
        shown = nearest_greys(lightness[rows], adjustments) if greys is None else greys[rows]
        look_up(shown, a, b, out=words[rows])
    return words.view(np.uint8).reshape(*lightness.shape, 4)[..., :3]


def merge_chroma(lightness: Float32, chroma: Float32, *, bit_depth: int = 8) -> Pixels:
    """Join full-size lightness with chroma of the same size into an sRGB picture.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    chroma : ndarray of float32, shape (H, W, 2)
        CIE a* (green-red), then b* (blue-yellow), unnormalised.
    bit_depth : int
        8 or 16.

    Returns
    -------
    rgb : ndarray of uint8 or uint16, shape (H, W, 3)
        Gamma-encoded sRGB, D65. Colours outside sRGB lose chroma at constant
        lightness and hue, so that L* survives to the rounding of codes.

    Raises
    ------
    ValueError
        When shapes disagree or there is no such bit depth; the message says
        what was received.
    """
    if chroma.shape != (*lightness.shape, 2):
        raise ValueError(
            "`chroma` must have the shape of `lightness` and two planes. "
            f"Received: lightness {lightness.shape}, chroma {chroma.shape}"
        )
    rgb = np.empty((*lightness.shape, 3), _code_type(bit_depth))
    for rows in split_in_bands(lightness.shape):
        _merge(lightness[rows], chroma[rows, :, 0], chroma[rows, :, 1], out=rgb[rows])
    return rgb


def _merge(lightness: Float32, a: Float32, b: Float32, out: Pixels) -> None:
    """Write the sRGB codes, (h, w, 3), of planes of shape (h, w)."""
    linear = lab_to_linear_in_gamut(lightness, a, b)
    for channel, codes in enumerate(encode_linear(linear, 8 * out.itemsize)):
        out[..., channel] = codes


def _code_type(bit_depth: int) -> type[np.uint8 | np.uint16]:
    if bit_depth not in CODE_TYPES:
        raise ValueError(f"`bit_depth` must be 8 or 16. Received: {bit_depth}")
    return CODE_TYPES[bit_depth]
