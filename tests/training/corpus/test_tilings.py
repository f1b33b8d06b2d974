import numpy as np

from training.corpus import tilings
from training.corpus.canvas import Canvas


def test_triangles_cover_the_unit_square():
    points = tilings.hexagonal_grid(0.2)
    triangles = tilings.triangulate(points)
    canvas = Canvas(50, 50)
    canvas.fill_polygons(triangles, np.ones((len(triangles), 3)))
    assert canvas.rgb.min() > 0.99


def test_voronoi_cells_hold_their_points_and_no_other():
    cells, centers = tilings.voronoi_cells(tilings.scatter(np.random.default_rng(0), 6))
    inner = np.flatnonzero((np.abs(centers - 0.5) < 0.4).all(axis=1))
    for index in inner:
        for vertex in cells[index]:
            distances = np.linalg.norm(centers - vertex, axis=1)
            assert distances[index] <= distances.min() + 1e-4


def test_split_boxes_fill_the_unit_square():
    for parts, count in ((2, 9), (4, 25)):
        low, high = tilings.split_boxes(np.random.default_rng(0), 8, parts)
        assert len(low) == count
        assert (high > low).all()
        np.testing.assert_allclose((high - low).prod(axis=1).sum(), 1)


def test_lattice_cells_lie_about_their_centers():
    canvas = Canvas(30, 50)
    tiles = tilings.Lattice(canvas, 5, rotation=0.3)
    assert np.abs(tiles.u).max() <= 0.5
    assert np.abs(tiles.v).max() <= 0.5
    across, down = tiles.centers[tiles.cell].transpose(2, 0, 1)
    distance = np.hypot(canvas.x - across, canvas.y - down)
    np.testing.assert_allclose(distance, np.hypot(tiles.u, tiles.v) * tiles.pitch, atol=1e-5)
