"""What is left of `colorize --engine ray` when parts of its cluster are lost on the way.

Two nodes on this machine, a core and a worker each, and a folder of pictures. At a
quarter of them a worker is killed, or the node without the cluster's head, for which
another one comes, or the command itself, which is then given again. What lies in the
folder of answers in the end is compared with what the local engine makes.

    python -m bench.bulk_faults
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.cli import write_folder
from bench.processes import members

ROOT = Path(__file__).parents[1]
WORKER = b"ray::MapWorker"
HIDDEN = ".colorize"
STORE = {"object_store_memory": 100 * 1024 * 1024}

os.environ.update(
    {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
)


@dataclass
class Told:
    """What a run said.

    Parameters
    ----------
    seconds : float
        From its start to its end.
    pictures : list of str
        As they were told, those left alone too.
    failed : int
    """

    seconds: float
    pictures: list[str] = field(default_factory=list)
    failed: int = 0


def run_command(
    folder: Path, out: Path, address: str, at: int = 0, strike: Callable[[int], None] | None = None
) -> Told:
    """Run the command; once so many pictures are told, strike, with its process id."""
    told = Told(0.0)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "service.cli", "--engine", "ray", "--ray-address", address]
    command += ["--jobs", "2", "--json", "--quiet", str(folder), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        for line in process.stdout:
            document = json.loads(line)
            if "picture" in document:
                told.pictures.append(document["picture"])
                told.failed += document["status"] == "failed"
            if strike is not None and len(told.pictures) == at:
                strike(process.pid)
    told.seconds = time.perf_counter() - begin
    return told


def read_answers(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder but the manifest."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and HIDDEN not in path.parts
    }


def kill_worker(_: int) -> None:
    """Kill one of the workers."""
    workers = [
        pid for pid in members(os.getpid()) if WORKER in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(workers[0], signal.SIGKILL)


def kill_command(pid: int) -> None:
    """Kill whoever began the run."""
    os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="pictures of a megapixel")
    options = parser.parse_args()

    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **STORE}
    )
    second = cluster.add_node(num_cpus=1, **STORE)

    def kill_node(_: int) -> None:
        cluster.remove_node(second, allow_graceful=False)
        cluster.add_node(num_cpus=1, **STORE)

    print("| lost | told | failed | answers | missing | other bytes | left over | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as top:
        folder, local = Path(top, "in"), Path(top, "local")
        folder.mkdir()
        write_folder(folder, options.count)
        command = [sys.executable, "-m", "service.cli", "--quiet", str(folder), "-o", str(local)]
        subprocess.run(command, check=True)
        wanted = read_answers(local)
        for what, strike in (
            ("nothing", None),
            ("a worker", kill_worker),
            ("the command", kill_command),
            ("a node", kill_node),
        ):
            out = Path(top, what)
            told = run_command(folder, out, cluster.address, options.count // 4, strike)
            if strike is kill_command:
                again = run_command(folder, out, cluster.address)
                told = Told(told.seconds + again.seconds, again.pictures, again.failed)
            found = read_answers(out)
            others = sum(found[name] != wanted[name] for name in found.keys() & wanted.keys())
            print(
                f"| {what} | {len(told.pictures)} | {told.failed} | {len(found)} "
                f"| {len(wanted.keys() - found.keys())} | {others} "
                f"| {len(found.keys() - wanted.keys())} | {told.seconds:.1f} |",
                flush=True,
            )
    cluster.shutdown()


if __name__ == "__main__":
    main()
