"""What the service still serves when it is asked for four times as much as it can.

`python -m bench.overload` starts the service, measures what it serves at its
best, and then overloads it in two ways, in turns: by clients that come by the
clock, four times as many as can be served, whatever they are answered; and by
four times as many connections as are taken on, each of which asks again as soon
as it is answered, without a regard for `Retry-After`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from statistics import median

import numpy as np
import uvloop

from bench.load import SAMPLES, build_request, connect, exchange
from bench.processes import free_port, memory_bytes, running

PEAK_CONNECTIONS = 16
OVERLOAD = 4
BEHIND_S = 1.0
"""Between two runs: what still waits is served."""
HEALTH_EVERY_S = 0.1


@dataclass
class Window:
    """What clients saw in one run."""

    seconds: float
    served: int = 0
    clients_cpu_s: float = 0.0
    turned_away_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Pictures a second."""
        return self.served / self.seconds


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Clients:
    """Those who ask for pictures.

    Parameters
    ----------
    port : int
    requests : iterator of bytes
    """

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self._port = port
        self._requests = requests

    async def run(self, load: Callable[[Window, float], Awaitable[None]], seconds: float) -> Window:
        """Let a load last for a while, and probe health beside it."""
        window = Window(seconds)
        end = time.perf_counter() + seconds
        cpu_before = time.process_time()
        await asyncio.gather(load(window, end), self._probe(window, end))
        window.clients_cpu_s = time.process_time() - cpu_before
        await asyncio.sleep(BEHIND_S)
        return window

    async def keep_asking(self, window: Window, end: float, connections: int) -> None:
        """Ask over so many connections, again as soon as there is an answer."""

        async def ask_on() -> None:
            connection: Connection | None = None
            while time.perf_counter() < end:
                connection = await self._ask(window, end, connection)

        await asyncio.gather(*(ask_on() for _ in range(connections)))

    async def come_by_the_clock(self, window: Window, end: float, per_s: float) -> None:
        """Ask so many times a second, each time over a connection of its own."""
        asked: list[asyncio.Task[Connection | None]] = []
        begin = time.perf_counter()
        while time.perf_counter() < end:
            asked.append(asyncio.create_task(self._ask(window, end, None, keep=False)))
            await asyncio.sleep(begin + len(asked) / per_s - time.perf_counter())
        await asyncio.gather(*asked)

    async def _ask(
        self, window: Window, end: float, connection: Connection | None, *, keep: bool = True
    ) -> Connection | None:
        """Ask once; what is answered after the end does not count."""
        start = time.perf_counter()
        try:
            reader, writer = connection or await connect(self._port)
            status, body = await exchange(reader, writer, next(self._requests))
        except (OSError, asyncio.IncompleteReadError) as error:
            window.failures.append(repr(error))
            return None
        now = time.perf_counter()
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            window.turned_away_ms.append((now - start) * 1000)
        elif status != HTTPStatus.OK or not body.startswith(b"\xff\xd8"):
            window.failures.append(str(status))
        elif now < end:
            window.served += 1
        if keep:
            return reader, writer
        writer.close()
        return None

    async def _probe(self, window: Window, end: float) -> None:
        request = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        while time.perf_counter() < end:
            start = time.perf_counter()
            reader, writer = await connect(self._port)
            await exchange(reader, writer, request)
            writer.close()
            window.health_ms.append((time.perf_counter() - start) * 1000)
            await asyncio.sleep(HEALTH_EVERY_S)


async def overload(
    port: int, capacity: int, rounds: int, seconds: float, warm_up_s: float
) -> dict[str, list[Window]]:
    """Load and overload in turns."""
    clients = Clients(
        port, itertools.cycle([build_request("/colorize", path.read_bytes()) for path in SAMPLES])
    )

    def asking(connections: int) -> Callable[[Window, float], Awaitable[None]]:
        return lambda window, end: clients.keep_asking(window, end, connections)

    def coming(per_s: float) -> Callable[[Window, float], Awaitable[None]]:
        return lambda window, end: clients.come_by_the_clock(window, end, per_s)

    windows: dict[str, list[Window]] = {}
    await clients.run(asking(PEAK_CONNECTIONS), warm_up_s)
    for _ in range(rounds):
        at_best = await clients.run(asking(PEAK_CONNECTIONS), seconds)
        by_clock = await clients.run(coming(OVERLOAD * at_best.per_s), seconds)
        without_regard = await clients.run(asking(OVERLOAD * capacity), seconds)
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
        "| | pictures/s | of the best | 503 a second | 503 p50, p99 ms | live p99 ms "
        "| clients' share of a core | failures |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    best = next(iter(windows.values()))
    for name, rounds in windows.items():
        turned_away = [ms for window in rounds for ms in window.turned_away_ms]
        share = median(
            window.per_s / reference.per_s for window, reference in zip(rounds, best, strict=True)
        )
        cells = [
            name,
            f"{median(window.per_s for window in rounds):.1f}",
            f"{share:.1%}",
            f"{median(len(window.turned_away_ms) / window.seconds for window in rounds):.0f}",
            ", ".join(f"{np.percentile(turned_away, q):.0f}" for q in (50, 99))
            if turned_away
            else "",
            f"{median(np.percentile(window.health_ms, 99) for window in rounds):.0f}",
            f"{median(window.clients_cpu_s / window.seconds for window in rounds):.0%}",
            str(sum(len(window.failures) for window in rounds)),
        ]
        print("|", " | ".join(cells), "|")


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
        # The clients take the processor from the service: the less, the better.
        windows = uvloop.run(
            overload(
                port,
                options.queue_length + 2,
                options.rounds,
                options.seconds,
                options.warm_up,
            )
        )
        print_table(windows)
        time.sleep(2 * BEHIND_S)
        print(f"\nMemory: {before_mb:.0f} MB before, {memory_bytes(process.pid) / 1e6:.0f} after.")


if __name__ == "__main__":
    main()
