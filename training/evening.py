"""One shape, one colour: the part of the served graph that evens colour out within shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

Tensor = Any

TAPS = 5
SPACING = 3
"""Of the neighbours that a place is averaged with: 5 x 5, three apart."""
REACH = 6.3
"""Standard deviation of the weights, in places."""
LIGHTNESS_REACH = 4.0
"""L*: weights fall by e for each of these, so that averaging stops at edges."""
OUTSIDE = 100.0
"""L* between what is beyond the picture's rim and what is darkest in it."""


class EvenOut(layers.Layer):  # type: ignore[misc]
    """Average chroma over neighbours of the same lightness.

    References
    ----------
    .. [1] G. Petschnigg et al., "Digital Photography with Flash and No-Flash Image
       Pairs", SIGGRAPH 2004: the joint bilateral filter.
    """

    def __init__(self) -> None:
        super().__init__(name="even_out", trainable=False)
        offsets = SPACING * (np.arange(TAPS) - TAPS // 2)
        squared = (offsets[:, None] ** 2 + offsets[None] ** 2).ravel()
        weights = (-squared / (2 * REACH**2)).astype(np.float32)
        self._log_weights = weights[:, None, None]  # (25, 1, 1)

    def call(self, chroma: Tensor, lightness: Tensor) -> Tensor:
        """Average.

        Parameters
        ----------
        chroma : Tensor, shape (P, h, w, 2)
        lightness : Tensor, shape (N, h, w, 1)
            CIE L*. N is P or 1.

        Returns
        -------
        Tensor, shape (P, h, w, 2)
        """
        own = lightness[..., 0] + OUTSIDE  # (N, h, w)
        gaps = ops.abs(_list_neighbours(own) - own[:, None])  # (N, 25, h, w)
        weights = ops.exp(self._log_weights - gaps / LIGHTNESS_REACH)
        total = _sum(weights)  # (N, h, w)
        planes = [_list_neighbours(chroma[..., channel]) for channel in (0, 1)]
        return ops.stack([_sum(weights * plane) / total for plane in planes], axis=-1)


def _list_neighbours(plane: Tensor) -> Tensor:
    """Return the values of all neighbours, 0 beyond the rim: (N, h, w) to (N, 25, h, w)."""
    rim = SPACING * (TAPS // 2)
    padded = ops.pad(plane, ((0, 0), (rim, rim), (rim, rim)))
    starts = range(0, 2 * rim + 1, SPACING)
    # Counted from the end: the size of the picture is not known here.
    spans = [slice(start, start - 2 * rim or None) for start in starts]
    return ops.stack([padded[:, rows, columns] for rows in spans for columns in spans], axis=1)


def _sum(terms: Tensor) -> Tensor:
    """Sum 25 planes: (N, 25, h, w) to (N, h, w). As a product, it is one pass."""
    _, _, height, width = ops.shape(terms)
    flat = ops.reshape(terms, (-1, TAPS * TAPS, height * width))
    return ops.reshape(ops.matmul(ops.ones((1, TAPS * TAPS)), flat), (-1, height, width))
