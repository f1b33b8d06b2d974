"""The benchmarks run: a table that breaks unnoticed is not measured again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
"""Other tests and trainings may have the machine: none takes more than a few seconds of it."""


def test_stages_prints_its_table() -> None:
    command = [
        sys.executable,
        "-m",
        "bench.stages",
        "--width",
        "64",
        "--rounds",
        "1",
        "--no-others",
    ]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "| from bytes to bytes / Pillow |" in finished.stdout


def test_choices_prints_its_tables() -> None:
    command = [sys.executable, "-m", "bench.choices", "--width", "64", "--rounds", "1"]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "| level 6 |" in finished.stdout
    assert "| threads | spinning |" in finished.stdout


def test_paired_prints_its_table() -> None:
    timing = ["--pairs", "1", "--warm-up", "0.1", "--concurrency", "2"]
    for seconds in (1, 5, 25):
        finished = subprocess.run(
            [sys.executable, "-m", "bench.paired", *timing, "--seconds", str(seconds)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        # On a machine without time there may be no picture in a short window.
        if "longer windows, please" not in finished.stderr:
            break
    assert finished.returncode == 0, finished.stderr
    assert "| share of in process, median |" in finished.stdout
    assert "no picture" not in finished.stdout


def test_overload_prints_its_table() -> None:
    timing = ["--rounds", "1", "--seconds", "0.5", "--warm-up", "0.1"]
    command = [sys.executable, "-m", "bench.overload", *timing]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "| 4 times as many requests, by the clock |" in finished.stdout
    assert "MB before," in finished.stdout


def test_trial_prints_its_table(tmp_path: Path) -> None:
    (tmp_path / "no-picture.png").write_bytes(b"no picture")
    (tmp_path / "sample.jpg").write_bytes(next((ROOT / "samples").glob("*.jpg")).read_bytes())
    command = [sys.executable, "-m", "bench.trial", str(tmp_path), "--only", "palette"]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert finished.returncode == 0, finished.stderr + finished.stdout
    assert "2 files, of which Pillow reads 1 as JPEG" in finished.stdout
    assert "| `/palette` | 200: 1, 415: 1 |" in finished.stdout
    assert "/health/ready: 200." in finished.stdout
