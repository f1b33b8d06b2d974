"""Plain requests that find the line full get no further than the doorstep; others do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import httptools
import pytest
import uvicorn
from starlette.datastructures import State
from uvicorn.server import ServerState

from service.admission import Line, Slots
from service.door import Door
from service.doorstep import Doorstep, PlainRequest, read_plain_request
from service.metrics import Metrics
from service.server import build_doorstep, build_protocol
from service.settings import Settings

MAX_HEADER_BYTES = 200
HEAD = b"POST /colorize?model=v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
PLAIN = HEAD + b"abcde"


def test_plain_request_is_read() -> None:
    assert read_plain_request(PLAIN, MAX_HEADER_BYTES) == PlainRequest(
        b"/colorize?model=v1", [(b"host", b"a"), (b"content-length", b"5")], len(HEAD), 5
    )


@pytest.mark.parametrize(
    "data",
    [
        HEAD[:-1],
        HEAD.replace(b"POST", b"GET"),
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HEAD.replace(b"/colorize", b"http://a/colorize"),
        HEAD.replace(b"\r\n", b"\n"),
        HEAD.replace(b"Host:", b"Host :"),
        HEAD.replace(b"Host: a", b"Host: a\r\n b"),
        HEAD.replace(b"Host: a", b"Host: \xe4"),
        HEAD.replace(b"Host: a", b"Host: a\0"),
        HEAD.replace(b"Host: a", b"Connection: close"),
        HEAD.replace(b"Host: a", b"Expect: 100-continue"),
        HEAD.replace(b"Host: a", b"Transfer-Encoding: chunked"),
        HEAD.replace(b"Host: a", b"Upgrade: h2c"),
        HEAD.replace(b"Host: a", b"Proxy-Connection: close"),
        HEAD.replace(b"Host: a", b"Content-Length: 5"),
        HEAD.replace(b"Host: a", b"Host: " + b"a" * MAX_HEADER_BYTES),
        HEAD.replace(b"Content-Length: 5\r\n", b""),
        HEAD.replace(b": 5", b": +5"),
        HEAD.replace(b": 5", b": 5, 5"),
        HEAD.replace(b": 5", b": 5 "),
        HEAD.replace(b": 5", b": 0"),
        HEAD.replace(b": 5", b": 00"),
        HEAD.replace(b": 5", b": 1" + b"0" * 15),
    ],
)
def test_request_that_is_not_plain_is_not_read(data: bytes) -> None:
    assert read_plain_request(data, MAX_HEADER_BYTES) is None


class Parsed:
    """A request as the parser of the server reads it."""

    def __init__(self, data: bytes) -> None:
        self.url = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True
        assert self.parser.should_keep_alive()


def test_plain_request_is_read_as_the_server_reads_it() -> None:
    random = Random(0)
    names = b"X-A Host Keep-Alive Proxy-Connection TE Trailer X-API-Key X-Request-ID".split()
    values = b"", b"a", b"a b", b"close", b"chunked", b"a:b", b'"~'
    blanks = b"", b" ", b"\t", b" \t "
    plain = 0
    for _ in range(1000):
        length = random.choice((b"5", b"005", b"5" + random.choice(blanks)))
        headers = {random.choice(names): random.choice(values) for _ in range(3)}
        lines = [
            name + b":" + random.choice(blanks) + value + random.choice(blanks)
            for name, value in ({b"Content-Length": length} | headers).items()
        ]
        random.shuffle(lines)
        path = bytes(random.choices(range(0x21, 0x7F), k=6))
        head = b"\r\n".join((b"POST /" + path + b" HTTP/1.1", *lines, b"", b""))
        request = read_plain_request(head + b"abcde", len(head))
        if request is not None:
            plain += 1
            parsed = Parsed(head + b"abcde")
            assert (parsed.url, parsed.headers) == (request.url, request.headers)
            assert parsed.is_complete
            assert len(parsed.body) == request.body_bytes
    assert plain > 100


class Transport:
    """A connection; keeps what is done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.unsent_bytes = 0

    def set_protocol(self, _: asyncio.BaseProtocol) -> None:
        pass

    def get_extra_info(self, _: str) -> None:
        return None

    def is_closing(self) -> bool:
        return "close" in self.done

    def write(self, data: bytes) -> None:
        self.done.append(data[9:12].decode())

    def close(self) -> None:
        self.done.append("close")

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes


