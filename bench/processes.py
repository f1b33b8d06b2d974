"""Servers under test: started, awaited, looked at from outside, stopped. Linux only."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.005


class ServerError(Exception):
    """A server under test did not start."""


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, ready_path: str, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, from its first answer to the end of the block.

    Parameters
    ----------
    command : sequence of str
    port : int
        On which it will listen, at 127.0.0.1.
    ready_path : str
        Answers 200 when the server can work.
    environment : mapping of str to str
        Set beside what is set already.

    Raises
    ------
    ServerError
        When it ends before it answers, or takes too long; the message has the
        last lines of its log.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, port, ready_path)
            yield process
        except ServerError as error:
            log.seek(0)
            lines = log.read().decode(errors="replace").splitlines()[-15:]
            raise ServerError("\n".join([str(error), *lines])) from None
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.perf_counter() + START_TIMEOUT_S
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise ServerError(f"{process.args!r} ended with status {process.returncode}")
        if get_status(port, path) == HTTPStatus.OK:
            return
        time.sleep(POLL_S)
    raise ServerError(f"{process.args!r} did not answer {path} within {START_TIMEOUT_S:.0f} s")


def get_status(port: int, path: str) -> int | None:
    """Ask a server on 127.0.0.1 for a path; None when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and all that it started."""
    started = members(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    for member in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Let the system choose a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """Processor time that a server's processes have spent so far."""
    return sum(own_cpu_seconds(member) for member in members(pid))


def own_cpu_seconds(pid: int) -> float:
    """Processor time that one process has spent so far; 0 when it is gone."""
    return _spent_seconds(_stat_fields(f"{pid}"))


def main_thread_cpu_seconds(pid: int) -> float:
    """Processor time that its first thread has spent so far; 0 when it is gone."""
    return _spent_seconds(_stat_fields(f"{pid}/task/{pid}"))


def _spent_seconds(stat: list[str] | None) -> float:
    # utime, stime: fields 14 and 15 of proc(5), counted from the third.
    return (int(stat[11]) + int(stat[12])) / TICKS_PER_S if stat else 0.0


def memory_bytes(pid: int) -> int:
    """Memory that a server's processes hold; what they share counts once."""
    all_of_it = members(pid)
    if len(all_of_it) == 1:
        return int(Path(f"/proc/{all_of_it[0]}/statm").read_text().split()[1]) * PAGE_BYTES
    return sum(_proportional_bytes(member) for member in all_of_it)


def reset_peak_memory(pid: int) -> None:
    """Begin to note the peak of one process anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_memory_bytes(pid: int) -> int:
    """Most memory that one process has held since `reset_peak_memory`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def members(root: int) -> list[int]:
    """List a process and all that descend from it."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and (stat := _stat_fields(path.name)):
            parents[int(path.name)] = int(stat[1])
    found = [root] if root in parents else []
    for member in found:  # grows while it is read
        found += [pid for pid, parent in parents.items() if parent == member]
    return found


def _stat_fields(task: str) -> list[str] | None:
    """Read /proc/TASK/stat after the name, which may hold anything; None when it is gone."""
    try:
        stat = Path(f"/proc/{task}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields
