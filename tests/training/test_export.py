"""Export: parity, the card, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from service.card import ModelCard
from service.colorizer import Registry
from training import export as export_module
from training.choosing import VARIATIONS
from training.errors import ExportError, RunError
from training.export import DEFAULTS, PARITY_LIMIT, convert, export, measure_parity
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


@pytest.fixture(scope="module")
def artifact(exported: Path) -> bytes:
    return (exported / "v1.onnx").read_bytes()


@pytest.fixture(scope="module")
def session(artifact: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that have defaults
    return onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def lightness() -> np.ndarray:
    blocks = np.random.default_rng(0).uniform(0, 100, (1, 4, 6, 1))
    return np.kron(blocks, np.ones((1, 16, 16, 1))).astype(np.float32)  # (1, 64, 96, 1)


def run(session: onnxruntime.InferenceSession, **feed: np.ndarray) -> dict[str, np.ndarray]:
    names = [tensor.name for tensor in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def test_export_artifact_is_small(artifact: bytes) -> None:
    assert len(artifact) <= 12_000_000


def test_export_lightness_alone_suffices(
    session: onnxruntime.InferenceSession, lightness: np.ndarray
) -> None:
    """What is left out counts as no palette, no hints and the best variation."""
    assert [tensor.name for tensor in session.get_inputs()] == ["lightness"]
    outputs = run(session, lightness=lightness)
    assert {name: tensor.shape[:-1] for name, tensor in outputs.items()} == {
        "chroma": (1, 32, 48),
        "placed_palette": (1, 1 + 6),
        "scores": (1,),
    }
    for given in (DEFAULTS, {"hints": np.zeros((1, 9, 5), np.float32)}):
        for name, expected in run(session, lightness=lightness, **given).items():
            np.testing.assert_allclose(outputs[name], expected, atol=1e-4)


@pytest.mark.parametrize("name", DEFAULTS)
def test_export_each_condition_counts_without_the_others(
    session: onnxruntime.InferenceSession, lightness: np.ndarray, name: str
) -> None:
    condition = {
        "palette": np.array([[[20, 20, -60, 1]]], np.float32),
        "hints": np.array([[[0.5, 0.5, 80, 60, 1]]], np.float32),
        "variation": np.array([1]),
    }[name]
    chosen = run(session, lightness=lightness)["chroma"]
    told = run(session, lightness=lightness, **{name: condition})["chroma"]
    assert np.abs(told - chosen).max() > 5


def test_export_one_picture_many_variations(
    session: onnxruntime.InferenceSession, lightness: np.ndarray
) -> None:
    """Sixteen answers in one run are those of sixteen runs."""
    variations = np.arange(VARIATIONS)
    together = run(session, lightness=lightness, variation=variations)
    assert together["chroma"].shape == (VARIATIONS, 32, 48, 2)
    assert together["scores"].shape[0] == 1
    for n in (0, 1, 7, VARIATIONS - 1):
        alone = run(session, lightness=lightness, variation=variations[n : n + 1])
        for name in ("chroma", "placed_palette"):
            np.testing.assert_allclose(together[name][n], alone[name][0], atol=1e-2)


def test_export_dimensions_have_the_names_of_the_card(artifact: bytes, exported: Path) -> None:
    card = ModelCard.model_validate_json((exported / "v1.json").read_bytes())
    graph = onnx.load_from_string(artifact).graph
    for described, tensor in zip(
        (*card.inputs, *card.outputs), (*graph.input, *graph.output), strict=True
    ):
        dimensions = tensor.type.tensor_type.shape.dim
        named = [dimension.dim_param or dimension.dim_value for dimension in dimensions]
        assert named == described.shape
        element_type = onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type)
        assert element_type.name == described.dtype


def test_export_outputs_lie_in_the_ranges_of_the_card(
    session: onnxruntime.InferenceSession, exported: Path, lightness: np.ndarray
) -> None:
    card = ModelCard.model_validate_json((exported / "v1.json").read_bytes())
    outputs = run(session, lightness=lightness, variation=np.arange(VARIATIONS))
    for described in card.outputs:
        lowest, highest = described.range
        assert outputs[described.name].min() >= lowest
        assert outputs[described.name].max() <= highest


def test_export_artifact_is_served(exported: Path) -> None:
    colorizer = Registry.load(exported, intra_op_threads=1).get("v1")
    lightness = np.tile(np.linspace(0, 100, 300, dtype=np.float32), (200, 1))
    chosen = colorizer.predict(lightness).first
    assert chosen.shape == (85, 128, 2)
    blue = np.array([[20, 20, -60, 1], [80, 5, -30, 1]], np.float32)
    given = colorizer.predict(lightness, blue).first
    assert (given[..., 1] < 0).all()
    assert not np.allclose(given, chosen)


def test_measure_parity_looks_at_what_conditions_do() -> None:
    """Two graphs that agree as long as nobody gives a palette."""

    def make_served(share: float) -> tf.types.experimental.PolymorphicFunction:
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None, None, 1), tf.float32, "lightness"),
                tf.TensorSpec((None, None, 4), tf.float32, "palette"),
                tf.TensorSpec((None, None, 5), tf.float32, "hints"),
                tf.TensorSpec((None,), tf.int64, "variation"),
            ]
        )
        def served(lightness, palette, hints, variation):
            told = share * tf.reduce_sum(palette) + tf.reduce_sum(hints)
            told += tf.cast(tf.reduce_sum(variation), tf.float32)
            return {"chroma": tf.concat([lightness, lightness], axis=-1) + told}

        return served

    artifact = convert(make_served(1.0))
    assert measure_parity(make_served(1.0), artifact) < 1e-2
    assert measure_parity(make_served(1.01), artifact) > 1e-1


def refuse_export(
    finished_run: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch, artifact: bytes
) -> str:
    """Export with another artifact in the place of the right one; return the refusal."""
    monkeypatch.setattr(export_module, "convert", lambda _: artifact)
    with pytest.raises(ExportError) as refusal:
        export(finished_run, models_dir)
    assert not models_dir.exists()
    return str(refusal.value)


def test_export_parity_broken_writes_nothing(
    finished_run: Path, artifact: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact whose weights are off by a little is found out and refused."""
    graph = onnx.load_from_string(artifact)
    for weights in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.ndim == 4:
            wrong = onnx.numpy_helper.from_array(values * np.float32(1.01), weights.name)
            weights.CopyFrom(wrong)
    said = refuse_export(finished_run, tmp_path / "models", monkeypatch, graph.SerializeToString())
    assert "must agree with Keras to 0.001. Received: a difference of " in said


def test_export_not_a_number_writes_nothing(
    finished_run: Path, artifact: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "measure_parity", lambda *_: float("nan"))
    assert "nan" in refuse_export(finished_run, tmp_path / "models", monkeypatch, artifact)


def test_export_too_large_writes_nothing(
    finished_run: Path, artifact: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = replace(ARCHITECTURES["unet"], max_artifact_bytes=1000)
    monkeypatch.setitem(ARCHITECTURES, "unet", tight)
    said = refuse_export(finished_run, tmp_path / "models", monkeypatch, artifact)
    assert said == (
        f"v1: an artifact of unet must have at most 1000 bytes. Received: {len(artifact)}"
    )


def test_export_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json is missing"):
        export(tmp_path, tmp_path / "models")
