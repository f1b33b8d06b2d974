"""Every family: any size, one composition per seed, light and colour to learn from."""

import functools
import itertools

import cv2
import numpy as np
import pytest

from training.corpus import FAMILIES, generate_picture

PALETTE = np.array(
    [[0.9, 0.1, 0.2], [0.1, 0.3, 0.8], [1.0, 0.8, 0.1], [0.0, 0.6, 0.5], [0.5, 0.1, 0.6]],
    np.float32,
)
GREY_PALETTE = np.repeat(np.linspace(0.1, 0.9, 5, dtype=np.float32)[:, None], 3, axis=1)

every_family = pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, id=f"{kind}-{name}")
        for kind, families in FAMILIES.items()
        for name, family in families.items()
    ],
)


@functools.cache
def draw(family, seed, height=64, width=64):
    """Return a picture, and the random number that follows it."""
    return draw_again(family, seed, height, width)


def draw_again(family, seed, height=64, width=64, palette=PALETTE):
    rng = np.random.default_rng(seed)
    return family(rng, height, width, palette), rng.random()


@every_family
@pytest.mark.parametrize(("height", "width"), [(37, 91), (130, 17), (16, 16)])
def test_draw_any_size_fills_the_unit_range(family, height, width):
    picture, _ = draw(family, 1, height, width)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


@every_family
def test_draw_same_seed_gives_same_picture(family):
    (first, _), (again, _), (other, _) = draw(family, 1), draw_again(family, 1), draw(family, 2)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.02


@every_family
def test_draw_another_size_keeps_composition(family):
    (small, following_small), (large, following_large) = draw(family, 1), draw(family, 1, 160, 160)
    reduced = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(small - reduced).mean() < 0.04  # two seeds differ by 0.2 and more
    assert following_small == following_large


@every_family
def test_draw_has_light_and_colour(family):
    pictures = [draw(family, seed)[0] for seed in range(3)]
    lightness = [cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0] for picture in pictures]
    assert np.median([plane.std() for plane in lightness]) > 3
    assert np.mean([np.ptp(picture, axis=-1).mean() for picture in pictures]) > 0.1


@every_family
def test_draw_takes_its_hues_from_the_palette(family):
    picture, _ = draw_again(family, 0, palette=GREY_PALETTE)
    assert np.ptp(picture, axis=-1).max() < 0.01


@pytest.mark.parametrize("kind", FAMILIES)
def test_generate_picture_takes_turns_and_repeats(kind):
    count = len(FAMILIES[kind])
    assert count >= 14
    pictures = [generate_picture(kind, 0, index, 24, 32) for index in (0, 1, count)]
    for picture in pictures:
        assert picture.shape == (24, 32, 3)
        assert picture.dtype == np.uint8
    for one, other in itertools.combinations(pictures, 2):
        assert not np.array_equal(one, other)
    np.testing.assert_array_equal(pictures[2], generate_picture(kind, 0, count, 24, 32))
    assert not np.array_equal(pictures[0], generate_picture(kind, 1, 0, 24, 32))
