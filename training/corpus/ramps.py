"""Colour ramps: how a field becomes a picture."""

from __future__ import annotations

import numpy as np

from training.corpus.fields import Field, footprint
from training.corpus.oklab import Oklab

RAMP_STEPS = 2048
"""Entries of a ramp's table from its first colour to its last."""


class Ramp:
    """Colours along a line, looked up without aliasing.

    The ramp runs from the first to the last colour over [0, 1], back over
    [1, 2], and so on, so any field can index it. Each pixel gets the mean of
    the ramp over the pixel's own width, from a table of running sums: bands
    may be as sharp and as many as they like.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws where the bands begin.
    colors : ndarray of float32, shape (n, 3)
        Oklab.
    sharpness : float
        0 blends the colours smoothly, 1 makes flat bands.
    """

    def __init__(self, rng: np.random.Generator, colors: Oklab, sharpness: float = 0.0) -> None:
        gaps = rng.uniform(0.4, 1.6, len(colors) - 1)
        stops = np.concatenate([[0], np.cumsum(gaps)]) / gaps.sum()
        t = (np.arange(RAMP_STEPS) + 0.5) / RAMP_STEPS
        band = np.clip(np.searchsorted(stops, t) - 1, 0, len(colors) - 2)
        part = (t - stops[band]) / (stops[band + 1] - stops[band])
        part = np.clip((part - 0.5) / max(1 - sharpness, 1e-3) + 0.5, 0, 1)[:, None]
        part = part * part * (3 - 2 * part)
        there = colors[band] * (1 - part) + colors[band + 1] * part
        period = np.concatenate([there, there[::-1]])
        sums = np.cumsum(np.concatenate([np.zeros((1, 3)), period, period]), axis=0)
        self._sums = sums.astype(np.float32)

    def __call__(self, field: Field) -> Oklab:
        """Look up a field of shape (height, width); returns shape (height, width, 3)."""
        width = np.clip(footprint(field), 1 / RAMP_STEPS, 2)
        start = field - width / 2
        start = start - np.floor(start / 2) * 2
        first = (start * RAMP_STEPS).astype(np.int32)
        count = np.maximum((width * RAMP_STEPS).astype(np.int32), 1)
        first = np.clip(first, 0, 2 * RAMP_STEPS - 1)
        total = self._sums.take(first + count, axis=0) - self._sums.take(first, axis=0)
        mean: Oklab = total / count[..., None].astype(np.float32)
        return mean
