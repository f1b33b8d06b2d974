"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

TrimFunction = Callable[[int], int]


def find_trim() -> TrimFunction | None:
    """Find the function of the C library that gives memory back; other than glibc has none."""
    try:
        trim: TrimFunction = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim


_trim = find_trim()


def give_back() -> None:
    """Give back what was freed.

    The C library keeps it, in pieces, for each thread that ever asked for some:
    after pictures of all sizes that is more than the service needs at rest.
    """
    if _trim is not None:
        _trim(0)
