"""Colour science is held against published tables, scikit-image and its own promises."""

from __future__ import annotations

import re
import tracemalloc
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import color as oracle

from service import bands, gamut, lookup
from service.adjustments import Adjustments
from service.color import (
    apply_chroma,
    merge_chroma,
    resize_plane,
    rgb_to_lab,
    split_lightness,
    upsample_chroma,
    warm_up,
)
from service.gamut import YELLOW_BULGE_LIGHTNESS
from service.upsampling import Guide

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

PUBLISHED_SRGB_LAB = {
    # B. Lindbloom, "CIE Color Calculator": RGB model sRGB, reference white D65, no adaptation.
    (0, 0, 0): (0, 0, 0),
    (255, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 255, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 255): (32.2970, 79.1875, -107.8602),
    (0, 255, 255): (91.1132, -48.0875, -14.1312),
    (255, 0, 255): (60.3242, 98.2343, -60.8249),
    (255, 255, 0): (97.1393, -21.5537, 94.4780),
    (255, 255, 255): (100, 0, 0),
    (128, 128, 128): (53.5850, 0, 0),
}

COLORCHECKER = {
    # Manufacturer's L*a*b* (D50), and the 8-bit sRGB that D. Pascale computed from it:
    # "RGB coordinates of the Macbeth ColorChecker", BabelColor, 2006, table 3.
    # The patch "cyan" is outside sRGB and therefore not in this list.
    "dark skin": ((116, 81, 67), (37.986, 13.555, 14.059)),
    "light skin": ((199, 147, 129), (65.711, 18.130, 17.810)),
    "blue sky": ((91, 122, 156), (49.927, -4.880, -21.925)),
    "foliage": ((90, 108, 64), (43.139, -13.095, 21.905)),
    "blue flower": ((130, 128, 176), (55.112, 8.844, -25.399)),
    "bluish green": ((92, 190, 172), (70.719, -33.397, -0.199)),
    "orange": ((224, 124, 47), (62.661, 36.067, 57.096)),
    "purplish blue": ((68, 91, 170), (40.020, 10.410, -45.964)),
    "moderate red": ((198, 82, 97), (51.124, 48.239, 16.248)),
    "purple": ((94, 58, 106), (30.325, 22.976, -21.587)),
    "yellow green": ((159, 189, 63), (72.532, -23.709, 57.255)),
    "orange yellow": ((230, 162, 39), (71.941, 19.363, 67.857)),
    "blue": ((35, 63, 147), (28.778, 14.179, -50.297)),
    "green": ((67, 149, 74), (55.261, -38.342, 31.370)),
    "red": ((180, 49, 57), (42.101, 53.378, 28.190)),
    "yellow": ((238, 198, 20), (81.733, 4.039, 79.819)),
    "magenta": ((193, 84, 151), (51.935, 49.986, -14.574)),
    "white": ((245, 245, 243), (96.539, -0.425, 1.186)),
    "neutral 8": ((200, 202, 202), (81.257, -0.638, -0.335)),
    "neutral 6.5": ((161, 163, 163), (66.766, -0.734, -0.504)),
    "neutral 5": ((121, 121, 122), (50.867, -0.153, -0.270)),
    "neutral 3.5": ((82, 84, 86), (35.656, -0.421, -1.231)),
    "black": ((49, 49, 51), (20.461, -0.079, -0.973)),
}

BRADFORD_D65_TO_D50 = np.array(
    [
        # B. Lindbloom, "Chromatic Adaptation", Bradford method.
        [1.0478112, 0.0228866, -0.0501270],
        [0.0295424, 0.9904844, -0.0170491],
        [-0.0092345, 0.0150436, 0.7521316],
    ]
)

GREYS = np.arange(256, dtype=np.uint8)[None]
LEVELS = np.linspace(0, 255, 52).round().astype(np.uint8)
CUBE = np.array([list(product(LEVELS, repeat=3))], np.uint8)
"""A grid over all of sRGB, 5 codes apart, shape (1, 52^3, 3)."""

# Examples are the same in each run: a failure is about the change at hand.
examples = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
lightnesses = st.floats(0, 100, width=32)
chroma_values = st.floats(-128, 127, width=32)


def merge_lab(lab: Array) -> Pixels:
    return merge_chroma(np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:]))


def random_plane(rng: np.random.Generator, shape: tuple[int, int], low: float = 0) -> Array:
    return rng.uniform(low, 100, shape).astype(np.float32)


def random_chroma(rng: np.random.Generator, shape: tuple[int, int], saturation: float = 1) -> Array:
    return (rng.uniform(-128, 127, (*shape, 2)) * saturation).astype(np.float32)


