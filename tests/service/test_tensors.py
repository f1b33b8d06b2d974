"""Tensors of clients, compared with what a card says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.colorizer import Colorizer
from service.errors import InvalidInferenceError, TensorsTooLargeError
from service.protocol import InferenceRequest
from service.tensors import TensorRules

LIGHTNESS = {"name": "lightness", "datatype": "FP32", "shape": [1, 16, 24, 1]}


@pytest.fixture(scope="module")
def rules(steerable: Colorizer) -> TensorRules:
    return TensorRules(steerable.card, steerable.optional_inputs, max_pixels=10_000)


def request(*inputs: dict[str, Any], outputs: tuple[str, ...] = ()) -> InferenceRequest:
    return InferenceRequest.model_validate(
        {"inputs": inputs, "outputs": [{"name": name} for name in outputs]}
    )


def other(name: str, *shape: int, datatype: str = "FP32") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def test_optional_inputs_are_all_but_lightness(steerable: Colorizer) -> None:
    assert steerable.optional_inputs == {"palette", "hints", "variation"}


@pytest.mark.parametrize(
    "inputs",
    [
        (LIGHTNESS,),
        (LIGHTNESS, other("palette", 3, 100, 4), other("hints", 1, 100, 5)),
        (LIGHTNESS, other("variation", 26, datatype="INT64")),
        ({**LIGHTNESS, "shape": [3, 8, 8, 1]}, other("palette", 3, 1, 4)),
    ],
    ids=["lightness", "one for all", "most answers", "several pictures"],
)
def test_check_request_lets_good_ones_pass(
    inputs: tuple[dict[str, Any], ...], rules: TensorRules
) -> None:
    rules.check_request(request(*inputs, outputs=("scores", "chroma")))


@pytest.mark.parametrize(
    ("inputs", "outputs", "detail"),
    [
        ((), (), "`lightness`: this input is required. Received: nothing"),
        (
            (LIGHTNESS, other("colour", 1)),
            (),
            "`inputs`: each one of lightness, palette, hints, variation. Received: colour",
        ),
        ((LIGHTNESS, LIGHTNESS), (), "`inputs`: each name once. Received: lightness"),
        (
            (LIGHTNESS,),
            ("picture",),
            "`outputs`: each one of chroma, scores, placed_palette. Received: picture",
        ),
        ((LIGHTNESS,), ("chroma", "chroma"), "`outputs`: each name once. Received: chroma"),
        (
            ({**LIGHTNESS, "datatype": "FP64"},),
            (),
            "`lightness`: datatype FP32. Received: FP64",
        ),
        (
            (LIGHTNESS, other("variation", 1)),
            (),
            "`variation`: datatype INT64. Received: FP32",
        ),
        (
            ({**LIGHTNESS, "shape": [1, 16, 20, 1]},),
            (),
            "`lightness`: shape [-1, -1, -1, 1], height and width multiples of 8. "
            "Received: [1, 16, 20, 1]",
        ),
        (
            ({**LIGHTNESS, "shape": [16, 24]},),
            (),
            "`lightness`: shape [-1, -1, -1, 1], height and width multiples of 8. "
            "Received: [16, 24]",
        ),
        (
            ({**LIGHTNESS, "shape": [1, 0, 8, 1]},),
            (),
            "`lightness`: shape [-1, -1, -1, 1], height and width multiples of 8. "
            "Received: [1, 0, 8, 1]",
        ),
        (
            ({**LIGHTNESS, "shape": [-1, 8, -8, 1]},),
            (),
            "`lightness`: shape [-1, -1, -1, 1], height and width multiples of 8. "
            "Received: [-1, 8, -8, 1]",
        ),
        (
            ({**LIGHTNESS, "shape": [1] * 1000},),
            (),
            "`lightness`: shape [-1, -1, -1, 1], height and width multiples of 8. "
            "Received: a list of 1,000",
        ),
        (
            (LIGHTNESS, other("palette", 1, 3, 3)),
            (),
            "`palette`: shape [-1, -1, 4], -1: 1 to 100. Received: [1, 3, 3]",
        ),
        (
            (LIGHTNESS, other("hints", 1, 101, 5)),
            (),
            "`hints`: shape [-1, -1, 5], -1: 1 to 100. Received: [1, 101, 5]",
        ),
        (
            (LIGHTNESS, other("palette", 3, 2, 4), other("hints", 2, 1, 5)),
            (),
            "`hints`: a first dimension of 1 or, like that of others, 3. Received: 2",
        ),
    ],
)
def test_check_request_of_bad_one_says_what_is_wanted(
    inputs: tuple[dict[str, Any], ...], outputs: tuple[str, ...], detail: str, rules: TensorRules
) -> None:
    with pytest.raises(InvalidInferenceError) as caught:
        rules.check_request(request(*inputs, outputs=outputs))

    assert caught.value.detail == detail


@pytest.mark.parametrize(
    ("inputs", "pixels"),
    [
        (({**LIGHTNESS, "shape": [1, 104, 104, 1]},), "10,816"),
        (({**LIGHTNESS, "shape": [9000, 8, 8, 1]},), "576,000"),
        ((LIGHTNESS, other("variation", 27, datatype="INT64")), "10,368"),
    ],
    ids=["large", "many pictures", "many answers"],
)
def test_check_request_of_too_many_pixels_says_limit(
    inputs: tuple[dict[str, Any], ...], pixels: str, rules: TensorRules
) -> None:
    with pytest.raises(TensorsTooLargeError) as caught:
        rules.check_request(request(*inputs))

    assert caught.value.detail == (
        f"Answers x height x width of `lightness` must be at most 10,000 pixels. Received: {pixels}"
    )


@pytest.mark.parametrize("value", [0, 100, 100.0005, -0.0005])
def test_check_values_lets_range_and_rounding_pass(value: float, rules: TensorRules) -> None:
    rules.check_values({"lightness": np.full((1, 8, 8, 1), value, np.float32)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 100.5, -1])
def test_check_values_outside_says_range(value: float, rules: TensorRules) -> None:
    lightness = np.full((1, 8, 8, 1), 50, np.float32)
    lightness[0, 3, 3, 0] = value

    with pytest.raises(InvalidInferenceError) as caught:
        rules.check_values({"lightness": lightness})

    assert caught.value.detail == (
        f"`lightness`: finite numbers from 0 to 100. Received: {np.float32(value)}"
    )


def test_check_values_of_integers_compares_them_exactly(rules: TensorRules) -> None:
    rules.check_values({"variation": np.array([0, 2**31])})

    with pytest.raises(InvalidInferenceError, match="Received: -1"):
        rules.check_values({"variation": np.array([0, -1])})
    with pytest.raises(InvalidInferenceError, match=f"Received: {2**62}"):
        rules.check_values({"variation": np.array([2**62])})
