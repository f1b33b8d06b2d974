import numpy as np
import pytest
import tensorflow as tf

from training import lighting
from training.lighting import light_with_colors


@pytest.fixture(scope="module")
def lab() -> np.ndarray:
    """Vivid stripes, from black at the top to white at the bottom."""
    size = 24
    picture = np.empty((size, size, 3), np.float32)
    picture[..., 0] = np.linspace(0, 100, size)[:, None]
    picture[..., 1:] = np.where(np.arange(size) % 2, 40, -30)[None, :, None]
    return picture


def light(lab, index, share=1.0):
    return light_with_colors(tf.constant(lab), share, tf.constant([3, index], tf.int64)).numpy()


def test_light_keeps_lightness_and_shape(lab):
    for index in range(10):
        lit = light(lab, index)
        assert lit.shape == lab.shape
        np.testing.assert_array_equal(lit[..., 0], lab[..., 0])


def test_light_same_seed_gives_same_light(lab, monkeypatch):
    monkeypatch.setattr(lighting, "TURNED_SHARE", 0.0)
    np.testing.assert_array_equal(light(lab, 1), light(lab, 1))
    assert not np.allclose(light(lab, 1), light(lab, 2))


def test_light_leaves_the_other_pictures(lab):
    left = [np.allclose(light(lab, index, 0.4), lab, atol=1e-3) for index in range(300)]
    assert abs(np.mean(left) - 0.6) < 0.1


def test_light_turn_keeps_chroma_and_turns_by_place(lab, monkeypatch):
    monkeypatch.setattr(lighting, "TURNED_SHARE", 1.0)
    for index in range(5):
        lit = light(lab, index)
        sizes = np.linalg.norm([lit[..., 1:], lab[..., 1:]], axis=-1)
        np.testing.assert_allclose(sizes[0], sizes[1], rtol=1e-4)
        turns = np.angle((lit[..., 1] + 1j * lit[..., 2]) / (lab[..., 1] + 1j * lab[..., 2]))
        assert 0.1 < np.ptp(turns) <= lighting.TURNS_RAD[1] + 1e-3
        assert np.abs(np.diff(turns, axis=0)).max() < 0.5
        assert np.abs(np.diff(turns, axis=1)).max() < 0.5


def test_light_tint_draws_colors_together_and_spares_black_and_white(lab, monkeypatch):
    monkeypatch.setattr(lighting, "TURNED_SHARE", 0.0)
    for index in range(5):
        lit = light(lab, index)
        stripes = np.abs(np.diff(lit[..., 1:], axis=1)).mean()
        assert stripes < 0.8 * np.abs(np.diff(lab[..., 1:], axis=1)).mean()
        # At the first and the last row there is less of every colour, never more.
        ends, before = (np.linalg.norm(x[[0, -1], :, 1:], axis=-1) for x in (lit, lab))
        assert (ends <= before + 1e-3).all()
