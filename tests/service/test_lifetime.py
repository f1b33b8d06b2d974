"""One deadline for the upload, the work and a client that is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.lifetime import LifetimeMiddleware, Patience, StalledError

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}
IMPATIENT = Patience(upload_timeout_s=0.05, min_upload_bytes_per_s=1000, request_timeout_s=0.05)


class Client:
    """Sends pieces of a body, waiting before each, and keeps what it is answered."""

    def __init__(self, *pieces: tuple[float, bytes], leaves_after_s: float = 60) -> None:
        self._messages = [
            (wait_s, {"type": "http.request", "body": body, "more_body": more})
            for more, (wait_s, body) in zip(
                [True] * (len(pieces) - 1) + [False], pieces, strict=True
            )
        ]
        self._leaves_after_s = leaves_after_s
        self.answer: list[Message] = []

    async def receive(self) -> Message:
        wait_s, message = (
            self._messages.pop(0)
            if self._messages
            else (self._leaves_after_s, {"type": "http.disconnect"})
        )
        await asyncio.sleep(wait_s)
        return message

    async def send(self, message: Message) -> None:
        self.answer.append(message)

    def visit(self, app: ASGIApp, patience: Patience = IMPATIENT) -> None:
        asyncio.run(LifetimeMiddleware(app, patience)(SCOPE, self.receive, self.send))

    @property
    def problem(self) -> Any:
        return json.loads(self.answer[1]["body"])


async def answer_ok(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


async def read_and_answer(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await answer_ok(send)


def working_for(seconds: float, then: Callable[[], None] = lambda: None) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(seconds)
        then()
        await answer_ok(send)

    return app


def test_quick_request_passes() -> None:
    client = Client((0, b"body"))

    client.visit(read_and_answer)

    assert [message["type"] for message in client.answer] == [
        "http.response.start",
        "http.response.body",
    ]


def test_upload_that_stops_is_answered_408() -> None:
    client = Client((0, b"x" * 10), (10, b""))

    client.visit(read_and_answer)

    assert client.answer[0]["status"] == 408
    assert client.problem["type"] == "/problems/upload-timeout"
    assert client.problem["received"] == 10


def test_upload_at_the_lowest_speed_passes() -> None:
    # 0.5 s in all, but each piece allows a second more.
    client = Client(*[(0.05, b"x" * 1000)] * 10)

    client.visit(read_and_answer, Patience(0.4, 1000, request_timeout_s=5))

    assert client.answer[0]["status"] == 200


def test_upload_below_the_lowest_speed_is_answered_408() -> None:
    client = Client(*[(0.02, b"x")] * 10)

    client.visit(read_and_answer)

    assert client.answer[0]["status"] == 408


def test_work_that_takes_too_long_is_answered_504() -> None:
    client = Client((0, b"body"))

    client.visit(working_for(10))

    assert client.answer[0]["status"] == 504
    assert client.problem == {
        "type": "/problems/timeout",
        "title": "Timeout",
        "status": 504,
        "detail": "A request may take 0.05 s beside its upload. Received: one that needs more",
        "accepted": 0.05,
    }


def test_streamed_answer_may_take_longer_than_one_piece() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(5):
            await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    client = Client((0, b"body"))
    client.visit(stream, Patience(1, 1000, request_timeout_s=0.4))

    assert [message.get("body") for message in client.answer[1:]] == [b"x"] * 5 + [b""]


def test_answer_that_does_not_go_on_is_cut() -> None:
    async def stall(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(10)

    with pytest.raises(StalledError, match=r"^an answer did not go on for 0\.05 s$"):
        Client((0, b"body")).visit(stall)


def test_client_that_leaves_ends_work_without_answer() -> None:
    reached: list[str] = []
    client = Client((0, b"body"), leaves_after_s=0.02)

    client.visit(
        working_for(10, lambda: reached.append("end")), Patience(1, 1000, request_timeout_s=5)
    )

    assert (client.answer, reached) == ([], [])


def test_app_is_told_of_client_that_leaves() -> None:
    heard: list[str] = []

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            heard.append((await receive())["type"])
        finally:
            heard.append("cleaned up")

    Client((0, b"body"), leaves_after_s=0.01).visit(listen)

    assert heard[-1] == "cleaned up"


def test_work_after_the_answer_is_not_cut_by_end_of_answer() -> None:
    finished: list[bool] = []

    async def clean_up_slowly(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await answer_ok(send)
        await asyncio.sleep(0.03)
        finished.append(True)

    # Servers answer `receive` with a disconnect once an answer is complete.
    client = Client((0, b"body"), leaves_after_s=0.01)
    client.visit(clean_up_slowly, Patience(1, 1000, request_timeout_s=5))

    assert finished == [True]


def test_timeout_of_the_app_itself_is_passed_on() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("a fault of its own")

    with pytest.raises(TimeoutError, match="a fault of its own"):
        Client((0, b"body")).visit(fail)
