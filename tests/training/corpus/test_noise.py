import numpy as np

from training.corpus.fields import Grid
from training.corpus.noise import TILE_PERIOD, advect, cells, flow, noise, streak


def test_noise_is_centred_and_repeats_from_seed():
    grid = Grid.of_size(64, 96)
    fields = [noise(np.random.default_rng(0), 1, 8)(grid.x, grid.y) for _ in range(2)]
    np.testing.assert_array_equal(*fields)
    assert abs(fields[0].mean()) < 1
    assert 0.3 < fields[0].std() < 2


def test_noise_repeats_after_its_period():
    field = noise(np.random.default_rng(0), 1, 8)
    x, y = np.meshgrid(*np.random.default_rng(1).uniform(-1, 1, (2, 20)).astype(np.float32))
    np.testing.assert_allclose(field(x, y), field(x + TILE_PERIOD, y - TILE_PERIOD), atol=1e-2)


def test_flow_neither_piles_up_nor_thins_out():
    grid = Grid.of_size(256, 256)
    velocity = flow(np.random.default_rng(0), 0.5, 2)(grid.x, grid.y)
    stretch_x = np.gradient(velocity[..., 0], grid.pitch, axis=1)
    stretch_y = np.gradient(velocity[..., 1], grid.pitch, axis=0)
    divergence = (stretch_x + stretch_y)[1:-1, 1:-1]
    assert np.abs(divergence).mean() < 0.05 * np.abs(stretch_x).mean()


def test_advect_without_distance_stays():
    grid = Grid.of_size(8, 8)
    moved = advect(grid.x, grid.y, flow(np.random.default_rng(0), 0.5, 2), 0.0, steps=2)
    np.testing.assert_array_equal(moved, (grid.x, grid.y))


def test_cells_are_flat_inside_and_ordered_by_distance():
    grid = Grid.of_size(64, 64)
    nearest, second, share = cells(np.random.default_rng(0), grid.x, grid.y, 4)
    assert (nearest <= second).all()
    assert nearest.min() < 0.2
    assert 10 < len(np.unique(share)) < 40  # 4 x 4 whole cells and some of the rim


def test_streak_smooths_along_the_flow_only():
    field = np.random.default_rng(0).random((64, 64), np.float32)
    rightwards = np.zeros((64, 64, 2), np.float32)
    rightwards[..., 0] = 1
    smeared = streak(field, rightwards, 16, 4)
    inner = smeared[:, 16:-16]
    assert np.abs(np.diff(inner, axis=1)).mean() < 0.3 * np.abs(np.diff(inner, axis=0)).mean()
