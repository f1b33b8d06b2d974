import math

import numpy as np
import pytest

from training.corpus import coloring
from training.corpus.canvas import Canvas

PALETTE = np.array(
    [[0.9, 0.1, 0.2], [0.1, 0.3, 0.8], [1.0, 0.8, 0.1], [0.0, 0.6, 0.5], [0.5, 0.1, 0.6]],
    np.float32,
)


def test_cyclic_bands_close_without_a_seam():
    canvas = Canvas(96, 96)
    turns = np.arctan2(canvas.y - 0.5, canvas.x - 0.5) / np.float32(math.tau)
    flat = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rgb = coloring.paint_bands(
            rng, (turns + 0.1) % 1, np.array([0, 0.5, 1]), PALETTE, cyclic=True
        )
        colors, counts = np.unique(rgb.reshape(-1, 3), axis=0, return_counts=True)
        own = colors[counts > 1000]
        if len(own) == 2:  # bands without relief: every other pixel is a blend of the two
            flat += 1
            assert np.all(rgb >= own.min(axis=0) - 1e-3)
            assert np.all(rgb <= own.max(axis=0) + 1e-3)
            assert counts[counts < 1000].sum() < 3 * 96  # only along the two rays
    assert flat > 3


def test_random_edges_increase_from_low_to_high():
    for seed in range(10):
        edges = coloring.random_edges(np.random.default_rng(seed), 7, -1, 2)
        assert len(edges) == 8
        assert edges[[0, -1]] == pytest.approx([-1, 2])
        assert (np.diff(edges) > 0).all()


def test_wander_is_centred_with_unit_deviation():
    canvas = Canvas(64, 64)
    fields = [coloring.wander(np.random.default_rng(n), 6)(canvas.x, canvas.y) for n in range(30)]
    assert np.mean(fields) == pytest.approx(0, abs=0.1)
    assert np.std(fields) == pytest.approx(1, abs=0.1)


def test_cell_colors_are_in_range_and_follow_the_palette():
    centers = np.random.default_rng(0).random((50, 2))
    for seed in range(10):
        colors = coloring.cell_colors(np.random.default_rng(seed), PALETTE, centers)
        assert colors.shape == (50, 3)
        assert colors.dtype == np.float32
        assert colors.min() >= 0
        assert colors.max() <= 1
    grey = np.full((5, 3), 0.4, np.float32)
    colors = coloring.cell_colors(np.random.default_rng(0), grey, centers)
    np.testing.assert_allclose(np.ptp(colors, axis=-1), 0, atol=1e-6)
