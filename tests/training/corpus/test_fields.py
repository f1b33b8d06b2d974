import math

import numpy as np
import pytest

from training.corpus.fields import (
    Grid,
    footprint,
    lit,
    positive_share,
    slopes,
    smoothstep,
    turned,
    unit,
)


def test_grid_has_unit_area_about_the_middle():
    grid = Grid.of_size(40, 90)
    assert grid.x.shape == grid.y.shape == (40, 90)
    assert 40 * 90 * grid.pitch**2 == pytest.approx(1)
    assert np.diff(grid.x, axis=1) == pytest.approx(grid.pitch, rel=1e-3)
    assert grid.x.mean() == pytest.approx(0, abs=1e-6)
    assert (grid.across.min(), grid.across.max()) == pytest.approx((0.5 / 90, 1 - 0.5 / 90))


def test_turned_by_a_quarter_swaps_the_axes():
    along, across = turned(np.float32(2), np.float32(3), math.pi / 2)
    assert (along, across) == pytest.approx((3, -2), abs=1e-6)


def test_positive_share_antialiases_the_edge():
    grid = Grid.of_size(20, 20)
    share = positive_share(grid.x - 0.25 * grid.pitch)
    assert set(np.unique(share.round(2))) == {0, 0.75, 1}


def test_footprint_is_the_change_from_pixel_to_pixel():
    grid = Grid.of_size(20, 30)
    assert footprint(3 * grid.x + 4 * grid.y) == pytest.approx(5 * grid.pitch, rel=1e-3)


def test_slopes_of_a_plane_are_constant():
    grid = Grid.of_size(20, 30)
    right, down = slopes(3 * grid.x - 2 * grid.y, grid)
    assert right == pytest.approx(3, rel=1e-3)
    assert down == pytest.approx(-2, rel=1e-3)


def test_lit_is_brightest_where_the_surface_faces_the_light():
    steepness = np.linspace(-3, 3, 61, dtype=np.float32)[None]
    diffuse, specular = lit((steepness, 0 * steepness), 0.0, 40)
    assert diffuse[0, 30] == pytest.approx(0.714)
    assert steepness[0, diffuse.argmax()] == pytest.approx(-1, abs=0.1)
    assert -1 < steepness[0, specular.argmax()] < 0
    assert 0 <= specular.min() <= specular.max() <= 1


def test_smoothstep_rises_or_falls():
    field = np.array([-1, 0, 0.5, 1, 2], np.float32)
    assert smoothstep(0, 1, field) == pytest.approx([0, 0, 0.5, 1, 1])
    assert smoothstep(1, 0, field) == pytest.approx([1, 1, 0.5, 0, 0])


def test_unit_stretches_to_the_unit_range():
    assert unit(np.array([3, 4, 7], np.float32)) == pytest.approx([0, 0.25, 1], abs=1e-5)
