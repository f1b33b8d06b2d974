"""The check of a container: `python -m service.probe`."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import probe

ROOT = Path(__file__).parents[2]


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def run_probe(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as the container does: without `site`, in the folder of the package."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "service.probe", *arguments],
        env={"PATH": os.environ["PATH"], **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_probe_succeeds_when_service_is_alive(port: int) -> None:
    result = run_probe(HOST="0.0.0.0", PORT=str(port))

    assert (result.returncode, result.stderr) == (0, "")


def test_probe_fails_with_status_when_answer_is_another(port: int) -> None:
    result = run_probe("/health/ready", PORT=str(port))

    assert result.returncode == 1
    assert result.stderr == f"127.0.0.1:{port}/health/ready: 503\n"


def test_probe_fails_when_nobody_listens() -> None:
    result = run_probe(PORT="1")

    assert result.returncode == 1
    assert result.stderr.startswith("127.0.0.1:1/health/live: ")
    assert "refused" in result.stderr


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, ("127.0.0.1", 8000)),
        ({"HOST": "0.0.0.0", "PORT": "9000"}, ("127.0.0.1", 9000)),
        ({"HOST": "::"}, ("::1", 8000)),
        ({"COLORIZE_HOST": "10.0.0.7", "HOST": "0.0.0.0"}, ("10.0.0.7", 8000)),
        ({"COLORIZE_PORT": "", "PORT": "81"}, ("127.0.0.1", 81)),
    ],
)
def test_probe_asks_where_the_settings_say(
    environment: dict[str, str], address: tuple[str, int]
) -> None:
    assert probe.find_address(environment) == address


def test_probe_loads_the_standard_library_alone() -> None:
    code = "import sys, service.probe; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert set(loaded) - sys.stdlib_module_names == {"__main__", "service"}
