"""The measures of the evaluation, against values that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import lab2rgb

from training import metrics


def flat(*rgb: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), rgb, np.uint8)


def of_lab(lab: np.ndarray) -> np.ndarray:
    return np.round(lab2rgb(lab) * 255).astype(np.uint8)


def test_ciede2000_published_pair() -> None:
    """The first pair of Sharma, Wu and Dalal 2005: 2.0425, here through 8-bit sRGB."""
    pair = [(50, 2.6772, -79.7751), (50, 0, -82.7485)]
    first, second = (of_lab(np.full((2, 2, 3), lab, float)) for lab in pair)
    # Both lie outside sRGB: what is left of the difference is smaller, and not zero.
    assert 0 < metrics.ciede2000(first, second) < 2.0425


def test_ciede2000_same_picture_is_zero() -> None:
    assert metrics.ciede2000(flat(200, 30, 90), flat(200, 30, 90)) == 0


def test_psnr_of_a_known_error() -> None:
    assert metrics.psnr(flat(100, 100, 100), flat(110, 110, 110)) == pytest.approx(28.13, abs=0.01)
    assert metrics.psnr(flat(9, 9, 9), flat(9, 9, 9)) == 100


def test_colorfulness_by_hand() -> None:
    assert metrics.colorfulness(flat(77, 77, 77)) == 0
    # rg = 255, yb = 127.5, no deviation: 0.3 x sqrt(255^2 + 127.5^2)
    assert metrics.colorfulness(flat(255, 0, 0)) == pytest.approx(85.53, abs=0.01)
    # Half red, half green: rg = +-255, yb = 127.5 throughout.
    halves = np.concatenate([flat(255, 0, 0), flat(0, 255, 0)])
    assert metrics.colorfulness(halves) == pytest.approx(255 + 0.3 * 127.5, abs=0.01)


def two_shapes() -> np.ndarray:
    return np.concatenate([flat(200, 60, 60), flat(40, 60, 200)], axis=1)


def test_flat_spread_flat_colors_have_none() -> None:
    original = two_shapes()
    assert metrics.flat_spread(original, original) == pytest.approx(0, abs=1e-3)
    assert metrics.flat_spread(original, flat(90, 140, 90, side=64).repeat(2, 1)) < 1e-3


def test_flat_spread_of_a_known_blotch() -> None:
    original = two_shapes()
    lab = np.zeros((64, 128, 3))
    lab[..., 0] = 60
    lab[::2, :, 1] = 20  # a* is 0 and 20 in turn: a standard deviation of 10
    assert metrics.flat_spread(original, of_lab(lab)) == pytest.approx(10, abs=0.5)


def test_flat_spread_without_flat_shapes_is_not_a_number() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.isnan(metrics.flat_spread(noise, noise))


def test_lightness_error_of_greys() -> None:
    grey = of_lab(np.dstack([np.full((8, 8), 50.0), np.zeros((8, 8)), np.zeros((8, 8))]))
    lighter = of_lab(np.dstack([np.full((8, 8), 60.0), np.zeros((8, 8)), np.zeros((8, 8))]))
    assert metrics.lightness_error(grey, lighter) == pytest.approx(10, abs=0.3)
