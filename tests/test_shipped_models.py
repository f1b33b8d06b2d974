"""The models and samples that a checkout comes with, through the whole service."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.app import create_app
from service.color import rgb_to_lab, split_lightness
from service.settings import Settings
from tests.conftest import TestClient
from training.metrics import ciede2000, colorfulness, lightness_error

ROOT = Path(__file__).parents[1]
MODELS = ("v1", "v2", "v12")
GREY_SAMPLES = sorted((ROOT / "samples").glob("*-grey.jpg"))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(models_dir=ROOT / "models", working_slots=1, intra_op_threads=1)
    with TestClient(create_app(settings)) as started:
        yield started


def colorize(client: TestClient, path: Path, model: str) -> Image.Image:
    files = {"file": (path.name, path.read_bytes(), "image/jpeg")}
    response = client.post("/colorize", params={"model": model}, files=files)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/jpeg"
    return Image.open(io.BytesIO(response.content))


def test_models_are_the_three_and_small(client: TestClient) -> None:
    assert [card["name"] for card in client.get("/models").json()] == list(MODELS)
    for name in MODELS:
        assert (ROOT / "models" / f"{name}.onnx").stat().st_size <= 12_000_000


def test_cards_tell_what_each_model_was_trained_on(client: TestClient) -> None:
    kinds = {name: client.get(f"/models/{name}").json()["corpus"]["kinds"] for name in MODELS}
    assert kinds == {"v1": ["geometric"], "v2": ["fluid"], "v12": ["geometric", "fluid"]}


@pytest.mark.parametrize("path", GREY_SAMPLES, ids=lambda path: path.stem)
def test_sample_comes_back_in_three_different_colourings(client: TestClient, path: Path) -> None:
    colored = [colorize(client, path, model) for model in MODELS]
    with Image.open(path) as grey:
        lightness_of_grey = np.asarray(grey)
    for picture in colored:
        assert picture.format == "JPEG"
        assert picture.size == lightness_of_grey.shape[::-1]
        assert colorfulness(np.asarray(picture)) > 15
    for one, other in combinations(colored, 2):
        assert ciede2000(rgb_to_lab(np.asarray(one)), rgb_to_lab(np.asarray(other))) > 1


def test_sample_keeps_its_lightness_as_png(client: TestClient) -> None:
    buffer = io.BytesIO()
    with Image.open(GREY_SAMPLES[0]) as grey:
        grey.save(buffer, "PNG")
        original = np.asarray(grey.convert("RGB"))
    response = client.post("/colorize", files={"file": ("grey.png", buffer.getvalue())})
    colored = np.asarray(Image.open(io.BytesIO(response.content)))
    assert lightness_error(rgb_to_lab(original), rgb_to_lab(colored)) < 0.12
    assert np.abs(split_lightness(original) - split_lightness(colored)).max() < 0.6
