"""The unit, as systemd itself reads it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from service.settings import Settings
from tests.deploy.files import DEPLOY, foreign_tool, run

UNIT = (DEPLOY / "systemd" / "colorize.service").read_text()
MOST_EXPOSED = "20"
"""Of 100, by systemd's own reckoning; a service without any restriction has 96."""


def test_systemd_takes_unit(tmp_path: Path) -> None:
    # It wants to see the program.
    unit = tmp_path / "colorize.service"
    unit.write_text(UNIT.replace("/opt/colorize/.venv/bin/python", sys.executable))

    result = run(foreign_tool("systemd-analyze"), "verify", "--man=no", unit)

    assert "colorize.service" not in result.stderr


def test_unit_exposes_little(tmp_path: Path) -> None:
    unit = tmp_path / "colorize.service"
    unit.write_text(UNIT)

    run(
        foreign_tool("systemd-analyze"),
        "security",
        "--offline=yes",
        f"--threshold={MOST_EXPOSED}",
        unit,
    )


def test_unit_gives_time_to_finish() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(seconds) > Settings.model_fields["shutdown_timeout_s"].default


def test_unit_names_settings_that_there_are() -> None:
    named = set(re.findall(r"COLORIZE_([A-Z_]*[A-Z])", UNIT))
    assert named <= {name.upper() for name in Settings.model_fields}