def constant_chroma(shape: tuple[int, int], a: float, b: float) -> Array:
    return np.full((*shape, 2), (a, b), np.float32)


# RGB -> L*a*b*


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED_SRGB_LAB.items())
def test_rgb_to_lab_gives_published_values(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert rgb_to_lab(np.array(rgb, np.uint8)) == pytest.approx(lab, abs=5e-4)


@pytest.mark.parametrize(("rgb", "lab_d50"), COLORCHECKER.values(), ids=list(COLORCHECKER))
def test_rgb_to_lab_gives_colorchecker_patches(
    rgb: tuple[int, ...], lab_d50: tuple[float, ...]
) -> None:
    lab = rgb_to_lab(np.array([[rgb]], np.uint8)).astype(float)
    adapted = oracle.xyz2lab(oracle.lab2xyz(lab) @ BRADFORD_D65_TO_D50.T, "D50")[0, 0]

    # The table is rounded to 8 bits: half a code in each channel is up to 0.6.
    assert np.linalg.norm(adapted - lab_d50) < 0.6


def test_rgb_to_lab_agrees_with_scikit_image() -> None:
    # scikit-image has a white point of five digits and a matrix of six.
    np.testing.assert_allclose(rgb_to_lab(CUBE), oracle.rgb2lab(CUBE), atol=0.01)


def test_rgb_to_lab_gives_greys_no_chroma() -> None:
    lab = rgb_to_lab(np.stack([GREYS] * 3, axis=-1))

    assert np.abs(lab[..., 1:]).max() < 1e-4


# Lightness


def test_split_lightness_agrees_with_scikit_image() -> None:
    lightness = split_lightness(CUBE)

    assert lightness.dtype == np.float32
    np.testing.assert_allclose(lightness, oracle.rgb2lab(CUBE)[..., 0], atol=0.002)


def test_split_lightness_of_grey_equals_that_of_colour() -> None:
    as_colour = np.stack([GREYS] * 3, axis=-1)

    lightness = split_lightness(GREYS)

    assert lightness.dtype == np.float32
    assert lightness.shape == GREYS.shape
    assert (lightness[0, 0], lightness[0, -1]) == pytest.approx((0, 100), abs=1e-4)
    assert (np.diff(lightness) > 0).all()
    np.testing.assert_allclose(lightness, split_lightness(as_colour), atol=1e-4)
    np.testing.assert_allclose(lightness, rgb_to_lab(as_colour)[..., 0], atol=1e-4)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 3), np.float32),
        np.zeros((2, 3, 3), np.uint32),
        np.zeros((2, 3, 1), np.uint8),
        np.zeros((2, 3, 4), np.uint8),
        np.zeros((3,), np.uint8),
        np.zeros((2, 3, 3, 3), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype}{pixels.shape}",
)
def test_split_lightness_refuses_other_arrays(pixels: NDArray[np.generic]) -> None:
    received = re.escape(f"Received: {pixels.dtype} of shape {pixels.shape}")

    with pytest.raises(ValueError, match=received):
        split_lightness(pixels)  # type: ignore[arg-type]


# L*a*b* -> RGB: colours that sRGB can show


def test_merge_chroma_returns_whole_rgb_cube() -> None:
    difference = np.abs(merge_lab(rgb_to_lab(CUBE)).astype(int) - CUBE)

    assert difference.max() <= 1


@pytest.mark.parametrize("channel", [0, 1, 2], ids=["red", "green", "blue"])
@pytest.mark.parametrize("limit", [0, 255])
def test_merge_chroma_returns_faces_of_rgb_cube(channel: int, limit: int) -> None:
    # The surface of the gamut, edges included: here rounding alone may throw a colour out.
    rows, columns = np.mgrid[0:256, 0:256].astype(np.uint8)
    face = np.insert(np.dstack((rows, columns)), channel, limit, axis=2)

    difference = np.abs(merge_lab(rgb_to_lab(face)).astype(int) - face)

    assert difference.max() <= 1


def test_merge_chroma_agrees_with_scikit_image_inside_gamut() -> None:
    rng = np.random.default_rng(1)
    linear_inside = rng.uniform(0.02, 0.98, (1, 20_000, 3))
    lab = oracle.rgb2lab(linear_inside).astype(np.float32)

    expected = oracle.lab2rgb(lab) * 255

    # Half a code is rounding; the rest is the digits of scikit-image's matrix.
    np.testing.assert_allclose(merge_lab(lab), expected, atol=0.55)


