"""The benchmarks run: a table that breaks unnoticed is not measured again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "| from bytes to bytes / Pillow |" in finished.stdout
