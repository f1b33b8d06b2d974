"""Networks that were tried and are not shipped."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
from keras import ops

from service.cie import lab_to_linear
from training.ablate import ABLATIONS
from training.architectures import find_architecture
from training.export import as_function, convert
from training.losses import make_loss
from training.network import ARCHITECTURES
from training.recipes import RECIPES, Recipe
from training.rivals import CLASSES, RIVALS, quantised_loss

BOOK_SIZE = 3
LIGHTNESS = np.random.default_rng(0).uniform(0, 100, (1, 32, 48, 1)).astype(np.float32)
PALETTE = np.array([[[20, 20, -60, 1], [80, -5, 50, 1]]], np.float32)
NO_HINT = np.zeros((1, 1, 5), np.float32)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *RIVALS])
def test_find_architecture_builds_what_it_says(name: str) -> None:
    architecture = find_architecture(name)
    network = architecture.build(BOOK_SIZE)
    given = [LIGHTNESS, PALETTE, NO_HINT] if architecture.is_conditional else [LIGHTNESS]
    outputs = network(given)
    stride = architecture.output_stride
    assert outputs["chroma"].shape == (1, 32 // stride, 48 // stride, 2)
    assert ("scores" in outputs) == architecture.is_conditional


def test_quantised_serves_chroma_alone() -> None:
    """Its logits are there for the loss."""
    proto = onnx.load_from_string(convert(as_function(find_architecture("quantised").build(0))))
    assert [tensor.name for tensor in proto.graph.output] == ["chroma"]


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_change_one_thing_that_the_recipe_has(name: str) -> None:
    standard = RECIPES["standard"]
    recipe = Recipe(**{**vars(standard), **ABLATIONS[name].changes})
    assert (recipe == standard) == (name == "standard")
    assert callable(find_architecture(recipe.architecture).build)
    assert callable(make_loss(recipe))


def test_dot_product_begins_without_the_lightness_table() -> None:
    """The table gives dark places the dark colour; without it both get about the same."""
    steps = np.repeat([[20.0, 80.0]], 16, axis=1).reshape(1, 1, 32, 1)
    steps = np.broadcast_to(steps, (1, 16, 32, 1)).astype(np.float32)
    contrast = {}
    for name in ("unet", "dot-product"):
        keras.utils.set_random_seed(0)
        network = find_architecture(name).build(BOOK_SIZE)
        b = ops.convert_to_numpy(network([steps, PALETTE, NO_HINT])["chroma"])[0, ..., 1]
        contrast[name] = b[:, 8:].mean() - b[:, :8].mean()
    assert contrast["unet"] > 60
    assert abs(contrast["dot-product"]) < 30


def test_classes_are_all_that_srgb_shows() -> None:
    assert len(CLASSES) == 53
    assert [0, 0] in CLASSES.tolist()
    lightness = np.linspace(0, 100, 201, dtype=np.float32)
    for a, b in CLASSES:
        linear = lab_to_linear(lightness, np.full(201, a), np.full(201, b))
        assert ((linear > -0.02) & (linear < 1.02)).all(axis=0).any()


def test_quantised_loss_is_least_for_the_right_class() -> None:
    numbers = np.random.default_rng(0).integers(0, len(CLASSES), (1, 8, 8))
    logits = 4 * np.eye(len(CLASSES), dtype=np.float32)[numbers]
    truth = {"chroma": CLASSES[numbers]}
    right = float(quantised_loss(truth, {"logits": logits}))
    assert right < float(quantised_loss(truth, {"logits": 0 * logits}))
    assert right < float(quantised_loss(truth, {"logits": np.roll(logits, 1, axis=-1)}))


def test_quantised_loss_rare_classes_weigh_more() -> None:
    """One pixel of 64 is vivid: to miss it costs more than to miss another one."""
    grey, vivid = (CLASSES.tolist().index(color) for color in ([0, 0], [60, 60]))
    numbers = np.full((8, 8), grey)
    numbers[0, 0] = vivid
    missed_vivid, missed_grey = numbers.copy(), numbers.copy()
    missed_vivid[0, 0], missed_grey[0, 5] = grey, vivid
    right, *wrong = (
        float(
            quantised_loss(
                {"chroma": CLASSES[numbers[None]]},
                {"logits": 4 * np.eye(len(CLASSES), dtype=np.float32)[guess[None]]},
            )
        )
        for guess in (numbers, missed_vivid, missed_grey)
    )
    assert wrong[0] - right > 3 * (wrong[1] - right) > 0
