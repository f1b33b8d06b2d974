import numpy as np
import pytest

from training.corpus.oklab import oklab_to_srgb, srgb_to_oklab
from training.corpus.shading import (
    MIN_LIGHTNESS_RANGE,
    mix,
    relight,
    shade_oklab,
    shade_rgb,
    spread_lightness,
    vivid,
)

RED = np.array([0.8, 0.4, 0.2], np.float32)


def test_mix_goes_from_first_to_second():
    share = np.array([[0, 0.25], [0.5, 1]])
    mixed = mix([0, 0, 0], [1, 2, 4], share)
    assert mixed.shape == (2, 2, 3)
    np.testing.assert_allclose(mixed, share[..., None] * [1, 2, 4])


def test_shade_rgb_keeps_channel_ratios_when_darkening():
    assert shade_rgb(RED, -0.5) == pytest.approx(RED / 2)
    assert shade_rgb(RED, 0) == pytest.approx(RED)


def test_shade_oklab_keeps_hue_when_darkening():
    assert shade_oklab(RED, -0.5) == pytest.approx(RED / 2)


@pytest.mark.parametrize("light", [1, 3])
def test_shade_ends_at_white_and_black(light):
    assert shade_rgb(RED, light) == pytest.approx([1, 1, 1])
    assert shade_rgb(RED, -light) == pytest.approx([0, 0, 0])
    oklab = srgb_to_oklab(RED)
    assert oklab_to_srgb(shade_oklab(oklab, light)) == pytest.approx([1, 1, 1], abs=1e-4)
    assert oklab_to_srgb(shade_oklab(oklab, -light)) == pytest.approx([0, 0, 0], abs=1e-4)


def test_relight_gives_the_lightness_and_keeps_the_hue():
    oklab = srgb_to_oklab(np.tile(RED, (3, 1)))
    lightness = np.array([0.2, 0.5, 0.9], np.float32)
    relit = relight(oklab, lightness)
    np.testing.assert_allclose(relit[:, 0], lightness, atol=1e-5)
    hue = np.arctan2(oklab[:, 2], oklab[:, 1])
    np.testing.assert_allclose(np.arctan2(relit[:, 2], relit[:, 1]), hue, atol=1e-4)


def test_spread_lightness_pulls_equal_colours_apart():
    colors = np.array([[0.6, 0.1, 0], [0.61, 0, 0.1], [0.62, -0.1, 0]], np.float32)
    assert np.ptp(spread_lightness(colors)[:, 0]) == pytest.approx(MIN_LIGHTNESS_RANGE, abs=1e-3)


def test_vivid_raises_dull_colours_only():
    colors = np.array([[0.5, 0.05, 0], [0.5, 0, 0.2], [0.5, 0.3, 0]], np.float32)
    chroma = np.hypot(*vivid(colors, 2)[:, 1:].T)
    assert chroma == pytest.approx([0.1, 0.22, 0.3], abs=1e-4)
