"""The bench of steering runs, against the models that are shipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_steering_prints_its_tables() -> None:
    command = [sys.executable, "-m", "bench.steering", "--side=64", "--rounds=1"]
    command += ["--files=2", "--width=1200"]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "\n| plain | " in finished.stdout
    assert "\n| all four | " in finished.stdout
    assert "\n| files of 1 megapixels | " in finished.stdout
