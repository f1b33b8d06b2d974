"""Memory that was freed: kept while there is work, given back to the system after it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

TrimFunction = Callable[[int], int]

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""Names that `malloc.h` gives to what can be set."""
KEPT_BYTES = 64 << 20
"""Freed memory that is kept for the next picture, of each arena."""
LARGE_BYTES = 16 << 20
"""From here on blocks are the system's, and go back to it at once: planes of pictures
of 4 megapixels and more, of which many may be there at a time."""


def find_trim() -> TrimFunction | None:
    """Find the function of the C library that gives memory back; other than glibc has none."""
    try:
        trim: TrimFunction = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim


_trim = find_trim()


def keep_freed() -> None:
    """Let the C library keep what is freed, up to a limit, where it is glibc.

    By itself it gives every block of a few megabytes back and asks for it again,
    and the system clears each page of it: a tenth of the time of a picture.
    What was set for the process by its environment stays.
    """
    is_set = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if _trim is not None and not is_set:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def give_back() -> None:
    """Give back what was freed.

    The C library keeps it, in pieces, for each thread that ever asked for some:
    after pictures of all sizes that is more than the service needs at rest.
    """
    if _trim is not None:
        _trim(0)
