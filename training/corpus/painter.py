"""What the fluid families share: a grid and colours to paint with, backdrops, small draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import TypeAlias

import cv2
import numpy as np

from training.corpus.family import Family, Rgb
from training.corpus.fields import Grid
from training.corpus.noise import noise
from training.corpus.oklab import Oklab, oklab_picture_to_srgb, srgb_to_oklab
from training.corpus.palettes import Palette
from training.corpus.ramps import Ramp
from training.corpus.shading import shade_oklab, spread_lightness

MIN_UNIT_PX = 128
"""Smaller pictures are drawn larger and averaged down, so that detail does not alias."""

Painter: TypeAlias = Callable[[np.random.Generator, Grid, Oklab], Oklab]


def painted(painter: Painter) -> Family:
    """Turn ``painter(rng, grid, colors)``, which thinks in Oklab, into a family."""

    @wraps(painter)
    def family(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
        enlarge = int(np.ceil(MIN_UNIT_PX / (height * width) ** 0.5))
        grid = Grid.of_size(height * enlarge, width * enlarge)
        rgb = oklab_picture_to_srgb(painter(rng, grid, spread_lightness(srgb_to_oklab(palette))))
        if enlarge > 1:
            rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        return np.clip(rgb, 0, 1)

    return family


def pick_colors(rng: np.random.Generator, colors: Oklab, least: int = 2, most: int = 5) -> Oklab:
    """Take some of the colours, in random order."""
    return colors[rng.permutation(len(colors))[: rng.integers(least, most + 1)]]


def backdrop(
    rng: np.random.Generator, grid: Grid, colors: Oklab, angle_rad: float | None = None
) -> Oklab:
    """Paint a plain gradient, a little bent."""
    angle = rng.uniform(0, math.tau) if angle_rad is None else angle_rad
    bend = noise(rng, 0.4, 1)(grid.x, grid.y) * rng.uniform(0, 0.2)
    ends = colors if len(colors) > 1 else np.stack([colors[0], shade_oklab(colors[0], 0.4)])
    return Ramp(rng, ends)(np.clip(grid.along(angle) + bend + 0.5, 0, 1))


def random_point(rng: np.random.Generator, reach: float) -> tuple[float, float]:
    """Draw a place within ``reach`` units of the middle, to either side."""
    return rng.uniform(-reach, reach), rng.uniform(-reach, reach)


def random_sign(rng: np.random.Generator) -> int:
    """Draw -1 or 1."""
    return -1 if rng.random() < 0.5 else 1
