"""Samples of the start page."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from service import samples
from service.samples import THUMBNAIL_SIDE, find_samples, find_samples_dir
from tests.conftest import TestClient


def test_samples_are_those_of_the_checkout_in_turns(client: TestClient) -> None:
    listed = client.get("/samples").json()

    assert [sample["name"] for sample in listed[:3]] == ["geometric-1", "fluid-1", "geometric-2"]
    assert len(listed) == 8
    for sample in listed:
        data = client.get("/" + sample["picture"]).content
        assert data == (find_samples_dir() / f"{sample['name']}-grey.jpg").read_bytes()


def test_thumbnails_are_small_and_kept(client: TestClient) -> None:
    for sample in client.get("/samples").json():
        response = client.get("/" + sample["thumbnail"])
        assert response.headers["Cache-Control"] == "max-age=86400"
        assert len(response.content) < 12_000
        assert Image.open(io.BytesIO(response.content)).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)


@pytest.mark.parametrize("path", ["/samples/none.jpg", "/samples/thumbnails/..%2Ffluid-1.jpg"])
def test_get_sample_that_is_not_there_is_refused(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404


def test_samples_of_an_installed_package_are_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "PACKAGE_DIR", tmp_path / "service")

    assert find_samples_dir() == tmp_path / "service" / "samples"
    assert find_samples(find_samples_dir()) == {}
