"""Slots: how many pictures are coloured at the same time, and who is next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Slots:
    """Threads that colour pictures; who finds all of them busy waits in line.

    The line is the threads' own: a thread that is done takes the next picture
    at once. Were it the event loop that hands pictures out, the thread would be
    idle until the loop gets its turn, behind the other threads.

    Parameters
    ----------
    count : int
        Pictures at the same time.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="slot")

    async def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function in a slot, first come, first served."""
        return await asyncio.wrap_future(self._threads.submit(function, *args, **kwargs))

    def __enter__(self) -> Slots:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
