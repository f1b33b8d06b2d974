"""How long each stage of a request takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Adds up the wall time of named stages.

    Parameters
    ----------
    elapsed_ms : mapping of str to float, optional
        What was measured before.
    """

    def __init__(self, elapsed_ms: Mapping[str, float] | None = None) -> None:
        self.elapsed_ms = dict(elapsed_ms or {})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside, also when it fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed_ms = (time.perf_counter() - start) * 1000
            self.elapsed_ms[name] = self.elapsed_ms.get(name, 0.0) + elapsed_ms
