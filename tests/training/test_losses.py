"""Losses and metrics of training, and the steps that bring them down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from training.fit import Trainer
from training.losses import METRICS, cie94, make_loss, squared_loss
from training.network import CHROMA_SCALE
from training.recipes import RECIPES

Array = NDArray[np.float32]

BOOK_SIZE = 5
STANDARD = RECIPES["standard"]


@pytest.fixture
def truth() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        "chroma": rng.uniform(-60, 60, (2, 16, 16, 2)).astype(np.float32),
        "book_target": np.eye(2, BOOK_SIZE, dtype=np.float32),
    }


def judge(truth: dict[str, Array], chroma: Array, scores: Array | None = None, **changes: Any):
    """The loss of the standard recipe, some of its choices changed."""
    sure = 50 * truth["book_target"]
    outputs = {"chroma": chroma, "scores": sure if scores is None else scores}
    return float(make_loss(replace(STANDARD, **changes))(truth, outputs))


ALL_TERMS = {"edge_weight": 0.5, "region_weight": 0.5, "match_weight": 0.5}


@pytest.mark.parametrize("is_perceptual", [False, True])
def test_palette_loss_right_chroma_and_scores_are_least(
    truth: dict[str, Array], is_perceptual: bool
) -> None:
    changes = {**ALL_TERMS, "is_perceptual": is_perceptual}
    right = judge(truth, truth["chroma"], **changes)
    assert right == pytest.approx(0.3, abs=0.01)  # what keeps norms smooth at zero
    assert right < judge(truth, truth["chroma"] + 3, **changes)
    assert right < judge(truth, truth["chroma"], 50 * truth["book_target"][::-1], **changes)


def test_palette_loss_is_the_distance_when_nothing_else_weighs(truth: dict[str, Array]) -> None:
    chroma = truth["chroma"] + np.float32([3, 4])
    assert judge(truth, chroma, edge_weight=0.0) == pytest.approx(5, abs=0.01)


def test_palette_loss_even_offset_has_no_edges(truth: dict[str, Array]) -> None:
    chroma = truth["chroma"] + np.float32([3, 4])
    plain = judge(truth, chroma, edge_weight=0.0)
    for weights in ({"edge_weight": 1.0}, {"edge_weight": 0.0, "region_weight": 1.0}):
        assert judge(truth, chroma, **weights) - plain == pytest.approx(0.2, abs=0.01)


def blotches(period: int) -> Array:
    """A chequerboard of +-3 in both channels, (16, 16, 1)."""
    squares = (np.indices((16, 16)) // period).sum(axis=0) % 2
    return np.where(squares, 3, -3)[..., None].astype(np.float32)


def test_palette_loss_edge_weight_counts_blotches(truth: dict[str, Array]) -> None:
    chroma = truth["chroma"] + blotches(period=1)
    # Neighbours are 6 off in both channels, down and across.
    added = judge(truth, chroma, edge_weight=0.5) - judge(truth, chroma, edge_weight=0.0)
    assert added == pytest.approx(0.5 * 2 * np.hypot(6, 6), rel=1e-3)


def test_palette_loss_region_weight_counts_wide_blotches(truth: dict[str, Array]) -> None:
    chroma = truth["chroma"] + blotches(period=8)
    for reach, distance in ((8, np.hypot(6, 6)), (1, np.hypot(6, 6) / 15)):
        weights = {"edge_weight": 0.0, "region_weight": 0.5, "region_reach": reach}
        added = judge(truth, chroma, **weights) - judge(truth, chroma, edge_weight=0.0)
        assert added == pytest.approx(0.5 * 2 * distance, abs=0.15)


def test_palette_loss_match_weight_counts_chroma_of_the_picture(truth: dict[str, Array]) -> None:
    added = [
        judge(truth, chroma, match_weight=1.0) - judge(truth, chroma)
        for chroma in (2 * truth["chroma"], truth["chroma"][:, ::-1])
    ]
    mean = np.linalg.norm(truth["chroma"], axis=-1).mean()
    np.testing.assert_allclose(added, [mean, 0], atol=0.01)


def test_palette_loss_score_weight_scales_the_cross_entropy(truth: dict[str, Array]) -> None:
    even = np.zeros((2, BOOK_SIZE), np.float32)
    one, three = (judge(truth, truth["chroma"], even, score_weight=w) for w in (1.0, 3.0))
    assert three - one == pytest.approx(2 * np.log(BOOK_SIZE), rel=1e-3)


def test_cie94_equals_the_formula() -> None:
    """C* of 50 and of 40 at the same hue, then the same C* at another."""
    target = np.array([[30, 40], [30, 40]], np.float32)
    chroma = np.array([[24, 32], [40, 30]], np.float32)
    expected = [10 / (1 + 0.045 * 50), np.hypot(10, 10) / (1 + 0.015 * 50)]
    np.testing.assert_allclose(ops.convert_to_numpy(cie94(target, chroma)), expected, atol=0.01)


def test_squared_loss_is_the_mean_square(truth: dict[str, Array]) -> None:
    outputs = {"chroma": truth["chroma"] + CHROMA_SCALE / 2}
    assert float(squared_loss(truth, outputs)) == pytest.approx(0.25, rel=1e-5)
    assert make_loss(RECIPES["classic"]) is squared_loss


def test_accuracy_is_the_share_of_pixels_whose_larger_channel_is_right(
    truth: dict[str, Array],
) -> None:
    prediction = truth["chroma"].copy()
    prediction[0] = prediction[0, ..., ::-1]  # a* and b* swapped in one of two pictures
    assert float(METRICS["accuracy"](truth, {"chroma": prediction})) == pytest.approx(0.5)


def test_distance_is_euclidean(truth: dict[str, Array]) -> None:
    outputs = {"chroma": truth["chroma"] + np.float32([3, 4])}
    assert float(METRICS["distance"](truth, outputs)) == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("recipe_name", RECIPES)
def test_training_step_brings_the_loss_down(recipe_name: str) -> None:
    """A few steps on one batch, the truth at full size: gradients reach the weights."""
    keras.utils.set_random_seed(0)
    trainer = Trainer(RECIPES[recipe_name], BOOK_SIZE)
    trainer.compile(keras.optimizers.AdamW(1e-3))
    rng = np.random.default_rng(0)
    blocks = rng.uniform(-60, 60, (2, 4, 4, 2)) + 20
    chroma = np.kron(blocks, np.ones((1, 8, 8, 1))).astype(np.float32)  # (2, 32, 32, 2)
    given = {
        "lightness": 40 + chroma[..., :1] / 2,
        "palette": rng.uniform((0, -50, -50, 0.1), (100, 50, 50, 1), (2, 3, 4)),
        "hints": rng.uniform((0, 0, -50, -50, 1), (1, 1, 50, 50, 1), (2, 4, 5)),
    }
    truth = {"chroma": chroma, "book_target": np.eye(2, BOOK_SIZE, dtype=np.float32)}
    losses = [trainer.train_on_batch(given, truth, return_dict=True)["loss"] for _ in range(20)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.95 * losses[0]
