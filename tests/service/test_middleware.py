"""Answers arrive, and bodies are limited, also all together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import middleware
from service.app import create_app
from service.door import Door
from service.middleware import (
    BodyLimitMiddleware,
    DrainMiddleware,
    HeadMiddleware,
    RequestIdMiddleware,
)
from service.server import build_protocol, without_upgrade
from service.settings import Settings
from tests.conftest import TestClient


class Connection:
    """Brings a body in pieces of ten bytes, and keeps what happens in its order."""

    def __init__(self, pieces: int, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        length = (b"content-length", str(pieces * 10).encode())
        self.scope = {"type": "http", "path": "/", "headers": [length, *(headers or [])]}
        self.left = pieces
        self.events: list[Any] = []

    async def receive(self) -> Message:
        if not self.left:
            await asyncio.sleep(60)
        self.left -= 1
        self.events.append("read")
        return {"type": "http.request", "body": bytes(10), "more_body": self.left > 0}

    async def send(self, message: Message) -> None:
        self.events.append(message)

    def visit(self, app: ASGIApp) -> list[Any]:
        asyncio.run(app(self.scope, self.receive, self.send))
        return self.events


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


REFUSED = {"type": "http.response.body", "body": b"no"}
CLOSE = (b"connection", b"close")
PROBLEM = "application/problem+json"


def test_early_answer_waits_for_short_body_and_keeps_connection() -> None:
    events = Connection(3).visit(DrainMiddleware(refuse))

    assert events[:3] == ["read"] * 3
    assert CLOSE not in events[3]["headers"]
    assert events[4] == REFUSED


def test_early_answer_to_long_body_goes_first_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "DRAIN_AHEAD_BYTES", 20)
    monkeypatch.setattr(middleware, "DRAIN_BEHIND_BYTES", 40)

    events = Connection(100).visit(DrainMiddleware(refuse))

    assert events[:2] == ["read"] * 2
    assert CLOSE in events[2]["headers"]
    assert events[3] == REFUSED | {"more_body": True}
    assert events[4:] == ["read"] * 4 + [{"type": "http.response.body"}]


def test_early_answer_to_client_that_asks_first_reads_nothing_before() -> None:
    connection = Connection(3, [(b"expect", b"100-continue")])

    events = connection.visit(DrainMiddleware(refuse))

    assert CLOSE in events[0]["headers"]


def test_early_answer_does_not_wait_for_body_that_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "DRAIN_AHEAD_S", 0.01)
    monkeypatch.setattr(middleware, "DRAIN_BEHIND_S", 0.01)
    connection = Connection(0, [(b"transfer-encoding", b"chunked")])

    events = connection.visit(DrainMiddleware(refuse))

    assert events[1:] == [REFUSED | {"more_body": True}, {"type": "http.response.body"}]


def test_bodies_together_are_limited() -> None:
    together = BodyLimitMiddleware(hold_body, max_bytes=100, max_total_bytes=50)

    async def send_three() -> list[Any]:
        connections = [Connection(2) for _ in range(3)]
        tasks = [
            asyncio.create_task(together(each.scope, each.receive, each.send))
            for each in connections
        ]
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(send_three())

    assert [str(answer) for answer in answers] == [
        "None",
        "None",
        "At most 50 bytes of request bodies are taken on at a time. "
        "Received: one more; come back in 5 s",
    ]
    # What is over no longer counts.
    assert asyncio.run(send_three())[0] is None


async def hold_body(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["more_body"]:
        pass
    await asyncio.sleep(0.01)


def test_request_that_is_cancelled_is_told_to_try_again() -> None:
    async def cancel_itself(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    start, body = Connection(0).visit(RequestIdMiddleware(cancel_itself))

    assert start["status"] == 503
    assert json.loads(body["body"])["type"] == "/problems/shutting-down"


class Transport:
    """A connection with so many bytes that wait to be taken by the client."""

    def __init__(self, unsent_bytes: int) -> None:
        self.unsent_bytes = unsent_bytes
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(("taken_bytes", "is_cut"), [(0, True), (49_999, True), (50_000, False)])
def test_client_that_does_not_take_its_answer_is_cut(
    taken_bytes: int, is_cut: bool, settings: Settings, door: Door
) -> None:
    async def look_once() -> bool:
        protocol = object.__new__(build_protocol(settings, door))
        protocol.loop = asyncio.get_running_loop()
        protocol.min_answer_bytes_per_s = 10_000
        transport = Transport(1_000_000 - taken_bytes)
        protocol.transport = transport  # type: ignore[assignment]
        protocol._check_stall(1_000_000)
        is_watched_on = protocol._stall_timer is not None
        protocol._cancel_stall_timer()
        assert is_watched_on != transport.aborted
        return transport.aborted

    assert asyncio.run(look_once()) == is_cut


def test_pictures_are_refused_while_answers_pile_up(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_total_answer_bytes": 1000}))
    app.state.unsent_bytes = lambda: 1001

    with TestClient(app) as client:
        response = client.post("/colorize", files={"file": b"anything"})
        app.state.unsent_bytes = lambda: 1000
        status = client.post("/colorize", files={"file": b"anything"}).status_code

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "10"
    assert response.json()["detail"] == (
        "At most 1,000 bytes of answers not yet taken are taken on at a time. "
        "Received: one more; come back in 10 s"
    )
    assert status == 415


def test_unsent_bytes_are_those_of_all_slow_clients(settings: Settings, door: Door) -> None:
    protocol_class = build_protocol(settings, door)
    for unsent_bytes in (30, 12):
        protocol = object.__new__(protocol_class)
        protocol.transport = Transport(unsent_bytes)  # type: ignore[assignment]
        protocol_class.slow_clients.add(protocol)

    assert protocol_class.unsent_bytes() == 42
    assert build_protocol(settings, door).unsent_bytes() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/health/live",
        "/models/v12",
        "/static/page/main.js",
    ],
)
def test_head_is_get_without_body(path: str, client: TestClient) -> None:
    expected = client.get(path)

    response = client.head(path)

    assert (response.status_code, response.content) == (200, b"")
    for name in ("Content-Length", "Content-Type"):
        assert response.headers[name] == expected.headers[name]


def test_head_of_what_takes_pictures_is_refused(client: TestClient) -> None:
    response = client.head("/colorize")

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert response.content == b""


def test_head_of_what_fails_is_told_so_as_head() -> None:
    """Servers look at the method to know what they may send."""

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("of the inside")

    connection = Connection(1)
    connection.scope |= {"method": "HEAD"}
    events = connection.visit(RequestIdMiddleware(HeadMiddleware(fail)))

    assert events[0]["status"] == 500
    assert connection.scope["method"] == "HEAD"


@pytest.mark.parametrize(
    ("requested", "status", "title", "reason"),
    [
        ("bytes=9999999-", 416, "Requested Range Not Satisfiable", "Cannot satisfy request range"),
        ("bytes=x", 400, "Bad Request", "Bad request syntax or unsupported method"),
    ],
)
def test_get_file_of_impossible_range_answers_problem(
    requested: str, status: int, title: str, reason: str, client: TestClient
) -> None:
    path = "/static/page/main.js"

    response = client.get(path, headers={"Range": requested})

    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    assert response.headers["Content-Security-Policy"]
    assert response.headers.get("Content-Range", "").startswith("bytes */" if status == 416 else "")
    assert response.json() == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": f"{reason}. Received: GET {path}",
    }


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nUPGRADE: h2c\r\nX: y\r\n\r\nUpgrade: z",
            b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nUpgrade: z",
        ),
        (b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n", None),
        (b"GET /upgrade HTTP/1.1\r\nX: upgrade:\r\n\r\n", None),
    ],
    ids=["in headers", "incomplete", "elsewhere"],
)
def test_wish_for_another_protocol_is_taken_out_of_headers(
    received: bytes, expected: bytes | None
) -> None:
    assert without_upgrade(received) == (received if expected is None else expected)
