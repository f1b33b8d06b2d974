"""`colorize --engine ray` beside the local engine, on one machine, in turns.

`python -m bench.bulk` prints, of a folder of pictures, what Ray leaves of the local
engine's rate from the first answer to the last, and what it takes before and after.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import astuple
from pathlib import Path

import numpy as np

from bench.cli import SIDE, run_command, write_folder

ENGINES = ("local", "ray")


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.bulk", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="pictures in the folder")
    parser.add_argument("--side", type=int, default=SIDE, help="of each, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        write_folder(Path(top), options.count, options.side)
        rows = np.array(
            [
                [
                    astuple(run_command(Path(top), options.count, "--engine", engine))
                    for engine in ENGINES
                ]
                for _ in range(options.rounds)
            ]
        )
    # (rounds, engines, columns): ratios inside a round, then medians over the rounds.
    shares = np.median(rows / rows[:, :1], axis=0)
    medians = np.median(rows, axis=0)
    print(
        f"| {options.count:,} pictures of {options.side}x{options.side} | per s, first to last "
        "| share | per s, start to end | share | to the first | after the last "
        "| CPU of the command itself, a picture |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for engine, (per_s, steady_per_s, first_s, last_s, own_cpu_s), share in zip(
        ENGINES, medians, shares, strict=True
    ):
        print(
            f"| {engine} | {steady_per_s:.1f} | {share[1]:.1%} | {per_s:.1f} | {share[0]:.1%} "
            f"| {first_s:.1f} s | {last_s:.1f} s | {own_cpu_s / options.count * 1e3:.1f} ms |"
        )


if __name__ == "__main__":
    main()
