"""The assets of the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.routes.page import STATIC_DIR
from tests.conftest import TestClient

ASSETS = [path for path in STATIC_DIR.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg"}]


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_asset_names_no_content_delivery_network(path: Path) -> None:
    assert b"https://cdn" not in path.read_bytes()


def test_licences_stand_beside_what_is_vendored() -> None:
    names = {path.name for path in (STATIC_DIR / "docs").iterdir()}
    assert {"LICENSE-swagger-ui.txt", "NOTICE-swagger-ui.txt", "LICENSE-redoc.txt"} <= names


@pytest.mark.parametrize("path", ["/", "/static/page/main.js"])
def test_parts_of_the_page_are_asked_for_again(path: str, client: TestClient) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-cache"


def test_page_loads_all_of_its_modules_at_once() -> None:
    page = (STATIC_DIR / "page" / "index.html").read_text()
    named = re.findall(r'(?:href|src)="static/page/(\w+\.js)"', page)

    assert sorted(named) == sorted(path.name for path in (STATIC_DIR / "page").glob("*.js"))
