"""Sheets show each picture where its name says, at any size, and never grow without bounds."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.adjustments import Adjustments
from service.color import rgb_to_lab
from service.colorizer import Colorizer, Registry
from service.errors import InputNotTakenError
from service.formats import JPEG, PNG
from service.images import Limits
from service.layout import (
    CAPTION_HEIGHT,
    GAP,
    SMALL_SIDE,
    SWATCH_GAP,
    SWATCH_HEIGHT,
    Cell,
    cell_size,
    draw_sheet,
)
from service.palettes import colors_to_palette, parse_color, parse_palette
from service.pipeline import ColorizedPicture, OutputOptions
from service.sheets import CELL_SIDE, THUMBNAIL_SIDE, draw_comparison, draw_variations
from service.steering import Look
from tests.steerable import BOOK

Encode = Callable[..., bytes]
LIMITS = Limits(max_pixels=50_000_000)
WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def registry(steerable_dir: Path) -> Registry:
    return Registry.load(steerable_dir, intra_op_threads=1)


def decode(picture: ColorizedPicture) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture.data)) as image:
        return np.asarray(image)


def cell_of(
    sheet: NDArray[np.uint8], size: tuple[int, int], row: int, column: int
) -> NDArray[np.uint8]:
    """The picture of a cell, where pictures are at least as wide as captions."""
    height, width = size
    top = GAP + CAPTION_HEIGHT + row * (CAPTION_HEIGHT + height + SWATCH_GAP + SWATCH_HEIGHT + GAP)
    left = GAP + column * (width + GAP)
    return sheet[top : top + height, left : left + width]


# Layout


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((300, 200), 512, (300, 200)),
        ((3000, 2000), 512, (512, 341)),
        ((2000, 3000), 256, (171, 256)),
        ((1, 5000), 512, (1, 512)),
        ((1, 1), 512, (1, 1)),
    ],
)
def test_cell_size_keeps_aspect_within_bounds(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert cell_size(*size, side) == expected


def test_draw_sheet_puts_caption_above_and_swatches_below() -> None:
    red = Image.new("RGB", (200, 150), (255, 0, 0))

    sheet = draw_sheet([Cell("Original", red), Cell("V1", red, ["#00ff00", "#0000ff"])], 2)

    assert sheet.shape == (
        2 * GAP + CAPTION_HEIGHT + 150 + SWATCH_GAP + SWATCH_HEIGHT,
        3 * GAP + 2 * 200,
        3,
    )
    for column in range(2):
        left = GAP + column * (200 + GAP)
        assert (sheet[GAP + CAPTION_HEIGHT :][:150, left : left + 200] == (255, 0, 0)).all()
        caption = sheet[GAP : GAP + CAPTION_HEIGHT, left : left + 200]
        assert (caption < 100).any()
    below = sheet[GAP + CAPTION_HEIGHT + 150 :]
    assert (below[:SWATCH_GAP] == WHITE).all()
    swatches = below[SWATCH_GAP : SWATCH_GAP + SWATCH_HEIGHT]
    assert (swatches[:, : 2 * GAP + 200] == WHITE).all()
    assert (swatches[:, 2 * GAP + 200 : 2 * GAP + 300] == (0, 255, 0)).all()
    assert (swatches[:, 2 * GAP + 300 : 2 * GAP + 400] == (0, 0, 255)).all()
    assert (sheet[:, -GAP:] == WHITE).all()
    assert (sheet[-GAP:] == WHITE).all()


def test_draw_sheet_keeps_captions_apart() -> None:
    narrow = Image.new("RGB", (4, 300), "red")

    sheet = draw_sheet([Cell("a-rather-long-name-of-a-model", narrow)] * 3, 3)

    dark = (sheet[GAP : GAP + CAPTION_HEIGHT] < 128).any(axis=(0, 2))
    # Three words of ink, with at least the gap between them and around.
    starts = np.flatnonzero(np.diff(dark.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(dark.astype(int)) == -1)
    gaps = starts[1:] - ends[:-1]
    assert (gaps >= GAP - 2).sum() == 2
    assert starts[0] >= GAP - 2


def test_draw_sheet_enlarges_tiny_pictures_without_blur() -> None:
    tiny = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8))

    sheet = draw_sheet([Cell("V1", tiny)], 1)

    factor = SMALL_SIDE // 2
    picture = sheet[GAP + CAPTION_HEIGHT : GAP + CAPTION_HEIGHT + factor, GAP:-GAP]
    assert (picture[:, :factor] == (255, 0, 0)).all()
    assert (picture[:, factor:] == (0, 0, 255)).all()


# Variations


def test_draw_variations_shows_each_in_its_place(steerable: Colorizer, encode: Encode) -> None:
    upload = encode(Image.new("L", (300, 200), 119), "PNG")

    picture = draw_variations(upload, steerable, LIMITS, count=3)

    sheet = decode(picture)
    assert (picture.media_type, picture.extension) == ("image/png", ".png")
    assert list(picture.timings_ms) == ["decode", "model", "merge", "encode"]
    for number, (row, column) in enumerate([(0, 0), (0, 1), (1, 0)]):
        lab = rgb_to_lab(cell_of(sheet, (200, 300), row, column))
        np.testing.assert_allclose(lab[..., 0], 50, atol=0.5)
        expected = np.average(BOOK[number], axis=0, weights=[color[3] for color in BOOK[number]])
        np.testing.assert_allclose(
            lab[..., 1:], np.broadcast_to(expected[1:3], (200, 300, 2)), atol=1.5
        )
    assert (cell_of(sheet, (200, 300), 1, 1) == WHITE).all()
    assert [len(palette) for palette in picture.palettes] == [2, 1, 1]


def test_draw_variations_begins_where_it_is_told(steerable: Colorizer, encode: Encode) -> None:
    upload = encode(Image.new("L", (300, 200), 119), "PNG")

    later = draw_variations(upload, steerable, LIMITS, look=Look(variation=2), count=1)

    assert later.palettes == draw_variations(upload, steerable, LIMITS, count=3).palettes[2:]


def test_draw_variations_adjusts(steerable: Colorizer, encode: Encode) -> None:
    upload = encode(Image.new("L", (300, 200), 119), "PNG")
    look = Look(adjustments=Adjustments(saturation=0, brightness=2))

    sheet = decode(draw_variations(upload, steerable, LIMITS, look=look, count=1))

    np.testing.assert_allclose(
        rgb_to_lab(cell_of(sheet, (200, 300), 0, 0)),
        np.broadcast_to((80, 0, 0), (200, 300, 3)),
        atol=1,
    )


def test_draw_variations_of_model_without_fails(registry: Registry, encode: Encode) -> None:
    upload = encode(Image.new("L", (30, 20), 119), "PNG")

    assert draw_variations(upload, registry.get("plain"), LIMITS, count=1).data
    with pytest.raises(InputNotTakenError):
        draw_variations(upload, registry.get("plain"), LIMITS, count=2)


def test_draw_variations_of_large_picture_is_bounded(steerable: Colorizer, encode: Encode) -> None:
    upload = encode(Image.linear_gradient("L").resize((1600, 1200)), "PNG")

    sheet = decode(draw_variations(upload, steerable, LIMITS, count=16))

    assert sheet.shape[1] == 4 * THUMBNAIL_SIDE + 5 * GAP


# Comparison


def test_draw_comparison_shows_the_original_first(registry: Registry, encode: Encode) -> None:
    upload = encode(Image.new("RGB", (300, 200), (255, 136, 0)), "PNG")
    colorizers = [registry.get(name) for name in ("v1", "plain")]

    picture = draw_comparison(upload, colorizers, LIMITS)

    sheet = decode(picture)
    lightness = colors_to_palette([(255, 136, 0)])[0, 0]
    assert sheet.shape[1] == 3 * 300 + 4 * GAP
    assert (cell_of(sheet, (200, 300), 0, 0) == (255, 136, 0)).all()
    for column in (1, 2):
        lab = rgb_to_lab(cell_of(sheet, (200, 300), 0, column))
        np.testing.assert_allclose(lab[..., 0], lightness, atol=0.6)
        assert (lab[..., 2] < 0).all()
    assert len(picture.palettes) == 2


def test_draw_comparison_uses_the_look(registry: Registry, encode: Encode) -> None:
    upload = encode(Image.new("L", (300, 200), 119), "PNG")
    look = Look(palette=parse_palette("teal"))

    picture = draw_comparison(upload, [registry.get("v1")], LIMITS, look=look)

    assert picture.palettes == [["#008080"]]
    lab = rgb_to_lab(cell_of(decode(picture), (200, 300), 0, 1))
    expected = colors_to_palette([parse_color("teal")])[0, 1:3]
    np.testing.assert_allclose(lab[100, 150, 1:], expected, atol=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (33, 17), (4000, 3000)])
def test_draw_comparison_of_any_size_is_bounded(
    registry: Registry, encode: Encode, size: tuple[int, int]
) -> None:
    upload = encode(Image.linear_gradient("L").resize(size), "PNG")

    sheet = decode(draw_comparison(upload, [registry.get("v1")] * 3, LIMITS))

    assert max(sheet.shape) <= 4 * CELL_SIDE + 5 * GAP
    assert (sheet[GAP + CAPTION_HEIGHT :] < 250).any()


def test_draw_comparison_lays_transparent_pictures_on_white(
    registry: Registry, encode: Encode
) -> None:
    upload = encode(Image.new("LA", (300, 200), (119, 0)), "PNG")

    sheet = decode(draw_comparison(upload, [registry.get("v1")], LIMITS))

    assert (cell_of(sheet, (200, 300), 0, 0) == WHITE).all()
    assert (cell_of(sheet, (200, 300), 0, 1) == WHITE).all()


@pytest.mark.parametrize("output_format", [JPEG, PNG])
def test_draw_comparison_of_deep_picture_in_wanted_format(
    registry: Registry, encode: Encode, output_format: object
) -> None:
    upload = encode(Image.fromarray(np.full((40, 60), 30_000, np.uint16)), "PNG")
    output = OutputOptions({output_format: 1.0})

    picture = draw_comparison(upload, [registry.get("v1")], LIMITS, output)

    with Image.open(io.BytesIO(picture.data)) as image:
        assert (image.format, image.mode) == (output_format.name, "RGB")
