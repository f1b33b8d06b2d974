"""Colour science: sRGB to CIE L*a*b* and back, and chroma brought to full size.

Standards: sRGB as in IEC 61966-2-1, CIE L*a*b* as in ISO/CIE 11664-4, white
point D65 (the 2 degree observer). Arrays are ``(height, width, ...)``; ``rgb``
is gamma-encoded sRGB in RGB order.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

LINEAR_SRGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE_XYZ = LINEAR_SRGB_TO_XYZ.sum(axis=1)
"""D65 as the sRGB matrix itself has it, so that greys have no chroma at all."""

EPSILON = 216 / 24389
"""(6/29)^3: below this share of white, L* is linear in Y."""
KAPPA = 24389 / 27
F_EPSILON = 6 / 29
"""CIE's f at that share."""

GUIDE_RADIUS = 2
"""Half width of the guided filter's window, in pixels of the small chroma."""
GUIDE_REGULARIZATION = 1.0
"""Variance of L* under which a window counts as flat: its chroma is averaged."""

STRIP_PIXELS = 1 << 16
"""Pixels converted at a time: the working set of a strip stays in the cache."""
GAMUT_BISECTIONS = 12
GAMUT_TOLERANCE = 1e-4
"""Linear light that may be clipped: far below one 8-bit code."""
YELLOW_BULGE = 0.031
YELLOW_BULGE_LIGHTNESS = 90.0
"""Above L* 90, the way from grey to yellow leaves sRGB by up to 3 % of red and
comes back. Were that outside, yellows would be cut to a third of their chroma;
clipping it instead moves L* by at most 0.25."""
ENCODING_STEPS = (1 << 16) - 1


def split_lightness(pixels: NDArray[np.uint8]) -> Float32:
    """Take the lightness of a picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
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
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        raise ValueError(
            "`pixels` must be uint8 of shape (H, W) or (H, W, 3). "
            f"Received: {pixels.dtype} of shape {pixels.shape}"
        )
    if pixels.ndim == 2:
        return _grey_lightness_table()[pixels]
    luminance = sum(
        weight * _linear_table()[pixels[..., channel]]
        for channel, weight in enumerate(LINEAR_SRGB_TO_XYZ[1].astype(np.float32))
    )
    return 116 * _lab_forward(luminance) - 16


def rgb_to_lab(rgb: UInt8) -> Float32:
    """Convert a picture to L*a*b*.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (..., 3)
        Gamma-encoded sRGB.

    Returns
    -------
    lab : ndarray of float32, shape (..., 3)
        L* in [0, 100]; a* and b* unnormalised, D65.
    """
    xyz = _linear_table()[rgb] @ (LINEAR_SRGB_TO_XYZ / WHITE_XYZ[:, None]).T.astype(np.float32)
    fx, fy, fz = np.moveaxis(_lab_forward(xyz), -1, 0)
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def merge_chroma(lightness: Float32, chroma: Float32) -> UInt8:
    """Join full-size lightness with chroma of the same size into an sRGB picture.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    chroma : ndarray of float32, shape (H, W, 2)
        CIE a* (green-red), then b* (blue-yellow), unnormalised.

    Returns
    -------
    rgb : ndarray of uint8, shape (H, W, 3)
        Gamma-encoded sRGB, D65. Colours outside sRGB lose chroma at constant
        lightness and hue, so that L* survives to 8-bit rounding.

    Raises
    ------
    ValueError
        When shapes disagree; the message says what was received.
    """
    if chroma.shape != (*lightness.shape, 2):
        raise ValueError(
            "`chroma` must have the shape of `lightness` and two planes. "
            f"Received: lightness {lightness.shape}, chroma {chroma.shape}"
        )
    flat_lightness = lightness.reshape(-1)
    flat_chroma = chroma.reshape(-1, 2).T
    rgb = np.empty((flat_lightness.size, 3), np.uint8)
    for start in range(0, flat_lightness.size, STRIP_PIXELS):
        strip = slice(start, start + STRIP_PIXELS)
        linear = _lab_to_linear_in_gamut(flat_lightness[strip], flat_chroma[:, strip])
        codes = (linear * ENCODING_STEPS + np.float32(0.5)).astype(np.uint16)
        rgb[strip] = _encoding_table().take(codes).T
    return rgb.reshape(*lightness.shape, 3)


def upsample_chroma(chroma: Float32, lightness: Float32) -> Float32:
    """Bring small chroma up to the size of the lightness, along its edges.

    In each small window chroma is fitted as a linear function of lightness; the
    coefficients are what is enlarged, and the full-size lightness is put into
    them. So colour changes exactly where lightness does. Fine lines and grain,
    which the small picture does not show, would lead the fit astray: chroma is
    kept within what was predicted thereabouts.

    Parameters
    ----------
    chroma : ndarray of float32, shape (h, w, 2)
        Predicted a* and b*.
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100]: the guide.

    Returns
    -------
    chroma : ndarray of float32, shape (H, W, 2)

    References
    ----------
    .. [1] K. He, J. Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
    """
    height, width = chroma.shape[:2]
    guide = resize_plane(lightness, height, width)
    mean_guide = _box_mean(guide)
    variance = _box_mean(guide * guide) - mean_guide**2 + GUIDE_REGULARIZATION
    full = np.empty((*lightness.shape, 2), np.float32)
    for plane in range(2):
        values = chroma[..., plane]
        mean_values = _box_mean(values)
        slope = (_box_mean(guide * values) - mean_guide * mean_values) / variance
        offset = mean_values - slope * mean_guide
        fitted = resize_plane(_box_mean(slope), *lightness.shape) * lightness
        fitted += resize_plane(_box_mean(offset), *lightness.shape)
        lowest = resize_plane(_window_extreme(values, np.minimum), *lightness.shape)
        highest = resize_plane(_window_extreme(values, np.maximum), *lightness.shape)
        np.clip(fitted, lowest, highest, out=full[..., plane])
    return full


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
    # Pillow widens the bilinear kernel when it shrinks, so nothing aliases.
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _lab_to_linear_in_gamut(lightness: Float32, chroma: Float32) -> Float32:
    """Convert pixels to linear sRGB in [0, 1], reducing chroma where it must be.

    Parameters
    ----------
    lightness : ndarray of float32, shape (n,)
    chroma : ndarray of float32, shape (2, n)

    Returns
    -------
    ndarray of float32, shape (3, n)
    """
    linear = _lab_to_linear(lightness, chroma)
    outside = np.flatnonzero(~_is_in_gamut(linear, lightness))
    if outside.size:
        # At scale 0 a pixel is grey and inside; at scale 1 it is outside.
        lightness, chroma = lightness[outside], chroma[:, outside]
        inside_scale = np.zeros(outside.size, np.float32)
        step = np.float32(0.5)
        for _ in range(GAMUT_BISECTIONS):
            scale = inside_scale + step
            trial = _lab_to_linear(lightness, chroma * scale)
            inside_scale = np.where(_is_in_gamut(trial, lightness), scale, inside_scale)
            step /= 2
        linear[:, outside] = _lab_to_linear(lightness, chroma * inside_scale)
    return np.clip(linear, 0, 1, out=linear)


def _is_in_gamut(linear: Float32, lightness: Float32) -> NDArray[np.bool_]:
    """Tell which linear colours, shape (3, n), sRGB can show; shape (n,)."""
    red, green, blue = linear
    reddest = np.where(lightness > YELLOW_BULGE_LIGHTNESS, 1 + YELLOW_BULGE, 1 + GAMUT_TOLERANCE)
    inside: NDArray[np.bool_] = linear.min(axis=0) >= -GAMUT_TOLERANCE
    inside &= (red <= reddest) & (np.maximum(green, blue) <= 1 + GAMUT_TOLERANCE)
    return inside


def _lab_to_linear(lightness: Float32, chroma: Float32) -> Float32:
    """Convert L*, (a*, b*) of shapes (n,), (2, n) to linear sRGB, (3, n), unbounded."""
    f = np.empty((3, lightness.size), np.float32)
    f[1] = (lightness + 16) / 116
    f[0] = f[1] + chroma[0] / 500
    f[2] = f[1] - chroma[1] / 200
    xyz = np.where(f > F_EPSILON, f * f * f, (116 * f - 16) / np.float32(KAPPA))
    linear: Float32 = _white_relative_xyz_to_linear() @ xyz
    return linear


def _lab_forward(share_of_white: Float32) -> Float32:
    """CIE's f: the cube root with its linear foot."""
    return np.where(
        share_of_white > EPSILON,
        np.cbrt(share_of_white),
        (np.float32(KAPPA) * share_of_white + 16) / 116,
    )


