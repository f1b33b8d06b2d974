"""The numbers of sRGB and CIE L*a*b*, and the way from one to the other.

Standards: sRGB as in IEC 61966-2-1, CIE L*a*b* as in ISO/CIE 11664-4, white
point D65 (the 2 degree observer). Linear light is in [0, 1].
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]
UInt16 = NDArray[np.uint16]
UInt32 = NDArray[np.uint32]
Pixels = NDArray[np.uint8 | np.uint16]
"""sRGB codes of 8 or of 16 bits."""

LINEAR_SRGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE_XYZ = LINEAR_SRGB_TO_XYZ.sum(axis=1)
"""D65 as the sRGB matrix itself has it, so that greys have no chroma at all."""
XYZ_TO_LINEAR_SRGB = (np.linalg.inv(LINEAR_SRGB_TO_XYZ) * WHITE_XYZ).astype(np.float32)
"""From shares of white. Each row adds up to 1."""

EPSILON = 216 / 24389
"""(6/29)^3: below this share of white, L* is linear in Y."""
KAPPA = 24389 / 27
F_EPSILON = np.float32(6 / 29)
"""CIE's f at that share."""
F_FOOT_SLOPE = np.float32(3 * (6 / 29) ** 2)
"""Share of white over f, below `F_EPSILON`."""

ENCODING_CELLS_8 = 1 << 16
"""Cells of linear light: the steepest is a twentieth of an 8-bit code wide."""
ENCODING_CELLS_16 = 1 << 18
"""Cells of its square root, over which the curve is nowhere steep: a third of a
16-bit code."""


def lab_forward(share_of_white: Float32) -> Float32:
    """CIE's f: the cube root with its linear foot."""
    return np.where(
        share_of_white > EPSILON,
        np.cbrt(share_of_white),
        (np.float32(KAPPA) * share_of_white + 16) / 116,
    )


def lab_inverse(f: Float32) -> Float32:
    """Share of white that has this f: the cube, with its tangent for a foot."""
    # Most bands have no foot. What follows gives them the very same bits.
    if f.min(initial=1) >= F_EPSILON:
        share = f * f
        share *= f
        return share
    arch = np.maximum(f, F_EPSILON)
    share = arch * arch
    share *= arch
    share += (np.minimum(f, F_EPSILON) - F_EPSILON) * F_FOOT_SLOPE
    return share


def lab_to_linear(lightness: Float32, a: Float32, b: Float32) -> Float32:
    """Convert L*, a* and b*, all of shape (...), to linear sRGB, (3, ...), unbounded."""
    # In place wherever it can be: what is not allocated is not fetched.
    f = lightness + np.float32(16)
    f *= np.float32(1 / 116)
    luminance = lab_inverse(f)
    f_of_x_or_z = a * np.float32(1 / 500)
    f_of_x_or_z += f
    excess_x = lab_inverse(f_of_x_or_z)
    excess_x -= luminance
    np.multiply(b, np.float32(-1 / 200), out=f_of_x_or_z)
    f_of_x_or_z += f
    excess_z = lab_inverse(f_of_x_or_z)
    excess_z -= luminance
    linear = np.empty((3, *lightness.shape), np.float32)
    weighted = f
    # Luminance, and by how much X and Z exceed it: without chroma the three
    # channels are equal to the last bit.
    for channel, (x_weight, _, z_weight) in zip(linear, XYZ_TO_LINEAR_SRGB, strict=True):
        np.multiply(excess_x, x_weight, out=channel)
        channel += np.multiply(excess_z, z_weight, out=weighted)
        channel += luminance
    return linear


def encode_linear(linear: Float32, bit_depth: int) -> Pixels:
    """Encode linear light, clipped to [0, 1], in sRGB codes; `linear` is overwritten."""
    # Looking up clips: that is cheaper than clipping before.
    if bit_depth == 8:
        linear *= ENCODING_CELLS_8
        return _encoding_table_8().take(linear.astype(np.int32), mode="clip")
    np.maximum(linear, 0, out=linear)
    np.sqrt(linear, out=linear)
    linear *= ENCODING_CELLS_16
    return _encoding_table_16().take(linear.astype(np.int32), mode="clip")


@cache
def linear_table(levels: int) -> Float32:
    """Linear light of each sRGB code, shape (levels,): 256 or 65536."""
    encoded = np.arange(levels) / (levels - 1)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@cache
def grey_lightness_table(levels: int) -> Float32:
    """L* of each grey code, shape (levels,)."""
    return 116 * lab_forward(linear_table(levels)) - 16


@cache
def _encoding_table_8() -> UInt8:
    """Code at the centre of each cell."""
    linear = (np.arange(ENCODING_CELLS_8) + 0.5) / ENCODING_CELLS_8
    return np.round(_encode(linear) * 255).astype(np.uint8)


@cache
def _encoding_table_16() -> NDArray[np.uint16]:
    """Code at the centre of each cell."""
    root = (np.arange(ENCODING_CELLS_16) + 0.5) / ENCODING_CELLS_16
    return np.round(_encode(root**2) * 65535).astype(np.uint16)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
