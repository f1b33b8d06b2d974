"""The assets of the pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.routes.page import STATIC_DIR

ASSETS = [path for path in STATIC_DIR.rglob("*") if path.suffix in {".js", ".css", ".html"}]


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_asset_names_no_content_delivery_network(path: Path) -> None:
    assert b"https://cdn" not in path.read_bytes()


def test_licences_stand_beside_what_is_vendored() -> None:
    names = {path.name for path in (STATIC_DIR / "docs").iterdir()}
    assert {"LICENSE-swagger-ui.txt", "NOTICE-swagger-ui.txt", "LICENSE-redoc.txt"} <= names
