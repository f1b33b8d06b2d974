"""Colours are read as people write them, and found in pictures as people see them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageColor
from skimage import color as oracle

from service.color import rgb_to_lab
from service.palettes import (
    MAX_COLORS,
    SIMILAR_DISTANCE,
    colors_to_palette,
    extract_palette,
    merge_similar,
    palette_to_hex,
    parse_color,
    parse_palette,
    picture_palette,
)

Rgb = NDArray[np.uint8]

SIX_LAB = np.array(
    [[10, 5, 5], [30, 60, 20], [45, -50, 30], [60, 0, -60], [80, 9, 70], [95, 0, 0]], float
)

codes = st.tuples(*[st.integers(0, 255)] * 3)


def paint(colors: list[tuple[int, int, int]], rows: list[int], width: int = 60) -> Rgb:
    """Stripes of so many rows each."""
    stripes = np.repeat(np.array(colors, np.uint8), rows, axis=0)
    return np.repeat(stripes[:, None], width, axis=1)


# Reading and writing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ff8800", (255, 136, 0)),
        ("#ff8800", (255, 136, 0)),
        ("#FF8800", (255, 136, 0)),
        ("f80", (255, 136, 0)),
        ("#f80", (255, 136, 0)),
        (" 000000 ", (0, 0, 0)),
        ("orange", (255, 165, 0)),
        ("RebeccaPurple", (102, 51, 153)),
        ("DarkSlateGrey", (47, 79, 79)),
        ("darkslategray", (47, 79, 79)),
    ],
)
def test_parse_color_reads_what_people_write(text: str, expected: tuple[int, int, int]) -> None:
    assert parse_color(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "#", "ff", "ff88", "ff8800ff", "ggg", "##fff", "0xfff", "#orange", "orangee"),
        *("rgb(1,2,3)", "hsl(0 100% 50%)", "transparent", "ff 88 00", "１２３", "fff\n#"),
    ],
)
def test_parse_color_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a colour: "):
        parse_color(text)


def test_parse_color_knows_all_names_of_css() -> None:
    assert len(ImageColor.colormap) == 148
    assert all(len(parse_color(name)) == 3 for name in ImageColor.colormap)


def test_parse_palette_keeps_order_and_weighs_alike() -> None:
    palette = parse_palette("ff00ff, cyan,#000")

    assert palette.shape == (3, 4)
    assert palette.dtype == np.float32
    expected = oracle.rgb2lab(np.array([[[255, 0, 255], [0, 255, 255], [0, 0, 0]]], np.uint8))[0]
    np.testing.assert_allclose(palette[:, :3], expected, atol=0.05)
    np.testing.assert_array_equal(palette[:, 3], 1)


@pytest.mark.parametrize("text", ["", ",", "red,", ",red", "red,,blue", "red;blue"])
def test_parse_palette_with_a_colour_missing_fails(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a colour: "):
        parse_palette(text)


def test_parse_palette_with_shares_weighs_by_them() -> None:
    palette = parse_palette("navy:3, tomato,beige:0.5 ")

    np.testing.assert_array_equal(palette[:, :3], parse_palette("navy,tomato,beige")[:, :3])
    np.testing.assert_allclose(palette[:, 3], np.array([3, 1, 0.5]) / 4.5)


@pytest.mark.parametrize("share", ["", "0", "-1", "nan", "inf", "1001", "0.0009", "half", "1:2"])
def test_parse_palette_with_wrong_share_fails(share: str) -> None:
    with pytest.raises(ValueError, match=r"^not a share from 0\.001 to 1000: "):
        parse_palette(f"navy:{share},red")


def test_parse_palette_with_too_many_colours_counts_them() -> None:
    assert len(parse_palette(",".join(["red"] * MAX_COLORS))) == MAX_COLORS
    with pytest.raises(ValueError, match=r"^9 colours$"):
        parse_palette(",".join(["red"] * (MAX_COLORS + 1)))


@given(st.lists(codes, min_size=1, max_size=8))
def test_palette_to_hex_gives_back_what_was_read(colors: list[tuple[int, int, int]]) -> None:
    names = palette_to_hex(colors_to_palette(colors))

    assert [parse_color(name) for name in names] == colors


def test_palette_to_hex_of_colour_beyond_srgb_keeps_lightness() -> None:
    (name,) = palette_to_hex(np.array([[50, 0, -128, 1]], np.float32))

    lightness = rgb_to_lab(np.array([parse_color(name)], np.uint8))[0, 0]
    assert lightness == pytest.approx(50, abs=0.5)


# Colours of pictures


def test_extract_palette_finds_flat_colours_and_their_shares() -> None:
    rows = np.repeat(SIX_LAB, [2, 4, 6, 8, 10, 10], axis=0)  # 40 rows

    palette = extract_palette(np.repeat(rows[:, None], 40, axis=1).astype(np.float16))

    assert palette.dtype == np.float32
    np.testing.assert_allclose(palette[:, :3], SIX_LAB, atol=1e-3)
    np.testing.assert_allclose(palette[:, 3], np.array([2, 4, 6, 8, 10, 10]) / 40, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2, 3), (64, 48, 3)])
def test_extract_palette_of_one_colour_repeats_it(shape: tuple[int, ...]) -> None:
    palette = extract_palette(np.full(shape, 40, np.float32))

    np.testing.assert_array_equal(palette[:, :3], np.full((6, 3), 40))
    np.testing.assert_array_equal(np.sort(palette[:, 3]), [0, 0, 0, 0, 0, 1])


def test_extract_palette_is_that_of_the_pixels_in_any_order() -> None:
    lab = rgb_to_lab(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    shuffled = np.random.default_rng(1).permutation(lab.reshape(-1, 3))

    np.testing.assert_allclose(extract_palette(lab), extract_palette(shuffled), atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_extract_palette_is_a_place_of_rest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lab = np.concatenate(
        [rng.normal(centre, 6, (500 + 300 * number, 3)) for number, centre in enumerate(SIX_LAB)]
    )
    lab[:, 0] = lab[:, 0].clip(0, 100)

    palette = extract_palette(lab)

    squared = ((lab[:, None] - palette[None, :, :3]) ** 2).sum(axis=-1)
    nearest = squared.argmin(axis=1)
    means = np.array([lab[nearest == cluster].mean(axis=0) for cluster in range(6)])
    # Cells at the border of two clusters go to one of them as a whole.
    np.testing.assert_allclose(palette[:, :3], means, atol=0.5)
    assert palette[:, 3].sum() == pytest.approx(1)
    assert (np.diff(palette[:, 0]) >= 0).all()


def test_extract_palette_of_extreme_colours_is_finite() -> None:
    corners = np.array(list(itertools.product((0, 100), (-128, 127), (-128, 127))), np.float32)

    palette = extract_palette(corners, count=8)

    np.testing.assert_array_equal(np.sort(palette[:, :3], axis=0), np.sort(corners, axis=0))


def test_merge_similar_joins_shades_by_their_weight() -> None:
    palette = np.array(
        [[50, 40, 0, 0.3], [54, 40, 0, 0.1], [20, 0, 0, 0.6], [20, 0, 0, 0]], np.float32
    )

    merged = merge_similar(palette)

    np.testing.assert_allclose(merged, [[51, 40, 0, 0.4], [20, 0, 0, 0.6]], rtol=1e-5)


@given(st.lists(st.tuples(codes, st.integers(0, 9)), min_size=1, max_size=8))
def test_merge_similar_leaves_no_two_alike(
    weighted: list[tuple[tuple[int, int, int], int]],
) -> None:
    palette = colors_to_palette([color for color, _ in weighted])
    palette[:, 3] = [weight for _, weight in weighted]
    palette[0, 3] += 1

    merged = merge_similar(palette)

    assert (merged[:, 3] > 0).all()
    assert merged[:, 3].sum() == pytest.approx(palette[:, 3].sum())
    for one, other in itertools.combinations(merged[:, :3], 2):
        assert np.linalg.norm(one - other) >= SIMILAR_DISTANCE


def test_picture_palette_names_the_colours_largest_first() -> None:
    rgb = paint([(255, 136, 0), (0, 64, 128), (240, 240, 240)], [10, 30, 20])

    palette = picture_palette(rgb)

    assert palette_to_hex(palette) == ["#004080", "#f0f0f0", "#ff8800"]
    np.testing.assert_allclose(palette[:, 3], [3 / 6, 2 / 6, 1 / 6], rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 2), (900, 1300)])
def test_picture_palette_of_any_size(shape: tuple[int, int]) -> None:
    rgb = np.full((*shape, 3), (200, 30, 60), np.uint8)

    assert palette_to_hex(picture_palette(rgb)) == ["#c81e3c"]


def test_picture_palette_of_grain_has_the_paint_once() -> None:
    rng = np.random.default_rng(0)
    rgb = paint([(200, 60, 40), (40, 60, 200)], [100, 100], width=200).astype(int)
    grainy = (rgb + rng.normal(0, 5, rgb.shape)).clip(0, 255).astype(np.uint8)

    palette = picture_palette(grainy)

    assert len(palette) == 2
    np.testing.assert_allclose(palette[:, 3], 0.5, atol=0.01)


def test_picture_palette_leaves_out_what_cannot_be_seen() -> None:
    rgb = paint([(255, 0, 0), (0, 0, 255)], [600, 200])
    alpha = np.zeros((800, 60), np.uint8)
    alpha[600:] = 255

    assert palette_to_hex(picture_palette(rgb, alpha)) == ["#0000ff"]
    assert len(picture_palette(rgb, np.zeros_like(alpha))) == 2


@pytest.mark.parametrize("count", [1, 2, 8])
def test_picture_palette_has_as_many_colours_as_asked_for(count: int) -> None:
    rgb = paint([tuple(color) for color in np.eye(3, dtype=int) * 255] * 3, [30] * 9)
    rgb = np.concatenate([rgb, 255 - rgb])

    assert len(picture_palette(rgb, count=count)) == min(count, 6)
