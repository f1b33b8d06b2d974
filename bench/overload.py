"""What the service still serves when it is asked for four times as much as it can.

`python -m bench.overload` starts the service, measures what it serves at its
best, and then overloads it in two ways, in turns: by clients that come by the
clock, four times as many as can be served, whatever they are answered; and by
four times as many connections as are taken on, each of which asks again as soon
as it is answered, without a regard for `Retry-After`.
"""

from __future__ import annotations

import argparse
import itertools
import math
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from statistics import median
from typing import NamedTuple

import numpy as np

from bench.load import SAMPLES, build_request
from bench.processes import (
    free_port,
    main_thread_cpu_seconds,
    memory_bytes,
    own_cpu_seconds,
    running,
)
from service.settings import available_cores

PEAK_CONNECTIONS = 16
OVERLOAD = 4
BEHIND_S = 1.0
"""Between two runs: what still waits is served."""
HEALTH_EVERY_S = 0.1
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
END_OF_HEAD = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\ncontent-length: (\d+)\r", re.IGNORECASE)
JPEG = b"\xff\xd8"
BUFFER_BYTES = 1 << 18
"""More than a request or an answer has here: each is handed over at once."""


class Spent(NamedTuple):
    """Processor seconds: of the clients, of the service's event loop, of its slots."""

    clients: float = 0.0
    loop: float = 0.0
    slots: float = 0.0

    @classmethod
    def until_now(cls, service_pid: int) -> Spent:
        """Read what has been spent so far."""
        loop = main_thread_cpu_seconds(service_pid)
        return cls(time.process_time(), loop, own_cpu_seconds(service_pid) - loop)


