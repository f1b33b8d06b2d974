"""The service beside its own pipeline in process, window by window.

Both are started once and then take turns in short windows, A B B A, so that what
else the machine does meets both alike. `python -m bench.paired` prints the share
that HTTP leaves, with the interval that it lies in with 95 %.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.http import SERVICE
from bench.load import SAMPLES, Outcome
from bench.processes import ServerError, free_port, running

RESAMPLES = 10_000
Window = Callable[[], Outcome]


@dataclass(frozen=True)
class Pair:
    """Two windows, one after the other.

    Raises
    ------
    ServerError
        When one of them has no picture.
    """

    in_process: Outcome
    served: Outcome

    def __post_init__(self) -> None:
        if not (self.in_process.latencies_ms and self.served.latencies_ms):
            raise ServerError(f"no picture within {self.served.seconds} s: longer windows, please")

    @property
    def share(self) -> float:
        """Pictures served, as a share of those in process."""
        return len(self.served.latencies_ms) / len(self.in_process.latencies_ms)

    def relative_latencies(self, concurrency: int) -> NDArray[np.float64]:
        """Latencies as multiples of a wait in a queue that costs nothing."""
        per_s = len(self.in_process.latencies_ms) / self.in_process.seconds
        return np.array(self.served.latencies_ms) / 1000 / (concurrency / per_s)


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.paired", description=__doc__)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=2.5, help="of each window")
    parser.add_argument("--warm-up", type=float, default=0.7, help="seconds before each window")
    options = parser.parse_args()
    timing = ("--warm-up", str(options.warm_up), "--seconds", str(options.seconds))
    with (
        in_process_windows(timing) as run_in_process,
        served_windows(timing, options.concurrency) as run_served,
    ):
        pairs = [
            run_pair(run_in_process, run_served, served_first=index % 2 == 1)
            for index in range(options.pairs)
        ]
    print_table(pairs, options.concurrency)


def run_pair(run_in_process: Window, run_served: Window, *, served_first: bool) -> Pair:
    """Run both windows, in either order."""
    if served_first:
        served = run_served()
        return Pair(run_in_process(), served)
    return Pair(run_in_process(), run_served())


@contextlib.contextmanager
def in_process_windows(timing: tuple[str, ...]) -> Iterator[Window]:
    """Start the pipeline in a process of its own, which works when it is asked to."""
    command = [sys.executable, "-m", "bench.in_process", "--on-demand", *timing]
    with subprocess.Popen(
        [*command, *map(str, SAMPLES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run() -> Outcome:
            assert process.stdin  # noqa: S101 - it is a pipe
            assert process.stdout  # noqa: S101 - it is a pipe
            process.stdin.write("\n")
            process.stdin.flush()
            return Outcome(**json.loads(process.stdout.readline()))

        yield run


@contextlib.contextmanager
def served_windows(timing: tuple[str, ...], concurrency: int) -> Iterator[Window]:
    """Start the service, and load it when asked to."""
    port = free_port()
    command = [sys.executable, *SERVICE.command]
    environment = {name: value.format(port=port) for name, value in SERVICE.environment}
    with running(command, port, SERVICE.ready_path, environment) as server:
        client = [
            *(sys.executable, "-m", "bench.load", "--port", str(port)),
            *("--server-pid", str(server.pid), "--concurrency", str(concurrency)),
            *("--health-path", SERVICE.health_path, *timing, *map(str, SAMPLES)),
        ]

        def run() -> Outcome:
            finished = subprocess.run(client, stdout=subprocess.PIPE, check=True)
            return Outcome(**json.loads(finished.stdout))

        yield run


def print_table(pairs: list[Pair], concurrency: int) -> None:
    """Print figures over all windows."""
    shares = np.array([pair.share for pair in pairs])
    resampled = np.random.default_rng(0).choice(shares, (RESAMPLES, len(shares)))
    low, high = np.quantile(np.median(resampled, axis=1), (0.025, 0.975))
    quartiles = np.quantile(shares, (0.25, 0.75))
    relative = np.concatenate([pair.relative_latencies(concurrency) for pair in pairs])
    health_ms = np.concatenate([pair.served.health_ms for pair in pairs])
    in_process_ms, served_ms = (
        sum(outcome.server_cpu_s for outcome in outcomes)
        / sum(len(outcome.latencies_ms) for outcome in outcomes)
        * 1000
        for outcomes in ([p.in_process for p in pairs], [p.served for p in pairs])
    )
    print(f"| {len(pairs)} pairs of windows | |\n| --- | --- |")
    print(f"| share of in process, median | {np.median(shares):.1%} |")
    print(f"| 95 % interval of the median | {low:.1%} to {high:.1%} |")
    print(f"| half of the pairs | {quartiles[0]:.1%} to {quartiles[1]:.1%} |")
    print(f"| p99 / ideal queue | {np.quantile(relative, 0.99):.2f} |")
    print(f"| health p99, ms | {np.quantile(health_ms, 0.99):.0f} |")
    print(f"| CPU ms a picture, in process | {in_process_ms:.1f} |")
    print(f"| CPU ms a picture, served | {served_ms:.1f} |")
    failures = sum(pair.served.failures for pair in pairs)
    if failures:
        print(f"\n{failures} answers were no picture!")


if __name__ == "__main__":
    try:
        main()
    except ServerError as error:
        raise SystemExit(str(error)) from None
