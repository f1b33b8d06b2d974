import io

import numpy as np
import pytest
from PIL import Image

from training.corpus import finish
from training.corpus.finish import finish_picture

EFFECTS = ("LIGHT", "VIGNETTE", "GRAIN", "JPEG")


@pytest.fixture
def rgb():
    """A picture that is grey on the left and orange on the right."""
    picture = np.full((40, 60, 3), 0.6, np.float32)
    picture[:, 30:] = (0.9, 0.5, 0.1)
    return picture


@pytest.fixture
def only(monkeypatch):
    """Let the named effects happen always, the others never."""

    def choose(*names):
        for effect in EFFECTS:
            monkeypatch.setattr(finish, f"{effect}_SHARE", float(effect in names))

    return choose


def finished(rgb, seed=0):
    return finish_picture(np.random.default_rng(seed), rgb)


def as_bytes(rgb):
    return np.round(rgb * 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_finish_gives_8_bit_picture_of_the_same_size(rgb, seed):
    picture = finished(rgb, seed)
    assert picture.shape == rgb.shape
    assert picture.dtype == np.uint8


def test_finish_same_seed_gives_same_picture(rgb, only):
    only(*EFFECTS)
    before = rgb.copy()
    np.testing.assert_array_equal(finished(rgb, 1), finished(rgb, 1))
    assert not np.array_equal(finished(rgb, 1), finished(rgb, 2))
    np.testing.assert_array_equal(rgb, before)


def test_finish_without_effects_rounds_only(rgb, only):
    only()
    np.testing.assert_array_equal(finished(rgb), as_bytes(rgb))


def test_finish_draws_equally_often_whatever_is_chosen(rgb, only):
    following = set()
    for names in ((), *((effect,) for effect in EFFECTS), EFFECTS):
        only(*names)
        rng = np.random.default_rng(0)
        finish_picture(rng, rgb)
        following.add(rng.random())
    assert len(following) == 1


@pytest.mark.parametrize("effect", ["LIGHT", "VIGNETTE"])
def test_finish_light_darkens_and_keeps_channel_ratios(rgb, only, effect):
    only(effect)
    factor = finished(rgb) / (rgb * 255)
    assert factor.max() < 1.01
    assert factor[..., 0].min() < 0.95
    np.testing.assert_allclose(factor, factor[..., :1].repeat(3, axis=-1), atol=0.04)


def test_finish_vignette_darkens_the_corners_most(only):
    only("VIGNETTE")
    picture = finished(np.full((41, 61, 3), 0.8, np.float32))[..., 0]
    assert picture[20, 30] == as_bytes(0.8)
    assert picture[0, 0] == picture[0, -1] == picture[-1, 0] == picture.min() < picture[0, 30]


def test_finish_grain_is_grey_and_centred(only):
    only("GRAIN")
    grey = np.full((80, 80, 3), 0.6, np.float32)
    difference = finished(grey).astype(int) - as_bytes(grey)
    assert difference.std() > 0.5
    assert abs(difference.mean()) < 0.5
    np.testing.assert_array_equal(difference.max(axis=-1), difference.min(axis=-1))


def test_finish_jpeg_is_one_pass_of_the_codec(rgb, only):
    only("JPEG")
    picture = finished(rgb)
    candidates = []
    for quality in range(55, 96):
        buffer = io.BytesIO()
        Image.fromarray(as_bytes(rgb)).save(buffer, "JPEG", quality=quality)
        candidates.append(np.asarray(Image.open(buffer)))
    assert any(np.array_equal(picture, candidate) for candidate in candidates)
    assert not np.array_equal(picture, as_bytes(rgb))
