"""A request that was turned away: its answer is sent, and its body read on and dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.middleware import DRAIN_BEHIND_BYTES, DRAIN_BEHIND_S


class TurnedAway:
    """What is left to do for a refused request.

    Who closes a connection in which bytes are unread makes the system drop what the
    client has not read yet. So the body is read on, as far as it comes soon.

    Parameters
    ----------
    transport : asyncio.Transport
        The connection.
    answer : bytes
        As it goes over the wire.
    delay_s : float
        How long it is held back.
    closes : bool
        Whether the connection ends with it.
    on_done : callable
        Called when the connection is free for another request.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        answer: bytes,
        *,
        delay_s: float,
        closes: bool,
        on_done: Callable[[], None],
    ) -> None:
        self.body_ended = False
        self._transport = transport
        self._answer = answer
        self._closes = closes
        self._on_done = on_done
        self._is_sent = False
        self._dropped_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        if delay_s:
            self._timer = self._loop.call_later(delay_s, self.send)
        else:
            self.send()

    def drop(self, body: bytes | memoryview) -> None:
        """Take a piece of the body."""
        self._dropped_bytes += len(body)
        if self._dropped_bytes > DRAIN_BEHIND_BYTES:
            self.send()
            self._transport.close()

    def end_body(self) -> None:
        """Note that the body is there completely."""
        self.body_ended = True
        if self._is_sent:
            self._finish()

    def send(self) -> None:
        """Send the answer, if that has not been done."""
        if self._is_sent:
            return
        self._is_sent = True
        self.forget()
        self._transport.write(self._answer)
        if self.body_ended:
            self._finish()
        else:
            self._timer = self._loop.call_later(DRAIN_BEHIND_S, self._transport.close)

    def forget(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self) -> None:
        self.forget()
        if self._closes:
            self._transport.close()
        else:
            self._on_done()