def test_merge_chroma_leaves_greys_grey() -> None:
    no_chroma = constant_chroma(GREYS.shape, 0, 0)

    rgb = merge_chroma(split_lightness(GREYS), no_chroma)

    np.testing.assert_array_equal(rgb, np.stack([GREYS] * 3, axis=-1))


@given(lightness=lightnesses)
@settings(examples, max_examples=100)
def test_merge_chroma_without_chroma_gives_grey_at_any_lightness(lightness: float) -> None:
    plane = np.full((1, 1), lightness, np.float32)

    red, green, blue = merge_chroma(plane, constant_chroma((1, 1), 0, 0))[0, 0]

    assert red == green == blue


# L*a*b* -> RGB: colours that sRGB cannot show


@given(seed=seeds, saturation=st.floats(0, 1), lowest=st.sampled_from([0, 90, 97]))
@examples
def test_merge_chroma_keeps_lightness(seed: int, saturation: float, lowest: float) -> None:
    rng = np.random.default_rng(seed)
    lightness = random_plane(rng, (64, 64), lowest)

    rgb = merge_chroma(lightness, random_chroma(rng, (64, 64), saturation))

    error = np.abs(oracle.rgb2lab(rgb)[..., 0] - lightness)
    assert error.mean() <= 0.3
    assert np.quantile(error, 0.999) <= 1.0


@given(lightness=lightnesses, a=chroma_values, b=chroma_values)
@settings(examples, max_examples=300)
def test_merge_chroma_keeps_lightness_of_each_pixel(lightness: float, a: float, b: float) -> None:
    plane = np.full((1, 1), lightness, np.float32)

    rgb = merge_chroma(plane, constant_chroma((1, 1), a, b))

    # Rounding three channels to 8 bits is up to 0.45; clipped yellows add up to 0.25.
    assert oracle.rgb2lab(rgb)[0, 0, 0] == pytest.approx(lightness, abs=0.7)


@given(seed=seeds, saturation=st.floats(0, 1))
@examples
def test_merge_chroma_keeps_hue_and_never_adds_chroma(seed: int, saturation: float) -> None:
    rng = np.random.default_rng(seed)
    lightness = random_plane(rng, (64, 64))
    requested = random_chroma(rng, (64, 64), saturation) @ np.array([1, 1j])

    lab = oracle.rgb2lab(merge_chroma(lightness, np.dstack((requested.real, requested.imag))))

    # Turned so that the requested hue lies on the real axis.
    turned = (lab[..., 1] + 1j * lab[..., 2]) * np.exp(-1j * np.angle(requested))
    assert (np.abs(turned) <= np.abs(requested) + 1).all()
    # 8-bit rounding moves a colour by up to 0.9 across its hue; clipped yellows by up to 1.7.
    bulging = lightness > YELLOW_BULGE_LIGHTNESS
    assert np.abs(turned.imag[~bulging]).max() <= 1
    assert np.abs(turned.imag).max() <= 2
    assert turned.real.min() > -1
    strong = np.abs(turned) > 40
    assert np.abs(np.angle(turned[strong], deg=True)).max(initial=0) <= 3


def test_merge_chroma_reduces_chroma_no_further_than_to_gamut() -> None:
    rng = np.random.default_rng(2)
    lightness = random_plane(rng, (200, 200))
    chroma = random_chroma(rng, (200, 200))

    rgb = merge_chroma(lightness, chroma)

    lab = oracle.rgb2lab(rgb)
    reduced = np.hypot(*chroma.T).T - np.hypot(lab[..., 1], lab[..., 2]) > 3
    assert reduced.mean() > 0.5
    # On the surface of the gamut one channel is all the way down or up.
    to_surface = np.minimum(rgb.min(axis=-1), 255 - rgb.max(axis=-1))
    assert to_surface[reduced].max() <= 1


@pytest.mark.parametrize("lightness", [90.5, 93, 95, 97])
def test_merge_chroma_keeps_light_yellows_saturated(lightness: float) -> None:
    # Of sRGB's own yellow, not of grey: the gamut is hollow between the two.
    yellow = rgb_to_lab(np.array([255, 255, 0], np.uint8))[1:] * 0.95
    plane = np.full((1, 1), lightness, np.float32)

    lab = rgb_to_lab(merge_chroma(plane, yellow[None, None]))[0, 0]

    assert np.hypot(*lab[1:]) > 0.5 * np.hypot(*yellow)