@dataclass
class Window:
    """What clients saw in one run."""

    seconds: float
    served: int = 0
    cores: Spent = field(default_factory=Spent)
    turned_away_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Pictures a second."""
        return self.served / self.seconds

    @property
    def per_core_s(self) -> float:
        """Pictures a second for each core that the clients left."""
        return self.per_s / (available_cores() - self.cores.clients)


@dataclass
class Clock:
    """Calls a function every `period_s` seconds, however late it is asked to."""

    next_s: float
    period_s: float
    function: Callable[[], None]

    def catch_up(self, now_s: float) -> None:
        """Call it as often as it is due."""
        while self.next_s <= now_s:
            self.next_s += self.period_s
            self.function()


class Connection:
    """A connection that takes little of the processor: of answers it keeps what is looked at.

    Parameters
    ----------
    port : int
        Of this machine.
    on_answer : callable
        Called with the connection when an answer is complete.

    Raises
    ------
    OSError
        When nobody is there.
    """

    def __init__(self, port: int, on_answer: Callable[[Connection], None]) -> None:
        self.on_answer = on_answer
        self.asked_s = 0.0
        self._head = b""
        self._missing_bytes = 0
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Within a machine that takes no time.
        self._socket.connect(("127.0.0.1", port))
        self.number = self._socket.fileno()

    @property
    def waited_ms(self) -> float:
        """Since it asked."""
        return (time.perf_counter() - self.asked_s) * 1000

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self._head[9:12])

    @property
    def is_jpeg(self) -> bool:
        """Whether the answer is a picture."""
        return self._head.endswith(END_OF_HEAD + JPEG)

    def ask(self, request: bytes) -> None:
        """Send a request.

        Raises
        ------
        OSError
            When the connection was ended.
        """
        self.asked_s = time.perf_counter()
        self._head = b""
        self._socket.sendall(request)

    def receive(self, buffer: bytearray) -> bool:
        """Take what has come of an answer; tells whether it is complete.

        Raises
        ------
        OSError
            When the connection was ended before.
        """
        size = self._socket.recv_into(buffer)
        if not size:
            raise ConnectionResetError("closed without an answer")
        if self._missing_bytes:
            self._missing_bytes -= size
            return not self._missing_bytes
        self._head += buffer[:size]
        end = self._head.find(END_OF_HEAD) + len(END_OF_HEAD)
        length = CONTENT_LENGTH.search(self._head)
        if length is None or not len(END_OF_HEAD) <= end <= len(self._head) - len(JPEG):
            return False
        self._missing_bytes = end + int(length[1]) - len(self._head)
        self._head = self._head[: end + len(JPEG)]
        return not self._missing_bytes

    def close(self) -> None:
        """End it."""
        self._socket.close()


class Clients:
    """Those who ask for pictures: one thread, and no library that would take its share.

    Parameters
    ----------
    port : int
    service_pid : int
        Whose processor time is told beside their own.
    requests : iterator of bytes
    """

    def __init__(self, port: int, service_pid: int, requests: Iterator[bytes]) -> None:
        self._port = port
        self._service_pid = service_pid
        self._requests = requests
        self._buffer = bytearray(BUFFER_BYTES)
        self._epoll = select.epoll()
        self._asked: dict[int, Connection] = {}
        self._window = Window(0)
        self._end_s = 0.0

    def run(self, seconds: float, *, connections: int = 0, per_s: float = 0.0) -> Window:
        """Ask for a while, and probe health beside it.

        Parameters
        ----------
        seconds : float
            What is answered later does not count.
        connections : int
            Each asks again as soon as it is answered.
        per_s : float
            Requests by the clock, whatever is answered, each over a connection of its own.

        Returns
        -------
        Window
        """
        window = self._window = Window(seconds)
        before = Spent.until_now(self._service_pid)
        begin_s = time.perf_counter()
        self._end_s = begin_s + seconds
        clocks = [Clock(begin_s, HEALTH_EVERY_S, lambda: self._come(self._note_health, HEALTH))]
        if per_s:
            clocks.append(Clock(begin_s, 1 / per_s, lambda: self._come(self._leave)))
        for _ in range(connections):
            self._come(self._ask_again)
        while (now_s := time.perf_counter()) < self._end_s:
            for clock in clocks:
                clock.catch_up(now_s)
            self._take_answers(min(self._end_s, *(clock.next_s for clock in clocks)) - now_s)
        after = Spent.until_now(self._service_pid)
        window.cores = Spent(
            *((late - early) / seconds for early, late in zip(before, after, strict=True))
        )
        while self._asked:
            self._take_answers()
        time.sleep(BEHIND_S)
        return window

    def _come(self, on_answer: Callable[[Connection], None], request: bytes | None = None) -> None:
        """Ask over a connection of its own; for a picture when no request is given."""
        try:
            connection = Connection(self._port, on_answer)
            self._epoll.register(connection.number, select.EPOLLIN)
            self._asked[connection.number] = connection
            connection.ask(request or next(self._requests))
        except OSError as error:
            self._window.failures.append(repr(error))

    def _take_answers(self, wait_s: float | None = None) -> None:
        for number, _ in self._epoll.poll(wait_s):
            self._receive(self._asked[number])

    def _receive(self, connection: Connection) -> None:
        try:
            if connection.receive(self._buffer):
                connection.on_answer(connection)
        except OSError as error:
            self._window.failures.append(repr(error))
            self._close(connection)

    def _ask_again(self, connection: Connection) -> None:
        self._note(connection)
        if time.perf_counter() < self._end_s:
            connection.ask(next(self._requests))
        else:
            self._close(connection)

    def _leave(self, connection: Connection) -> None:
        self._note(connection)
        self._close(connection)

    def _note_health(self, connection: Connection) -> None:
        self._window.health_ms.append(connection.waited_ms)
        self._close(connection)

    def _note(self, connection: Connection) -> None:
        if connection.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self._window.turned_away_ms.append(connection.waited_ms)
        elif connection.status != HTTPStatus.OK or not connection.is_jpeg:
            self._window.failures.append(str(connection.status))
        elif time.perf_counter() < self._end_s:
            self._window.served += 1

    def _close(self, connection: Connection) -> None:
        # The system takes what is closed out of what is waited for.
        del self._asked[connection.number]
        connection.close()


def overload(
    clients: Clients, capacity: int, rounds: int, seconds: float, warm_up_s: float
) -> dict[str, list[Window]]:
    """Load and overload in turns."""
    windows: dict[str, list[Window]] = {}
    clients.run(warm_up_s, connections=PEAK_CONNECTIONS)
    for _ in range(rounds):
        at_best = clients.run(seconds, connections=PEAK_CONNECTIONS)
        by_clock = clients.run(seconds, per_s=OVERLOAD * at_best.per_s)
        without_regard = clients.run(seconds, connections=OVERLOAD * capacity)
        for name, window in (
            (f"at its best, {PEAK_CONNECTIONS} connections", at_best),
            (f"{OVERLOAD} times as many requests, by the clock", by_clock),
            (f"{OVERLOAD * capacity} connections that ask again at once", without_regard),
        ):
            windows.setdefault(name, []).append(window)
    return windows


def print_table(windows: dict[str, list[Window]]) -> None:
    """Print a row for each load: medians over the rounds, ratios inside a round."""
    print(
        "| | pictures/s | of the best | the same, less the clients | 503 a second "
        "| 503 p50, p99 ms | live p99 ms | of a core: clients, loop, slots | failures |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    best = next(iter(windows.values()))
    for name, rounds in windows.items():
        turned_away = [ms for window in rounds for ms in window.turned_away_ms]
        pairs = list(zip(rounds, best, strict=True))
        share = median(_divide(window.per_s, reference.per_s) for window, reference in pairs)
        share_left = median(
            _divide(window.per_core_s, reference.per_core_s) for window, reference in pairs
        )
        cells = [
            name,
            f"{median(window.per_s for window in rounds):.1f}",
            f"{share:.1%}",
            f"{share_left:.1%}",
            f"{median(len(window.turned_away_ms) / window.seconds for window in rounds):.0f}",
            ", ".join(f"{np.percentile(turned_away, q):.0f}" for q in (50, 99))
            if turned_away
            else "",
            f"{median(np.percentile(window.health_ms, 99) for window in rounds):.0f}",
            ", ".join(
                f"{median(shares):.0%}"
                for shares in zip(*(window.cores for window in rounds), strict=True)
            ),
            str(sum(len(window.failures) for window in rounds)),
        ]
        print("|", " | ".join(cells), "|")


def _divide(rate: float, best: float) -> float:
    """Return no number where nothing was served at the best, as on a machine without time."""
    return rate / best if best else math.nan


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--warm-up", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--queue-length", type=int, default=32)
    options = parser.parse_args()
    port = free_port()
    environment = {
        "COLORIZE_PORT": str(port),
        "COLORIZE_QUEUE_LENGTH": str(options.queue_length),
    }
    command = [sys.executable, "-m", "service"]
    with running(command, port, "/health/ready", environment) as process:
        before_mb = memory_bytes(process.pid) / 1e6
        requests = [build_request("/colorize", path.read_bytes()) for path in SAMPLES]
        clients = Clients(port, process.pid, itertools.cycle(requests))
        windows = overload(
            clients, options.queue_length + 2, options.rounds, options.seconds, options.warm_up
        )
        print_table(windows)
        time.sleep(2 * BEHIND_S)
        print(f"\nMemory: {before_mb:.0f} MB before, {memory_bytes(process.pid) / 1e6:.0f} after.")


if __name__ == "__main__":
    main()
