import numpy as np

from training.corpus.fields import Grid
from training.corpus.ramps import Ramp


def test_ramp_starts_and_ends_with_its_colours():
    ends = np.array([[0.2, 0, 0], [0.9, 0.1, 0]], np.float32)
    across = Grid.of_size(4, 400).across
    colors = Ramp(np.random.default_rng(0), ends)(across)
    np.testing.assert_allclose(colors[2, [0, -1]], ends, atol=1e-2)


def test_ramp_finer_than_pixels_gives_the_mean_colour():
    stripes = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    across = Grid.of_size(4, 100).across
    colors = Ramp(np.random.default_rng(0), stripes, sharpness=1)(across * 200)
    np.testing.assert_allclose(colors[..., 0], 0.5, atol=0.02)
