"""How long a request may live: its upload, its work, and nobody left to answer.

One deadline moves through the life of a request. While the body comes in, it is
moved by what has come: a client that sends a byte a second does not hold a
connection. Once the body is complete, it is the time that the work may take.
When the client goes away, it is now.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.error_answers import answer_error
from service.errors import ColorizeError, UploadTimeoutError, WorkTimeoutError


class StalledError(Exception):
    """An answer that had begun did not go on; all that is left is to cut the connection."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"an answer did not go on for {timeout_s:g} s")


@dataclass(frozen=True)
class Patience:
    """How long is waited for what.

    Parameters
    ----------
    upload_timeout_s : float
        For a body, beside the time that its bytes are allowed.
    min_upload_bytes_per_s : float
        Each so many bytes that have come allow a second more.
    request_timeout_s : float
        From the end of the body to the beginning of the answer, and between its
        pieces.
    """

    upload_timeout_s: float
    min_upload_bytes_per_s: float
    request_timeout_s: float


class LifetimeMiddleware:
    """End requests whose time is over, and those whose client has gone away.

    Parameters
    ----------
    app : ASGIApp
    patience : Patience
    """

    def __init__(self, app: ASGIApp, patience: Patience) -> None:
        self.app = app
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await _Life(self.app, self.patience, receive, send).live(scope)
        else:
            await self.app(scope, receive, send)


class _Life:
    """One request."""

    def __init__(self, app: ASGIApp, patience: Patience, receive: Receive, send: Send) -> None:
        self._app = app
        self._patience = patience
        self._receive_from_client = receive
        self._send_to_client = send
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        self._deadline = asyncio.timeout_at(self._started_s + patience.upload_timeout_s)
        self._received_bytes = 0
        self._answer_started = False
        self._client_left = asyncio.Event()
        self._lookout: asyncio.Task[None] | None = None

    async def live(self, scope: Scope) -> None:
        try:
            async with self._deadline:
                await self._app(scope, self._receive, self._send)
        except TimeoutError:
            if not self._deadline.expired():
                raise
            if self._client_left.is_set():
                return
            if self._answer_started:
                raise StalledError(self._patience.request_timeout_s) from None
            await answer_error(self._timeout_error())(scope, self._receive, self._send_to_client)
        finally:
            if self._lookout is not None:
                self._lookout.cancel()

    def _timeout_error(self) -> ColorizeError:
        if self._lookout is None:
            return UploadTimeoutError(
                self._received_bytes,
                self._loop.time() - self._started_s,
                self._patience.upload_timeout_s,
                self._patience.min_upload_bytes_per_s,
            )
        return WorkTimeoutError(self._patience.request_timeout_s)

    async def _receive(self) -> Message:
        if self._lookout is not None:
            await self._client_left.wait()
            return {"type": "http.disconnect"}
        message = await self._receive_from_client()
        if message.get("more_body", False):
            self._received_bytes += len(message["body"])
            allowed_s = self._received_bytes / self._patience.min_upload_bytes_per_s
            self._deadline.reschedule(self._started_s + self._patience.upload_timeout_s + allowed_s)
        elif message["type"] == "http.request":
            self._grant_time_for_work()
            self._lookout = asyncio.create_task(self._look_out())
        return message

    async def _send(self, message: Message) -> None:
        self._answer_started = True
        self._grant_time_for_work()
        ends_answer = message["type"] == "http.response.body" and not message.get("more_body")
        # Servers call it a disconnect when an answer is complete.
        if ends_answer and self._lookout is not None:
            self._lookout.cancel()
        await self._send_to_client(message)

    def _grant_time_for_work(self) -> None:
        # Once it has expired, what is sent comes from those who clean up.
        if not self._deadline.expired():
            self._deadline.reschedule(self._loop.time() + self._patience.request_timeout_s)

    async def _look_out(self) -> None:
        """Wait for the client to go away: then nobody wants the rest."""
        if (await self._receive_from_client())["type"] != "http.disconnect":
            return
        self._client_left.set()
        if not self._deadline.expired():
            self._deadline.reschedule(self._loop.time())
