"""A lean client: keeps a number of connections busy and notes every latency.

It runs as a process of its own, `python -m bench.load`, so that it shares no
interpreter with what it measures. Requests are built once; an answer is read
and thrown away.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.processes import cpu_seconds

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*-grey.jpg"))
"""512 x 512 pixels each."""
BOUNDARY = b"c6b1a9d3f0e2477f"
PROBE_TIMEOUT_S = 10.0


@dataclass
class Outcome:
    """What a run of the client saw, after its warm-up.

    Parameters
    ----------
    seconds : float
        Length of the measured window.
    latencies_ms : list of float
        Of the pictures whose answers ended inside it.
    health_ms : list of float
        Of the probes, each over a connection of its own.
    failures : int
        Answers without a picture.
    server_cpu_s : float
        Processor time that the server spent inside the window.
    """

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    failures: int = 0
    server_cpu_s: float = 0.0


def build_request(path: str, picture: bytes, part: str = "file") -> bytes:
    """Write the HTTP request that uploads a picture as a form.

    Parameters
    ----------
    path : str
        With its query.
    picture : bytes
        A JPEG file.
    part : str
        Name of the form part.

    Returns
    -------
    request : bytes
        Head and body.
    """
    disposition = f'form-data; name="{part}"; filename="picture.jpg"'
    head = f"Content-Disposition: {disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
    body = b"--%b\r\n%b%b\r\n--%b--\r\n" % (BOUNDARY, head.encode(), picture, BOUNDARY)
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """Send a request and read its answer.

    Returns
    -------
    status : int
    body : bytes
    """
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    if b"content-length" in headers:
        return status, await reader.readexactly(int(headers[b"content-length"]))
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return status, b"".join(chunks)


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection that holds a whole answer without stopping the sender."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader, writer


async def load(
    port: int,
    requests: Sequence[bytes],
    *,
    concurrency: int,
    warm_up_s: float,
    seconds: float,
    health_path: str | None,
    health_per_s: float,
    server_pid: int,
) -> Outcome:
    """Keep `concurrency` connections busy, and probe health beside them.

    Parameters
    ----------
    port : int
        Of the server, on 127.0.0.1.
    requests : sequence of bytes
        Sent in turn.
    concurrency : int
        Requests under way at any time.
    warm_up_s, seconds : float
        Not measured; measured.
    health_path : str or None
        What to probe.
    health_per_s : float
        Probes a second, sent by the clock, however late the answers are.
    server_pid : int
        Whose processor time is counted, children included.

    Returns
    -------
    outcome : Outcome
    """
    outcome = Outcome()
    begin = time.perf_counter() + warm_up_s
    end = begin + seconds
    upcoming = itertools.cycle(requests)
    tasks = [
        asyncio.create_task(_keep_busy(port, upcoming, begin, end, outcome))
        for _ in range(concurrency)
    ]
    if health_path is not None:
        tasks.append(
            asyncio.create_task(_probe(port, health_path, health_per_s, begin, end, outcome))
        )
    await asyncio.sleep(begin - time.perf_counter())
    server_cpu = cpu_seconds(server_pid)
    await asyncio.sleep(end - time.perf_counter())
    outcome.server_cpu_s = cpu_seconds(server_pid) - server_cpu
    outcome.seconds = seconds
    await asyncio.gather(*tasks)
    return outcome


async def _keep_busy(
    port: int, upcoming: Iterator[bytes], begin: float, end: float, outcome: Outcome
) -> None:
    reader, writer = await connect(port)
    while True:
        sent = time.perf_counter()
        if sent >= end:
            break
        status, body = await exchange(reader, writer, next(upcoming))
        received = time.perf_counter()
        if begin <= received < end:
            outcome.latencies_ms.append((received - sent) * 1000)
        if status != 200 or not body.startswith(b"\xff\xd8"):
            outcome.failures += 1
    writer.close()


async def _probe(
    port: int, path: str, per_s: float, begin: float, end: float, outcome: Outcome
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()

    async def probe_once() -> None:
        sent = time.perf_counter()
        reader, writer = await connect(port)
        await exchange(reader, writer, request)
        writer.close()
        outcome.health_ms.append((time.perf_counter() - sent) * 1000)

    probes = []
    await asyncio.sleep(begin - time.perf_counter())
    while time.perf_counter() < end:
        probes.append(asyncio.create_task(probe_once()))
        await asyncio.sleep(begin + len(probes) / per_s - time.perf_counter())
    await asyncio.wait_for(asyncio.gather(*probes), PROBE_TIMEOUT_S)


def main() -> None:
    """Run as told on the command line, and print the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="+", type=Path, help="JPEG files, sent in turn")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server-pid", type=int, required=True)
    parser.add_argument("--path", default="/colorize")
    parser.add_argument("--part", default="file")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--warm-up", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--health-path")
    parser.add_argument("--health-per-s", type=float, default=20.0)
    options = parser.parse_args()
    requests = [
        build_request(options.path, path.read_bytes(), options.part) for path in options.pictures
    ]
    outcome = asyncio.run(
        load(
            options.port,
            requests,
            concurrency=options.concurrency,
            warm_up_s=options.warm_up,
            seconds=options.seconds,
            health_path=options.health_path,
            health_per_s=options.health_per_s,
            server_pid=options.server_pid,
        )
    )
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
