"""What happens to a picture between the drawing and the file.

Real wallpapers are lit, photographed, scanned and compressed. A network that
has only seen clean drawings takes grain for shapes.
"""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.corpus.family import Rgb

LIGHT_SHARE = 0.35
VIGNETTE_SHARE = 0.3
GRAIN_SHARE = 0.3
JPEG_SHARE = 0.4


def finish_picture(rng: np.random.Generator, rgb: Rgb) -> NDArray[np.uint8]:
    """Add light, vignette, grain and compression, each to some of the pictures.

    Parameters
    ----------
    rng : numpy.random.Generator
        Drawn from equally often whatever is chosen, so that a change to one
        effect leaves the others as they were.
    rgb : ndarray of float32, shape (H, W, 3)
        Gamma-encoded sRGB in [0, 1].

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Gamma-encoded sRGB.
    """
    chances = rng.random(4)
    light_direction_rad, light_strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.45)
    vignette_strength, grain_strength = rng.uniform(0.1, 0.5), rng.uniform(0.005, 0.04)
    jpeg_quality, grain_seed = int(rng.integers(55, 96)), int(rng.integers(2**31))
    if chances[0] < LIGHT_SHARE:
        rgb = rgb * _light(rgb.shape, light_direction_rad, light_strength)
    if chances[1] < VIGNETTE_SHARE:
        rgb = rgb * _vignette(rgb.shape, vignette_strength)
    if chances[2] < GRAIN_SHARE:
        rgb = rgb + grain_strength * _grain(rgb.shape, grain_seed)
    pixels = np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    return _through_jpeg(pixels, jpeg_quality) if chances[3] < JPEG_SHARE else pixels


def _light(shape: tuple[int, ...], direction_rad: float, strength: float) -> Rgb:
    """Light from one side: a factor from 1 down to ``1 - strength``."""
    x, y = _centered_grid(shape)
    along = (x * np.cos(direction_rad) + y * np.sin(direction_rad)) / np.sqrt(2)
    factor: Rgb = (1 - strength * (0.5 + 0.5 * along))[..., None].astype(np.float32)
    return factor


def _vignette(shape: tuple[int, ...], strength: float) -> Rgb:
    """Darker corners: a factor that falls with the squared distance."""
    x, y = _centered_grid(shape)
    return (1 - strength * (x * x + y * y) / 2)[..., None].astype(np.float32)


def _grain(shape: tuple[int, ...], seed: int) -> Rgb:
    """Film grain: grey noise, a little wider than a pixel."""
    noise = np.random.default_rng(seed).standard_normal(shape[:2], dtype=np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.6)[..., None] * 2)


def _through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _centered_grid(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make x of shape (1, W) and y of shape (H, 1), from -1 to 1."""
    x = np.linspace(-1, 1, shape[1])[None, :]
    y = np.linspace(-1, 1, shape[0])[:, None]
    return x, y
