"""`colorize FOLDER` beside the bare pipeline in threads, in turns.

`python -m bench.cli` prints the share that is left of the pipeline: of whole runs,
start included, and of the time from the first answer to the last; and what two
processes of one thread make of the same folder, each with a half.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.load import SAMPLES, Outcome
from bench.processes import own_cpu_seconds

SIDE = 1000
"""Of the pictures: a megapixel each."""


@dataclass(frozen=True)
class CommandRun:
    """What a run of the command took.

    Parameters
    ----------
    per_s : float
        Pictures a second, from the start of the process to its end.
    steady_per_s : float
        From the first answer to the last.
    first_s, last_s : float
        From the start of the process to the first answer, and from the last answer
        to its end.
    own_cpu_s : float
        Processor time of the process that was started, without those that it started,
        from the first answer to the last.
    """

    per_s: float
    steady_per_s: float
    first_s: float
    last_s: float
    own_cpu_s: float


def write_folder(folder: Path, count: int, side: int = SIDE) -> list[Path]:
    """Write samples as squares, `count` files of JPEG.

    Returns
    -------
    list of Path
        One of each sample.
    """
    pictures = []
    for path in SAMPLES:
        buffer = io.BytesIO()
        Image.open(path).resize((side, side), Image.Resampling.LANCZOS).save(
            buffer, "JPEG", quality=90
        )
        pictures.append(buffer.getvalue())
    for index in range(count):
        (folder / f"{index:06}.jpg").write_bytes(pictures[index % len(pictures)])
    return [folder / f"{index:06}.jpg" for index in range(min(count, len(pictures)))]


def run_command(folder: Path, count: int, *options: str) -> CommandRun:
    """Colour a folder with the command, answers to a new folder, which is removed."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "service.cli", str(folder), "-o", out, "--json", "--quiet"]
        command += options
        begin = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout  # noqa: S101 - it is a pipe
            told, cpu_s = [], []
            for _ in process.stdout:
                told.append(time.perf_counter())
                cpu_s.append(own_cpu_seconds(process.pid))
        seconds = time.perf_counter() - begin
    # The last line is the summary, told at once after the last answer.
    steady_s = told[-2] - told[0]
    first_s, last_s = told[0] - begin, begin + seconds - told[-2]
    own_cpu_s = cpu_s[-2] - cpu_s[0]
    return CommandRun(count / seconds, (count - 1) / steady_s, first_s, last_s, own_cpu_s)


def run_processes(folders: list[Path], count: int) -> float:
    """Colour folders side by side, a process of one thread each; pictures a second."""
    with tempfile.TemporaryDirectory() as out:
        begin = time.perf_counter()
        command = [sys.executable, "-m", "service.cli", "--jobs", "1", "--quiet", "-o"]
        processes = [
            subprocess.Popen([*command, f"{out}/{folder.name}", str(folder)]) for folder in folders
        ]
        for process in processes:
            process.wait()
        return count / (time.perf_counter() - begin)


def run_in_process(pictures: list[Path], seconds: float) -> float:
    """Run the bare pipeline in threads; pictures a second."""
    command = [sys.executable, "-m", "bench.in_process", "--warm-up", "1"]
    finished = subprocess.run(
        [*command, "--seconds", str(seconds), *map(str, pictures)],
        stdout=subprocess.PIPE,
        check=True,
    )
    outcome = Outcome(**json.loads(finished.stdout))
    return len(outcome.latencies_ms) / outcome.seconds


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cli", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="pictures in the folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of the bare pipeline")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as top:
        folder, halves = Path(top, "all"), [Path(top, "0"), Path(top, "1")]
        for each in (folder, *halves):
            each.mkdir()
        pictures = write_folder(folder, options.count)
        for index, path in enumerate(sorted(folder.iterdir())):
            shutil.copy(path, halves[index % 2])
        for _ in range(options.rounds):
            before = run_in_process(pictures, options.seconds)
            command = run_command(folder, options.count)
            processes = run_processes(halves, options.count)
            bare = (before + run_in_process(pictures, options.seconds)) / 2
            rows.append((bare, command.per_s, command.steady_per_s, processes))
    bare, whole, steady, processes = np.median(rows, axis=0)
    print(f"| {options.count:,} megapixels in JPEG, median of {options.rounds} | per s | share |")
    print("| --- | --- | --- |")
    for name, per_s in (
        ("bare pipeline, threads of one process", bare),
        ("`colorize`, from start to end", whole),
        ("`colorize`, from the first answer to the last", steady),
        ("two processes of one thread, start to end", processes),
    ):
        print(f"| {name} | {per_s:.1f} | {per_s / bare:.1%} |")


if __name__ == "__main__":
    main()