class Step(Doorstep):
    """A doorstep before a full line of one slot; tells what goes inside."""

    max_connections = 1
    max_header_bytes = MAX_HEADER_BYTES
    header_timeout_s = 60

    def __init__(self, *, capacity: int = 0, keep_alive_s: float = 60) -> None:
        line = Line(Slots(1), 0)
        line.capacity = capacity
        self.door = Door(State({"line": line}), Metrics())
        self.line = line
        server_state: Any = SimpleNamespace(connections=set(), default_headers=[])
        config: Any = SimpleNamespace(timeout_keep_alive=keep_alive_s)
        super().__init__(config, server_state, {})
        self.connection = Transport()

    def connect(self) -> None:
        self.connection_made(self.connection)  # type: ignore[arg-type]

    def hold_back(self) -> None:
        """Let the next refusals be told later."""
        for _ in range(200):
            self.line.refusal_delay_s()

    def go_inside(self) -> Any:
        self.connection.done.append("inside")
        return SimpleNamespace(data_received=lambda data: self.connection.done.append(data))


def live(act: Callable[[Step], None], wait_s: float = 0, **options: Any) -> list[Any]:
    """Connect to a doorstep, and keep what is done to the connection."""

    async def connect_and_act() -> list[Any]:
        step = Step(**options)
        step.connect()
        act(step)
        await asyncio.sleep(wait_s)
        done = list(step.connection.done)
        step.connection_lost(None)
        assert not step.server_state.connections
        return done

    return asyncio.run(connect_and_act())


def send(*pieces: bytes) -> Callable[[Step], None]:
    """Make what sends a request in pieces."""

    def send_all(step: Step) -> None:
        for piece in pieces:
            step.data_received(piece)

    return send_all


@pytest.mark.parametrize("pieces", [(PLAIN,), (HEAD, b"ab", b"cde"), (PLAIN[:-1], b"e")])
def test_plain_request_gets_no_further_than_doorstep(pieces: tuple[bytes, ...]) -> None:
    assert live(send(*pieces, *pieces)) == ["503", "503"]


def test_request_is_let_in_when_there_is_room() -> None:
    assert live(send(PLAIN), capacity=1) == ["inside", PLAIN]


def test_request_is_let_in_after_refusals() -> None:
    def come_back(step: Step) -> None:
        step.data_received(PLAIN)
        step.line.capacity = 1
        step.data_received(HEAD)

    assert live(come_back) == ["503", "inside", HEAD]


def test_request_that_is_not_plain_is_let_in() -> None:
    get = b"GET / HTTP/1.1\r\n\r\n"

    assert live(send(get)) == ["inside", get]


@pytest.mark.parametrize("holds_back", [False, True])
def test_request_that_does_not_wait_for_answer_is_let_in_behind_it(holds_back: bool) -> None:
    def send_ahead(step: Step) -> None:
        if holds_back:
            step.hold_back()
        step.data_received(PLAIN + PLAIN)

    assert live(send_ahead) == ["503", "inside", PLAIN]


def test_who_does_not_take_answers_is_let_in() -> None:
    def leave_unread(step: Step) -> None:
        step.connection.unsent_bytes = 1
        step.data_received(PLAIN)

    assert live(leave_unread) == ["inside", PLAIN]


def test_refusal_held_back_is_sent_at_shutdown() -> None:
    def shut_down(step: Step) -> None:
        step.hold_back()
        step.data_received(PLAIN)
        assert step.connection.done == []
        step.shutdown()

    assert live(shut_down) == ["503", "close"]


def test_refusal_held_back_is_forgotten_when_client_leaves() -> None:
    def leave(step: Step) -> None:
        step.hold_back()
        step.data_received(PLAIN)
        step.connection_lost(None)

    assert live(leave, wait_s=0.15) == []


def test_connection_is_kept_for_a_while_after_refusal() -> None:
    assert live(send(PLAIN), wait_s=0.05, keep_alive_s=0.01) == ["503", "close"]


def test_connection_that_says_nothing_is_left_to_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Step, "header_timeout_s", 0.01)

    assert live(lambda _: None, wait_s=0.05) == ["inside"]


def test_connection_too_many_is_left_to_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Step, "max_connections", 0)

    assert live(lambda _: None) == ["inside"]


def test_connection_that_was_taken_on_is_not_too_many_when_it_goes_inside(
    settings: Settings, door: Door
) -> None:
    outside = build_doorstep(
        build_protocol(settings.model_copy(update={"max_connections": 1}), door)
    )
    config = uvicorn.Config(lambda: None, log_config=None)
    server_state = ServerState()

    async def come_both() -> list[list[str]]:
        taken_on, too_many = Transport(), Transport()
        first, second = (outside(config, server_state, {}) for _ in range(2))
        first.connection_made(taken_on)  # type: ignore[arg-type]
        second.connection_made(too_many)  # type: ignore[arg-type]
        # The other one is refused, and not gone yet.
        first.data_received(b"GET")
        done = [taken_on.done.copy(), too_many.done.copy()]
        for protocol in server_state.connections.copy():
            protocol.connection_lost(None)
        return done

    assert asyncio.run(come_both()) == [[], ["503", "close"]]
