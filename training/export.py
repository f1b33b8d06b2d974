"""From a finished run to what the service loads: an artifact and its card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from service.card import (
    ArchitectureCard,
    CorpusCard,
    ModelCard,
    TensorCard,
    TrainingCard,
)
from training.errors import ExportError
from training.files import replace_file
from training.fit import (
    Run,
    best_row,
    load_best,
    load_book,
    read_history,
    read_test_metrics,
)
from training.network import ARCHITECTURES, CHROMA_SCALE, add_book

OPSET = 18
WORKING_SIZE = 256
PARITY_LIMIT = 1e-3
"""Largest difference to Keras that an artifact may have, in units of a* and b*."""
PARITY_SHAPES = ((1, 64, 64), (2, 96, 160), (1, 256, 192))
LICENCE = "MIT"

LIGHTNESS_CARD = TensorCard(
    name="lightness",
    shape=["batch", "height", "width", 1],
    unit="CIE L*",
    range=(0, 100),
)
PALETTE_CARD = TensorCard(
    name="palette",
    shape=["batch", "colors", 4],
    unit="CIE L*, a*, b*, weight; all weights 0: the model chooses",
    range=(-CHROMA_SCALE, CHROMA_SCALE),
)
CHROMA_CARD = TensorCard(
    name="chroma",
    shape=["batch", "chroma_height", "chroma_width", 2],
    unit="CIE a*, b*",
    range=(-2 * CHROMA_SCALE, 2 * CHROMA_SCALE),
)
SHAPES = {card.name: card.shape for card in (LIGHTNESS_CARD, PALETTE_CARD, CHROMA_CARD)}

Float32 = NDArray[np.float32]
ServedFunction = Any
"""A `tf.function` with an input signature, from arrays to a dict of `chroma`."""


def export(run_folder: Path, models_dir: Path) -> ModelCard:
    """Write ``NAME.onnx`` and ``NAME.json`` from the best epoch of a run.

    The graph takes plain L* and gives plain a* and b*: normalisation and the
    choice of a palette are inside it.

    Parameters
    ----------
    run_folder : Path
    models_dir : Path
        Made when missing.

    Returns
    -------
    ModelCard

    Raises
    ------
    ExportError
        When ONNX Runtime and Keras disagree by more than `PARITY_LIMIT`, or the
        artifact is larger than its architecture allows. Nothing is written then.
    RunError
        When the training is not finished.
    """
    run = Run.load(run_folder)
    metrics = read_test_metrics(run_folder)
    architecture = ARCHITECTURES[run.recipe.architecture]
    network = load_best(run_folder)
    model = (
        add_book(network, load_book(run_folder).served_palettes)
        if architecture.takes_palette
        else network
    )
    served = as_function(model)
    artifact = convert(served)
    if len(artifact) > architecture.max_artifact_bytes:
        raise ExportError(
            f"{run.name}: an artifact of {run.recipe.architecture} must have at most "
            f"{architecture.max_artifact_bytes} bytes. Received: {len(artifact)}"
        )
    parity = measure_parity(served, artifact)
    if not parity <= PARITY_LIMIT:  # also when it is not a number
        raise ExportError(
            f"{run.name}: ONNX Runtime must agree with Keras to {PARITY_LIMIT}. "
            f"Received: a difference of {parity}"
        )
    card = _describe(run, run_folder, metrics, network.count_params(), artifact, parity)
    models_dir.mkdir(parents=True, exist_ok=True)
    with (
        replace_file(models_dir / f"{run.name}.onnx") as onnx_path,
        replace_file(models_dir / f"{run.name}.json") as card_path,
    ):
        onnx_path.write_bytes(artifact)
        card_path.write_text(card.model_dump_json(indent=2) + "\n")
    return card


def as_function(model: keras.Model) -> ServedFunction:
    """Make the graph that is served of a model: its inputs to its chroma."""
    signature = [tf.TensorSpec(tensor.shape, tf.float32, tensor.name) for tensor in model.inputs]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def served(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"chroma": model(list(tensors), training=False)["chroma"]}

    return served


def convert(served: ServedFunction) -> bytes:
    """Convert a served function to ONNX, its tensors named as in Keras."""
    proto, _ = tf2onnx.convert.from_function(
        served, input_signature=served.input_signature, opset=OPSET
    )
    _name_dimensions(proto.graph)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def measure_parity(served: ServedFunction, artifact: bytes) -> float:
    """Return the largest difference between Keras and ONNX Runtime.

    Parameters
    ----------
    served : tf.function
    artifact : bytes

    Returns
    -------
    float
        In units of a* and b*, over several sizes, with and without a palette.
    """
    session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]
    rng = np.random.default_rng(0)
    differences = []
    for shape in PARITY_SHAPES:
        for is_given in (False, True):
            feed = {"lightness": _random_lightness(rng, shape)}
            if "palette" in names:
                feed["palette"] = _random_palette(rng, shape[0], is_given)
            expected = served(*(feed[name] for name in names))["chroma"].numpy()
            (received,) = session.run(["chroma"], feed)
            differences.append(float(np.abs(expected - received).max()))
    return float(np.max(differences))


def _random_lightness(rng: np.random.Generator, shape: tuple[int, int, int]) -> Float32:
    """Random L* with areas and edges, like a picture's; shape (N, H, W, 1)."""
    count, height, width = shape
    blocks = rng.uniform(0, 100, (count, height // 16, width // 16, 1))
    lightness = np.kron(blocks, np.ones((1, 16, 16, 1))) + rng.normal(0, 2, (*shape, 1))
    return np.clip(lightness, 0, 100).astype(np.float32)


def _random_palette(rng: np.random.Generator, count: int, is_given: bool) -> Float32:
    """Random colours of weight 1, or 0 when none is given; shape (N, 5, 4)."""
    colors = rng.uniform((0, -60, -60), (100, 60, 60), (count, 5, 3))
    weight = np.full((count, 5, 1), float(is_given))
    return np.concatenate([colors, weight], axis=-1).astype(np.float32)


def _name_dimensions(graph: Any) -> None:
    """Give the free dimensions of inputs and outputs names instead of numbers."""
    for tensor in (*graph.input, *graph.output):
        dimensions = tensor.type.tensor_type.shape.dim
        for dimension, name in zip(dimensions, SHAPES[tensor.name], strict=True):
            if isinstance(name, str):
                dimension.dim_param = name


def _describe(
    run: Run,
    run_folder: Path,
    metrics: dict[str, float],
    parameters: int,
    artifact: bytes,
    parity: float,
) -> ModelCard:
    architecture = ARCHITECTURES[run.recipe.architecture]
    best = best_row(read_history(run_folder))
    return ModelCard(
        name=run.name,
        description=(
            f"Colours {' and '.join(run.kinds)} abstract pictures."
            if run.kinds
            else f"Colours pictures like those of {run.source}."
        ),
        licence=LICENCE,
        architecture=ArchitectureCard(
            name=run.recipe.architecture,
            parameters=parameters,
            working_size=WORKING_SIZE,
            size_multiple=architecture.size_multiple,
            output_stride=architecture.output_stride,
        ),
        corpus=CorpusCard(
            kinds=list(run.kinds),
            source=run.source,
            count=run.pictures or 0,
            seed=run.corpus_seed,
        ),
        training=TrainingCard(
            recipe=run.recipe.name,
            epochs=run.epochs,
            best_epoch=int(best["epoch"]),
            picture_size=run.recipe.side // 2,
            batch_size=run.recipe.batch_size,
            seed=run.recipe.seed,
        ),
        inputs=[LIGHTNESS_CARD, PALETTE_CARD] if architecture.takes_palette else [LIGHTNESS_CARD],
        outputs=[CHROMA_CARD],
        opset=OPSET,
        sha256=hashlib.sha256(artifact).hexdigest(),
        parity=parity,
        metrics=metrics,
    )
