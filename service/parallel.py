"""Pictures worked through in bands of rows, on one thread or more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

BAND_PIXELS = 1 << 16
"""Pixels worked on at a time: few enough for the working set to stay in the
cache, enough that threads seldom wait for the interpreter between two calls."""


def share_bands(
    shape: tuple[int, int], work: Callable[[Sequence[slice]], None], threads: int = 1
) -> None:
    """Share out the rows of a picture in bands.

    No two bands have a row in common, so that `work` may write its own rows of
    an array that all share. NumPy lets other threads run while it computes.

    Parameters
    ----------
    shape : tuple of int
        (height, width) of the picture.
    work : callable
        Is called once on each thread, with the bands that are its to do, the
        first of which is as high as any: scratch space made for it serves all.
    threads : int
        At least 1; with 1 the work is done by the caller.

    Raises
    ------
    ValueError
        When there are no threads.
    """
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1. Received: {threads}")
    height, width = shape
    rows = max(1, BAND_PIXELS // max(1, width))
    bands = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
    shares = [bands[first::threads] for first in range(min(threads, len(bands)))]
    if len(shares) == 1:
        work(shares[0])
    elif shares:
        with ThreadPoolExecutor(len(shares)) as pool:
            # To go through the results is to raise what a thread raised.
            for _ in pool.map(work, shares):
                pass
