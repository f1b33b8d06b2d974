"""Shared fixtures: an application that serves a tiny model from a temporary folder."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import onnx
import pytest
from fastapi import FastAPI
from onnx import TensorProto, helper
from PIL import Image
from starlette.exceptions import StarletteDeprecationWarning

from service.app import create_app
from service.card import ModelCard
from service.formats import ACCEPTED_FORMATS
from service.settings import Settings

with warnings.catch_warnings():
    # Starlette's client would rather have the successor of httpx; it works with both.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from fastapi.testclient import TestClient

# Tests share their cores with others: time says nothing, and a failure must come back.
hypothesis.settings.register_profile("shared", deadline=None, derandomize=True)
hypothesis.settings.load_profile("shared")

ENCODABLE_FORMATS = tuple(name for name in ACCEPTED_FORMATS if name != "HEIF")
"""What `encode` can write: all that is read but HEIC, which `data/*.heic` stand for."""

DATA_DIR = Path(__file__).parent / "service" / "data"

MODEL_CHROMA = (20.0, -15.0)
"""a* and b* that the tiny model predicts everywhere."""


def write_model(models_dir: Path, name: str) -> ModelCard:
    """Write an artifact and a card of a model that predicts one chroma everywhere."""
    nodes = [
        helper.make_node("Transpose", ["lightness"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights", "bias"], ["small"], strides=[2, 2]),
        helper.make_node("Transpose", ["small"], ["chroma"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("lightness", TensorProto.FLOAT, [1, "H", "W", 1])],
        [helper.make_tensor_value_info("chroma", TensorProto.FLOAT, [1, "h", "w", 2])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, [2, 1, 1, 1], [0.0, 0.0]),
            helper.make_tensor("bias", TensorProto.FLOAT, [2], MODEL_CHROMA),
        ],
    )
    opset = helper.make_opsetid("", 18)
    artifact = helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()
    onnx.checker.check_model(artifact)
    return write_artifact(
        models_dir,
        name,
        artifact,
        [tensor_card("lightness", [1, "H", "W", 1], "CIE L*", (0, 100))],
        [tensor_card("chroma", [1, "h", "w", 2], "CIE a*, b*", (-128, 127))],
    )


def write_artifact(
    models_dir: Path,
    name: str,
    artifact: bytes,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> ModelCard:
    """Write an artifact that sees pictures at 32 px, and its card."""
    card = ModelCard.model_validate(
        {
            "name": name,
            "description": "A tiny model.",
            "licence": "MIT",
            "architecture": {
                "name": "constant",
                "parameters": 4,
                "working_size": 32,
                "size_multiple": 8,
                "output_stride": 2,
            },
            "corpus": {"kinds": [], "source": "generated", "count": 0, "seed": None},
            "training": {
                "recipe": "none",
                "epochs": 0,
                "best_epoch": 0,
                "picture_size": 32,
                "batch_size": 1,
                "seed": 0,
            },
            "inputs": inputs,
            "outputs": outputs,
            "opset": 18,
            "sha256": hashlib.sha256(artifact).hexdigest(),
            "parity": 0.0,
            "metrics": {},
        }
    )
    (models_dir / f"{name}.onnx").write_bytes(artifact)
    (models_dir / f"{name}.json").write_text(card.model_dump_json())
    return card


def tensor_card(
    name: str,
    shape: list[int | str],
    unit: str,
    value_range: tuple[float, float],
    dtype: str = "float32",
) -> dict[str, Any]:
    return {"name": name, "shape": shape, "unit": unit, "range": value_range, "dtype": dtype}


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, "v1")
    write_model(folder, "v12")
    return folder


@pytest.fixture(scope="session")
def settings(models_dir: Path) -> Settings:
    return Settings(
        models_dir=models_dir,
        working_slots=1,
        intra_op_threads=1,
        max_upload_bytes=200_000,
        max_picture_pixels=100_000,
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as started:
        yield started


@pytest.fixture(scope="session")
def grey_gradient() -> Image.Image:
    """A picture of 48 x 32 pixels whose four corners all differ."""
    rows, columns = np.mgrid[0:32, 0:48]
    return Image.fromarray((rows * 3 + columns * 2 + 40).astype(np.uint8))


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Write a picture with Pillow: `encode(image, "PNG", **options)`."""

    def encode_with_pillow(image: Image.Image, format_name: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format_name, **options)
        return buffer.getvalue()

    return encode_with_pillow
