"""The engine in processes of this machine: none waits for the Python of another.

Threads work side by side while they are in libraries; what they do in Python they
do one after the other, and on a busy machine the one whose turn it is may have to
wait for a core. Processes have nothing in common but what was in memory before.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from service.bulk.companion import Companion, LostError
from service.bulk.engine import Answer, Engine, EngineError
from service.bulk.run import describe

Reply = list[Answer] | dict[str, Any]
"""Answers, or why there are none."""

ENDED = {"title": "Ended", "detail": "The run has ended"}

CAN_COPY = sys.platform == "linux"
"""Whether a process may begin as a copy of this one: elsewhere libraries forbid it."""


class Crew:
    """Colours in processes, each a picture at a time; see `RunEngine`.

    Parameters
    ----------
    make_engine : callable
        Gets ready to colour, in each of them. What was made before, such as tables,
        they share.
    count : int

    Raises
    ------
    EngineError
        When one of them cannot get ready.
    """

    def __init__(self, make_engine: Callable[[], Engine], count: int) -> None:
        def get_ready() -> Callable[[bytes], Reply]:
            engine = make_engine()
            return lambda data: _try_to_color(engine, data)

        self._members = [Companion[bytes, Reply]("fork", get_ready) for _ in range(count)]
        self._idle: queue.SimpleQueue[Companion[bytes, Reply]] = queue.SimpleQueue()
        self._is_closed = False
        try:
            for member in self._members:
                member.start()
            for member in self._members:
                with _told("A process died while it got ready"):
                    member.wait_until_ready()
                self._idle.put(member)
        except BaseException:
            self.close()
            raise

    def color(self, data: bytes) -> list[Answer]:
        """Make the answers of an encoded picture; see `Engine`."""
        member = self._idle.get()
        try:
            if self._is_closed:
                raise EngineError(ENDED)
            with _told("The process that coloured it died"):
                reply = member.ask(data)
        finally:
            self._idle.put(member)
        if isinstance(reply, dict):
            raise EngineError(reply)
        return reply

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._is_closed = True
        for member in self._members:
            member.end()


def _try_to_color(engine: Engine, data: bytes) -> Reply:
    try:
        return engine.color(data)
    except Exception as error:  # noqa: BLE001 - a picture that fails must not end the others
        return describe(error)


@contextmanager
def _told(loss: str) -> Iterator[None]:
    """Say of a process that is lost when that was, and why."""
    try:
        yield
    except LostError as error:
        raise EngineError({"title": "Worker lost", "detail": f"{loss}: {error}"}) from None
