"""Who finds the line full is turned away before there is a request, in the application's words."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.datastructures import State
from uvicorn.server import ServerState

from service import door as door_module
from service import turned_away
from service.access import Keys
from service.admission import Line, Slots
from service.app import create_app
from service.door import Door, Refusal
from service.metrics import Metrics
from service.server import build_protocol, build_server
from service.settings import Settings
from service.turned_away import TurnedAway
from tests.conftest import TestClient
from tests.service.processes import form_request, read_to_end, wait_until

FORM = form_request(b"no picture")
ANNOUNCED = [(b"content-length", b"10")]


@pytest.fixture(scope="module")
def full_app(settings: Settings) -> Iterator[FastAPI]:
    """An application whose line has room for nobody."""
    app = create_app(settings)
    with TestClient(app):
        app.state.line.capacity = 0
        yield app


def build_door(capacity: int = 0, **options: Any) -> Door:
    """A door before a line of one slot that has room for so many."""
    line = Line(Slots(1), 0)
    line.capacity = capacity
    return Door(State({"line": line}), Metrics(), **options)


@pytest.fixture(scope="module")
def full_port(settings: Settings) -> Iterator[int]:
    """The port of a server that turns everybody away."""
    app = create_app(settings)
    server = build_server(app, settings.model_copy(update={"port": 0}))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    app.state.line.capacity = 0
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def refuse(door: Door, url: bytes = b"/colorize", **headers: str) -> Refusal | None:
    """Come with a body to a door."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def ask() -> Refusal | None:
        return door.refuse(url, [*ANNOUNCED, *raw], -math.inf)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/colorize?model=v1", "/v2/models/v1/infer", "/v2"])
def test_refusal_is_that_of_application(path: str, full_app: FastAPI) -> None:
    asked = {"X-Request-ID": "abc-1"}
    expected = TestClient(full_app).post(path, content=b"anything", headers=asked)

    refusal = refuse(full_app.state.door, path.encode(), x_request_id="abc-1")

    assert refusal is not None
    assert (refusal.status, refusal.body) == (503, expected.content)
    assert sorted(refusal.headers) == sorted(expected.headers.raw)


def test_refusal_has_id_of_its_own_when_none_is_given() -> None:
    ids = set()
    for _ in range(2):
        refusal = refuse(build_door(), x_request_id="two words")
        assert refusal is not None
        ids.add(dict(refusal.headers)[b"x-request-id"])

    assert len(ids) == 2
    assert all(len(each) == 32 for each in ids)


def test_door_lets_in_what_there_is_room_for() -> None:
    assert refuse(build_door(capacity=1)) is None


def test_door_lets_in_what_brings_no_work() -> None:
    assert build_door().refuse(b"/colorize", [], -math.inf) is None
    assert build_door().refuse(b"/", [(b"content-length", b"0")], -math.inf) is None


@pytest.mark.parametrize("url", [b"/%762/models", b"http://a/v2", b"/v2#a", b"*"])
def test_door_leaves_path_that_must_be_read_to_application(url: bytes) -> None:
    assert refuse(build_door(), url) is None
    assert refuse(build_door(), b"/v2?a=%20#b") is not None


def test_door_lets_in_before_start(door: Door) -> None:
    assert refuse(door) is None


def test_door_leaves_who_has_no_key_to_application() -> None:
    door = build_door(keys=Keys(["open-sesame"]))

    assert refuse(door) is None
    assert refuse(door, x_api_key="wrong") is None
    assert refuse(door, x_api_key="open-sesame") is not None


def test_door_leaves_other_origins_to_application() -> None:
    door = build_door(answers_other_origins=True)

    assert refuse(door, origin="https://other.example") is None
    assert refuse(door) is not None
    assert refuse(build_door(), origin="https://other.example") is not None


def test_application_tells_door_of_keys_and_origins(settings: Settings) -> None:
    strict = {"api_keys": ["open-sesame"], "cors_origins": ["https://other.example"]}
    app = create_app(Settings(**settings.model_dump() | strict))
    app.state.line = build_door()._state.line

    assert refuse(app.state.door) is None
    assert refuse(app.state.door, x_api_key="open-sesame") is not None
    assert refuse(app.state.door, x_api_key="open-sesame", origin="https://a.example") is None


