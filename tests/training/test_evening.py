"""Colour is evened out within shapes, and stays within them."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.evening import LIGHTNESS_REACH, REACH, SPACING, TAPS, EvenOut

Array = NDArray[Any]

RNG = np.random.default_rng(0)
LIGHTNESS = RNG.uniform(0, 100, (1, 20, 24, 1)).astype(np.float32)
CHROMA = RNG.uniform(-60, 60, (3, 20, 24, 2)).astype(np.float32)


def even_out(chroma: Array, lightness: Array) -> Array:
    return ops.convert_to_numpy(EvenOut()(chroma, lightness))


def test_even_out_is_the_mean_of_near_places_of_the_same_lightness() -> None:
    """Five by five, three apart, those beyond the rim left out."""
    evened = even_out(CHROMA[:1], LIGHTNESS)[0]
    steps = SPACING * (np.arange(TAPS) - TAPS // 2)
    for row, column in ((0, 0), (10, 12), (19, 5), (3, 23)):
        total, weights = np.zeros(2), 0.0
        for down, across in ((down, across) for down in steps for across in steps):
            near = (row + down, column + across)
            if 0 <= near[0] < 20 and 0 <= near[1] < 24:
                gap = abs(float(LIGHTNESS[0, *near, 0]) - float(LIGHTNESS[0, row, column, 0]))
                weight = np.exp(-(down**2 + across**2) / (2 * REACH**2) - gap / LIGHTNESS_REACH)
                total, weights = total + weight * CHROMA[0, *near], weights + weight
        np.testing.assert_allclose(evened[row, column], total / weights, atol=1e-3)


def test_even_out_flat_color_stays_up_to_the_rim() -> None:
    flat = np.broadcast_to(np.float32([30, -40]), (1, 20, 24, 2))
    for lightness in (LIGHTNESS, 0 * LIGHTNESS):
        np.testing.assert_allclose(even_out(flat, lightness), flat, rtol=1e-5)


def test_even_out_takes_blotches_out_of_a_flat_shape() -> None:
    evened = even_out(CHROMA, 0 * LIGHTNESS + 50)
    assert evened.std() < 0.35 * CHROMA.std()


def test_even_out_stops_at_edges() -> None:
    """Red on dark and green on light do not mix."""
    is_light = np.arange(24)[None, None, :, None] >= 12
    lightness = np.where(is_light, 80, 30) * np.ones((1, 20, 1, 1))
    chroma = np.where(is_light, (-50, 40), (60, 20)) * np.ones((1, 20, 1, 1))
    evened = even_out(chroma.astype(np.float32), lightness.astype(np.float32))
    np.testing.assert_allclose(evened, chroma, atol=0.01)


def test_even_out_one_picture_many_answers_equals_one_at_a_time() -> None:
    together = even_out(CHROMA, LIGHTNESS)
    for n in range(len(CHROMA)):
        np.testing.assert_allclose(
            together[n : n + 1], even_out(CHROMA[n : n + 1], LIGHTNESS), atol=1e-4
        )
