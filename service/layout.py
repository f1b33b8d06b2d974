"""Sheets: small pictures side by side, each with its name above and its colours below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.cie import UInt8

SMALL_SIDE = 128
"""Pictures below this are enlarged, each pixel to a square of as many."""
GAP = 16
FONT_SIZE = 20
CAPTION_HEIGHT = 36
SWATCH_HEIGHT = 16
SWATCH_GAP = 4
BACKGROUND = "white"
INK = "#202020"


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Parameters
    ----------
    caption : str
    picture : PIL.Image.Image
        RGB, or RGBA; of the same size as those of all other cells.
    colors : sequence of str
        ``#rrggbb`` of the swatches below it; none for no swatches.
    """

    caption: str
    picture: Image.Image
    colors: Sequence[str] = ()


def cell_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Tell how large a picture is coloured for a sheet.

    Parameters
    ----------
    height, width : int
    side : int
        That the longer of them may have.

    Returns
    -------
    height, width : int
        Aspect kept, never more than the picture has itself.
    """
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def draw_sheet(cells: Sequence[Cell], columns: int) -> UInt8:
    """Draw cells row by row.

    Parameters
    ----------
    cells : sequence of Cell
        At least one.
    columns : int

    Returns
    -------
    rgb : ndarray of uint8, shape (H, W, 3)
        Transparent pictures are laid on the white of the sheet.
    """
    font = ImageFont.load_default(FONT_SIZE)
    first = cells[0].picture
    factor = max(1, SMALL_SIDE // max(first.size))
    picture_width, picture_height = first.width * factor, first.height * factor
    widest_caption = math.ceil(max(font.getlength(cell.caption) for cell in cells))
    cell_width = max(picture_width, widest_caption)
    has_swatches = any(cell.colors for cell in cells)
    swatch_height = SWATCH_GAP + SWATCH_HEIGHT if has_swatches else 0
    cell_height = CAPTION_HEIGHT + picture_height + swatch_height
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new(
        "RGB",
        (GAP + columns * (cell_width + GAP), GAP + rows * (cell_height + GAP)),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        left = GAP + column * (cell_width + GAP)
        centre = left + cell_width // 2
        top = GAP + row * (cell_height + GAP)
        draw.text((centre, top + CAPTION_HEIGHT // 2), cell.caption, INK, font, anchor="mm")
        top += CAPTION_HEIGHT
        picture = cell.picture.resize((picture_width, picture_height), Image.Resampling.NEAREST)
        # The mask is what is opaque; RGB is, all of it.
        corner = (centre - picture_width // 2, top)
        sheet.paste(picture, corner, picture if picture.mode == "RGBA" else None)
        _draw_swatches(draw, cell.colors, left, top + picture_height + SWATCH_GAP, cell_width)
    return np.asarray(sheet)


def _draw_swatches(
    draw: ImageDraw.ImageDraw, colors: Sequence[str], left: int, top: int, width: int
) -> None:
    for index, color in enumerate(colors):
        start, end = (left + width * edge // len(colors) for edge in (index, index + 1))
        # Of more colours than pixels some are not seen.
        if end > start:
            draw.rectangle((start, top, end - 1, top + SWATCH_HEIGHT - 1), color)
