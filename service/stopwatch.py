"""How long each stage of a request takes, and who else wants to know."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol


class StageWatcher(Protocol):
    """Whoever wants to be there at every stage."""

    def watch(self, stage: str) -> AbstractContextManager[None]:
        """Surround a stage; may refuse it by raising."""


stage_watcher: ContextVar[StageWatcher | None] = ContextVar("stage_watcher", default=None)
"""The one of the request that is being worked at."""


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
        watcher = stage_watcher.get()
        start = time.perf_counter()
        try:
            with nullcontext() if watcher is None else watcher.watch(name):
                yield
        finally:
            elapsed_ms = (time.perf_counter() - start) * 1000
            self.elapsed_ms[name] = self.elapsed_ms.get(name, 0.0) + elapsed_ms
