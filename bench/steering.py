"""What steering costs on top of a plain call, and what a batch needs: over HTTP, from outside.

`python -m bench.steering` prints two tables; `bench/README.md` says how to read them.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

import httpx
from PIL import Image

from bench.http import SERVICE
from bench.processes import (
    cpu_seconds,
    free_port,
    memory_bytes,
    peak_memory_bytes,
    reset_peak_memory,
    running,
)
from service.client import Client, ProblemError

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*-grey.jpg"))
VARIATIONS = 8
Row = tuple[str, Callable[[Client, bytes], object]]

ROWS: tuple[Row, ...] = (
    ("plain", lambda client, data: client.colorize(data)),
    ("palette", lambda client, data: client.colorize(data, palette="navy,tomato,beige")),
    ("reference", lambda client, data: client.colorize(data, reference=SAMPLES[0])),
    (
        "10 hints",
        lambda client, data: client.colorize(
            data,
            hints=[((place % 5 + 0.5) / 5, 0.25 + place // 5 / 2, "teal") for place in range(10)],
        ),
    ),
    ("variation 3", lambda client, data: client.colorize(data, variation=3)),
    ("saturation 1.5", lambda client, data: client.colorize(data, saturation=1.5)),
    ("brightness 1.3", lambda client, data: client.colorize(data, brightness=1.3)),
    ("contrast 1.3", lambda client, data: client.colorize(data, contrast=1.3)),
    ("tone 0.5", lambda client, data: client.colorize(data, tone=0.5)),
    (
        "all four",
        lambda client, data: client.colorize(
            data, saturation=1.2, brightness=1.1, contrast=1.2, tone=0.3
        ),
    ),
    (f"{VARIATIONS} variations, ZIP", lambda client, data: client.variations(data, VARIATIONS)),
    (
        f"{VARIATIONS} variations, sheet",
        lambda client, data: client.variation_sheet(data, VARIATIONS),
    ),
)


def main() -> None:
    """Run as told on the command line, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.steering", description=__doc__)
    parser.add_argument("--side", type=int, default=1000, help="of the pictures that are steered")
    parser.add_argument("--rounds", type=int, default=3, help="over all samples")
    parser.add_argument("--files", type=int, default=16, help="in the largest batch")
    parser.add_argument("--width", type=int, default=4000, help="of those, which are 4 x 3")
    options = parser.parse_args()
    port = free_port()
    environment = {name: value.format(port=port) for name, value in SERVICE.environment}
    environment["COLORIZE_MAX_UPLOAD_BYTES"] = str(1 << 30)
    command = [sys.executable, *SERVICE.command]
    with (
        running(command, port, SERVICE.ready_path, environment) as server,
        Client(f"http://127.0.0.1:{port}", timeout_s=600) as client,
    ):
        pictures = [_encode(path, (options.side, options.side)) for path in SAMPLES]
        print_ratios(time_rows(client, server.pid, pictures, options.rounds))
        if options.files:
            print_batches(port, server.pid, options.files, options.width)


@dataclass
class Times:
    """What a row took, picture by picture."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def time_rows(client: Client, pid: int, pictures: list[bytes], rounds: int) -> dict[str, Times]:
    """Time every row on every picture, one after the other, so that all meet the same noise.

    Returns
    -------
    times : dict of str to Times
        In the same order of pictures; rows that the model cannot be asked for
        are absent.
    """
    times: dict[str, Times] = {}
    for name, ask in ROWS:
        try:
            ask(client, pictures[0])
            times[name] = Times()
        except ProblemError as error:
            sys.stderr.write(f"{name}: {error.detail}\n")
    for _ in range(rounds):
        for picture in pictures:
            for name, ask in ROWS:
                if name in times:
                    start, cpu_start_s = time.perf_counter(), cpu_seconds(pid)
                    ask(client, picture)
                    times[name].wall_ms.append((time.perf_counter() - start) * 1000)
                    times[name].cpu_ms.append((cpu_seconds(pid) - cpu_start_s) * 1000)
    return times


def print_ratios(times: dict[str, Times]) -> None:
    """Print times, and what they are beside those of a plain call.

    Of the clock the medians: of times, and of ratios formed picture by picture.
    Of processor time, which is counted in hundredths of a second, the sums.
    """
    print("| request | ms | times a plain call | CPU ms | times a plain call |")
    print("| --- | ---: | ---: | ---: | ---: |")
    plain = times["plain"]
    for name, row in times.items():
        ratio = median(
            steered / alone for steered, alone in zip(row.wall_ms, plain.wall_ms, strict=True)
        )
        cpu_ratio = sum(row.cpu_ms) / sum(plain.cpu_ms)
        print(
            f"| {name} | {median(row.wall_ms):.0f} | {ratio:.2f} "
            f"| {mean(row.cpu_ms):.0f} | {cpu_ratio:.2f} |",
            flush=True,
        )


def print_batches(port: int, pid: int, most: int, width: int) -> None:
    """Print what batches of more and more large pictures need."""
    picture = _encode(SAMPLES[0], (width, width * 3 // 4))
    print(f"\n| files of {width * width * 3 / 4e6:.0f} megapixels ", end="")
    print("| peak MB above before | first bytes after | all after |")
    print("| --- | ---: | ---: | ---: |")
    for count in sorted({2, most // 2, most}):
        before = memory_bytes(pid)
        reset_peak_memory(pid)
        start = time.perf_counter()
        uploads = [("files", (f"{number}.jpg", picture)) for number in range(count)]
        url = f"http://127.0.0.1:{port}/colorize/batch"
        with httpx.stream("POST", url, files=uploads, timeout=600) as response:
            response.raise_for_status()
            pieces = response.iter_raw()
            next(pieces)
            first_s = time.perf_counter() - start
            for _ in pieces:
                pass
        all_s = time.perf_counter() - start
        peak_mb = (peak_memory_bytes(pid) - before) / 1e6
        print(f"| {count} | {peak_mb:.0f} | {first_s:.1f} s | {all_s:.1f} s |", flush=True)


def _encode(path: Path, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.open(path).resize(size).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
