"""Export: parity, the card, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from service.card import ModelCard
from service.colorizer import Registry
from training import export as export_module
from training.errors import ExportError, RunError
from training.export import PARITY_LIMIT, export
from training.network import ARCHITECTURES


@pytest.fixture(scope="module")
def exported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "models"
    export(finished_run, folder)
    return folder


def test_export_writes_artifact_and_card_and_nothing_else(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == {"v1.onnx", "v1.json"}


def test_export_card_describes_the_artifact(exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "v1.json").read_bytes())
    artifact = (exported / "v1.onnx").read_bytes()
    graph = onnx.load_from_string(artifact)
    assert card.sha256 == hashlib.sha256(artifact).hexdigest()
    assert [tensor.name for tensor in card.inputs] == [tensor.name for tensor in graph.graph.input]
    assert [tensor.name for tensor in card.outputs] == [
        tensor.name for tensor in graph.graph.output
    ]
    assert card.opset == graph.opset_import[0].version
    assert card.parity <= PARITY_LIMIT
    assert (card.corpus.count, card.corpus.seed, card.training.epochs) == (12, 0, 3)
    assert set(card.metrics) == {"accuracy", "distance", "loss"}


def test_export_artifact_is_small(exported: Path) -> None:
    assert (exported / "v1.onnx").stat().st_size <= 12_000_000


def test_export_artifact_is_served(exported: Path) -> None:
    colorizer = Registry.load(exported, intra_op_threads=1).get("v1")
    lightness = np.tile(np.linspace(0, 100, 300, dtype=np.float32), (200, 1))
    chosen = colorizer.predict(lightness).first
    assert chosen.shape == (85, 128, 2)
    blue = np.array([[20, 20, -60, 1], [80, 5, -30, 1]], np.float32)
    given = colorizer.predict(lightness, blue).first
    assert (given[..., 1] < 0).all()
    assert not np.allclose(given, chosen)


def test_export_parity_broken_writes_nothing(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact whose weights are off by a little is found out and refused."""
    convert = export_module.convert

    def convert_wrongly(served: object) -> bytes:
        graph = onnx.load_from_string(convert(served))
        for weights in graph.graph.initializer:
            if weights.data_type == onnx.TensorProto.FLOAT:
                values = onnx.numpy_helper.to_array(weights) * np.float32(1.01)
                weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        return graph.SerializeToString()

    monkeypatch.setattr(export_module, "convert", convert_wrongly)
    with pytest.raises(ExportError, match=r"must agree with Keras to 0\.001\. Received"):
        export(finished_run, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_export_not_a_number_writes_nothing(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "measure_parity", lambda *_: float("nan"))
    with pytest.raises(ExportError, match="nan"):
        export(finished_run, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_export_too_large_writes_nothing(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = replace(ARCHITECTURES["unet"], max_artifact_bytes=1000)
    monkeypatch.setitem(ARCHITECTURES, "unet", tight)
    with pytest.raises(ExportError, match=r"unet must have at most 1000 bytes\. Received: "):
        export(finished_run, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_export_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json is missing"):
        export(tmp_path, tmp_path / "models")
