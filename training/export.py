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
from training.architectures import find_architecture
from training.choosing import VARIATIONS, add_choice
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
from training.network import CHROMA_SCALE

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
    shape=["palettes", "colors", 4],
    unit="CIE L*, a*, b*, weight; all weights 0, as when left out: the model chooses",
    range=(-CHROMA_SCALE, CHROMA_SCALE),
)
HINTS_CARD = TensorCard(
    name="hints",
    shape=["hint_sets", "points", 5],
    unit="x and y as shares of width and height, CIE a*, b*, weight; weight 0: no hint",
    range=(-CHROMA_SCALE, CHROMA_SCALE),
)
VARIATION_CARD = TensorCard(
    name="variation",
    shape=["variations"],
    dtype="int64",
    unit="0, as when left out: the best choice; n: the n-th other one",
    range=(0, VARIATIONS - 1),
)
CHROMA_CARD = TensorCard(
    name="chroma",
    shape=["answers", "chroma_height", "chroma_width", 2],
    unit="CIE a*, b*",
    range=(-2 * CHROMA_SCALE, 2 * CHROMA_SCALE),
)
SCORES_CARD = TensorCard(
    name="scores",
    shape=["batch", "book"],
    unit="log-probability of each palette of the book, and what was added to it",
    range=(-100, 100),
)
PLACED_PALETTE_CARD = TensorCard(
    name="placed_palette",
    shape=["answers", "placed_colors", 4],
    unit="CIE L*, a*, b*, weight; weight 0: not a colour",
    range=(-2 * CHROMA_SCALE, 2 * CHROMA_SCALE),
)
CONDITIONS = (PALETTE_CARD, HINTS_CARD, VARIATION_CARD)
CHOICES = (PLACED_PALETTE_CARD, SCORES_CARD)
CARDS = {card.name: card for card in (LIGHTNESS_CARD, *CONDITIONS, CHROMA_CARD, *CHOICES)}
DEFAULTS = {
    "palette": np.zeros((1, 1, 4), np.float32),
    "hints": np.zeros((1, 1, 5), np.float32),
    "variation": np.zeros(1, np.int64),
}
"""What the graph takes for inputs that are left out."""

Float32 = NDArray[np.float32]
ServedFunction = Any
"""A `tf.function` with an input signature, from arrays to a dict of arrays."""


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
    architecture = find_architecture(run.recipe.architecture)
    network = load_best(run_folder)
    model = network
    if architecture.is_conditional:
        recipe = run.recipe
        weights = recipe.given_share_weight, recipe.first_drift_weight
        model = add_choice(network, load_book(run_folder), *weights)
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
    """Make the graph that is served of a model: its inputs to its outputs.

    Outputs without a card are there for the loss alone and left out.
    """
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in model.inputs]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def served(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(list(tensors), training=False)
        return {name: tensor for name, tensor in outputs.items() if name in CARDS}

    return served


def convert(served: ServedFunction) -> bytes:
    """Convert a served function to ONNX, its tensors named as in Keras."""
    proto, _ = tf2onnx.convert.from_function(
        served, input_signature=served.input_signature, opset=OPSET
    )
    _name_dimensions(proto.graph)
    _make_conditions_optional(proto.graph)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def measure_parity(served: ServedFunction, artifact: bytes) -> float:
    """Return the largest difference between the chroma of Keras and of ONNX Runtime.

    Parameters
    ----------
    served : tf.function
    artifact : bytes

    Returns
    -------
    float
        In units of a* and b*, over several sizes, without and with conditions.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that have defaults
    session = onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in served.input_signature]
    rng = np.random.default_rng(0)
    differences = []
    for count, height, width in PARITY_SHAPES:
        conditions = [dict(DEFAULTS)]
        if len(names) > 1:
            conditions += [_random_conditions(rng, answers) for answers in {count, 1, count}]
        for condition in conditions:
            feed = {"lightness": _random_lightness(rng, (count, height, width)), **condition}
            feed = {name: feed[name] for name in names}
            expected = served(*feed.values())["chroma"].numpy()
            (received,) = session.run(["chroma"], feed)
            differences.append(float(np.abs(expected - received).max()))
    return float(np.max(differences))


def _random_lightness(rng: np.random.Generator, shape: tuple[int, int, int]) -> Float32:
    """Random L* with areas and edges, like a picture's; shape (N, H, W, 1)."""
    count, height, width = shape
    blocks = rng.uniform(0, 100, (count, height // 16, width // 16, 1))
    lightness = np.kron(blocks, np.ones((1, 16, 16, 1))) + rng.normal(0, 2, (*shape, 1))
    return np.clip(lightness, 0, 100).astype(np.float32)


def _random_conditions(rng: np.random.Generator, answers: int) -> dict[str, Any]:
    """Five random colours and three random hints for each answer."""
    lowest, highest = (0, -60, -60), (100, 60, 60)
    colors = rng.uniform((*lowest, 1), (*highest, 1), (answers, 5, 4))
    hints = rng.uniform((0, 0, *lowest[1:], 1), (1, 1, *highest[1:], 1), (answers, 3, 5))
    return {
        "palette": colors.astype(np.float32),
        "hints": hints.astype(np.float32),
        "variation": np.zeros(answers, np.int64),
    }


def _name_dimensions(graph: Any) -> None:
    """Give the free dimensions of inputs and outputs names instead of numbers."""
    for tensor in (*graph.input, *graph.output):
        dimensions = tensor.type.tensor_type.shape.dim
        for dimension, name in zip(dimensions, CARDS[tensor.name].shape, strict=True):
            if isinstance(name, str):
                dimension.dim_param = name


def _make_conditions_optional(graph: Any) -> None:
    """Let callers leave out all but the lightness.

    In ONNX an input with an initializer of the same name has that for its default.
    """
    present = {tensor.name for tensor in graph.input}
    for name, default in DEFAULTS.items():
        if name in present:
            graph.initializer.append(onnx.numpy_helper.from_array(default, name))


def _describe(
    run: Run,
    run_folder: Path,
    metrics: dict[str, float],
    parameters: int,
    artifact: bytes,
    parity: float,
) -> ModelCard:
    architecture = find_architecture(run.recipe.architecture)
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
        inputs=[LIGHTNESS_CARD, *(CONDITIONS if architecture.is_conditional else ())],
        outputs=[CHROMA_CARD, *(CHOICES if architecture.is_conditional else ())],
        opset=OPSET,
        sha256=hashlib.sha256(artifact).hexdigest(),
        parity=parity,
        metrics=metrics,
    )
