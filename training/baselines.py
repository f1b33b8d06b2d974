"""What colours pictures without a network: the rivals that a model has to beat.

Hints are arrays of shape (M, 5): x and y as shares of width and height, a*, b*
and weight, as models take them. All give full-size chroma.

The lightness table, the baseline of placing a palette, is
`training.book.look_up_lightness`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LIGHTNESS_SCALE = 4.0
DISTANCE_SCALE = 0.15
"""Of the hint table: weights of ``exp(-|dL*| / 4 - d / 0.15)``, the distance d in
shares of the longer side."""

NEIGHBORS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column)
VARIANCE_SHARE = 0.6
LEAST_WEIGHT = 0.01
"""Of the neighbour that is nearest in lightness, before weights are made to sum to 1."""
LEAST_VARIANCE = 2e-6


def paint_grey(lightness: Float32) -> Float32:
    """Give no pixel any colour: (H, W) to (H, W, 2)."""
    return np.zeros((*lightness.shape, 2), np.float32)


def paint_mean(lab: NDArray[np.floating[Any]]) -> Float32:
    """Give each pixel the original's mean chroma: (H, W, 3) to (H, W, 2)."""
    mean = lab[..., 1:].mean(axis=(0, 1))
    return np.broadcast_to(mean, (*lab.shape[:2], 2)).astype(np.float32)


def locate(hints: Float32, height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the pixels that hints lie in: their rows and their columns."""
    rows = np.clip(hints[:, 1] * height, 0, height - 1).astype(np.intp)
    columns = np.clip(hints[:, 0] * width, 0, width - 1).astype(np.intp)
    return rows, columns


def look_up_hints(lightness: Float32, hints: Float32) -> Float32:
    """Give each pixel the colours of the hints that are near in lightness and in place.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    hints : ndarray of float32, shape (M, 5)
        At least one.

    Returns
    -------
    ndarray of float32, shape (H, W, 2)
    """
    height, width = lightness.shape
    rows, columns = locate(hints, height, width)
    gap = np.abs(lightness[..., None] - lightness[rows, columns])  # (H, W, M)
    below = np.arange(height)[:, None, None] - rows
    right = np.arange(width)[:, None] - columns
    distance = np.hypot(below, right) / max(height, width)  # (H, W, M)
    cost = gap / LIGHTNESS_SCALE + distance / DISTANCE_SCALE
    weight = np.exp(cost.min(axis=-1, keepdims=True) - cost)
    weight /= weight.sum(axis=-1, keepdims=True)
    return np.asarray(weight @ hints[:, 2:4], np.float32)


def propagate_hints(lightness: Float32, hints: Float32) -> Float32:
    """Spread hints over what is alike in lightness, by optimisation.

    Each pixel's chroma is the mean of that of its eight neighbours, weighted by
    how like in lightness they are, and hints hold exactly: a sparse linear
    system. Weights are those of the program that the authors published.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    hints : ndarray of float32, shape (M, 5)
        At least one; of those in the same pixel, the last counts.

    Returns
    -------
    ndarray of float32, shape (H, W, 2)

    References
    ----------
    .. [1] A. Levin, D. Lischinski, Y. Weiss, "Colorization using Optimization",
       SIGGRAPH 2004.
    """
    height, width = lightness.shape
    rows, columns = locate(hints, height, width)
    chroma = np.zeros((height * width, 2))
    is_fixed = np.zeros(height * width, bool)
    chroma[rows * width + columns] = hints[:, 2:4]
    is_fixed[rows * width + columns] = True
    fixed, free = np.flatnonzero(is_fixed), np.flatnonzero(~is_fixed)
    if free.size:
        system = _affinity_system(lightness)[free]
        known = -system[:, fixed] @ chroma[fixed]
        # Diagonally dominant and symmetric in where it is not zero: no pivots needed.
        factors = splu(
            system[:, free].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        chroma[free] = factors.solve(known)
    return chroma.reshape(height, width, 2).astype(np.float32)


def _affinity_system(lightness: Float32) -> csr_array[np.float64]:
    """Subtract the weights of neighbours, whose rows sum to 1, from the unit matrix."""
    height, width = lightness.shape
    weights = _weigh_neighbors(lightness.astype(np.float64) / 100)
    places = np.pad(np.arange(height * width).reshape(height, width), 1)
    rows, columns, values = [np.arange(height * width)], [np.arange(height * width)], []
    values.append(np.ones(height * width))
    for (below, right), weight in zip(NEIGHBORS, weights, strict=True):
        is_there = weight > 0
        neighbor = places[1 + below : 1 + below + height, 1 + right : 1 + right + width]
        rows.append(places[1:-1, 1:-1][is_there])
        columns.append(neighbor[is_there])
        values.append(-weight[is_there])
    entries = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.concatenate(values), entries), (height * width,) * 2)


def _weigh_neighbors(guide: Float64) -> Float64:
    """Weights of the eight neighbours, 0 beyond the picture: (H, W) to (8, H, W)."""
    height, width = guide.shape
    padded = np.pad(guide, 1, constant_values=np.nan)
    neighbors = np.stack(
        [padded[1 + row : 1 + row + height, 1 + col : 1 + col + width] for row, col in NEIGHBORS]
    )
    squared = (neighbors - guide) ** 2
    variance = VARIANCE_SHARE * np.nanvar([*neighbors, guide], axis=0)
    variance = np.maximum(variance, np.nanmin(squared, axis=0) / -np.log(LEAST_WEIGHT))
    weights = np.nan_to_num(np.exp(-squared / np.maximum(variance, LEAST_VARIANCE)))
    return np.asarray(weights / weights.sum(axis=0))