def test_refusals_are_counted_and_told_together(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(door_module, "TELL_EVERY_S", 0.01)
    door = build_door()

    async def refuse_three() -> None:
        for _ in range(3):
            door.refuse(b"/colorize", ANNOUNCED, -math.inf)
        await asyncio.sleep(0.05)

    with caplog.at_level(logging.WARNING, "service.door"):
        asyncio.run(refuse_three())

    assert caplog.messages == ["Turned away 3 requests in 0.01 s: the line was full"]
    lines = door._metrics.render().decode().splitlines()
    assert 'colorize_requests_total{model="",route="none",status="503"} 3.0' in lines
    assert 'colorize_rejected_total{reason="overloaded"} 3.0' in lines
    assert door._state.line.saturated_s > 0


class Transport:
    """A connection; keeps what is done to it."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("close")


def live(
    act: Callable[[TurnedAway], None], *, delay_s: float = 0.0, closes: bool = False
) -> list[object]:
    """Turn a request away, and keep what is done to its connection."""
    transport = Transport()

    async def turn_away() -> None:
        refused = TurnedAway(
            transport,  # type: ignore[arg-type]
            b"no",
            delay_s=delay_s,
            closes=closes,
            on_done=lambda: transport.done.append("next"),
        )
        act(refused)
        await asyncio.sleep(0.05)
        refused.forget()

    asyncio.run(turn_away())
    return transport.done


@pytest.mark.parametrize(("closes", "end"), [(False, "next"), (True, "close")])
@pytest.mark.parametrize("delay_s", [0.0, 0.01])
def test_connection_of_refused_request_ends_with_its_body(
    delay_s: float, closes: bool, end: str
) -> None:
    assert live(TurnedAway.end_body, delay_s=delay_s, closes=closes) == [b"no", end]


def test_refusal_held_back_is_sent_when_it_is_wanted_at_once() -> None:
    def hurry(refused: TurnedAway) -> None:
        refused.end_body()
        refused.send()

    assert live(hurry, delay_s=60) == [b"no", "next"]


def test_connection_closes_when_body_of_refused_request_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turned_away, "DRAIN_BEHIND_S", 0.01)

    assert live(lambda refused: refused.drop(b"a piece")) == [b"no", "close"]


def test_connection_closes_when_body_of_refused_request_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turned_away, "DRAIN_BEHIND_BYTES", 5)

    assert live(lambda refused: refused.drop(b"a piece"), delay_s=60) == [b"no", "close"]


class SlowTransport(asyncio.Transport):
    """A connection whose client takes no answers; keeps what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def write(self, _: object) -> None:
        self.done.append("write")

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 1 << 17


def test_no_more_is_read_until_refusals_are_taken(settings: Settings) -> None:
    transport = SlowTransport()

    async def leave_unread() -> None:
        config = uvicorn.Config(lambda: None, log_config=None)
        protocol = build_protocol(settings, build_door())(config, ServerState(), {})
        protocol.connection_made(transport)
        protocol.data_received(FORM)
        protocol.pause_writing()
        protocol.data_received(FORM + FORM)
        transport.done.append("taken")
        protocol.resume_writing()
        protocol.data_received(FORM)
        protocol.pause_writing()
        protocol.resume_writing()
        protocol._unset_keepalive_if_required()

    asyncio.run(leave_unread())

    assert transport.done == ["write", "write", "pause", "write", "taken", "resume", "write"]


def split(answer: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, dict(line.split(b": ", 1) for line in lines), body


def read_answers(connection: socket.socket, count: int) -> list[bytes]:
    """Read so many refusals from a connection that stays open."""
    received = b""
    while received.count(b'"accepted":0}') < count:
        part = connection.recv(1 << 16)
        assert part, received
        received += part
    return received.replace(b"HTTP/1.1", b"\0HTTP/1.1").split(b"\0")[1:]


def test_connection_goes_on_after_refusal(full_port: int) -> None:
    with connect(full_port) as connection:
        for piece in (FORM, FORM[:60], FORM[60:200], FORM[200:]):
            connection.sendall(piece)
            time.sleep(0.01)
        first, second = read_answers(connection, 2)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        after = read_to_end(connection)

    status, headers, body = split(first)
    assert status == b"HTTP/1.1 503 Service Unavailable"
    assert headers[b"retry-after"] == b"1"
    assert b"connection" not in headers
    assert b"date" in headers
    assert headers[b"content-length"] == str(len(body)).encode()
    assert split(second)[2] == body
    assert after.startswith(b"HTTP/1.1 200 OK")


def test_refusal_is_the_same_on_doorstep_and_inside(full_port: int) -> None:
    asked = FORM.replace(b"Host:", b"X-Request-ID: abc-1\r\nHost:")
    with connect(full_port) as connection:
        # What names its connection is no plain request.
        for request in (asked, asked.replace(b"Host:", b"Connection: keep-alive\r\nHost:")):
            connection.sendall(request)
            time.sleep(0.01)
        outside, inside = map(split, read_answers(connection, 2))

    outside[1].pop(b"date")
    inside[1].pop(b"date")
    assert outside == inside


def test_requests_sent_ahead_are_refused_in_their_order(full_port: int) -> None:
    get = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with connect(full_port) as connection:
        connection.sendall(FORM * 2 + get)
        answer = read_to_end(connection)

    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"503", b"503", b"200"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        FORM.replace(b"HTTP/1.1", b"HTTP/1.0"),
        FORM.replace(b"Host:", b"Connection: close\r\nHost:"),
        FORM.replace(b"Host:", b"Expect: 100-continue\r\nHost:").partition(b"\r\n\r\n")[0]
        + b"\r\n\r\n",
    ],
    ids=["HTTP/1.0", "close", "expect"],
)
def test_connection_closes_after_refusal_of_who_does_not_keep_it(
    request_bytes: bytes, full_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turned_away, "DRAIN_BEHIND_S", 0.05)
    with connect(full_port) as connection:
        connection.sendall(request_bytes)
        status, headers, _ = split(read_to_end(connection))

    assert status == b"HTTP/1.1 503 Service Unavailable"
    assert headers[b"connection"] == b"close"


def test_body_of_unknown_length_is_dropped(full_port: int) -> None:
    chunked = b"POST /colorize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(full_port) as connection:
        connection.sendall(chunked + b"5\r\nabcde\r\n")
        (first,) = read_answers(connection, 1)
        connection.sendall(b"0\r\n\r\n" + FORM)
        (second,) = read_answers(connection, 1)

    assert split(first)[2] == split(second)[2]
