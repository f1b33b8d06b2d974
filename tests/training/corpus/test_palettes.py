import numpy as np
import pytest

from training.corpus import palettes
from training.corpus.oklab import srgb_to_oklab
from training.corpus.palettes import collected_palettes, sample_palette


def is_collected(palette):
    same = collected_palettes()[:, :, None] == palette
    return bool(same.all(axis=-1).any(axis=1).all(axis=1).any())


@pytest.mark.parametrize("seed", range(10))
def test_sample_palette_gives_five_colours_in_range(seed):
    palette = sample_palette(np.random.default_rng(seed))
    assert palette.shape == (5, 3)
    assert palette.dtype == np.float32
    assert palette.min() >= 0
    assert palette.max() <= 1


def test_sample_palette_same_seed_gives_same_palette():
    first, again, other = (sample_palette(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sample_palette_takes_its_share_of_harmonies():
    rng = np.random.default_rng(0)
    harmonies = [not is_collected(sample_palette(rng)) for _ in range(300)]
    assert np.mean(harmonies) == pytest.approx(palettes.HARMONY_SHARE, abs=0.1)


def test_collected_palettes_are_the_file():
    collection = collected_palettes()
    assert collection.shape == (992, 5, 3)
    assert collection.dtype == np.float32
    first = [[105, 210, 231], [167, 219, 216], [224, 228, 204], [243, 134, 48], [250, 105, 0]]
    np.testing.assert_allclose(collection[0] * 255, first, atol=1e-4)


def test_harmonies_spread_their_lightness(monkeypatch):
    monkeypatch.setattr(palettes, "HARMONY_SHARE", 1)
    for seed in range(20):
        lightness = srgb_to_oklab(sample_palette(np.random.default_rng(seed)))[:, 0]
        assert np.ptp(lightness) > 0.3
