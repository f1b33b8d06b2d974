"""What every request passes: a request id, and a limit on its body.

Plain ASGI, so that bodies and answers stream through.
"""

from __future__ import annotations

import logging
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import errors

logger = logging.getLogger(__name__)

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What is taken over from a client: nothing that could forge a line of the log."""


class RequestIdMiddleware:
    """Give every answer an `X-Request-ID`, and every unexpected error an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = Headers(scope=scope).get("X-Request-ID", "")
        request_id = received if SANE_REQUEST_ID.fullmatch(received) else uuid.uuid4().hex
        answer_started = False

        async def send_with_id(message: Message) -> None:
            nonlocal answer_started
            if message["type"] == "http.response.start":
                answer_started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            logger.exception("Unexpected error in request %s", request_id)
            # Half an answer cannot become another one: the server cuts the connection.
            if answer_started:
                raise
            await errors.answer_unexpected_error()(scope, receive, send_with_id)


class BodyLimitMiddleware:
    """Refuse request bodies over a limit, as early as that is known.

    Parameters
    ----------
    app : ASGIApp
    max_bytes : int
        Compared with the announced length at once, and with what really comes.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("Content-Length", "")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            answer = errors.UploadTooLargeError(self.max_bytes, int(announced)).answer()
            await answer(scope, receive, send)
            return
        received_bytes = 0

        async def receive_counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self.max_bytes:
                raise errors.UploadTooLargeError(self.max_bytes)
            return message

        await self.app(scope, receive_counted, send)