@pytest.mark.parametrize(("lightness", "grey"), [(0, 0), (100, 255)])
def test_merge_chroma_at_ends_of_lightness_stays_within_rounding(
    lightness: float, grey: int
) -> None:
    hues = np.linspace(0, 2 * np.pi, 360, dtype=np.float32)
    chroma = 120 * np.dstack((np.cos(hues), np.sin(hues)))

    rgb = merge_chroma(np.full((1, 360), lightness, np.float32), chroma)

    assert np.abs(oracle.rgb2lab(rgb)[..., 0] - lightness).max() <= 0.7
    assert np.abs(rgb[..., 1].astype(int) - grey).max() <= 2


# Shapes


def test_merge_chroma_in_strips_equals_pieces() -> None:
    rng = np.random.default_rng(3)
    shape = (3, bands.BAND_PIXELS // 2 + 77)
    lightness = random_plane(rng, shape)
    chroma = random_chroma(rng, shape)

    rgb = merge_chroma(lightness, chroma)

    pieces = [
        merge_chroma(lightness[:, part], chroma[:, part])
        for part in (slice(0, 1000), slice(1000, 31_000), slice(31_000, None))
    ]
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, np.concatenate(pieces, axis=1))


def test_merge_chroma_leaves_its_input_alone() -> None:
    lightness = np.full((4, 4), 60, np.float32)
    chroma = constant_chroma((4, 4), 120, 120)

    merge_chroma(lightness, chroma)

    assert (lightness == 60).all()
    assert (chroma == 120).all()


@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 3), (2, 3, 3), (2, 2, 2)])
def test_merge_chroma_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    received = re.escape(f"Received: lightness (2, 3), chroma {shape}")

    with pytest.raises(ValueError, match=received):
        merge_chroma(np.zeros((2, 3), np.float32), np.zeros(shape, np.float32))


# Chroma at full size


@pytest.mark.parametrize(
    ("small", "full"),
    [
        ((1, 1), (1, 1)),
        ((1, 1), (7, 5)),
        ((1, 64), (1, 2000)),
        ((64, 1), (2000, 1)),
        ((33, 17), (131, 67)),
        ((2, 64), (31, 999)),
        ((6, 4), (6, 4)),
        # A tiny picture is enlarged for the network: chroma is then the larger one.
        ((16, 16), (1, 1)),
        ((16, 11), (3, 2)),
    ],
    ids=str,
)
def test_upsample_chroma_keeps_constant(small: tuple[int, int], full: tuple[int, int]) -> None:
    lightness = random_plane(np.random.default_rng(4), full)

    chroma = upsample_chroma(constant_chroma(small, 40, -30), lightness)

    assert chroma.dtype == np.float32
    np.testing.assert_allclose(chroma, constant_chroma(full, 40, -30), atol=0.01)


@pytest.mark.parametrize("edge", [100, 493, 500, 507, 901])
@pytest.mark.parametrize("across", ["columns", "rows"])
def test_upsample_chroma_changes_where_lightness_does(edge: int, across: str) -> None:
    sides = np.arange(1000) >= edge
    lightness = np.broadcast_to(np.where(sides, 70, 30).astype(np.float32), (1000, 1000))
    target = np.broadcast_to(
        np.where(sides[:, None], (-35, 45), (40, -30)).astype(np.float32), (1000, 1000, 2)
    )
    if across == "rows":
        lightness, target = lightness.T, target.swapaxes(0, 1)
    # 64 pixels for 1000: the small edge is a blur 16 pixels wide, and off the pixel grid.
    small = np.dstack([resize_plane(target[..., plane], 64, 64) for plane in range(2)])

    chroma = upsample_chroma(small, lightness)

    # A step of 75, right to 3 % from the very pixel on at which lightness steps.
    assert np.abs(chroma - target).max() < 0.03 * 75
    # What bilinear enlarging does instead, so that this test is known to see it.
    blurred = np.dstack([resize_plane(small[..., plane], 1000, 1000) for plane in range(2)])
    assert np.abs(blurred - target).max() > 0.4 * 75


@pytest.mark.parametrize("ramp", [0, 2, 6], ids=lambda ramp: f"ramp of {ramp}")
@pytest.mark.parametrize("edge", [2000, 2008, 2016, 2023])
def test_upsample_chroma_leaks_nowhere_across_slanted_edge(edge: int, ramp: int) -> None:
    rows, columns = np.mgrid[0:300, 0:4000]
    beyond = columns - edge - 0.7 * rows
    share = (beyond / ramp + 0.5).clip(0, 1) if ramp else (beyond >= 0).astype(float)
    lightness = (30 + 40 * share).astype(np.float32)
    target = np.dstack((40 - 75 * share, -30 + 75 * share)).astype(np.float32)
    small = np.dstack([resize_plane(target[..., plane], 10, 128) for plane in range(2)])

    leak = np.abs(upsample_chroma(small, lightness) - target)

    # Bilinear enlarging: 58.
    assert leak.max() < 0.03 * 75
    assert leak.mean() < 0.1


