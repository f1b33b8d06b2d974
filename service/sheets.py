"""Sheets: a picture in several colourings, small and side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from service.cie import Float32, Pixels, UInt8
from service.color import resize_plane, split_lightness
from service.colorizer import Colorizer, Prediction
from service.deep import to_8_bit
from service.formats import PNG
from service.images import DecodedImage, Limits, decode_image, encode_image
from service.layout import Cell, cell_size, draw_sheet
from service.negotiation import choose_format
from service.palettes import palette_to_hex
from service.pipeline import ColorizedPicture, OutputOptions, merge_look, predict_look
from service.steering import DEFAULT_LOOK, Look
from service.stopwatch import Stopwatch
from service.upsampling import Guide

THUMBNAIL_SIDE = 320
"""Longer side, in pixels, of a variation on a sheet: to choose by, at little cost."""
CELL_SIDE = 512
"""Of a picture in a comparison, at most."""
ROW_SIDE = 4096
"""Of all pictures of a comparison together."""

DEFAULT_SHEET_OUTPUT = OutputOptions({PNG: 1.0})


def draw_variations(
    data: bytes,
    colorizer: Colorizer,
    limits: Limits,
    output: OutputOptions = DEFAULT_SHEET_OUTPUT,
    look: Look = DEFAULT_LOOK,
    count: int = 4,
) -> ColorizedPicture:
    """Draw a contact sheet of variations, each with its number and its palette.

    Parameters
    ----------
    data, colorizer, limits, output, look
        As of `colorize`; but by default the sheet is a PNG.
    count : int
        How many, beginning with that of `look`.

    Returns
    -------
    ColorizedPicture

    Raises
    ------
    ColorizeError
        As `colorize`.
    """
    columns = math.ceil(math.sqrt(count))
    watch = Stopwatch()
    with watch.stage("decode"):
        picture = decode_image(data, limits)
        lightness = split_lightness(picture.pixels)
    with watch.stage("model"):
        prediction = predict_look(colorizer, lightness, look, count)
    with watch.stage("merge"):
        captions = [f"variation {look.variation + index}" for index in range(count)]
        cells = _color_cells(picture, lightness, [prediction], captions, look, THUMBNAIL_SIDE)
    return _finish_sheet(cells, columns, output, watch)


def draw_comparison(
    data: bytes,
    colorizers: Sequence[Colorizer],
    limits: Limits,
    output: OutputOptions = DEFAULT_SHEET_OUTPUT,
    look: Look = DEFAULT_LOOK,
) -> ColorizedPicture:
    """Draw a picture beside what models make of it: one row of the gallery.

    Parameters
    ----------
    data, limits, output, look
        As of `colorize`; but by default the sheet is a PNG.
    colorizers : sequence of Colorizer

    Returns
    -------
    ColorizedPicture

    Raises
    ------
    ColorizeError
        As `colorize`.
    """
    columns = 1 + len(colorizers)
    side = min(CELL_SIDE, ROW_SIDE // columns)
    watch = Stopwatch()
    with watch.stage("decode"):
        picture = decode_image(data, limits)
        lightness = split_lightness(picture.pixels)
    with watch.stage("model"):
        predictions = [predict_look(colorizer, lightness, look) for colorizer in colorizers]
    with watch.stage("merge"):
        captions = [colorizer.name.upper() for colorizer in colorizers]
        original = Cell("Original", _to_cell(picture.rgb_8_bit(), picture, side))
        cells = [
            original,
            *_color_cells(picture, lightness, predictions, captions, look, side),
        ]
    return _finish_sheet(cells, columns, output, watch)


def _color_cells(
    picture: DecodedImage,
    lightness: Float32,
    predictions: Sequence[Prediction],
    captions: Sequence[str],
    look: Look,
    side: int,
) -> list[Cell]:
    """Colour a picture at the size of a cell, once for each chroma of the predictions."""
    height, width = _cell_size(picture, side)
    small = resize_plane(lightness, height, width)
    colored: list[Pixels] = []
    palettes: list[Float32] = []
    for prediction in predictions:
        guide = Guide(small, *prediction.first.shape[:2])
        colored += [merge_look(small, planes, look, guide=guide) for planes in prediction.chroma]
        palettes += prediction.palettes
    return [
        Cell(caption, _to_cell(to_8_bit(rgb), picture, side), palette_to_hex(palette))
        for caption, rgb, palette in zip(captions, colored, palettes, strict=True)
    ]


def _cell_size(picture: DecodedImage, side: int) -> tuple[int, int]:
    height, width = picture.pixels.shape[:2]
    return cell_size(height, width, side)


def _to_cell(rgb: UInt8, picture: DecodedImage, side: int) -> Image.Image:
    """Bring colours to the size of a cell, with the alpha of their picture."""
    height, width = _cell_size(picture, side)
    image = _shrink(rgb, height, width)
    if picture.alpha is not None:
        image.putalpha(_shrink(to_8_bit(picture.alpha), height, width))
    return image


def _shrink(samples: UInt8, height: int, width: int) -> Image.Image:
    image = Image.fromarray(samples)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)


def _finish_sheet(
    cells: Sequence[Cell], columns: int, output: OutputOptions, watch: Stopwatch
) -> ColorizedPicture:
    with watch.stage("merge"):
        sheet = DecodedImage(draw_sheet(cells, columns), alpha=None, format=PNG.name, dpi=None)
    with watch.stage("encode"):
        output_format = choose_format(sheet, output.format_weights)
        encoded = encode_image(sheet.pixels, sheet, output_format, quality=output.quality)
    palettes = [list(cell.colors) for cell in cells if cell.colors]
    return ColorizedPicture(
        encoded.data, encoded.media_type, encoded.extension, palettes, watch.elapsed_ms
    )
