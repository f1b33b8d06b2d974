"""Pictures worked through in bands of rows."""

from __future__ import annotations

from collections.abc import Iterator

BAND_PIXELS = 1 << 16
"""Pixels worked on at a time: few enough for the working set to stay in the
cache, enough that calling NumPy is no matter."""


def split_in_bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Split the rows of a picture in bands.

    Parameters
    ----------
    shape : tuple of int
        (height, width) of the picture.

    Yields
    ------
    rows : slice
        No two have a row in common; the first has as many as any.
    """
    height, width = shape
    rows = max(1, BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
