"""The server: uvicorn, and what keeps hostile or lost clients from wearing it out.

The application sees requests only once their headers are complete, and forgets
answers once they are handed over. Before and after, the connection is watched
here: who does not say what he wants, says it without end, or does not take his
answer, is let go.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import errors
from service.error_answers import ProblemResponse, answer_error
from service.settings import Settings

REASON = re.compile(r"[^\x20-\x7e]")
STALL_CHECK_S = 5.0
"""Between two looks at whether a client takes its answer."""
CONNECTIONS_RETRY_S = 2


def build_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Make the server of an application, not yet started."""
    protocol = build_protocol(settings)
    app.state.unsent_bytes = protocol.unsent_bytes
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol,
        # There are no WebSockets here; their library would only take time and memory.
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_timeout_s,  # type: ignore[arg-type]
        server_header=False,
        # The log is set up already, and has a line of our own for each request.
        log_config=None,
        access_log=False,
    )
    return uvicorn.Server(config)


def build_protocol(settings: Settings) -> type[GuardedProtocol]:
    """Make the protocol that uvicorn runs for each connection."""

    class Protocol(GuardedProtocol):
        max_connections = settings.max_connections
        max_header_bytes = settings.max_header_bytes
        header_timeout_s = settings.header_timeout_s
        min_answer_bytes_per_s = settings.min_upload_bytes_per_s
        slow_clients: ClassVar[set[GuardedProtocol]] = set()

    return Protocol


class GuardedProtocol(HttpToolsProtocol):
    """HTTP of one connection, as uvicorn does it, with limits where it has none."""

    max_connections: int
    max_header_bytes: int
    header_timeout_s: float
    min_answer_bytes_per_s: float
    slow_clients: ClassVar[set[GuardedProtocol]]

    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _stall_timer: asyncio.TimerHandle | None = None

    @classmethod
    def unsent_bytes(cls) -> int:
        """Bytes of answers that clients have not taken yet; of all connections."""
        # A copy: slots ask while connections come and go.
        return sum(client.transport.get_write_buffer_size() for client in list(cls.slow_clients))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, if there is room for one more client."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            error = errors.OverloadedError(self.max_connections, CONNECTIONS_RETRY_S, "connections")
            self._refuse(answer_error(error))
        else:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._cancel_header_timer()
        self._cancel_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; those of unfinished headers are counted."""
        if self._header_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_headers()
        super().data_received(data)
        if self._header_timer is None:
            return
        self._header_bytes += len(data)
        if self._header_bytes > self.max_header_bytes:
            self._refuse(
                _connection_problem(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"Address and headers must have at most {self.max_header_bytes:,} bytes. "
                    "Received: more",
                )
            )

    def on_headers_complete(self) -> None:
        """Stop waiting: from here on the application does."""
        self._cancel_header_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(_connection_problem(HTTPStatus.BAD_REQUEST, msg))

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes its answer."""
        super().pause_writing()
        self.slow_clients.add(self)
        self._check_stall_later()

    def resume_writing(self) -> None:
        """Stop watching."""
        self._cancel_stall_timer()
        super().resume_writing()

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
        status = HTTPStatus(answer.status_code)
        headers: list[tuple[bytes, bytes]] = [
            *self.server_state.default_headers,
            *answer.raw_headers,
            (b"connection", b"close"),
        ]
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.close()


def _connection_problem(status: HTTPStatus, detail: str) -> ProblemResponse:
    problem: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status}
    return ProblemResponse(errors.Problem(**problem, detail=detail))
