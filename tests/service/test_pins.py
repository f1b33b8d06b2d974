"""Hints hold at their points, to the code, and nothing else changes that should not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.color import apply_chroma, merge_chroma, rgb_to_lab, split_lightness
from service.pins import REACH, pin_hints

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*-grey.jpg"))
GREY = np.full((100, 200), 60, np.float32)
REACH_PIXELS = round(REACH * 200)


def paint(
    lightness: NDArray[np.float32], chroma: tuple[float, float], bit_depth: int = 8
) -> NDArray[np.uint8]:
    planes = np.full((*lightness.shape, 2), chroma, np.float32)
    return np.asarray(merge_chroma(lightness, planes, bit_depth=bit_depth))


def hint(x: float, y: float, a: float, b: float, weight: float = 1) -> list[float]:
    return [x, y, a, b, weight]


def pin(
    rgb: NDArray[np.uint8],
    lightness: NDArray[np.float32],
    *hints: list[float],
    adjustments: Adjustments = NO_ADJUSTMENTS,
) -> NDArray[np.uint8]:
    pinned = rgb.copy()
    pin_hints(pinned, lightness, np.array(hints, np.float32), adjustments)
    return pinned


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize(
    ("x", "y", "row", "column"),
    [(0.5, 0.5, 50, 100), (0, 0, 0, 0), (1, 1, 99, 199), (0.999, 0.001, 0, 199)],
)
def test_pin_gives_the_point_its_colour(
    x: float, y: float, row: int, column: int, bit_depth: int
) -> None:
    rgb = paint(GREY, (0, 0), bit_depth)

    pinned = pin(rgb, GREY, hint(x, y, 30, -20))

    assert pinned.dtype == rgb.dtype
    np.testing.assert_array_equal(pinned[row, column], paint(GREY, (30, -20), bit_depth)[0, 0])
    changed = np.argwhere((pinned != rgb).any(axis=-1)) - (row, column)
    assert np.hypot(*changed.T).max() < REACH_PIXELS + 1


def test_pin_fades_with_distance() -> None:
    pinned = pin(paint(GREY, (0, 0)), GREY, hint(0.5, 0.5, 30, -20))

    a = rgb_to_lab(pinned)[50, 100:, 1]
    assert (np.diff(a[: REACH_PIXELS + 1]) < 0.7).all()
    assert a[0] > a[2] > a[4] > 0.5


def test_pin_stops_at_edge() -> None:
    lightness = GREY.copy()
    lightness[:, 101:] = 30
    rgb = paint(lightness, (0, 0))

    pinned = pin(rgb, lightness, hint(0.5, 0.5, 30, -20))

    np.testing.assert_array_equal(pinned[:, 101:], rgb[:, 101:])
    assert (pinned[50, 97:101] != rgb[50, 97:101]).any(axis=-1).all()


def test_pin_that_is_met_changes_nothing() -> None:
    lightness = np.random.default_rng(0).uniform(40, 70, (100, 200)).astype(np.float32)
    rgb = paint(lightness, (20, 10))

    np.testing.assert_array_equal(pin(rgb, lightness, hint(0.3, 0.3, 20, 10)), rgb)


def test_pin_of_no_weight_does_not_count() -> None:
    rgb = paint(GREY, (0, 0))

    np.testing.assert_array_equal(pin(rgb, GREY, hint(0.5, 0.5, 30, -20, weight=0)), rgb)


def test_pins_near_each_other_are_both_met() -> None:
    red, blue = hint(0.5, 0.5, 40, 20), hint(0.51, 0.5, 5, -40)

    pinned = pin(paint(GREY, (0, 0)), GREY, red, blue)

    np.testing.assert_array_equal(pinned[50, 100], paint(GREY, (40, 20))[0, 0])
    np.testing.assert_array_equal(pinned[50, 102], paint(GREY, (5, -40))[0, 0])
    between = rgb_to_lab(pinned)[50, 101, 1:]
    np.testing.assert_allclose(between, (22.5, -10), atol=2)


def test_pins_at_one_pixel_are_averaged() -> None:
    pinned = pin(paint(GREY, (0, 0)), GREY, hint(0.5, 0.5, 40, 20), hint(0.5001, 0.5, 10, -20))

    np.testing.assert_allclose(rgb_to_lab(pinned)[50, 100, 1:], (25, 0), atol=1)


def test_pin_beside_one_that_is_met_leaves_it() -> None:
    pinned = pin(paint(GREY, (10, 10)), GREY, hint(0.5, 0.5, 10, 10), hint(0.515, 0.5, 40, -20))

    np.testing.assert_array_equal(pinned[50, 100], paint(GREY, (10, 10))[0, 0])
    np.testing.assert_array_equal(pinned[50, 103], paint(GREY, (40, -20))[0, 0])


def test_pin_beyond_srgb_takes_what_there_is_at_its_lightness() -> None:
    pinned = pin(paint(GREY, (0, 0)), GREY, hint(0.5, 0.5, -120, 100))

    np.testing.assert_array_equal(pinned[50, 100], paint(GREY, (-120, 100))[0, 0])
    assert np.abs(rgb_to_lab(pinned)[..., 0] - 60).max() < 0.7


def test_pin_is_adjusted_as_the_picture_is() -> None:
    adjustments = Adjustments(saturation=0.5, brightness=1.5, tone=0.5)
    chroma = np.zeros((10, 20, 2), np.float32)
    rgb = apply_chroma(GREY, chroma, adjustments)

    pinned = pin(rgb, GREY, hint(0.5, 0.5, 40, -20), adjustments=adjustments)

    expected = paint(adjustments.adjust_lightness(GREY), (40 * 0.5 + 4, -20 * 0.5 + 12))
    np.testing.assert_array_equal(pinned[50, 100], expected[0, 0])
    np.testing.assert_array_equal(pinned[0, 0], rgb[0, 0])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_pins_of_any_size(size: tuple[int, int]) -> None:
    lightness = np.full(size, 60, np.float32)

    pinned = pin(paint(lightness, (0, 0)), lightness, hint(0, 0, 30, -20), hint(1, 1, 30, -20))

    expected = paint(lightness, (30, -20))
    np.testing.assert_array_equal(pinned[-1, -1], expected[-1, -1])
    np.testing.assert_array_equal(pinned[0, 0], expected[0, 0])


points = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(-60, 60), st.floats(-60, 60))


@given(st.lists(points, min_size=1, max_size=12))
def test_pins_never_correct_by_more_than_one_needs(
    hints: list[tuple[float, float, float, float]],
) -> None:
    pinned = pin(paint(GREY, (0, 0)), GREY, *(hint(*each) for each in hints))

    a, b = rgb_to_lab(pinned)[..., 1:].transpose(2, 0, 1)
    for plane, wanted in ((a, [each[2] for each in hints]), (b, [each[3] for each in hints])):
        # What sRGB cannot show has less chroma; rounding to codes moves by one.
        assert plane.max() <= max(0, *wanted) + 1.5
        assert plane.min() >= min(0, *wanted) - 1.5


@pytest.mark.parametrize("path", SAMPLES[::3], ids=lambda path: path.stem)
def test_pins_on_samples_are_met_within_what_can_be_seen(path: Path) -> None:
    """Where the chroma of a model is enlarged, points on edges and lines are missed."""
    with Image.open(path) as image:
        lightness = split_lightness(np.asarray(image))
    rng = np.random.default_rng(0)
    small = rng.uniform(-50, 50, (16, 16, 2)).astype(np.float32).repeat(4, 0).repeat(4, 1)
    rgb = apply_chroma(lightness, small)
    hints = [hint(*rng.uniform(0, 1, 2), *rng.uniform(-60, 60, 2)) for _ in range(20)]

    pinned = pin(rgb, lightness, *hints)

    height, width = lightness.shape
    rows = [int(each[1] * height) for each in hints]
    columns = [int(each[0] * width) for each in hints]
    chroma = np.array([[each[2:4] for each in hints]], np.float32)
    wanted = merge_chroma(lightness[rows, columns][None], chroma)[0]
    before, after = (
        deltaE_ciede2000(rgb_to_lab(picture[rows, columns]), rgb_to_lab(wanted))
        for picture in (rgb, pinned)
    )
    assert before.max() > 5
    assert after.max() < 1
    error = np.abs(rgb_to_lab(pinned)[..., 0] - lightness)
    assert error.max() < 1
