"""Variations of a palette: which of its colours goes to the dark, which to the light.

A model puts the colours that it is given where the picture is as light as they
are. So the same colours give other pictures when they take places for each
other, and when there is more of one of them. An *arrangement* says both: colours
from the darkest place to the lightest, and the share of each. Of all that there
are, those are numbered first that differ most from those before. That is up to
the palette alone: its third variation is the same arrangement for every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, permutations, product
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.cie import Float32
from service.gamut import chroma_scale

ARRANGEMENTS = 16
"""How many are numbered, the palette as it is included: as many as a model has choices."""
MOST_ORDERS = 120
"""Of colours that are tried: all of up to five, of more some that are spread evenly
over all."""
EMPHASIS = 2.5
"""How many times its own share a colour has that there is more of."""
TINTS = (1.0, 0.6, 0.3)
"""Strengths of a single colour, which has no other to take places with."""
TINT_PLACES = 3
LEAST_GAP = 6.0
"""L* between neighbours, however little the lightness of a picture varies: nearer ones
would be mixed."""

LEVELS = 32
LEVEL_LIGHTNESS = (np.arange(LEVELS, dtype=np.float32) + 0.5) * np.float32(100 / LEVELS)
"""Arrangements are compared on a picture that has all lightnesses equally often."""
LIGHTNESS_SCALE = np.float32(4)
"""Of what models begin as: weights of exp(-|dL*| / 4)."""
VIVIDNESS_WEIGHT = np.float32(0.5)
"""Of the mean C* that sRGB can show, beside a*b* distance from all variations before."""
LEAP_WEIGHT = np.float32(0.1)
"""Of the way through the a*b* plane from dark to light: what is near each other there
looks smooth where shapes are."""


def arrange_palette(palette: Float32, lightness: Float32, numbers: Sequence[int]) -> Float32:
    """Give each colour of a palette another place, in several ways.

    Parameters
    ----------
    palette : ndarray of float32, shape (K, 4)
    lightness : ndarray of float32, shape (h, w)
        CIE L* of the picture; a small copy is enough.
    numbers : sequence of P int
        0 is the palette as it is, n its n-th variation, in whatever order the
        colours were written. Beyond the last one, the last.

    Returns
    -------
    palettes : ndarray of float32, shape (P, M, 4)
        The same a* and b* at other L*, and other weights; weight 0 fills up
        those that have fewer entries.

    Raises
    ------
    ValueError
        When there are several palettes; the message says what was received.
    """
    if palette.ndim != 2:
        raise ValueError(f"`palette` must have shape (K, 4). Received: {palette.shape}")
    placed = _place(list_arrangements(palette.tobytes()), lightness)
    palettes = np.zeros((1 + len(placed), max(len(palette), placed.shape[1]), 4), np.float32)
    palettes[0, : len(palette)] = palette
    palettes[1:, : placed.shape[1]] = placed
    return palettes[np.minimum(numbers, len(placed))]


@lru_cache(maxsize=64)
def list_arrangements(palette: bytes) -> Float32:
    """List the arrangements of a palette in their order.

    Parameters
    ----------
    palette : bytes
        Of an array of float32, shape (K, 4).

    Returns
    -------
    ndarray of float32, shape (n, M, 3)
        a*, b* and share of each colour, from dark to light; at most
        `ARRANGEMENTS` - 1.
    """
    given = np.frombuffer(palette, np.float32).reshape(-1, 4)
    given = given[given[:, 3] > 0]
    # Sorted, so that it does not matter how a client wrote them; and each once.
    colors, index = np.unique(given[:, :3], axis=0, return_inverse=True)
    weights = np.zeros(len(colors), np.float32)
    np.add.at(weights, index.ravel(), given[:, 3])
    candidates = _tint(colors[0, 1:]) if len(colors) == 1 else _mix_up(colors[:, 1:], weights)
    evenly = np.linspace(0, 100, 1000, dtype=np.float32)
    curves = _draw_curves([given, *_place(candidates, evenly)])
    return candidates[_most_different(curves, ARRANGEMENTS - 1)]


def _tint(chroma: Float32) -> Float32:
    """Arrange one colour, (2,), in several strengths: (n, 3, 3)."""
    tints = np.array(list(product(TINTS, repeat=TINT_PLACES)), np.float32)
    # Somewhere it must be as it is, and not everywhere.
    tints = tints[(tints.max(axis=1) == 1) & (tints.min(axis=1) < 1)][..., None]
    return np.dstack([tints * chroma, np.ones_like(tints) / TINT_PLACES])


def _mix_up(chroma: Float32, weights: NDArray[np.floating[Any]]) -> Float32:
    """Arrange colours, (K, 2), in other orders and with emphasis on each: (n, M, 3)."""
    count = len(chroma)
    orders = _list_orders(count)  # (orders, M)
    emphases = np.vstack([np.ones(count), 1 + (EMPHASIS - 1) * np.eye(count)])
    shares = np.tile(weights * emphases, (len(orders), 1))  # (n, K)
    orders = np.repeat(orders, len(emphases), axis=0)  # (n, M)
    # A colour in two places has half of its share in each.
    shares /= (orders[:, :, None] == np.arange(count)).sum(axis=1)
    shares = np.take_along_axis(shares, orders, axis=1)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.dstack([chroma[orders], shares]).astype(np.float32)


def _list_orders(count: int) -> NDArray[np.intp]:
    """List orders of colours, from dark to light: (n, M)."""
    if count == 2:
        # Two have so few that they may come back; twice in a row is as good as once.
        return np.array([(0, 1, 1), (1, 0, 0), (0, 1, 0), (1, 0, 1)])
    step = max(1, factorial(count) // MOST_ORDERS)
    return np.array(list(islice(permutations(range(count)), 0, None, step)))


def _place(arrangements: Float32, lightness: Float32) -> Float32:
    """Put colours, (n, M, 3), where a picture has their shares of it: (n, M, 4)."""
    shares = arrangements[..., 2]
    middles = np.cumsum(shares, axis=1) - shares / 2
    places = np.sort(lightness, axis=None)[(middles * lightness.size).astype(np.intp)]
    for index in range(1, places.shape[1]):
        places[:, index] = np.maximum(places[:, index], places[:, index - 1] + LEAST_GAP)
    return np.dstack([places, arrangements])


def _draw_curves(palettes: Sequence[Float32]) -> Float32:
    """Tell the chroma that palettes, each (M, 4), give to each level of lightness: (n, 32, 2)."""
    curves = np.empty((len(palettes), LEVELS, 2), np.float32)
    for curve, palette in zip(curves, palettes, strict=True):
        gap = np.abs(LEVEL_LIGHTNESS[:, None] - palette[:, 0])  # (32, M)
        weight = palette[:, 3] * np.exp(-gap / LIGHTNESS_SCALE)
        curve[:] = weight @ palette[:, 1:3] / weight.sum(axis=1, keepdims=True)
    planes = np.tile(LEVEL_LIGHTNESS, len(palettes)), *curves.reshape(-1, 2).T
    scale = chroma_scale(*map(np.ascontiguousarray, planes))
    return curves * scale.reshape(len(palettes), LEVELS, 1)


def _most_different(curves: Float32, count: int) -> list[int]:
    """Order curves, (n, 32, 2), after the first: always the one that is farthest from all before.

    Returns
    -------
    list of int
        At most `count`, from 0 for the second curve.
    """
    vividness = np.linalg.norm(curves, axis=-1).mean(axis=1)
    way = np.linalg.norm(np.diff(curves, axis=1), axis=-1).sum(axis=1)
    merit = VIVIDNESS_WEIGHT * vividness - LEAP_WEIGHT * way  # (n,)
    chosen, nearest = [0], np.full(len(curves), np.inf, np.float32)
    for _ in range(min(count, len(curves) - 1)):
        distance = np.linalg.norm(curves - curves[chosen[-1]], axis=-1).mean(axis=1)
        nearest = np.minimum(nearest, distance)
        score = nearest + merit
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
    return [index - 1 for index in chosen[1:]]
