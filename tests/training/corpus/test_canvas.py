import numpy as np
import pytest

from training.corpus import outlines
from training.corpus.canvas import Canvas, Gradient


def test_polygon_edge_is_antialiased():
    canvas = Canvas(20, 20)
    canvas.fill_polygon(
        outlines.rectangles(np.array([[0.0, 0.0]]), np.array([[0.525, 1]]))[0], (1, 1, 1)
    )
    row = canvas.rgb[10, :, 0]
    assert row[9] == 1  # the edge is in the middle of pixel 10
    assert row[10] == pytest.approx(0.5, abs=0.26)
    assert row[11] == 0


def test_polygon_covers_its_area():
    canvas = Canvas(64, 48)
    canvas.fill_polygon(outlines.circle([0.5, 0.5], 0.3), (1, 1, 1))
    assert canvas.rgb[..., 0].mean() * 48 / 64 == pytest.approx(np.pi * 0.3**2, rel=0.02)


def test_coverage_agrees_with_polygon():
    polygons, distances = Canvas(64, 64), Canvas(64, 64)
    polygons.fill_polygon(outlines.circle([0.4, 0.6], 0.3), (1, 1, 1))
    distance = np.hypot(distances.x - 0.4, distances.y - 0.6) - 0.3
    distances.fill(distances.coverage(distance), (1, 1, 1))
    assert np.abs(polygons.rgb - distances.rgb).max() < 0.25
    assert np.abs(polygons.rgb - distances.rgb).mean() < 0.005


def test_neighbours_in_a_layer_meet_without_seam():
    canvas = Canvas(40, 40, background=(0, 0, 0))
    low = np.array([[0, 0], [0.33, 0]])
    halves = outlines.rectangles(low, np.array([[0.33, 1], [1, 1]]))
    canvas.fill_polygons(halves, np.ones((2, 3)))
    assert canvas.rgb.min() > 0.99


def test_shadow_darkens_below_right_of_the_shape():
    canvas = Canvas(100, 100, background=(1, 1, 1))
    canvas.fill_polygon(outlines.box([0.5, 0.5], [0.2, 0.2]), (1, 0, 0), shadow=0.03)
    assert canvas.rgb[71, 50].max() < 0.9
    assert canvas.rgb[71, 50].max() < canvas.rgb[28, 50].min()
    assert canvas.rgb[5, 5].min() == 1


def test_polygon_outside_the_picture_changes_nothing():
    canvas = Canvas(30, 60, background=(0.5, 0.5, 0.5))
    canvas.fill_polygon(outlines.circle([0.5, 3], 0.2), (1, 0, 0), shadow=0.01)
    assert np.all(canvas.rgb == 0.5)


def test_gradient_runs_from_start_to_end():
    canvas = Canvas(32, 32, Gradient((1, 0, 0), (0, 0, 1), [0, 0], [1, 0]))
    assert canvas.rgb[0, 0] == pytest.approx([1, 0, 0], abs=0.02)
    assert canvas.rgb[-1, -1] == pytest.approx([0, 0, 1], abs=0.02)
