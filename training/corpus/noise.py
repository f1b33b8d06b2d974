"""Random fields and flows, and what a flow carries along.

Lengths are in the units of `fields`; frequencies are cycles per unit.

References
----------
.. [1] S. Worley, "A cellular texture basis function", SIGGRAPH 1996.
.. [2] B. Cabral and L. Leedom, "Imaging vector fields using line integral
   convolution", SIGGRAPH 1993.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.corpus.fields import Field

TILE_PERIOD = 3
"""Noise repeats after this many units: wider than any usual picture."""

CELLS_A_TILE = 64
"""Side, in cells, of the square of random numbers that `cells` repeats."""


def noise(
    rng: np.random.Generator, low: float, high: float, slope: float = 2.0
) -> Callable[[Field, Field], Field]:
    """Make a random field whose waves lie between two frequencies.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness; the number of draws depends on ``high`` alone.
    low, high : float
        Cycles per unit.
    slope : float
        Amplitude falls as ``frequency ** -slope``: 2 is fractal Brownian motion
        with gain 1/2, 1 is rough, 3 is smooth.

    Returns
    -------
    callable
        Maps coordinates (x, y) to values of mean 0 and standard deviation 1.
    """
    spectrum, frequency = _random_spectrum(rng, low, high, slope)
    return _sampler(_normalised(_tile(spectrum, frequency)))


def flow(
    rng: np.random.Generator, low: float, high: float, slope: float = 2.5
) -> Callable[[Field, Field], NDArray[np.float32]]:
    """Make a random velocity that neither piles up nor thins out.

    It is the curl of a noise, as of an incompressible fluid; parameters as for
    `noise`. The callable maps (x, y) to shape (height, width, 2), of standard
    deviation 1.
    """
    spectrum, frequency = _random_spectrum(rng, low, high, slope)
    along_x, along_y = 1j * frequency[1], 1j * frequency[0]
    velocity = [_tile(spectrum * along_y, frequency), _tile(-spectrum * along_x, frequency)]
    return _sampler(_normalised(np.dstack(velocity)))


def advect(
    x: Field,
    y: Field,
    velocity: Callable[[Field, Field], NDArray[np.float32]],
    distance: float,
    steps: int = 1,
) -> tuple[Field, Field]:
    """Move coordinates along a flow by ``distance`` units in all."""
    for _ in range(steps):
        moved = velocity(x, y) * (distance / steps)
        x, y = x + moved[..., 0], y + moved[..., 1]
    return x, y


def _random_spectrum(
    rng: np.random.Generator, low: float, high: float, slope: float
) -> tuple[NDArray[np.complex64], tuple[Field, Field]]:
    """Draw the half spectrum of a tile: rows -n..n, columns 0..n cycles a tile."""
    n = int(np.ceil(high * TILE_PERIOD))
    rows = np.arange(-n, n + 1, dtype=np.float32)[:, None]
    columns = np.arange(n + 1, dtype=np.float32)[None, :]
    radius = np.hypot(rows, columns)
    inside = (radius >= low * TILE_PERIOD) & (radius <= high * TILE_PERIOD)
    amplitude = np.where(inside, np.maximum(radius, 1) ** -slope, 0)
    draws = rng.standard_normal((2, *radius.shape), np.float32)
    return (amplitude * (draws[0] + 1j * draws[1])).astype(np.complex64), (rows, columns)


def _tile(spectrum: NDArray[np.complex64], frequency: tuple[Field, Field]) -> Field:
    """Sum the waves on a square grid fine enough to interpolate."""
    n = spectrum.shape[1] - 1
    size = 256 if n < 48 else 512
    padded = np.zeros((size, size // 2 + 1), np.complex64)
    padded[frequency[0][:, 0].astype(int), : n + 1] = spectrum
    return np.fft.irfft2(padded, s=(size, size)).astype(np.float32)


def _normalised(tile: NDArray[np.float32]) -> NDArray[np.float32]:
    normalised: NDArray[np.float32] = (tile - tile.mean()) / tile.std()
    return normalised


def _sampler(tile: NDArray[np.float32]) -> Callable[[Field, Field], NDArray[np.float32]]:
    size = tile.shape[0]

    def sample(x: Field, y: Field) -> NDArray[np.float32]:
        scale, middle = size / TILE_PERIOD, size / 2
        columns, rows = x * scale + middle, y * scale + middle
        # Linear: OpenCV's cubic kernel does not reproduce a slope, and the ripple shows in light.
        return np.asarray(
            cv2.remap(tile, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP),
            np.float32,
        )

    return sample


def cells(
    rng: np.random.Generator, x: Field, y: Field, frequency: float
) -> tuple[Field, Field, Field]:
    """Split the plane into the neighbourhoods of scattered points.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    x, y : ndarray of float32, shape (height, width)
        Coordinates, in units.
    frequency : float
        Points per unit of length.

    Returns
    -------
    nearest, second : ndarray of float32, shape (height, width)
        Distances to the two nearest points; 1 is the mean spacing.
    share : ndarray of float32, shape (height, width)
        A random number in [0, 1), one for each cell.
    """
    right_of, below, shares = rng.random((3, CELLS_A_TILE, CELLS_A_TILE), np.float32)
    # One more row and column on every side: neighbours then are plain offsets.
    right_of, below, shares = (
        np.pad(plane, 1, mode="wrap").ravel() for plane in (right_of, below, shares)
    )
    x, y = x * frequency, y * frequency
    column, row = np.floor(x), np.floor(y)
    x, y = x - column, y - row
    stride = CELLS_A_TILE + 2
    home = (row % CELLS_A_TILE + 1) * stride + column % CELLS_A_TILE + 1
    home = home.astype(np.intp)
    nearest = np.full(x.shape, 9, np.float32)
    second, owner = nearest, home
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            index = home + (down * stride + right)
            square = (right_of.take(index) + (right - x)) ** 2
            square += (below.take(index) + (down - y)) ** 2
            owner = np.where(square < nearest, index, owner)
            second = np.minimum(second, np.maximum(nearest, square))
            nearest = np.minimum(nearest, square)
    return np.sqrt(nearest), np.sqrt(second), shares.take(owner)


def streak(field: Field, velocity: NDArray[np.float32], length_px: float, doublings: int) -> Field:
    """Smear a field along a flow: line integral convolution.

    The average over ``2 ** doublings`` steps takes only ``doublings`` rounds,
    because two averages of n steps, n steps apart, make one of 2n.
    """
    rows, columns = np.indices(field.shape, np.float32)
    speed = np.hypot(velocity[..., 0], velocity[..., 1])[..., None] + 1e-3
    step = velocity / speed * (length_px / 2**doublings)
    for _ in range(doublings):
        to = (columns + step[..., 0], rows + step[..., 1])
        field = (field + cv2.remap(field, *to, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)) / 2
        step = step + cv2.remap(step, *to, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return field