@pytest.mark.parametrize("name", ["fluid-1", "fluid-2", "geometric-1", "geometric-2"])
def test_upsample_chroma_of_pictures_beats_bilinear(name: str) -> None:
    lab = rgb_to_lab(np.asarray(Image.open(SAMPLES / f"{name}.jpg").convert("RGB")))
    shape = lab.shape[0] // 8, lab.shape[1] // 8
    small = np.dstack([resize_plane(lab[..., plane], *shape) for plane in (1, 2)])
    bilinear = np.dstack([resize_plane(small[..., plane], *lab.shape[:2]) for plane in range(2)])

    chroma = upsample_chroma(small, np.ascontiguousarray(lab[..., 0]))

    def mean_error(enlarged: Array) -> float:
        return float(np.linalg.norm(enlarged - lab[..., 1:], axis=-1).mean())

    assert mean_error(chroma) < mean_error(bilinear)


def step_lightness() -> Array:
    """Two tones, the second of which begins within a pixel of the small chroma."""
    return np.tile(np.where(np.arange(600) < 295, 30, 70).astype(np.float32), (600, 1))


def outlined_lightness(outline: float) -> Array:
    """Two shapes of one tone with a line between them, 2 pixels wide.

    In the small picture the line is a faint grey: what was fitted there is
    extrapolated to the lightness of the line itself.
    """
    lightness = np.full((600, 600), 50, np.float32)
    lightness[:, 300:302] = outline
    return lightness


def grainy_lightness() -> Array:
    """One tone under film grain, which the small picture averages away."""
    grain = np.random.default_rng(6).normal(50, 10, (600, 600))
    return grain.clip(0, 100).astype(np.float32)


@pytest.mark.parametrize(
    "lightness",
    [step_lightness(), outlined_lightness(0), outlined_lightness(100), grainy_lightness()],
    ids=["step", "black outline", "white outline", "grain"],
)
def test_upsample_chroma_stays_in_predicted_range(lightness: Array) -> None:
    small = constant_chroma((64, 64), 40, 40)
    small[:, 32:] = -40

    chroma = upsample_chroma(small, lightness)

    assert np.abs(chroma).max() <= 1.1 * 40


def test_upsample_chroma_follows_smooth_drift_on_flat_lightness() -> None:
    drift = np.linspace(-60, 60, 64, dtype=np.float32)
    small = np.dstack([np.tile(drift, (64, 1)), np.tile(-drift[:, None], (1, 64))])

    chroma = upsample_chroma(small, np.full((512, 512), 50, np.float32))

    enlarged = np.dstack([resize_plane(small[..., plane], 512, 512) for plane in range(2)])
    inner = slice(40, -40)
    np.testing.assert_allclose(chroma[inner, inner], enlarged[inner, inner], atol=0.1)


