"""Ray Serve: what a replica is given, and what clients are told by its proxies."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema
from starlette.types import Message, Receive, Scope, Send

from service import cluster
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def answer(status: int, headers: dict[str, str], *parts: bytes) -> list[Message]:
    """What a client gets when a proxy answers like this."""
    sent: list[Message] = []

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        for part in parts[:-1]:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": parts[-1]})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/colorize", "headers": []}
    anyio.run(cluster.AnswerMiddleware(proxy), scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("status", "new_status", "kind", "retry_after"),
    [
        (503, 503, b"/problems/overloaded", b"2"),
        (500, 503, b"/problems/shutting-down", b"5"),
        (408, 504, b"/problems/timeout", None),
    ],
    ids=["queue full", "replica lost", "too long"],
)
def test_plain_answer_of_ray_becomes_problem(
    status: int, new_status: int, kind: bytes, retry_after: bytes | None
) -> None:
    start, body = answer(status, {"Content-Type": "text/plain"}, b"Request ", b"dropped")

    headers = dict(start["headers"])
    assert start["status"] == new_status
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers.get(b"retry-after") == retry_after
    assert b'"type":"' + kind + b'"' in body["body"]


@pytest.mark.parametrize(
    ("status", "media_type"),
    [
        (200, "text/plain; version=0.0.4"),
        (503, "application/problem+json"),
        (500, "application/problem+json"),
        (404, "text/plain"),
    ],
)
def test_answer_of_application_passes_as_it_is(status: int, media_type: str) -> None:
    start, *bodies = answer(status, {"Content-Type": media_type}, b"one", b"two")

    assert start["status"] == status
    assert [message["body"] for message in bodies] == [b"one", b"two"]


@pytest.mark.parametrize("status", [200, 503])
def test_answer_has_one_request_id_of_two(status: int) -> None:
    headers = {"Content-Type": "text/plain", "X-Request-ID": "one", "x-request-id": "two"}

    start, *_ = answer(status, headers, b"")

    (request_id,) = [value for name, value in start["headers"] if name == b"x-request-id"]
    assert re.fullmatch(b"[0-9a-f]{32}", request_id)


def test_proxies_are_surrounded() -> None:
    assert [middleware.cls for middleware in cluster.proxy_middlewares()] == [
        cluster.AnswerMiddleware
    ]


@pytest.mark.parametrize(
    ("cores", "threads", "slots"), [(1.0, 1, 1), (4.0, 1, 4), (4.0, 2, 2), (0.5, 1, 1)]
)
def test_replica_has_slots_for_its_cores(
    cores: float, threads: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Context:
        def get_assigned_resources(self) -> dict[str, float]:
            return {"CPU": cores}

    monkeypatch.setattr(cluster.ray, "get_runtime_context", Context)
    monkeypatch.setattr("service.settings.available_cores", lambda: 8)
    monkeypatch.setenv("COLORIZE_INTRA_OP_THREADS", str(threads))

    settings = cluster.replica_settings()

    assert (settings.working_slots, settings.intra_op_threads) == (slots, threads)
    assert settings.queue_length >= cluster.ONGOING_REQUESTS


def test_production_file_fits_deployment() -> None:
    document: dict[str, Any] = yaml.safe_load((ROOT / "deploy/ray/serve.yaml").read_text())

    (application,) = document["applications"]
    (deployment,) = application["deployments"]
    assert application["import_path"] == "service.cluster:app"
    assert deployment["name"] == cluster.Colorize.name
    assert deployment["max_ongoing_requests"] == cluster.ONGOING_REQUESTS
    assert deployment["max_queued_requests"] == cluster.QUEUED_REQUESTS
    assert document["http_options"]["request_timeout_s"] > Settings().request_timeout_s
    ServeDeploySchema.model_validate(document)


def test_import_without_ray_says_what_to_install() -> None:
    program = "import sys; sys.modules['ray'] = None; import service.cluster"

    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert finished.stderr.splitlines()[-1] == (
        "service.extras.MissingExtraError: service.cluster needs the extra `ray`: "
        "pip install 'colorization-autoencoder[ray]'"
    )
