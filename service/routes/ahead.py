"""Work that is done ahead of its turn, and told in turn."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

Result = TypeVar("Result")


async def run_ahead(
    calls: Iterable[Callable[[], Awaitable[Result]]], ahead: int
) -> AsyncIterator[Result]:
    """Yield the results of calls in their order, while the next ones run already.

    Parameters
    ----------
    calls : iterable of callable
        Each is called when its turn to run has come, not before.
    ahead : int
        At least 1: how many run, or wait for their turn to be told, at a time.

    Yields
    ------
    object
        What a call returned. What it raised is raised here, and what else runs is
        cancelled; so it is when nobody wants the rest.
    """
    running: deque[asyncio.Future[Result]] = deque()
    try:
        for call in calls:
            running.append(asyncio.ensure_future(call()))
            if len(running) >= ahead:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for future in running:
            future.cancel()
