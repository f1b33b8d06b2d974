"""The same network, and the formulas of colour written down as they stand in books.

Whole planes, powers, bilinear enlarging, each channel clipped by itself.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from service.cie import LINEAR_SRGB_TO_XYZ, WHITE_XYZ, Float32
from service.colorizer import Colorizer

DELTA = 6 / 29


def colorize_plainly(upload: bytes, colorizer: Colorizer) -> bytes:
    """Colour a picture.

    Parameters
    ----------
    upload : bytes
        A JPEG file.
    colorizer : Colorizer

    Returns
    -------
    jpeg : bytes
    """
    rgb = np.asarray(Image.open(io.BytesIO(upload)).convert("RGB")).astype(np.float32) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ (LINEAR_SRGB_TO_XYZ / WHITE_XYZ[:, None]).T.astype(np.float32)
    f = np.where(xyz > DELTA**3, np.cbrt(xyz), xyz / (3 * DELTA**2) + 4 / 29)
    lightness = (116 * f[..., 1] - 16).astype(np.float32)
    chroma = _enlarge(colorizer.predict(lightness).first, lightness.shape)
    fy = (lightness + 16) / 116
    f = np.dstack((fy + chroma[..., 0] / 500, fy, fy - chroma[..., 1] / 200))
    xyz = np.where(f > DELTA, f**3, 3 * DELTA**2 * (f - 4 / 29)) * WHITE_XYZ
    linear = np.clip(xyz @ np.linalg.inv(LINEAR_SRGB_TO_XYZ).T, 0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(rgb * 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _enlarge(chroma: Float32, shape: tuple[int, int]) -> Float32:
    small = (Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(chroma, -1, 0))
    size = shape[::-1]
    return np.dstack([np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) for plane in small])
