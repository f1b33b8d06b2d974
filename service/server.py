"""The server: uvicorn, and what keeps hostile or lost clients from wearing it out.

The application sees requests only once their headers are complete, and forgets
answers once they are handed over. Before and after, the connection is watched
here: who does not say what he wants, says it without end, or does not take his
answer, is let go.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from http import HTTPStatus
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import errors
from service.door import Door, RawHeaders, Refusal
from service.doorstep import Doorstep, compose_answer
from service.error_answers import ProblemResponse, answer_error
from service.settings import Settings
from service.turned_away import TurnedAway

UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
STALL_CHECK_S = 5.0
"""Between two looks at whether a client takes its answer."""
CONNECTIONS_RETRY_S = 2


def build_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Make the server of an application, not yet started."""
    protocol = build_protocol(settings, app.state.door)
    app.state.unsent_bytes = protocol.unsent_bytes
    doorstep = build_doorstep(protocol)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=doorstep,
        # There are no WebSockets here; their library would only take time and memory.
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_timeout_s,  # type: ignore[arg-type]
        server_header=False,
        # The log is set up already, and has a line of our own for each request.
        log_config=None,
        access_log=False,
    )
    return uvicorn.Server(config)


def build_protocol(settings: Settings, at_door: Door) -> type[GuardedProtocol]:
    """Make the protocol that uvicorn runs for each connection."""

    class Protocol(GuardedProtocol):
        door = at_door
        max_connections = settings.max_connections
        max_header_bytes = settings.max_header_bytes
        header_timeout_s = settings.header_timeout_s
        min_answer_bytes_per_s = settings.min_upload_bytes_per_s
        slow_clients: ClassVar[set[GuardedProtocol]] = set()

    return Protocol


def build_doorstep(protocol: type[GuardedProtocol]) -> type[Doorstep]:
    """Make what each connection begins with."""

    class Outside(Doorstep):
        door = protocol.door
        max_connections = protocol.max_connections
        max_header_bytes = protocol.max_header_bytes
        header_timeout_s = protocol.header_timeout_s

        def go_inside(self) -> GuardedProtocol:
            return protocol.take_over(self)

    return Outside


