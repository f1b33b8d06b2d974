import cv2
import numpy as np
import pytest

from training.corpus import outlines


def test_cut_halves_add_up():
    square = outlines.box([0.5, 0.5], [0.5, 0.5])
    halves = outlines.cut(square, 0.3, 0.7)
    area = sum(cv2.contourArea(half.astype(np.float32)) for half in halves)
    assert area == pytest.approx(1, rel=1e-5)


def test_capsule_is_a_bar_with_round_ends():
    outline = outlines.capsule([0.2, 0.5], [0.7, 0.5], 0.1).astype(np.float32)
    assert cv2.contourArea(outline) == pytest.approx(0.5 * 0.2 + np.pi * 0.1**2, rel=0.01)
    assert outline.min(axis=0) == pytest.approx([0.1, 0.4], abs=1e-3)
    assert outline.max(axis=0) == pytest.approx([0.8, 0.6], abs=1e-3)


def test_arc_is_a_share_of_a_ring():
    outline = outlines.arc([0.5, 0.5], 0.2, 0.4, 1.0, np.pi / 2).astype(np.float32)
    assert cv2.contourArea(outline) == pytest.approx(np.pi * (0.4**2 - 0.2**2) / 4, rel=0.01)


def test_shrink_keeps_the_centre():
    small = outlines.shrink(outlines.box([0.3, 0.6], [0.2, 0.1]), [0.3, 0.6], 0.5)
    np.testing.assert_allclose(small, outlines.box([0.3, 0.6], [0.1, 0.05]))
