"""Keys, other origins, and what browsers must not do."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from service import access
from service.app import create_app
from service.headers import SECURITY_HEADERS
from service.settings import Settings
from tests.conftest import TestClient

KEYS = ("first-key", "second+key/=")


@pytest.fixture(scope="module")
def locked(settings: Settings) -> Iterator[TestClient]:
    """A client of a service with keys, and with one foreign origin."""
    values = settings.model_dump(exclude={"host", "port"}) | {
        "api_keys": ",".join(KEYS),
        "cors_origins": "https://gallery.example",
    }
    with TestClient(create_app(Settings(**values))) as started:
        yield started


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer {}", "bearer {}", "X-API-Key", "Basic"])
def test_get_with_key_is_let_in(key: str, scheme: str, locked: TestClient) -> None:
    headers = {
        "X-API-Key": {"X-API-Key": key},
        "Basic": {"Authorization": basic(key)},
    }.get(scheme, {"Authorization": scheme.format(key)})

    assert locked.get("/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/models",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/static/docs/swagger-ui.css",
        "/static/page",
        "/healthy",
        "/samplesx",
    ],
)
def test_get_without_key_is_refused(path: str, locked: TestClient) -> None:
    response = locked.get(path)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="colorize", Basic realm="colorize"'
    assert "X-Request-ID" in response.headers
    assert response.json() == {
        "type": "/problems/unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "detail": "A request must have one of the keys of this service: "
        "`Authorization: Bearer KEY`, `X-API-Key: KEY`, or as the password of Basic. "
        "Received: none",
    }


@pytest.mark.parametrize("path", ["/", "/static/page/main.js", "/samples"])
def test_page_that_asks_for_the_key_needs_none(path: str, locked: TestClient) -> None:
    assert locked.get(path).status_code == 200


def test_browser_does_not_ask_where_the_page_does(locked: TestClient) -> None:
    response = locked.get("/models", headers={"X-Requested-With": "XMLHttpRequest"})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="colorize"'


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-kez"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer first-key second+key/="},
        {"Authorization": basic("first-ke")},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic é".encode("latin-1")},
        {"X-API-Key": ""},
        {"X-API-Key": "FIRST-KEY"},
    ],
    ids=str,
)
def test_get_with_wrong_key_is_refused(headers: Any, locked: TestClient) -> None:
    response = locked.get("/models", headers=headers)

    assert response.status_code == 401
    assert response.json()["detail"].endswith("Received: one that is not known")


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"]
)
def test_get_health_needs_no_key(path: str, locked: TestClient) -> None:
    assert locked.get(path).status_code == 200


def test_key_is_compared_with_all_in_constant_time(
    locked: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    original = hmac.compare_digest

    def compare_digest(received: bytes, known: bytes) -> bool:
        compared.append((received, known))
        return original(received, known)

    monkeypatch.setattr(access.hmac, "compare_digest", compare_digest)
    locked.get("/models", headers={"X-API-Key": KEYS[0]})

    assert len(compared) == len(KEYS)
    assert {len(digest) for pair in compared for digest in pair} == {32}


def test_preflight_of_known_origin_is_answered_without_key(locked: TestClient) -> None:
    response = locked.options(
        "/colorize",
        headers={
            "Origin": "https://gallery.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "X-API-Key",
        },
    )

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "https://gallery.example"
    assert "X-API-Key" in response.headers["Access-Control-Allow-Headers"]


def test_answer_to_known_origin_shows_its_headers(locked: TestClient) -> None:
    headers = {"Origin": "https://gallery.example", "X-API-Key": KEYS[0]}

    response = locked.get("/models", headers=headers)

    assert response.headers["Access-Control-Allow-Origin"] == "https://gallery.example"
    assert "X-Colorize-Palette" in response.headers["Access-Control-Expose-Headers"]


def test_other_origins_are_not_let_in(locked: TestClient, client: TestClient) -> None:
    headers = {"Origin": "https://elsewhere.example", "X-API-Key": KEYS[0]}

    for each in (locked, client):
        response = each.get("/models", headers=headers)
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/", "/docs", "/models", "/nowhere", "/static/page/main.js"])
def test_every_answer_has_security_headers(path: str, client: TestClient) -> None:
    headers = client.get(path).headers

    assert [name for name in SECURITY_HEADERS if name not in headers] == []
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert len(headers.get_list("Content-Security-Policy")) == 1
