"""A process that answers, one question after the other; whoever asks it outlives it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, Literal, TypeVar

from service.bulk.engine import EngineError
from service.bulk.run import describe

Question = TypeVar("Question")
Reply = TypeVar("Reply")

_ours: set[Connection[Any, Any]] = set()
"""Our ends of all connections: a copy of this process has copies of them."""
_starting = threading.Lock()
"""Held while there are ends of both sides here."""


class LostError(Exception):
    """The process died; the message says of what."""


class Companion(Generic[Question, Reply]):
    """A process that answers; when it dies, another takes its place at the next question.

    Parameters
    ----------
    method : {"fork", "spawn"}
        Whether it begins as a copy of this process, or anew.
    get_ready : callable
        Makes, over there, the function that answers.
    """

    def __init__(
        self, method: Literal["fork", "spawn"], get_ready: Callable[[], Callable[[Question], Reply]]
    ) -> None:
        self._context = multiprocessing.get_context(method)
        self._get_ready = get_ready
        self._process: multiprocessing.process.BaseProcess | None = None
        self._is_ready = False
        self._connection: Connection[Any, Any]

    def start(self) -> None:
        """Begin the process, without waiting for it."""
        with _starting:
            self._connection, theirs = self._context.Pipe()
            _ours.add(self._connection)
            self._process = self._context.Process(  # type: ignore[attr-defined]
                target=_answer, args=(self._get_ready, theirs), daemon=True
            )
            self._process.start()
            # Its end is its own: whoever is left alone sees the end of the other.
            theirs.close()

    def wait_until_ready(self) -> None:
        """Wait for the process, which is begun where there is none.

        Raises
        ------
        EngineError
            When it cannot get ready.
        LostError
            When it died of that.
        """
        if self._process is None:
            self.start()
        if not self._is_ready:
            problem = self._hear()
            if problem is not None:
                self._bury()
                raise EngineError(problem)
            self._is_ready = True

    def ask(self, question: Question) -> Reply:
        """Have a question answered.

        Raises
        ------
        EngineError
            When the process cannot get ready.
        LostError
            When it died.
        """
        self.wait_until_ready()
        try:
            self._connection.send(question)
        except OSError:
            raise LostError(self._bury()) from None
        reply: Reply = self._hear()
        return reply

    def end(self) -> None:
        """End the process, whatever it does. Safe to call while another thread asks."""
        process = self._process
        if process is not None:
            process.terminate()
            process.join()

    def _hear(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            raise LostError(self._bury()) from None

    def _bury(self) -> str:
        """Make way for another process; say what became of this one."""
        process, self._process = self._process, None
        assert process  # noqa: S101 - it was asked
        self._is_ready = False
        _ours.discard(self._connection)
        self._connection.close()
        process.join()
        code = process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _answer(
    get_ready: Callable[[], Callable[[Any], Any]], connection: Connection[Any, Any]
) -> None:
    """Answer until nobody asks any more."""
    # Who is at the terminal interrupts the run, which ends this process in its own way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in _ours:
        other.close()
    try:
        answer = get_ready()
    except Exception as error:  # noqa: BLE001 - whoever asks tells of it
        connection.send(describe(error))
        return
    connection.send(None)
    while True:
        try:
            question = connection.recv()
        except EOFError:
            return
        connection.send(answer(question))