class GuardedProtocol(HttpToolsProtocol):
    """HTTP of one connection, as uvicorn does it, with limits where it has none."""

    door: Door
    max_connections: int
    max_header_bytes: int
    header_timeout_s: float
    min_answer_bytes_per_s: float
    slow_clients: ClassVar[set[GuardedProtocol]]

    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _stall_timer: asyncio.TimerHandle | None = None
    _turned_away: TurnedAway | None = None
    """The last request, when it was refused and is not over yet."""
    _last_refused_s = -math.inf
    _is_too_many = False
    _holds_back = False
    """Whether no more requests are read until answers are taken."""

    @classmethod
    def take_over(cls, doorstep: Doorstep) -> GuardedProtocol:
        """Go on with a connection that stood on the doorstep."""
        protocol = cls(
            doorstep.config, doorstep.server_state, doorstep.app_state, _loop=doorstep.loop
        )
        doorstep.transport.set_protocol(protocol)
        protocol._last_refused_s = doorstep.last_refused_s
        protocol._is_too_many = doorstep.is_too_many
        protocol.connection_made(doorstep.transport)
        if protocol._header_timer is not None and doorstep.header_deadline_s < math.inf:
            # Of the first request some time is over.
            protocol._cancel_header_timer()
            protocol._header_timer = doorstep.loop.call_at(
                doorstep.header_deadline_s, protocol._give_up_headers
            )
        return protocol

    @classmethod
    def unsent_bytes(cls) -> int:
        """Bytes of answers that clients have not taken yet; of all connections."""
        # A copy: slots ask while connections come and go.
        return sum(client.transport.get_write_buffer_size() for client in list(cls.slow_clients))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; whether there was room was asked on the doorstep."""
        super().connection_made(transport)
        if self._is_too_many:
            error = errors.OverloadedError(self.max_connections, CONNECTIONS_RETRY_S, "connections")
            self._refuse(answer_error(error))
        else:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._cancel_header_timer()
        self._cancel_stall_timer()
        if self._turned_away is not None:
            self._turned_away.forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; those of unfinished headers are counted."""
        if self._header_timer is None and self._is_between_requests():
            self._expect_headers()
        if self._header_timer is not None and not self._header_bytes:
            data = without_upgrade(data)
        super().data_received(data)
        if self._header_timer is None:
            return
        self._header_bytes += len(data)
        if self._header_bytes > self.max_header_bytes:
            self._refuse(self._too_many_headers())

    def on_headers_complete(self) -> None:
        """Stop waiting: from here on the application does, unless there is no room for it."""
        self._cancel_header_timer()
        if self._turn_away():
            return
        super().on_headers_complete()
        if self.parser.get_http_version() == "1.0":
            # Chunks are of HTTP/1.1: here the end of the connection is that of an answer.
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _UntoldLength()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        if self._turned_away is None:
            super().on_body(body)
        else:
            self._turned_away.drop(body)

    def on_message_complete(self) -> None:
        """Take note of the end of a body."""
        if self._turned_away is None:
            super().on_message_complete()
        else:
            self._turned_away.end_body()

    def shutdown(self) -> None:
        """Begin to close: what was held back is sent."""
        if self._turned_away is not None:
            self._turned_away.send()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(_connection_problem(HTTPStatus.BAD_REQUEST, msg))

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes its answers."""
        super().pause_writing()
        self.slow_clients.add(self)
        self._check_stall_later()

    def resume_writing(self) -> None:
        """Stop watching."""
        self._cancel_stall_timer()
        super().resume_writing()
        if self._holds_back:
            self._holds_back = False
            self.flow.resume_reading()

    def _is_between_requests(self) -> bool:
        is_answered = self.cycle is None or self.cycle.response_complete
        return is_answered and (self._turned_away is None or self._turned_away.body_ended)

    def _turn_away(self) -> bool:
        """Refuse a request whose headers are there; tells whether that was done."""
        if self._turned_away is not None:
            # Answers keep the order of the requests.
            self._turned_away.send()
            if self.transport.is_closing():
                return True
            self._turned_away = None
            self._unset_keepalive_if_required()
        is_answered = self.cycle is None or self.cycle.response_complete
        refusal = self._find_refusal() if is_answered else None
        if refusal is None:
            return False
        self._last_refused_s = time.monotonic() + refusal.delay_s
        # Who waits to be told to go on is told that it need not.
        closes = (
            refusal.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            or self.expect_100_continue
            or self.parser.get_http_version() == "1.0"
            or not self.parser.should_keep_alive()
        )
        self._turned_away = TurnedAway(
            self.transport,
            self._compose(refusal.status, refusal.headers, refusal.body, closes=closes),
            delay_s=refusal.delay_s,
            closes=closes,
            on_done=self._await_next,
        )
        if self.flow.write_paused and not self.transport.is_closing():
            # They must not pile up before who asks on and takes none.
            self._holds_back = True
            self.flow.pause_reading()
        return True

    def _find_refusal(self) -> Refusal | None:
        """Tell how a request is refused for its headers, or for want of room."""
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
        # Those that came in one piece were not counted while they came.
        if len(self.url) + fields > self.max_header_bytes:
            answer = self._too_many_headers()
            return Refusal(0.0, answer.status_code, answer.raw_headers, bytes(answer.body))
        if self.parser.get_method() != b"POST":
            return None
        return self.door.refuse(self.url, self.headers, self._last_refused_s)

    def _too_many_headers(self) -> Response:
        return _connection_problem(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"Address and headers must have at most {self.max_header_bytes:,} bytes. "
            "Received: more",
        )

    def _await_next(self) -> None:
        """Let the connection be kept for a while, as uvicorn does after its own answers."""
        self._turned_away = None
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _expect_headers(self) -> None:
        self._header_bytes = 0
        self._header_timer = self.loop.call_later(self.header_timeout_s, self._give_up_headers)

    def _give_up_headers(self) -> None:
        self._header_timer = None
        self._refuse(
            _connection_problem(
                HTTPStatus.REQUEST_TIMEOUT,
                f"Address and headers must be there within {self.header_timeout_s:g} s. "
                "Received: a part of them, or nothing",
            )
        )

    def _check_stall_later(self) -> None:
        unsent_bytes = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(STALL_CHECK_S, self._check_stall, unsent_bytes)

    def _check_stall(self, unsent_bytes_before: int) -> None:
        """Cut the connection of a client that takes less than it must."""
        taken_bytes = unsent_bytes_before - self.transport.get_write_buffer_size()
        if taken_bytes < STALL_CHECK_S * self.min_answer_bytes_per_s:
            self.transport.abort()
        else:
            self._check_stall_later()

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _cancel_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
            self.slow_clients.discard(self)

    def _refuse(self, answer: Response) -> None:
        """Answer a connection that the application never sees, and close it."""
        self._cancel_header_timer()
        if self.transport.is_closing():
            return
        self.transport.write(
            self._compose(answer.status_code, answer.raw_headers, bytes(answer.body), closes=True)
        )
        self.transport.close()

    def _compose(self, status: int, headers: RawHeaders, body: bytes, *, closes: bool) -> bytes:
        """Write an answer as it goes over the wire."""
        return compose_answer(
            status,
            (*self.server_state.default_headers, *headers),
            b"" if self.parser.get_method() == b"HEAD" else body,
            closes=closes,
        )


class _UntoldLength(int):
    """What uvicorn compares a body with that may have any length."""

    def __lt__(self, sent_bytes: int) -> bool:
        return False

    def __ne__(self, sent_bytes: object) -> bool:
        return False

    def __sub__(self, sent_bytes: int) -> _UntoldLength:
        return self


def without_upgrade(data: bytes) -> bytes:
    """Take the wish for another protocol out of headers.

    Clients that would rather speak HTTP/2, as Java's do by default, go on with 1.1 where they
    find no answer to it; the parser would take it for the end of the request, body and all.

    Parameters
    ----------
    data : bytes
        The beginning of a request; left as it is when its headers are not complete.
    """
    end = data.find(b"\r\n\r\n")
    head = data[: max(end, 0)]
    return UPGRADE.sub(b"", head) + data[end:] if b"upgrade" in head.lower() else data


def _connection_problem(status: HTTPStatus, detail: str) -> ProblemResponse:
    problem: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status}
    return ProblemResponse(errors.Problem(**problem, detail=detail))