def _box_mean(plane: Float32) -> Float32:
    """Average over square windows of `GUIDE_RADIUS`, cut off at the borders."""
    for axis in range(2):
        size = plane.shape[axis]
        sums = np.cumsum(plane, axis=axis, dtype=np.float64)
        sums = np.insert(sums, 0, 0, axis=axis)
        last = np.minimum(np.arange(size) + GUIDE_RADIUS + 1, size)
        first = np.maximum(np.arange(size) - GUIDE_RADIUS, 0)
        count = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        plane = ((sums.take(last, axis) - sums.take(first, axis)) / count).astype(np.float32)
    return plane


def _window_extreme(plane: Float32, extreme: np.ufunc) -> Float32:
    """Smallest or largest value over the windows that `_box_mean` averages over."""
    for axis in range(2):
        padding = [(GUIDE_RADIUS, GUIDE_RADIUS) if axis == a else (0, 0) for a in range(2)]
        padded = np.pad(plane, padding, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * GUIDE_RADIUS + 1, axis)
        plane = extreme.reduce(windows, axis=-1)
    return plane


@cache
def _white_relative_xyz_to_linear() -> Float32:
    matrix: Float32 = (np.linalg.inv(LINEAR_SRGB_TO_XYZ) * WHITE_XYZ).astype(np.float32)
    return matrix


@cache
def _linear_table() -> Float32:
    """Linear light of each 8-bit sRGB code, shape (256,)."""
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@cache
def _grey_lightness_table() -> Float32:
    """L* of each 8-bit grey code, shape (256,)."""
    return 116 * _lab_forward(_linear_table()) - 16


@cache
def _encoding_table() -> UInt8:
    """8-bit sRGB code of each 16-bit step of linear light, shape (65536,)."""
    linear = np.arange(ENCODING_STEPS + 1) / ENCODING_STEPS
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255).astype(np.uint8)
