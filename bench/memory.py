"""How much memory the server takes: idle, at its peak, and after thousands of requests.

`python -m bench.memory` prints a table; `bench/README.md` says how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import random
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus

import numpy as np
from PIL import Image

from bench.http import SERVICE
from bench.load import SAMPLES, build_request, connect, exchange
from bench.processes import free_port, memory_bytes, peak_memory_bytes, reset_peak_memory, running

LARGE_SIZE = (4000, 3000)
"""Width and height: 12 megapixels."""
CONCURRENCY = 16
MIXED_PICTURES = 256
"""Different ones; more requests than that begin again."""
MIXED_SIDES = (48, 900)
MIXED_FORMATS = ("JPEG", "JPEG", "PNG", "WEBP")
SETTLE_S = 2.0


def build_large_requests() -> list[bytes]:
    """Enlarge the samples to 12 megapixels."""
    return [
        build_request("/colorize", _encode(Image.open(path).resize(LARGE_SIZE), "JPEG"))
        for path in SAMPLES
    ]


def build_mixed_requests() -> list[bytes]:
    """Bring the samples into many shapes and formats; the same ones every time."""
    chooser = random.Random(0)  # noqa: S311 - no secret
    requests = []
    for path in itertools.islice(itertools.cycle(SAMPLES), MIXED_PICTURES):
        size = chooser.randint(*MIXED_SIDES), chooser.randint(*MIXED_SIDES)
        picture = Image.open(path).resize(size)
        requests.append(build_request("/colorize", _encode(picture, chooser.choice(MIXED_FORMATS))))
    return requests


def _encode(picture: Image.Image, format_name: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_name)
    return buffer.getvalue()


async def send(port: int, requests: Iterator[bytes], concurrency: int) -> None:
    """Send requests until there are none left, over so many connections.

    Raises
    ------
    RuntimeError
        When an answer is no picture.
    """

    async def keep_sending() -> None:
        reader, writer = await connect(port)
        for request in requests:
            status, _ = await exchange(reader, writer, request)
            if status != HTTPStatus.OK:
                raise RuntimeError(f"every answer must be 200. Received: {status}")
        writer.close()

    await asyncio.gather(*(keep_sending() for _ in range(concurrency)))


def fit_slope(counts: list[int], megabytes: list[float]) -> tuple[float, float]:
    """Fit a line; return MB per 1,000 requests, and the standard error of that."""
    x, y = np.array(counts) / 1000, np.array(megabytes)
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000, help="mixed ones, for flatness")
    parser.add_argument("--samples", type=int, default=50, help="of memory, over those")
    options = parser.parse_args()
    port = free_port()
    command = [sys.executable, *SERVICE.command]
    environment = {name: value.format(port=port) for name, value in SERVICE.environment}
    with running(command, port, SERVICE.ready_path, environment) as server:
        time.sleep(SETTLE_S)
        idle_mb = memory_bytes(server.pid) / 1e6
        print("| memory | MB |\n| --- | --- |")
        print(f"| idle | {idle_mb:.0f} |", flush=True)

        requests = build_mixed_requests()
        per_sample = options.requests // options.samples
        upcoming = itertools.cycle(requests)
        megabytes = []
        for _ in range(options.samples):
            asyncio.run(send(port, itertools.islice(upcoming, per_sample), CONCURRENCY))
            megabytes.append(memory_bytes(server.pid) / 1e6)
        counts = [per_sample * (index + 1) for index in range(options.samples)]
        for share in (0.1, 0.25, 0.5, 0.75, 1.0):
            index = max(0, round(options.samples * share) - 1)
            print(f"| after {counts[index]:,} mixed requests | {megabytes[index]:.0f} |")
        half = options.samples // 2
        slope, error = fit_slope(counts[half:], megabytes[half:])
        print(
            f"| growth per 1,000 requests, second half | {slope:+.2f} ± {error:.2f} |", flush=True
        )

        large = build_large_requests()
        before_mb = memory_bytes(server.pid) / 1e6
        reset_peak_memory(server.pid)
        asyncio.run(send(port, iter(large * (2 * CONCURRENCY // len(large))), CONCURRENCY))
        peak_mb = peak_memory_bytes(server.pid) / 1e6
        time.sleep(SETTLE_S)
        print(f"| before the large pictures | {before_mb:.0f} |")
        print(f"| peak, {CONCURRENCY} uploads of 12 megapixels at once | {peak_mb:.0f} |")
        print(f"| peak above idle | {peak_mb - idle_mb:.0f} |")
        print(f"| {SETTLE_S:.0f} s later | {memory_bytes(server.pid) / 1e6:.0f} |")


if __name__ == "__main__":
    main()
