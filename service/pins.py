"""Hints made exact at full size.

A model sees a small copy: where a hint is on something finer than a pixel of
that copy, or beside an edge, what its chroma is enlarged to is near the hint's
colour, and not the same. The difference is added back where it belongs: at the
point in full, and around it less and less, on pixels of about the same lightness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.cie import Float32, Pixels
from service.color import merge_chroma, rgb_to_lab

REACH = 0.025
"""How far a correction goes, in longer sides of the picture: three pixels of chroma
that is 128 wide, as far as enlarging it can be wrong about a point."""
LIGHTNESS_REACH = 6.0
"""Difference of L* at which a pixel takes exp(-1) of a correction: grain is within,
edges are not."""
NEGLIGIBLE = 1.0
"""Difference of a* or b* that nobody sees, and rounding makes."""
SAME_PIXEL = np.float32(1e-6)
"""Squared pixels. Keeps weights finite; hints at one and the same pixel are averaged."""


@dataclass(frozen=True)
class Pin:
    """A correction of chroma at a pixel.

    Parameters
    ----------
    row, column : int
    lightness : float
        L* of the pixel.
    excess : ndarray of float32, shape (2,)
        What a* and b* lack there.
    """

    row: int
    column: int
    lightness: float
    excess: Float32

    @property
    def is_missed(self) -> bool:
        """Whether anybody would see what is lacking."""
        return bool(np.abs(self.excess).max() > NEGLIGIBLE)


def pin_hints(
    rgb: Pixels,
    lightness: Float32,
    hints: Float32,
    adjustments: Adjustments = NO_ADJUSTMENTS,
) -> None:
    """Give hints their exact colours in a coloured picture, as far as sRGB has them.

    Corrections of hints near each other are blended by the inverse squares of
    their distances [1]_: each is met at its own point, and nothing between them
    is corrected by more than one of them needs.

    Parameters
    ----------
    rgb : ndarray of uint8 or uint16, shape (H, W, 3)
        Is changed around hints that are not met yet, and nowhere else.
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100], before adjustments.
    hints : ndarray of float32, shape (M, 5)
        x, y, a*, b* and weight; of weight 0 they do not count.
    adjustments : Adjustments, optional
        Those that were made to the picture; they are made to hints as well.

    References
    ----------
    .. [1] D. Shepard, "A two-dimensional interpolation function for
       irregularly-spaced data", ACM National Conference, 1968.
    """
    pins = _find_pins(rgb, lightness, hints[hints[:, 4] > 0], adjustments)
    height, width = lightness.shape
    reach = max(1, round(REACH * max(height, width)))
    # In bands as high as a correction goes: no planes of the picture's size.
    for top in range(0, height, reach):
        bottom = min(top + reach, height)
        within = [pin for pin in pins if top - reach < pin.row < bottom + reach]
        for group in _group_by_column(within, 2 * reach):
            if any(pin.is_missed for pin in group):
                left, right = max(0, group[0].column - reach), group[-1].column + reach + 1
                area = slice(top, bottom), slice(left, right)
                correction = _blend(group, lightness[area], (top, left), reach)
                _add_chroma(rgb[area], correction, adjustments.adjust_lightness(lightness[area]))


def _group_by_column(pins: list[Pin], gap: int) -> Iterator[list[Pin]]:
    """Yield neighbours together, from left to right; groups are farther apart than a gap."""
    group: list[Pin] = []
    for pin in sorted(pins, key=lambda pin: pin.column):
        if group and pin.column - group[-1].column > gap:
            yield group
            group = []
        group.append(pin)
    if group:
        yield group


def _find_pins(
    rgb: Pixels, lightness: Float32, hints: Float32, adjustments: Adjustments
) -> list[Pin]:
    """Compare what hints say with what is there."""
    height, width = lightness.shape
    rows = (hints[:, 1] * height).astype(np.intp).clip(0, height - 1)
    columns = (hints[:, 0] * width).astype(np.intp).clip(0, width - 1)
    at_points = lightness[rows, columns]
    chroma = adjustments.adjust_chroma(hints[None, :, 2:4])
    adjusted = adjustments.adjust_lightness(at_points[None])
    wanted = merge_chroma(adjusted, chroma, bit_depth=8 * rgb.itemsize)
    # Both as codes: a colour that sRGB does not have is not to be reached for.
    excess = rgb_to_lab(wanted[0])[:, 1:] - rgb_to_lab(rgb[rows, columns])[:, 1:]
    return [
        Pin(int(row), int(column), float(level), missing)
        for row, column, level, missing in zip(rows, columns, at_points, excess, strict=True)
    ]


def _blend(pins: list[Pin], lightness: Float32, corner: tuple[int, int], reach: int) -> Float32:
    """Spread corrections over an area of the picture.

    Parameters
    ----------
    pins : list of Pin
    lightness : ndarray of float32, shape (h, w)
        Of the area.
    corner : tuple of int
        Row and column of the area's first pixel.
    reach : int
        In pixels.

    Returns
    -------
    correction : ndarray of float32, shape (h, w, 2)
    """
    height, width = lightness.shape
    sums = np.zeros((height, width, 2), np.float32)
    weights = np.full((height, width), np.finfo(np.float32).tiny)
    strongest = np.zeros((height, width), np.float32)
    for pin in pins:
        row, column = pin.row - corner[0], pin.column - corner[1]
        window = (
            slice(max(0, row - reach), max(0, row + reach + 1)),
            slice(max(0, column - reach), max(0, column + reach + 1)),
        )
        down = np.arange(height, dtype=np.float32)[window[0], None] - row
        across = np.arange(width, dtype=np.float32)[None, window[1]] - column
        squared = down**2 + across**2
        difference = (lightness[window] - np.float32(pin.lightness)) / np.float32(LIGHTNESS_REACH)
        strength = np.exp(-(difference**2))
        strength *= np.maximum(1 - squared / np.float32((reach + 1) ** 2), 0) ** 2
        weight = strength / (squared + SAME_PIXEL)
        sums[window] += weight[..., None] * pin.excess
        weights[window] += weight
        np.maximum(strongest[window], strength, out=strongest[window])
    sums *= (strongest / weights)[..., None]
    return sums


def _add_chroma(rgb: Pixels, correction: Float32, lightness: Float32) -> None:
    """Change colours where there is something to correct; all shapes (h, w, ...)."""
    changed = np.abs(correction).max(axis=-1) > NEGLIGIBLE
    lab = rgb_to_lab(rgb[changed])
    chroma = lab[None, :, 1:] + correction[changed]
    rgb[changed] = merge_chroma(lightness[changed][None], chroma, bit_depth=8 * rgb.itemsize)[0]
