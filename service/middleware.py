"""What every request passes: a request id, limits on its body, and answers that arrive.

Plain ASGI, so that bodies and answers stream through.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import errors, logs
from service.admission import has_body
from service.error_answers import answer_error, answer_status, answer_unexpected_error
from service.lifetime import StalledError

logger = logging.getLogger(__name__)

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What is taken over from a client: nothing that could forge a line of the log."""

DRAIN_AHEAD_BYTES = 1 << 20
DRAIN_AHEAD_S = 0.1
"""What is read of a body before an answer that does not need it."""
DRAIN_BEHIND_BYTES = 1 << 24
DRAIN_BEHIND_S = 2.0
"""What is read of it after the answer."""
UPLOADS_RETRY_S = 5
"""When those who upload now are likely to be done."""


class DrainMiddleware:
    """Let answers arrive that were given before their request was there completely.

    Who closes a connection in which bytes are still unread makes the system drop
    what the client has not read yet, the answer too. So a little is read on: of
    a short body all before the answer, and the connection can stay; of a long
    one some after it, and the connection is closed then.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not has_body(scope):
            await self.app(scope, receive, send)
            return
        unread = True

        async def receive_to_end() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and bool(message.get("more_body", False))
            return message

        async def drain(most_bytes: int, seconds: float) -> None:
            try:
                async with asyncio.timeout(seconds):
                    while unread and most_bytes > 0:
                        most_bytes -= len((await receive_to_end()).get("body", b""))
            except TimeoutError:
                pass

        async def send_drained(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                # Who waits to be told to go on is better told that it need not.
                if "Expect" not in Headers(scope=scope):
                    await drain(DRAIN_AHEAD_BYTES, DRAIN_AHEAD_S)
                if unread:
                    MutableHeaders(scope=message)["Connection"] = "close"
            elif unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await drain(DRAIN_BEHIND_BYTES, DRAIN_BEHIND_S)
                message = {"type": "http.response.body"}
            await send(message)

        await self.app(scope, receive_to_end, send_drained)


class PlainErrorMiddleware:
    """Make problem documents of errors that the framework answers in words of its own.

    Those of files, whose ranges cannot be satisfied, and of pages of other origins.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_plain = headers.get("Content-Type", "").startswith("text/plain")
                is_replaced = is_plain and message["status"] >= HTTPStatus.BAD_REQUEST
                if is_replaced:
                    del headers["Content-Type"], headers["Content-Length"]
                    answer = answer_status(scope, HTTPStatus(message["status"]), headers)
                    await answer(scope, receive, send)
                    return
            if not is_replaced:
                await send(message)

        await self.app(scope, receive, send_problem)


class HeadMiddleware:
    """Answer HEAD as GET, without the body.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        # In place: routes leave in the scope what the log tells.
        scope["method"] = "GET"

        async def send_head(message: Message) -> None:
            # Servers look at it to know what they may send.
            scope["method"] = "HEAD"
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(scope, receive, send_head)
        finally:
            # Those outside answer too.
            scope["method"] = "HEAD"


def choose_request_id(headers: Headers) -> str:
    """Return the id that a client gave its request, or a new one when it is none for a log."""
    received = headers.get("X-Request-ID", "")
    return received if SANE_REQUEST_ID.fullmatch(received) else secrets.token_hex(16)


class RequestIdMiddleware:
    """Give every answer an `X-Request-ID`, and every unexpected error an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = choose_request_id(Headers(scope=scope))
        logs.request_id.set(request_id)
        answer_started = False

        async def send_with_id(message: Message) -> None:
            nonlocal answer_started
            if message["type"] == "http.response.start":
                answer_started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except StalledError as error:
            # The server cuts the connection of who does not finish an answer.
            logger.warning("Gave up a request: %s", error)
        except asyncio.CancelledError:
            # Of a request that is over by itself, that is told inside.
            logger.warning("Stopped a request: the service is being stopped")
            if not answer_started:
                await answer_error(errors.ShuttingDownError())(scope, receive, send_with_id)
        except Exception:
            logger.exception("Unexpected error in request %s", request_id)
            # Half an answer cannot become another one: the server cuts the connection.
            if answer_started:
                raise
            await answer_unexpected_error()(scope, receive, send_with_id)


class BodyLimitMiddleware:
    """Refuse request bodies over a limit, each and together, as early as that is known.

    Parameters
    ----------
    app : ASGIApp
    max_bytes : int
        Compared with the announced length at once, and with what really comes.
    max_total_bytes : int
        Of all requests under way.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_total_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_total_bytes = max_total_bytes
        self._total_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("Content-Length", "")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            answer = answer_error(errors.UploadTooLargeError(self.max_bytes, int(announced)))
            await answer(scope, receive, send)
            return
        received_bytes = 0

        async def receive_counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            size = len(message.get("body", b""))
            received_bytes += size
            self._total_bytes += size
            if received_bytes > self.max_bytes:
                raise errors.UploadTooLargeError(self.max_bytes)
            if self._total_bytes > self.max_total_bytes:
                raise errors.OverloadedError(
                    self.max_total_bytes, UPLOADS_RETRY_S, "bytes of request bodies"
                )
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            self._total_bytes -= received_bytes