@given(
    seed=seeds,
    small=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    full=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
@examples
def test_upsample_chroma_is_finite_at_any_size(
    seed: int, small: tuple[int, int], full: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)

    chroma = upsample_chroma(random_chroma(rng, small), random_plane(rng, full))

    assert chroma.shape == (*full, 2)
    assert chroma.dtype == np.float32
    assert np.isfinite(chroma).all()


# Both at once, on bands and threads


SIZES = pytest.mark.parametrize(
    ("small", "full"),
    [((96, 128), (300, 400)), ((40, 30), (211, 97)), ((16, 16), (3, 5)), ((1, 1), (20, 1))],
    ids=str,
)


@SIZES
def test_apply_chroma_of_16_bits_equals_its_two_steps(
    small: tuple[int, int], full: tuple[int, int]
) -> None:
    rng = np.random.default_rng(7)
    lightness, chroma = random_plane(rng, full), random_chroma(rng, small)

    rgb = apply_chroma(lightness, chroma, bit_depth=16)

    expected = merge_chroma(lightness, upsample_chroma(chroma, lightness), bit_depth=16)
    np.testing.assert_array_equal(rgb, expected)


@SIZES
def test_apply_chroma_of_8_bits_is_close_to_its_two_steps(
    small: tuple[int, int], full: tuple[int, int]
) -> None:
    rng = np.random.default_rng(7)
    greys = rng.integers(0, 256, full, np.uint8)
    lightness, chroma = split_lightness(greys), random_chroma(rng, small, 0.7)

    rgb = apply_chroma(lightness, chroma)

    expected = merge_chroma(lightness, upsample_chroma(chroma, lightness))
    difference = rgb_to_lab(rgb) - rgb_to_lab(expected)
    # Twice the rounding to codes. The way from cyan to light yellow has a ridge that is
    # narrower than a step, and in the dark a code is worth several units of chroma.
    assert np.abs(difference[..., 0]).max() <= 0.9
    assert np.abs(difference[..., 1:]).mean() <= 0.4
    assert np.quantile(np.abs(difference[..., 1:]), 0.999) <= 3


@given(seed=seeds, saturation=st.floats(0, 1), lowest=st.sampled_from([0, 90, 97]))
@examples
def test_apply_chroma_keeps_lightness(seed: int, saturation: float, lowest: float) -> None:
    rng = np.random.default_rng(seed)
    lightness = random_plane(rng, (64, 64), lowest)

    rgb = apply_chroma(lightness, random_chroma(rng, (64, 64), saturation))

    error = np.abs(oracle.rgb2lab(rgb)[..., 0] - lightness)
    assert error.mean() <= 0.2
    assert np.quantile(error, 0.999) <= 0.8


@given(seed=seeds, saturation=st.floats(0, 1))
@examples
def test_apply_chroma_keeps_lightness_of_greys(seed: int, saturation: float) -> None:
    rng = np.random.default_rng(seed)
    greys = rng.integers(0, 256, (64, 64), np.uint8)
    lightness = split_lightness(greys)

    rgb = apply_chroma(lightness, random_chroma(rng, (64, 64), saturation), greys=greys)

    # No more than `merge_chroma` moves it.
    error = np.abs(oracle.rgb2lab(rgb)[..., 0] - lightness)
    assert error.mean() <= 0.12
    assert error.max() <= 0.7


def test_apply_chroma_keeps_hue_and_reduces_no_further_than_to_gamut() -> None:
    hues = np.linspace(-np.pi, np.pi, 720, endpoint=False)
    lightness = np.tile(np.arange(12, 89, 4, dtype=np.float32)[:, None], 720)
    requested = np.tile(150 * np.exp(1j * hues), (len(lightness), 1))
    chroma = np.dstack((requested.real, requested.imag)).astype(np.float32)

    rgb = apply_chroma(lightness, chroma)

    lab = oracle.rgb2lab(rgb)
    turned = (lab[..., 1] + 1j * lab[..., 2]) * np.exp(-1j * np.angle(requested))
    to_surface = np.minimum(rgb.min(axis=-1), 255 - rgb.max(axis=-1))
    assert np.quantile(np.abs(turned.imag), 0.99) <= 2
    assert np.quantile(to_surface, 0.99) <= 3


def test_apply_chroma_leaves_greys_grey() -> None:
    rgb = apply_chroma(split_lightness(GREYS), constant_chroma((1, 1), 0, 0))

    np.testing.assert_array_equal(rgb, np.stack([GREYS] * 3, axis=-1))


def test_apply_chroma_gives_the_same_with_greys_at_hand() -> None:
    rng = np.random.default_rng(12)
    greys = rng.integers(0, 256, (50, 70), np.uint8)
    chroma = random_chroma(rng, (12, 16))

    rgb = apply_chroma(split_lightness(greys), chroma, greys=greys)

    np.testing.assert_array_equal(rgb, apply_chroma(split_lightness(greys), chroma))


def test_apply_chroma_with_other_lightness_does_not_use_its_greys() -> None:
    greys = np.full((4, 4), 100, np.uint8)
    brighter = Adjustments(brightness=1.5)

    rgb = apply_chroma(split_lightness(greys), constant_chroma((1, 1), 0, 0), brighter, greys=greys)

    assert rgb.min() > 110


def test_apply_chroma_has_no_steps_coarser_than_codes() -> None:
    # Chroma that drifts over a thousand pixels at one lightness: where bands would show.
    drift = np.linspace(-30, 30, 1000, dtype=np.float32)
    chroma = np.dstack((drift, -drift))

    rgb = apply_chroma(np.full((1, 1000), 60, np.float32), chroma)

    steps = np.linalg.norm(np.diff(rgb_to_lab(rgb), axis=1), axis=-1)
    assert steps.max() < 2.2


def test_apply_chroma_survives_what_is_no_number() -> None:
    chroma = constant_chroma((4, 4), np.nan, np.inf)

    with np.errstate(invalid="ignore"):
        rgb = apply_chroma(np.full((8, 8), 50, np.float32), chroma)

    assert rgb.shape == (8, 8, 3)


def test_apply_chroma_lays_pixels_out_as_pillow_does() -> None:
    rgb = apply_chroma(np.full((3, 5), 50, np.float32), constant_chroma((1, 1), 9, 9))

    assert rgb.strides == (20, 4, 1)
    assert (np.lib.stride_tricks.as_strided(rgb, (3, 5, 4))[..., 3] == 255).all()


def test_gamut_that_is_shipped_is_the_one_that_is_found() -> None:
    rows = slice(None, None, 20)

    found = gamut.find_largest_sizes(gamut.TABLE_LIGHTNESS[rows])

    shipped = gamut._largest_size_table()
    assert shipped.shape == (gamut.LIGHTNESS_STEPS + 1, gamut.HUE_STEPS + 1)
    # Another processor may round a bisection the other way.
    assert np.abs(found * gamut.SIZE_UNIT - shipped[rows]).max() <= gamut.SIZE_UNIT


def test_warm_up_builds_the_tables() -> None:
    tables = (gamut._largest_size_table, lookup._codes, lookup._nearest_grey_table)
    for table in tables:
        table.cache_clear()

    warm_up()

    assert [table.cache_info().currsize for table in tables] == [1, 1, 1]


def test_apply_chroma_puts_each_colour_on_its_own_side() -> None:
    lightness = np.full((300, 400), 40, np.float32)
    lightness[:, 150:] = 75
    chroma = np.full((24, 32, 2), (30, 20), np.float32)
    chroma[:, 12:] = (-30, -10)

    rgb = apply_chroma(lightness, chroma)

    lab = oracle.rgb2lab(rgb)
    assert np.abs(lab[..., 0] - lightness).max() <= 0.8
    assert np.abs(lab[:, :150, 1:] - (30, 20)).max() < 6
    assert np.abs(lab[:, 150:, 1:] - (-30, -10)).max() < 6


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("band_pixels", [1, 4000, 100_000, 1 << 20])
def test_apply_chroma_is_the_same_on_any_bands(
    band_pixels: int, bit_depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    # Dark rows and light ones, so that bands differ in which shortcuts they may take.
    lightness = random_plane(rng, (203, 1000)) * np.linspace(0, 1, 203, dtype=np.float32)[:, None]
    chroma = random_chroma(rng, (24, 32), 0.6)
    expected = apply_chroma(lightness, chroma, bit_depth=bit_depth)
    monkeypatch.setattr(bands, "BAND_PIXELS", band_pixels)

    rgb = apply_chroma(lightness, chroma, bit_depth=bit_depth)

    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_apply_chroma_takes_a_guide_that_is_there(bit_depth: int) -> None:
    rng = np.random.default_rng(10)
    lightness = random_plane(rng, (90, 130))
    colorings = [random_chroma(rng, (24, 32), 0.6) for _ in range(2)]
    guide = Guide(lightness, 24, 32)

    for chroma in colorings:
        np.testing.assert_array_equal(
            apply_chroma(lightness, chroma, guide=guide, bit_depth=bit_depth),
            apply_chroma(lightness, chroma, bit_depth=bit_depth),
        )


def test_apply_chroma_needs_little_memory() -> None:
    lightness = random_plane(np.random.default_rng(9), (1500, 2000))
    chroma = constant_chroma((96, 128), 60, -40)
    apply_chroma(lightness[:10], chroma)  # The tables stay: they are not of this call.

    tracemalloc.start()
    rgb = apply_chroma(lightness, chroma)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Eight full-size planes would be another 96 MB.
    assert peak_bytes - rgb.nbytes < 20e6


# 16 bits


def test_split_lightness_of_16_bits_agrees_with_scikit_image() -> None:
    colours = np.random.default_rng(10).integers(0, 65536, (50, 60, 3), np.uint16)
    greys = np.arange(65536, dtype=np.uint16).reshape(256, 256)

    np.testing.assert_allclose(
        split_lightness(colours), oracle.rgb2lab(colours / 65535)[..., 0], atol=0.002
    )
    np.testing.assert_allclose(
        split_lightness(greys), oracle.rgb2lab(np.dstack([greys / 65535] * 3))[..., 0], atol=0.002
    )
    np.testing.assert_allclose(
        split_lightness(greys), split_lightness(np.dstack([greys] * 3)), atol=1e-4
    )


def test_merge_chroma_of_16_bits_does_not_band() -> None:
    ramp = np.arange(0, 65536, 8, dtype=np.uint16).reshape(64, 128)
    lightness = split_lightness(ramp)

    grey = merge_chroma(lightness, constant_chroma(ramp.shape, 0, 0), bit_depth=16)
    tinted = merge_chroma(lightness, constant_chroma(ramp.shape, 5, 5), bit_depth=16)

    assert grey.dtype == np.uint16
    assert np.unique(grey[..., 1]).size > 4096
    assert np.unique(tinted[..., 1]).size > 4096
    assert (np.diff(tinted[..., 1].ravel().astype(int)) >= 0).all()


def test_merge_chroma_of_16_bits_leaves_greys_grey() -> None:
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256)

    rgb = merge_chroma(split_lightness(codes), constant_chroma(codes.shape, 0, 0), bit_depth=16)

    assert (rgb == rgb[..., :1]).all()
    assert np.abs(rgb[..., 0].astype(int) - codes).max() <= 1


def test_merge_chroma_of_16_bits_keeps_lightness_ten_times_better() -> None:
    rng = np.random.default_rng(11)
    lightness = random_plane(rng, (200, 200))
    chroma = random_chroma(rng, (200, 200), 0.5)

    def error(bit_depth: int) -> NDArray[np.float64]:
        rgb = merge_chroma(lightness, chroma, bit_depth=bit_depth)
        # scikit-image's luminance differs by 0.001.
        kept: NDArray[np.float64] = np.abs(split_lightness(rgb) - lightness)
        # Yellows whose red is clipped are clipped at any bit depth.
        return kept[lightness <= YELLOW_BULGE_LIGHTNESS]

    assert error(16).mean() < error(8).mean() / 10
    # What is left comes of the tolerance of the gamut, not of rounding.
    assert np.quantile(error(16), 0.999) < 0.1


@pytest.mark.parametrize("bit_depth", [0, 10])
def test_merge_chroma_refuses_other_bit_depths(bit_depth: int) -> None:
    with pytest.raises(ValueError, match=rf"8 or 16\. Received: {bit_depth}"):
        merge_chroma(
            np.zeros((1, 1), np.float32), constant_chroma((1, 1), 0, 0), bit_depth=bit_depth
        )


# Planes


@pytest.mark.parametrize("size", [(1, 1), (10, 7), (50, 33), (101, 67), (300, 200), (3, 150)])
def test_resize_plane_keeps_mean_and_range(size: tuple[int, int]) -> None:
    rows, columns = np.mgrid[0:101, 0:67]
    plane = (50 + 30 * np.sin(rows / 9) * np.cos(columns / 7)).astype(np.float32)

    resized = resize_plane(plane, *size)

    assert resized.shape == size
    assert resized.dtype == np.float32
    assert resized.mean() == pytest.approx(plane.mean(), abs=0.5)
    assert resized.min() >= plane.min() - 1e-3
    assert resized.max() <= plane.max() + 1e-3


def test_resize_plane_averages_where_it_shrinks() -> None:
    checks = (np.indices((400, 400)).sum(axis=0) % 2 * 100).astype(np.float32)

    np.testing.assert_allclose(resize_plane(checks, 40, 40), 50, atol=1)


@pytest.mark.parametrize("size", [(16, 12), (40, 30), (7, 90)])
def test_resize_plane_in_two_steps_equals_one(size: tuple[int, int]) -> None:
    # Averaging whole blocks first is faster. What it may differ by is no edge.
    rows, columns = np.mgrid[0:611, 0:403]
    plane = (50 + 30 * np.sin(rows / 40) * np.cos(columns / 30)).astype(np.float32)

    at_once = Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR)

    difference = np.abs(resize_plane(plane, *size) - at_once)
    assert difference.mean() < 0.2
    # At the border, where the last blocks are cut off.
    assert difference.max() < 1


def test_resize_plane_to_its_own_size_changes_nothing() -> None:
    plane = random_plane(np.random.default_rng(5), (9, 13))

    np.testing.assert_array_equal(resize_plane(plane, 9, 13), plane)


def test_resize_plane_enlarges_ramp_without_shift() -> None:
    ramp = np.tile(np.arange(10, dtype=np.float32), (4, 1))

    enlarged = resize_plane(ramp, 4, 100)

    # Pixel centres: the new pixel i lies at (i + 0.5) / 10 - 0.5 of the old ones.
    centres = (np.arange(100) + 0.5) / 10 - 0.5
    np.testing.assert_allclose(enlarged[0, 5:-5], centres[5:-5], atol=1e-3)
