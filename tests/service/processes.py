"""A real service in a process of its own, and raw connections to it."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 60.0
BOUNDARY = "frontier"


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10)

    def post(self, picture: bytes, query: str = "", timeout_s: float = 30) -> httpx.Response:
        files = {"file": ("picture.png", picture)}
        return httpx.post(f"{self.url}/colorize{query}", files=files, timeout=timeout_s)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def memory_mb(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.contextmanager
def running_service(models_dir: Path, log: Path, **settings: object) -> Iterator[Service]:
    """Run a service until the end of the block, by default with one slot."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings = {"models_dir": models_dir, "port": port, "working_slots": 1} | settings
    variables = {f"COLORIZE_{name.upper()}": str(value) for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    service = Service(process, port, log)
    try:
        _wait_until_live(service)
        yield service
    finally:
        process.kill()
        process.wait()


def _wait_until_live(service: Service) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert service.process.poll() is None, service.log.read_text()
        with contextlib.suppress(httpx.TransportError):
            service.get("/health/live")
            return
        time.sleep(0.02)
    raise AssertionError(service.log.read_text())


def wait_until(condition: object, timeout_s: float = 10) -> None:
    """Ask again and again until the answer is yes."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def large_picture(side: int) -> bytes:
    """A PNG that packs well and takes long to colour."""
    rows, columns = np.mgrid[0:side, 0:side]
    buffer = io.BytesIO()
    Image.fromarray(((rows // 16 + columns // 16) % 256).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def form_request(picture: bytes, announced: int | None = None) -> bytes:
    """A request as it goes over the wire; it may announce more than it brings."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    ).encode()
    body += picture + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        "POST /colorize HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {announced or len(body)}\r\n\r\n"
    )
    return head.encode() + body


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = b""
    while part := connection.recv(1 << 16):
        received += part
    return received
