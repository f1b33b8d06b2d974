"""The proxy's configuration, as nginx itself reads and runs it."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from service.middleware import SANE_REQUEST_ID
from tests.deploy.files import DEPLOY, foreign_tool, run

CONFIGURATION = DEPLOY / "nginx" / "replicas.conf"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Run nginx with our configuration before a service that is not there."""
    nginx = foreign_tool("nginx")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    text = CONFIGURATION.read_text()
    for ours, here in {
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "colorize:8000": f"127.0.0.1:{free_port()}",
        "resolver 127.0.0.11 valid=5s;": "",
        "/tmp/": f"{folder}/",
        "/dev/stdout": f"{folder}/access.log",
    }.items():
        assert ours in text
        text = text.replace(ours, here)
    (folder / "nginx.conf").write_text(text)
    command = [nginx, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (
        subprocess.Popen(command, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        for _ in range(500):
            try:
                client.get("/proxy/health")
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.02)
        yield client
        process.terminate()


@pytest.mark.parametrize("name", ["replicas.conf"])
def test_nginx_takes_configuration(name: str) -> None:
    run(foreign_tool("nginx"), "-t", "-q", "-c", DEPLOY / "nginx" / name)


def test_request_ids_are_those_that_the_service_takes() -> None:
    (pattern,) = re.findall(r'"~\^(.+)\$" \$http_x_request_id;', CONFIGURATION.read_text())
    assert pattern == SANE_REQUEST_ID.pattern


def test_service_that_is_not_there_is_told_as_a_problem(lonely: httpx.Client) -> None:
    answer = lonely.get("/models", headers={"X-Request-ID": "of-the-client"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-ID"] == "of-the-client"
    assert answer.json() == {
        "type": "/problems/overloaded",
        "title": "Overloaded",
        "status": 503,
        "detail": "No replica answers now. Try again in 5 s",
    }


def test_upload_that_is_too_large_is_told_as_a_problem(lonely: httpx.Client) -> None:
    answer = lonely.post("/colorize", content=bytes((65 << 20) + 1), headers={"X-Request-ID": '"'})

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert answer.json()["type"] == "/problems/upload-too-large"


def test_metrics_of_some_replica_are_not_shown(lonely: httpx.Client) -> None:
    assert lonely.get("/metrics").status_code == 404
