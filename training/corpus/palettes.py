"""Palettes for the generated pictures.

Most come from a collection that people made and voted for; the rest are
harmonies drawn in OKLCH, so that the hues no designer happened to choose are
not missing from the corpus.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from training.corpus.oklab import oklab_to_srgb, oklch_to_oklab

Palette = NDArray[np.float32]
"""Five colours, gamma-encoded sRGB in [0, 1], shape (5, 3)."""

HARMONY_SHARE = 0.35
"""Share of the palettes that are harmonies instead of collected ones."""

HARMONY_HUE_OFFSETS_DEG: tuple[tuple[float, ...], ...] = (
    (0, 20, -20, 40, -40),  # analogous
    (0, 180, 15, 195, -15),  # complementary
    (0, 120, 240, 120, 0),  # triadic
    (0, 150, 210, 0, 180),  # split complementary
    (0, 90, 180, 270, 0),  # tetradic
    (0, 5, -5, 0, 0),  # monochrome
)


def sample_palette(rng: np.random.Generator) -> Palette:
    """Draw one palette of five colours, in random order.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    ndarray of float32, shape (5, 3)
        Gamma-encoded sRGB in [0, 1].
    """
    if rng.random() < HARMONY_SHARE:
        colors = _sample_harmony(rng)
    else:
        collection = collected_palettes()
        colors = collection[rng.integers(len(collection))]
    return rng.permutation(colors)


@cache
def collected_palettes() -> NDArray[np.float32]:
    """Return the collected palettes (nice-color-palettes, MIT).

    Returns
    -------
    ndarray of float32, shape (992, 5, 3)
        Gamma-encoded sRGB in [0, 1].
    """
    text = files(__package__).joinpath("data/nice-color-palettes.json").read_text()
    rgb = [[list(bytes.fromhex(color[1:])) for color in palette] for palette in json.loads(text)]
    return np.asarray(rgb, np.float32) / np.float32(255)


def _sample_harmony(rng: np.random.Generator) -> Palette:
    """Draw a harmony: related hues, lightness spread out, chroma alike."""
    offsets = HARMONY_HUE_OFFSETS_DEG[rng.integers(len(HARMONY_HUE_OFFSETS_DEG))]
    hue = np.radians(rng.uniform(0, 360) + np.asarray(offsets) + rng.normal(0, 6, len(offsets)))
    lightness = np.linspace(rng.uniform(0.15, 0.4), rng.uniform(0.75, 0.97), len(offsets))
    chroma = rng.uniform(0.07, 0.27) * rng.uniform(0.6, 1.2, len(offsets))
    return oklab_to_srgb(oklch_to_oklab(rng.permutation(lightness), chroma, hue))
