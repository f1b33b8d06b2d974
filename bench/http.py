"""Pictures a second over HTTP, beside the bare pipeline and beside other servers.

`python -m bench.http` prints a table; `bench/README.md` says how to read it.
Servers run one at a time, on 127.0.0.1, and take turns for some rounds, so that
a machine that slows down slows all of them; ratios are formed inside a round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from bench.load import SAMPLES, Outcome
from bench.processes import ServerError, free_port, memory_bytes, running

HEADER = (
    "| | pictures/s | of in process | p50 ms | p99 ms | p99 / ideal | health p99 ms "
    "| CPU ms a picture | idle MB |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)


@dataclass(frozen=True)
class Server:
    """One way to serve the pipeline.

    Parameters
    ----------
    command : tuple of str
        Arguments of the Python interpreter; ``{port}`` stands for the port.
    ready_path, health_path : str
        What answers once it can work; what is probed under load.
    peer : str or None
        Module of another project that it needs; without, it is left out.
    environment : tuple of (str, str)
        ``{port}`` as above.
    """

    command: tuple[str, ...]
    ready_path: str
    health_path: str
    peer: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


SERVICE = Server(
    ("-m", "service"), "/health/ready", "/health/live", environment=(("COLORIZE_PORT", "{port}"),)
)
SERVERS = {
    "this service": SERVICE,
    "plain FastAPI": Server(
        ("-m", "uvicorn", "bench.peers.plain_fastapi:app", "--port", "{port}"),
        "/health/live",
        "/health/live",
    ),
    "LitServe": Server(
        ("-m", "bench.peers.litserve_server", "--port", "{port}"),
        "/health",
        "/health",
        peer="litserve",
    ),
    "BentoML": Server(
        ("-m", "bentoml", "serve", "bench.peers.bentoml_service:Colorize", "--port", "{port}"),
        "/readyz",
        "/livez",
        peer="bentoml",
        environment=(("BENTOML_DO_NOT_TRACK", "True"),),
    ),
}
IN_PROCESS = "in process"
NAIVE = "naive, in process"


@dataclass(frozen=True)
class Row:
    """One contestant in one round."""

    outcome: Outcome
    idle_bytes: int | None = None

    @property
    def per_s(self) -> float:
        """Pictures a second."""
        return len(self.outcome.latencies_ms) / self.outcome.seconds

    def latency_ms(self, percentile: float) -> float:
        """Milliseconds that so many per cent of the pictures did not exceed."""
        return float(np.percentile(self.outcome.latencies_ms, percentile))

    @property
    def cpu_ms(self) -> float:
        """Processor time of the server for one picture."""
        return self.outcome.server_cpu_s * 1000 / len(self.outcome.latencies_ms)


def run_in_process(seconds: float) -> Row:
    """Call the pipeline from threads, with no server in between."""
    return Row(_run_module("bench.in_process", "--seconds", str(seconds)))


def run_naive() -> Row:
    """Colour each sample once with Keras and scikit-image."""
    return Row(_run_module("bench.peers.naive"))


def run_server(server: Server, python: str, concurrency: int, seconds: float) -> Row:
    """Start a server with an interpreter, keep it busy, stop it.

    Raises
    ------
    ServerError
        When it does not start.
    """
    port = free_port()
    command = [python, *(part.format(port=port) for part in server.command)]
    environment = {name: value.format(port=port) for name, value in server.environment}
    with running(command, port, server.ready_path, environment) as process:
        idle_bytes = memory_bytes(process.pid)
        outcome = _run_module(
            "bench.load",
            *("--port", str(port), "--server-pid", str(process.pid)),
            *("--concurrency", str(concurrency), "--seconds", str(seconds)),
            *("--health-path", server.health_path),
        )
    return Row(outcome, idle_bytes)


def _run_module(module: str, *options: str) -> Outcome:
    """Run one of our modules in a process of its own, over the samples."""
    command = [sys.executable, "-m", module, *options, *map(str, SAMPLES)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    outcome = Outcome(**json.loads(finished.stdout.splitlines()[-1]))
    if not outcome.latencies_ms:
        raise ServerError(f"no picture within {outcome.seconds:.0f} s: {' '.join(command[:4])}")
    return outcome


def print_table(rounds: Sequence[dict[str, Row]], concurrency: int) -> None:
    """Print a row for each contestant: medians over the rounds."""
    print(*HEADER, sep="\n")
    for name in rounds[0]:
        rows = [(one_round[name], one_round[IN_PROCESS]) for one_round in rounds]
        of_in_process = median(row.per_s / base.per_s for row, base in rows)
        cells = [
            name,
            f"{median(row.per_s for row, _ in rows):.1f}",
            f"{of_in_process:.1%}",
            f"{median(row.latency_ms(50) for row, _ in rows):.0f}",
            f"{median(row.latency_ms(99) for row, _ in rows):.0f}",
        ]
        if any(row.outcome.health_ms for row, _ in rows):
            # Were there no cost but the pictures themselves, each would wait for its turn.
            to_ideal = median(
                row.latency_ms(99) / 1000 / (concurrency / b.per_s) for row, b in rows
            )
            health_ms = median(np.percentile(row.outcome.health_ms, 99) for row, _ in rows)
            cells += [f"{to_ideal:.2f}", f"{health_ms:.0f}"]
        else:
            cells += ["", ""]
        idle = [row.idle_bytes / 1e6 for row, _ in rows if row.idle_bytes is not None]
        cells += [
            f"{median(row.cpu_ms for row, _ in rows):.1f}",
            f"{median(idle):.0f}" if idle else "",
        ]
        print("|", " | ".join(cells), "|")
    failures = {
        name: sum(one_round[name].outcome.failures for one_round in rounds) for name in rounds[0]
    }
    for name, count in failures.items():
        if count:
            print(f"\n{name}: {count} answers were no picture!")


def find_servers(names: Sequence[str], peers_python: str) -> dict[str, tuple[Server, str]]:
    """Choose the servers that can run, each with its interpreter; say which cannot."""
    servers = {}
    for name in names:
        server = SERVERS[name]
        python = peers_python if server.peer else sys.executable
        if server.peer and not _is_installed(server.peer, python):
            print(f"!!! {name} is LEFT OUT: {python} has no {server.peer}.", file=sys.stderr)
        else:
            servers[name] = server, python
    return servers


def _is_installed(module: str, python: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return (
        Path(python).exists() and subprocess.run([python, "-c", code], check=False).returncode == 0
    )


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--only", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--no-naive", action="store_true")
    parser.add_argument("--peers-python", default=sys.executable, help="interpreter of the peers")
    options = parser.parse_args()
    servers = find_servers(options.only, options.peers_python)
    with_naive = not options.no_naive and _is_installed("keras", sys.executable)
    if not with_naive:
        print(f"!!! {NAIVE!r} is LEFT OUT: not wanted, or no keras.", file=sys.stderr)
    rounds = []
    for _ in range(options.rounds):
        rows = {IN_PROCESS: run_in_process(options.seconds)}
        for name, (server, python) in servers.items():
            rows[name] = run_server(server, python, options.concurrency, options.seconds)
        if with_naive:
            rows[NAIVE] = run_naive()
        rounds.append(rows)
    print_table(rounds, options.concurrency)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            main()
        except ServerError as error:
            raise SystemExit(str(error)) from None
