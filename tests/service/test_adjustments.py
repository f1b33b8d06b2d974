"""Adjustments follow their formulas, keep order, and leave alone what they are not asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import color as oracle

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.color import apply_chroma, rgb_to_lab, split_lightness

Planes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

RAMP = np.linspace(0, 100, 1001, dtype=np.float32)

amounts = st.floats(0, 2)


def adjust(adjustments: Adjustments, *lab: float) -> list[float]:
    """Adjust one colour."""
    lightness, *chroma = (np.float32(value) for value in lab)
    adjusted = adjustments.adjust_chroma(np.array(chroma)).tolist()
    return [float(adjustments.adjust_lightness(np.array([lightness]))[0]), *adjusted]


def picture() -> Planes:
    rng = np.random.default_rng(0)
    lightness = rng.uniform(0, 100, (40, 50)).astype(np.float32)
    a, b = rng.uniform(-90, 90, (2, 40, 50)).astype(np.float32)
    return lightness, a, b


def test_adjust_by_defaults_returns_what_it_was_given() -> None:
    lightness, a, b = picture()
    chroma = np.dstack((a, b))

    assert NO_ADJUSTMENTS.adjust_lightness(lightness) is lightness
    assert NO_ADJUSTMENTS.adjust_chroma(chroma) is chroma


@pytest.mark.parametrize(
    ("adjustments", "keeps"),
    [
        (Adjustments(saturation=2, tone=1), True),
        (Adjustments(brightness=1.1), False),
        (Adjustments(contrast=0.9), False),
    ],
)
def test_keeps_lightness_tells_whether_it_does(adjustments: Adjustments, keeps: bool) -> None:
    adjusted = adjustments.adjust_lightness(RAMP)

    assert adjustments.keeps_lightness is keeps
    assert np.array_equal(adjusted, RAMP) is keeps


@pytest.mark.parametrize(
    ("adjustments", "expected"),
    [
        (Adjustments(saturation=0), [30, 0, 0]),
        (Adjustments(saturation=2), [30, 40, -80]),
        (Adjustments(tone=1), [30, 28, -16]),
        (Adjustments(tone=-0.5), [30, 16, -52]),
        (Adjustments(saturation=0.5, tone=1), [30, 18, 4]),
        # With g = 4, then with g = 1/4.
        (Adjustments(brightness=2), [63.1579, 20, -40]),
        (Adjustments(brightness=0), [9.6774, 20, -40]),
        (Adjustments(contrast=0), [50, 20, -40]),
        (Adjustments(contrast=0.5), [40, 20, -40]),
        # From x = -0.4.
        (Adjustments(contrast=2), [21.4286, 20, -40]),
        # Brightened to 63.1579 first.
        (Adjustments(brightness=2, contrast=2), [70.8333, 20, -40]),
    ],
)
def test_adjust_follows_the_formula(adjustments: Adjustments, expected: list[float]) -> None:
    assert adjust(adjustments, 30, 20, -40) == pytest.approx(expected, abs=1e-3)


@given(brightness=amounts, contrast=amounts)
def test_adjust_lightness_keeps_order_and_range(brightness: float, contrast: float) -> None:
    adjusted = Adjustments(brightness=brightness, contrast=contrast).adjust_lightness(RAMP)

    assert adjusted.dtype == np.float32
    assert (np.diff(adjusted) >= -1e-5).all()
    assert -1e-4 <= adjusted.min() <= adjusted.max() <= 100 + 1e-4


@given(brightness=amounts, contrast=st.floats(1, 2))
def test_adjust_lightness_loses_no_step_of_a_grey_picture(
    brightness: float, contrast: float
) -> None:
    greys = split_lightness(np.arange(256, dtype=np.uint8)[None])

    adjusted = Adjustments(brightness=brightness, contrast=contrast).adjust_lightness(greys)

    assert len(np.unique(adjusted)) == 256
    assert adjusted[0, [0, -1]].tolist() == pytest.approx([0, 100], abs=1e-3)


@given(st.floats(1, 99), amounts, amounts)
def test_adjust_lightness_rises_with_brightness(lightness: float, one: float, other: float) -> None:
    low, high = sorted((one, other))

    darker, brighter = (
        adjust(Adjustments(brightness=value), lightness, 0, 0)[0] for value in (low, high)
    )

    assert darker <= brighter + 1e-4


@given(st.floats(0, 100), amounts, amounts)
def test_adjust_lightness_leaves_the_middle_with_contrast(
    lightness: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))

    flat, strong = (
        adjust(Adjustments(contrast=value), lightness, 0, 0)[0] - 50 for value in (low, high)
    )

    assert abs(flat) <= abs(strong) + 1e-4
    assert flat * strong >= 0


def test_brightness_is_undone_by_its_mirror() -> None:
    brighter = Adjustments(brightness=1.6).adjust_lightness(RAMP)

    np.testing.assert_allclose(
        Adjustments(brightness=0.4).adjust_lightness(brighter), RAMP, atol=1e-4
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("saturation", 2.1, r"`saturation` must be in 0\.\.2\. Received: 2\.1"),
        ("brightness", -0.1, r"`brightness` must be in 0\.\.2\. Received: -0\.1"),
        ("contrast", float("nan"), r"`contrast` must be in 0\.\.2\. Received: nan"),
        ("tone", -1.5, r"`tone` must be in -1\.\.1\. Received: -1\.5"),
    ],
)
def test_adjustments_out_of_range_say_which(field: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adjustments(**{field: value})


# In a picture


def test_apply_chroma_with_default_adjustments_is_the_same_picture() -> None:
    lightness, a, b = picture()
    chroma = np.dstack((a, b))[:20, :25]

    adjusted = apply_chroma(lightness, chroma, Adjustments(1.0, 1.0, 1.0, 0.0))

    np.testing.assert_array_equal(adjusted, apply_chroma(lightness, chroma))


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_apply_chroma_adjusts_each_pixel_and_not_its_input(bit_depth: int) -> None:
    lightness = np.tile(np.linspace(30, 70, 64, dtype=np.float32), (48, 1))
    chroma = np.full((12, 16, 2), (10, -20), np.float32)
    adjustments = Adjustments(saturation=1.5, brightness=1.2, contrast=0.8, tone=0.5)

    rgb = apply_chroma(lightness, chroma, adjustments, bit_depth=bit_depth)

    np.testing.assert_array_equal(lightness[0], np.linspace(30, 70, 64, dtype=np.float32))
    np.testing.assert_array_equal(chroma, np.full((12, 16, 2), (10, -20)))
    lab = oracle.rgb2lab(rgb / np.iinfo(rgb.dtype).max)
    np.testing.assert_allclose(lab[..., 0], adjustments.adjust_lightness(lightness), atol=0.5)
    np.testing.assert_allclose(lab[..., 1:], np.broadcast_to((19, -18), (48, 64, 2)), atol=1)


@given(saturation=amounts, brightness=amounts, contrast=amounts, tone=st.floats(-1, 1))
def test_apply_chroma_adjusted_beyond_srgb_keeps_lightness(
    saturation: float, brightness: float, contrast: float, tone: float
) -> None:
    lightness, a, b = picture()
    adjustments = Adjustments(saturation, brightness, contrast, tone)

    rgb = apply_chroma(lightness, np.dstack((a, b)), adjustments)

    error = np.abs(rgb_to_lab(rgb)[..., 0] - adjustments.adjust_lightness(lightness))
    # Half the distance of two greys, 0.2, and the rounding of codes.
    assert error.max() <= 0.9
