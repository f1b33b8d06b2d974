"""Palettes: colours that a request names, and colours of a picture.

A palette is an array of float32 of shape (K, 4): L*, a*, b* and weight of each
colour. Colours of a picture weigh their share of it, in [0, 1]; named ones, of
which nobody said how much there should be, weigh 1 each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from pydantic import BaseModel, Field

from service.cie import Float32, UInt8
from service.color import merge_chroma, rgb_to_lab
from service.parameters import EXTRACTED_COLORS, MAX_COLORS

SAMPLED_SIDE = 256
"""Longer side, in pixels, of the copy that colours are taken from."""
SIMILAR_DISTANCE = 10.0
"""CIE76 under which two colours of a picture count as one: shades of the same
paint, which the clusters of a large even area are."""

LEAST_SHARE, LARGEST_SHARE = 0.001, 1000.0
"""Of a colour that is named, beside the others."""

COLOR_FORMS = "hex, such as ff8800, #ff8800 or f80, or a name of CSS, such as orange"

HEX_COLOR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.ASCII)

CELL_SIDE = 4.0
"""Of the cubes of L*a*b* that pixels are gathered in before they are clustered."""
CELL_CENTRES = 64
"""Cells along a* and along b*, which reach from -128 to 128."""
MAX_ROUNDS = 30
SETTLED = 0.05
"""Clustering ends when no centre moves by more, in L*a*b*."""


class PaletteColor(BaseModel):
    """One colour of a picture."""

    hex: str = Field(examples=["#ff8800"])
    lab: tuple[float, float, float] = Field(
        description="CIE L*, a* and b*, D65.", examples=[(68.66, 38.85, 74.98)]
    )
    share: float = Field(description="Of the picture, in [0, 1].", examples=[0.31])


class PaletteOfPicture(BaseModel):
    """The colours of a picture, the largest share first."""

    colors: list[PaletteColor]

    @classmethod
    def of(cls, palette: Float32) -> PaletteOfPicture:
        """Write down a palette, shape (K, 4)."""
        return cls(
            colors=[
                PaletteColor(
                    hex=name,
                    # Adding zero makes -0.0 the zero that people write.
                    lab=(round(lightness, 2), round(a, 2) + 0.0, round(b, 2) + 0.0),
                    share=round(share, 4),
                )
                for name, (lightness, a, b, share) in zip(
                    palette_to_hex(palette), palette.tolist(), strict=True
                )
            ]
        )


def parse_color(text: str) -> tuple[int, int, int]:
    """Read one colour.

    Parameters
    ----------
    text : str
        Three or six hex digits, with or without ``#``, or one of the named
        colours of CSS [1]_; upper or lower case.

    Returns
    -------
    red, green, blue : int
        sRGB codes in 0..255.

    Raises
    ------
    ValueError
        When it is neither.

    References
    ----------
    .. [1] CSS Color Module Level 4, section 6.1.
    """
    name = text.strip().lower()
    if match := HEX_COLOR.fullmatch(name):
        digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
        red, green, blue = bytes.fromhex(digits)
    elif name in ImageColor.colormap:
        red, green, blue = ImageColor.getrgb(name)[:3]
    else:
        raise ValueError(f"not a colour: {text!r}")
    return red, green, blue


def parse_palette(text: str) -> Float32:
    """Read a palette.

    Parameters
    ----------
    text : str
        1 to `MAX_COLORS` colours, comma separated, each of which a colon and a share
        may follow: ``navy:3,tomato`` has three times as much of navy.

    Returns
    -------
    palette : ndarray of float32, shape (K, 4)
        In the order in which they were written, of weight 1 each; where shares are
        named, they are weights, and add up to 1.

    Raises
    ------
    ValueError
        When one of them is no colour or share, or there are too many; the message
        says which.
    """
    entries = text.split(",")
    if len(entries) > MAX_COLORS:
        raise ValueError(f"{len(entries)} colours")
    parts = [entry.partition(":") for entry in entries]
    palette = colors_to_palette([parse_color(name) for name, _, _ in parts])
    if ":" in text:
        palette[:, 3] = [_parse_share(share) if colon else 1 for _, colon, share in parts]
        palette[:, 3] /= palette[:, 3].sum()
    return palette


def _parse_share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = np.nan
    if not LEAST_SHARE <= share <= LARGEST_SHARE:
        raise ValueError(f"not a share from {LEAST_SHARE} to {LARGEST_SHARE:.0f}: {text!r}")
    return share


def colors_to_palette(colors: Sequence[tuple[int, int, int]]) -> Float32:
    """Make a palette of sRGB codes; each colour has weight 1.

    Parameters
    ----------
    colors : sequence of (red, green, blue)

    Returns
    -------
    palette : ndarray of float32, shape (K, 4)
    """
    lab = rgb_to_lab(np.array(colors, np.uint8).reshape(-1, 3))
    return np.column_stack([lab, np.ones(len(lab), np.float32)])


def palette_to_hex(palette: Float32) -> list[str]:
    """Write colours as ``#rrggbb``.

    Parameters
    ----------
    palette : ndarray of float32, shape (K, 3) or (K, 4)

    Returns
    -------
    list of str
        Colours that sRGB cannot show are written with less chroma.
    """
    lab = np.ascontiguousarray(palette[None, :, :3], np.float32)
    (codes,) = merge_chroma(np.ascontiguousarray(lab[..., 0]), lab[..., 1:])
    return [f"#{bytes(code).hex()}" for code in codes]


def picture_palette(
    rgb: UInt8, alpha: UInt8 | None = None, count: int = EXTRACTED_COLORS
) -> Float32:
    """Find the colours of a picture that people would tell apart.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        Gamma-encoded sRGB, of any size.
    alpha : ndarray of uint8, shape (H, W), optional
        Opacity; what is mostly transparent does not count.
    count : int
        The most colours to find.

    Returns
    -------
    palette : ndarray of float32, shape (K, 4)
        1 to `count` colours and their shares, the largest first.
    """
    pixels = _shrink(rgb)
    if alpha is not None:
        visible = _shrink(alpha) >= 128
        pixels = pixels[visible] if visible.any() else pixels
    return main_colors(rgb_to_lab(pixels), count)


def main_colors(lab: NDArray[np.floating[Any]], count: int = EXTRACTED_COLORS) -> Float32:
    """Find the colours that people would tell apart; as `picture_palette`, of L*a*b*.

    Parameters
    ----------
    lab : ndarray of float, shape (..., 3)
        At least one pixel; better some ten thousands than millions.
    count : int
        The most colours to find.

    Returns
    -------
    palette : ndarray of float32, shape (K, 4)
        1 to `count` colours and their shares, the largest first.
    """
    palette = merge_similar(extract_palette(lab, count))
    return palette[np.argsort(-palette[:, 3], kind="stable")]


def extract_palette(lab: NDArray[np.floating[Any]], count: int = EXTRACTED_COLORS) -> Float32:
    """Cluster the colours of a picture with k-means.

    Pixels are first gathered in small cubes of L*a*b*, of which a picture fills
    some hundreds: these are what is clustered, weighed by their pixels. Where
    to begin is not drawn by lot: at the fullest cube, then always where most
    pixels are farthest from what was chosen before. So the same picture always
    has the same palette, and in the mean a tighter one than from a single
    random start.

    Parameters
    ----------
    lab : ndarray of float, shape (..., 3)
        At least one pixel.
    count : int

    Returns
    -------
    palette : ndarray of float32, shape (count, 4)
        Means of the clusters and their shares of the picture, the darkest
        first. A picture of fewer colours has copies of one of them, of share 0.

    References
    ----------
    .. [1] M. E. Celebi, "Improving the performance of k-means for color
       quantization", Image and Vision Computing 29, 2011.
    """
    colors, pixels = _gather(lab.reshape(-1, 3).astype(np.float32))
    centres, shares = _settle(colors, pixels, _spread_centres(colors, pixels, count))
    palette = np.column_stack([centres, shares]).astype(np.float32)
    return palette[np.argsort(palette[:, 0], kind="stable")]


def merge_similar(palette: Float32) -> Float32:
    """Join colours that are nearly the same, the nearest first.

    Parameters
    ----------
    palette : ndarray of float32, shape (K, 4)
        Not all of weight 0.

    Returns
    -------
    palette : ndarray of float32, shape (M, 4)
        No two colours nearer than `SIMILAR_DISTANCE`, none of weight 0; weights
        add up to what they did.
    """
    palette = palette[palette[:, 3] > 0]
    while len(palette) > 1:
        distance = np.linalg.norm(palette[:, None, :3] - palette[None, :, :3], axis=-1)
        np.fill_diagonal(distance, np.inf)
        first, second = divmod(int(distance.argmin()), len(palette))
        if distance[first, second] >= SIMILAR_DISTANCE:
            break
        pair = palette[[first, second]]
        joined = np.average(pair, axis=0, weights=pair[:, 3])
        joined[3] = pair[:, 3].sum()
        palette = np.delete(palette, second, axis=0)
        palette[first] = joined
    return palette


def _shrink(samples: UInt8) -> UInt8:
    """Average a picture or a plane down to about `SAMPLED_SIDE`, as the eye does."""
    factor = max(samples.shape[:2]) // SAMPLED_SIDE
    if factor <= 1:
        return samples
    return np.asarray(Image.fromarray(samples).reduce(factor))


def _gather(
    pixels: Float32,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gather pixels, (n, 3), in cells: mean colours (m, 3) and pixel counts (m,)."""
    cells = np.floor(pixels * np.float32(1 / CELL_SIDE)).astype(np.intp)
    lightness, a, b = cells.T
    half = CELL_CENTRES // 2
    index = (lightness * CELL_CENTRES + a + half) * CELL_CENTRES + b + half
    counts = np.bincount(index)
    filled = np.flatnonzero(counts)
    sums = [np.bincount(index, plane)[filled] for plane in pixels.T]
    weights: NDArray[np.float64] = counts[filled].astype(np.float64)
    return np.column_stack(sums) / weights[:, None], weights


def _spread_centres(
    colors: NDArray[np.float64], counts: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Choose (count, 3) of the colours (m, 3): fullest first, then far from the chosen."""
    chosen = [int(counts.argmax())]
    squared = np.full(len(colors), np.inf)
    for _ in range(count - 1):
        squared = np.minimum(squared, ((colors - colors[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int((counts * squared).argmax()))
    return colors[chosen]


def _settle(
    colors: NDArray[np.float64], counts: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move centres (k, 3) to the means of what is nearest to them; and shares (k,)."""
    for _ in range(MAX_ROUNDS):
        # Without the colours' own squares, which are the same for every centre.
        distance = (centres**2).sum(axis=1) - 2 * colors @ centres.T  # (m, k)
        nearest = distance.argmin(axis=1)
        sizes = np.bincount(nearest, counts, len(centres))
        sums = [np.bincount(nearest, counts * plane, len(centres)) for plane in colors.T]
        # A copy, of which a picture of few colours has some, stays where it is.
        means = np.where(
            sizes[:, None] > 0, np.column_stack(sums) / np.maximum(sizes, 1)[:, None], centres
        )
        movement = np.abs(means - centres).max()
        centres = means
        if movement <= SETTLED:
            break
    return centres, sizes / counts.sum()
