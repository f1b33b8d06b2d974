import numpy as np
import pytest

from training.corpus.oklab import (
    oklab_picture_to_srgb,
    oklab_to_srgb,
    oklch_to_oklab,
    srgb_to_oklab,
)

# From the tests of CSS Color Module Level 4 (web-platform-tests, oklab-*.html and oklch-*.html).
PUBLISHED_OKLAB = [
    ((0.51975, -0.1403, 0.10768), (0, 128 / 255, 0)),
    ((0.5, 0.05, 0), (0.48477, 0.3429, 0.38412)),
    ((0, 0, 0), (0, 0, 0)),
    ((1, 0, 0), (1, 1, 1)),
]
PUBLISHED_OKLCH_DEG = [
    ((0.51975, 0.17686, 142.495), (0, 128 / 255, 0)),
    ((0.5, 0.2, 0), (0.70492, 0.02351, 0.37073)),
    ((0.5, 0.2, 270), (0.23056, 0.3173, 0.82628)),
]


@pytest.fixture
def rgb():
    return np.random.default_rng(0).random((16, 24, 3), np.float32)


@pytest.mark.parametrize(("oklab", "expected"), PUBLISHED_OKLAB)
def test_oklab_agrees_with_published_values(oklab, expected):
    assert oklab_to_srgb(np.array(oklab)) == pytest.approx(expected, abs=1e-4)
    assert srgb_to_oklab(np.array(expected, np.float32)) == pytest.approx(oklab, abs=1e-4)


@pytest.mark.parametrize(("oklch_deg", "expected"), PUBLISHED_OKLCH_DEG)
def test_oklch_agrees_with_published_values(oklch_deg, expected):
    lightness, chroma, hue_deg = np.array(oklch_deg)
    oklab = oklch_to_oklab(lightness, chroma, np.radians(hue_deg))
    assert oklab_to_srgb(oklab) == pytest.approx(expected, abs=1e-4)


def test_oklab_round_trip_keeps_srgb(rgb):
    np.testing.assert_allclose(oklab_to_srgb(srgb_to_oklab(rgb)), rgb, atol=1e-5)


def test_oklab_picture_agrees_with_the_exact_conversion(rgb):
    oklab = srgb_to_oklab(rgb)
    np.testing.assert_allclose(oklab_picture_to_srgb(oklab), oklab_to_srgb(oklab), atol=1e-4)


def test_oklab_out_of_gamut_is_clipped():
    oklab = np.array([[[0.7, 0.4, 0.0], [0.5, -0.4, 0.3]]])
    for picture in (oklab_to_srgb(oklab), oklab_picture_to_srgb(oklab)):
        assert picture.dtype == np.float32
        assert picture.min() == 0
        assert picture.max() <= 1
