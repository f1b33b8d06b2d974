"""The architectures, the placing and the choice of a palette, the losses and the metrics."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from training.fit import Trainer
from training.losses import LOSSES, METRICS, palette_loss, squared_loss
from training.network import (
    ARCHITECTURES,
    CHROMA_SCALE,
    Architecture,
    ChoosePalette,
    PlacePalette,
    add_book,
)

Array = NDArray[np.float32]

BOOK_SIZE = 5
NETWORKS = {name: architecture.build(BOOK_SIZE) for name, architecture in ARCHITECTURES.items()}


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def architecture(name: str) -> Architecture:
    return ARCHITECTURES[name]


@pytest.fixture
def network(name: str) -> keras.Model:
    return NETWORKS[name]


def palette_of(*colors: tuple[float, float, float, float]) -> Array:
    return np.array([colors], np.float32)


RED, GREEN = (30.0, 60.0, 20.0, 0.5), (80.0, -60.0, 20.0, 0.5)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96), (16, 16)])
def test_network_any_size(
    network: keras.Model, architecture: Architecture, height: int, width: int
) -> None:
    lightness = np.full((2, height, width, 1), 50, np.float32)
    palette = np.repeat(palette_of(RED, GREEN, RED), 2, axis=0)
    given = [lightness, palette] if architecture.takes_palette else [lightness]
    outputs = network(given)
    stride = architecture.output_stride
    assert outputs["chroma"].shape == (2, height // stride, width // stride, 2)
    if architecture.takes_palette:
        assert outputs["scores"].shape == (2, BOOK_SIZE)


def test_unet_is_an_encoder_and_a_transposed_decoder() -> None:
    kinds = {type(layer).__name__ for layer in NETWORKS["unet"].layers}
    assert {"Conv2D", "Conv2DTranspose"} <= kinds


def test_classic_has_the_published_size() -> None:
    assert NETWORKS["classic"].count_params() == pytest.approx(6.2e6, rel=0.01)


@pytest.fixture
def place() -> PlacePalette:
    keras.utils.set_random_seed(0)
    return PlacePalette()


def place_on_steps(place: PlacePalette, palette: Array) -> Array:
    """Place a palette on a dark and a light half, without features; shape (1, 4, 8, 2)."""
    lightness = np.repeat([[30, 80]], 4, axis=1).reshape(1, 1, 8, 1)
    lightness = np.broadcast_to(lightness, (1, 4, 8, 1)).astype(np.float32)
    features, picture = np.zeros((1, 4, 8, 3), np.float32), np.zeros((1, 6), np.float32)
    return ops.convert_to_numpy(place(features, picture, lightness, palette))


def test_place_palette_begins_as_the_lightness_table(place: PlacePalette) -> None:
    chroma = place_on_steps(place, palette_of(GREEN, RED))
    np.testing.assert_allclose(chroma[:, :, :4], np.broadcast_to(RED[1:3], (1, 4, 4, 2)), atol=0.1)
    np.testing.assert_allclose(
        chroma[:, :, 4:], np.broadcast_to(GREEN[1:3], (1, 4, 4, 2)), atol=0.1
    )


def test_place_palette_ignores_colors_of_weight_zero(place: PlacePalette) -> None:
    ghost = (30.0, -99.0, -99.0, 0.0)
    np.testing.assert_allclose(
        place_on_steps(place, palette_of(RED, GREEN, ghost)),
        place_on_steps(place, palette_of(RED, GREEN)),
        atol=1e-4,
    )


def test_place_palette_order_does_not_matter(place: PlacePalette) -> None:
    np.testing.assert_allclose(
        place_on_steps(place, palette_of(RED, GREEN)),
        place_on_steps(place, palette_of(GREEN, RED)),
        atol=1e-4,
    )


def test_place_palette_of_one_hue_keeps_it(place: PlacePalette) -> None:
    dark_red = (10.0, RED[1] / 2, RED[2] / 2, 0.5)
    chroma = place_on_steps(place, palette_of(RED, dark_red))
    hue = np.arctan2(chroma[..., 1], chroma[..., 0])
    np.testing.assert_allclose(hue, np.arctan2(RED[2], RED[1]), atol=1e-4)


def test_choose_palette_takes_the_best_scored_only_without_a_given_one() -> None:
    book = np.array([[RED, RED], [GREEN, GREEN], [RED, GREEN]], np.float32)
    scores = np.array([[0, 3, 1], [0, 1, 3]], np.float32)
    none = np.zeros((1, 4), np.float32)
    palette = np.stack([none, palette_of(RED)[0]])
    chosen = ops.convert_to_numpy(ChoosePalette(book)(scores, palette))
    np.testing.assert_array_equal(chosen[0, 1:], book[1])
    np.testing.assert_array_equal(chosen[1, :1], palette[1])
    assert (chosen[1, 1:, 3] == 0).all()


def test_add_book_given_palette_gives_what_the_network_gives() -> None:
    rng = np.random.default_rng(0)
    lightness = rng.uniform(0, 100, (1, 32, 32, 1)).astype(np.float32)
    book = np.repeat(palette_of(RED, GREEN), BOOK_SIZE, axis=0)
    palette = palette_of((50, 20, -60, 1), (20, -30, 0, 1))
    served = add_book(NETWORKS["unet"], book)
    expected = NETWORKS["unet"]([lightness, palette])["chroma"]
    np.testing.assert_allclose(served([lightness, palette])["chroma"], expected, atol=1e-3)
    chosen = served([lightness, np.zeros((1, 1, 4), np.float32)])["chroma"]
    expected = NETWORKS["unet"]([lightness, book[:1]])["chroma"]
    np.testing.assert_allclose(chosen, expected, atol=1e-3)


@pytest.fixture
def truth() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        "chroma": rng.uniform(-60, 60, (2, 8, 8, 2)).astype(np.float32),
        "book_target": np.eye(2, BOOK_SIZE, dtype=np.float32),
    }


def outputs_of(chroma: Array, scores: Array) -> dict[str, Array]:
    return {"chroma": chroma, "scores": scores}


def test_palette_loss_right_chroma_and_scores_are_least(truth: dict[str, Array]) -> None:
    chroma, sure = truth["chroma"], 50 * truth["book_target"]
    right = float(palette_loss(truth, outputs_of(chroma, sure)))
    assert right == pytest.approx(0.2, abs=0.01)  # what keeps the norm smooth at zero
    assert right < float(palette_loss(truth, outputs_of(chroma + 3, sure)))
    assert right < float(palette_loss(truth, outputs_of(chroma, sure[::-1])))


def test_palette_loss_blotches_cost_more_than_an_even_offset(truth: dict[str, Array]) -> None:
    sure = 50 * truth["book_target"]
    blotches = np.where(np.indices((8, 8)).sum(axis=0) % 2, 3, -3)[..., None].astype(np.float32)
    even = float(palette_loss(truth, outputs_of(truth["chroma"] + 3, sure)))
    assert even < float(palette_loss(truth, outputs_of(truth["chroma"] + blotches, sure)))


def test_squared_loss_is_the_mean_square(truth: dict[str, Array]) -> None:
    outputs = {"chroma": truth["chroma"] + CHROMA_SCALE / 2}
    assert float(squared_loss(truth, outputs)) == pytest.approx(0.25, rel=1e-5)


def test_accuracy_is_the_share_of_pixels_whose_larger_channel_is_right(
    truth: dict[str, Array],
) -> None:
    prediction = truth["chroma"].copy()
    prediction[0] = prediction[0, ..., ::-1]  # a* and b* swapped in one of two pictures
    assert float(METRICS["accuracy"](truth, {"chroma": prediction})) == pytest.approx(0.5)


def test_distance_is_euclidean_at_the_size_of_the_prediction(truth: dict[str, Array]) -> None:
    chroma = np.repeat(np.repeat(truth["chroma"], 2, axis=1), 2, axis=2)
    outputs = {"chroma": truth["chroma"] + np.float32([3, 4])}
    measured = METRICS["distance"]({"chroma": chroma}, outputs)
    assert float(measured) == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize(("name", "loss_name"), [("unet", "palette"), ("classic", "squared")])
def test_training_step_brings_the_loss_down(name: str, loss_name: str) -> None:
    """A few steps on one batch: gradients reach the weights."""
    assert loss_name in LOSSES
    keras.utils.set_random_seed(0)
    trainer = Trainer(ARCHITECTURES[name].build(BOOK_SIZE), loss_name)
    trainer.compile(keras.optimizers.AdamW(1e-3))
    rng = np.random.default_rng(0)
    blocks = rng.uniform(-60, 60, (2, 4, 4, 2)) + 20
    chroma = np.kron(blocks, np.ones((1, 8, 8, 1))).astype(np.float32)  # (2, 32, 32, 2)
    given = {
        "lightness": 40 + chroma[..., :1] / 2,
        "palette": np.repeat(palette_of(RED, GREEN), 2, axis=0),
    }
    truth = {"chroma": chroma, "book_target": np.eye(2, BOOK_SIZE, dtype=np.float32)}
    losses = [trainer.train_on_batch(given, truth, return_dict=True)["loss"] for _ in range(20)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.95 * losses[0]
