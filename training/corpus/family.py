"""What a family of generated pictures is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.corpus.palettes import Palette

Rgb = NDArray[np.float32]
"""Gamma-encoded sRGB in [0, 1], shape (height, width, 3)."""

Family: TypeAlias = Callable[[np.random.Generator, int, int, Palette], Rgb]
"""Draws one picture: ``family(rng, height, width, palette)``.

A family draws in shares of the picture's size, never in pixels, so that one
seed gives one composition at any size. All randomness comes from ``rng``.
"""
