"""The doorstep: where connections stand until one of their requests is let in.

While the line is full most requests get no further. What the server sets up for a
connection, and all that it asks of a request, would take the event loop as long again
as to refuse it, and slots wait for the interpreter meanwhile. So plain requests are
turned away here; everything else is the server's.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from service.door import Door
from service.turned_away import TurnedAway

PLAIN_HEAD = re.compile(rb"POST (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[\t -~]*\r\n)+)\r\n")
"""Headers that can be read in one way only."""
DEMANDING = frozenset(
    (b"connection", b"expect", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
"""Headers that ask for more than to read a body of known length."""
MOST_DIGITS = 15
"""Of a length that is plain."""


class PlainRequest(NamedTuple):
    """The head of a request that brings a body of known length.

    Parameters
    ----------
    url : bytes
    headers : list of tuple of bytes
        Names in lower case.
    head_bytes, body_bytes : int
    """

    url: bytes
    headers: list[tuple[bytes, bytes]]
    head_bytes: int
    body_bytes: int


class Doorstep(asyncio.Protocol):
    """A connection of which no request was let in yet.

    Parameters
    ----------
    config, server_state, app_state, _loop
        What uvicorn gives its protocols.
    """

    door: Door
    max_connections: ClassVar[int]
    max_header_bytes: ClassVar[int]
    header_timeout_s: ClassVar[float]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.config = config
        self.server_state = server_state
        self.app_state = app_state
        self.loop = _loop or asyncio.get_running_loop()
        self.header_deadline_s = math.inf
        """On the clock of the loop."""
        self.is_too_many = False
        """Whether there was no room for one more client when it came."""
        self.last_refused_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._missing_bytes = 0
        self._turned_away: TurnedAway | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, if there is room for one more client."""
        self.transport = transport
        # Counted, and shut down, like the protocols of uvicorn.
        self.server_state.connections.add(self)  # type: ignore[arg-type]
        self.header_deadline_s = self.loop.time() + self.header_timeout_s
        self.is_too_many = len(self.server_state.connections) > self.max_connections
        if self.is_too_many:
            self._let_in()
        else:
            self._timer = self.loop.call_at(self.header_deadline_s, self._let_in)

    def connection_lost(self, _: Exception | None) -> None:
        """Wait for nothing any more."""
        self._leave()
        if self._turned_away is not None:
            self._turned_away.forget()

    def data_received(self, data: bytes) -> None:
        """Take bytes of what was turned away, or of a new request."""
        if self._turned_away is not None:
            self._drop(memoryview(data), self._turned_away)
        elif not self._turn_away(data):
            self._let_in(data)

    def go_inside(self) -> HttpToolsProtocol:
        """Make the server's protocol, which goes on with the connection."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """Close; what was held back is sent."""
        if self._turned_away is not None:
            self._turned_away.send()
        self.transport.close()

    def _turn_away(self, data: bytes) -> bool:
        """Refuse a request if it is plain and there is no room; tells whether that was done."""
        # Who does not take his answers is looked after inside.
        if not self.door.is_shut or self.transport.get_write_buffer_size():
            return False
        request = read_plain_request(data, self.max_header_bytes)
        if request is None:
            return False
        refusal = self.door.refuse(request.url, request.headers, self.last_refused_s)
        if refusal is None:
            return False
        self._cancel_timer()
        self.last_refused_s = time.monotonic() + refusal.delay_s
        answer = compose_answer(
            refusal.status,
            (*self.server_state.default_headers, *refusal.headers),
            refusal.body,
        )
        if not refusal.delay_s and len(data) == request.head_bytes + request.body_bytes:
            self.transport.write(answer)
            self._await_next()
            return True
        self._missing_bytes = request.body_bytes
        self._turned_away = TurnedAway(
            self.transport,
            answer,
            delay_s=refusal.delay_s,
            closes=False,
            on_done=self._await_next,
        )
        self._drop(memoryview(data)[request.head_bytes :], self._turned_away)
        return True

    def _drop(self, data: memoryview, turned_away: TurnedAway) -> None:
        """Take bytes of a body, or of a request that comes before the answer to the last one."""
        body, rest = data[: self._missing_bytes], data[self._missing_bytes :]
        if body:
            self._missing_bytes -= len(body)
            turned_away.drop(body)
            if not self._missing_bytes:
                turned_away.end_body()
        if rest:
            # Answers keep the order of the requests.
            turned_away.send()
            self._let_in(bytes(rest))

    def _await_next(self) -> None:
        """Let the connection be kept for a while, as uvicorn does after its own answers."""
        self._turned_away = None
        self.header_deadline_s = math.inf
        self._timer = self.loop.call_later(self.config.timeout_keep_alive, self.transport.close)

    def _let_in(self, data: bytes = b"") -> None:
        """Leave the connection to the server."""
        self._leave()
        protocol = self.go_inside()
        if data:
            protocol.data_received(data)

    def _leave(self) -> None:
        self._cancel_timer()
        self.server_state.connections.discard(self)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def read_plain_request(data: bytes, max_header_bytes: int) -> PlainRequest | None:
    """Read the head of a request that needs no second look.

    Parameters
    ----------
    data : bytes
        The beginning of a request.
    max_header_bytes : int

    Returns
    -------
    request : PlainRequest or None
        None when it is not there completely, or anything about it is not plain.
    """
    match = PLAIN_HEAD.match(data, 0, max_header_bytes)
    if match is None:
        return None
    headers = []
    for line in match[2].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        # What follows a value belongs to it, as inside: to a key, too.
        headers.append((name.lower(), value.lstrip(b" \t")))
    fields = dict(headers)
    length = fields.get(b"content-length", b"")
    is_plain = (
        len(fields) == len(headers)
        and DEMANDING.isdisjoint(fields)
        and length.isdigit()
        and len(length) <= MOST_DIGITS
        and int(length) > 0
    )
    return PlainRequest(match[1], headers, match.end(), int(length)) if is_plain else None


def compose_answer(
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    *,
    closes: bool = False,
) -> bytes:
    """Write an answer as it goes over the wire."""
    lines = [STATUS_LINE[status].rstrip()]
    for name, value in headers:
        lines.append(name + b": " + value)
    if closes:
        lines.append(b"connection: close")
    return b"\r\n".join((*lines, b"", body))
