"""Where the files under test are, and the tools that read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def tool(name: str) -> str:
    """Find a program of the environment that the tests run in."""
    return str(Path(sys.executable).parent / name)


def foreign_tool(name: str) -> str:
    """Find a program that no package of ours brings; without it, skip the test and say so."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed: what it would check is unchecked")
    return path


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program; its output is the message when it fails."""
    result = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=60, **options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result
