"""Requests and answers of the Open Inference Protocol, as bytes."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import numpy as np
import pytest

from service.errors import (
    InvalidInferenceError,
    TensorsTooLargeError,
    UnsupportedEncodingError,
)
from service.protocol import (
    InferenceRequest,
    Message,
    Tensor,
    decompress,
    read_request,
    read_tensors,
    split_body,
    write_answer,
)

NUMBERS = np.array([[1, 2.5, -3], [0, 1e-7, 1e30]], np.float32)


def named(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [2, 3], "datatype": "FP32", **changes}


def read(*inputs: dict[str, Any], raw: bytes = b"") -> dict[str, Tensor]:
    text = json.dumps({"inputs": inputs}).encode()
    message = Message(text + raw, len(text) if raw else None)
    return read_tensors(read_request(message, 100_000), message)


@pytest.mark.parametrize("data", [NUMBERS.tolist(), NUMBERS.ravel().tolist()], ids=["deep", "flat"])
def test_read_tensors_takes_json_nested_or_flat(data: list[Any]) -> None:
    tensor = read(named(data=data))["x"]

    assert tensor.dtype == np.float32
    np.testing.assert_array_equal(tensor, NUMBERS)


def test_read_tensors_takes_raw_bytes_in_order_of_inputs() -> None:
    choices = np.array([7, -(2**60)])
    tensors = read(
        named(parameters={"binary_data_size": 24}),
        named(name="y", shape=[1], data=[4]),
        named(name="z", shape=[2], datatype="INT64", parameters={"binary_data_size": 16}),
        raw=NUMBERS.tobytes() + choices.tobytes(),
    )

    np.testing.assert_array_equal(tensors["x"], NUMBERS)
    np.testing.assert_array_equal(tensors["y"], [4])
    np.testing.assert_array_equal(tensors["z"], choices)


@pytest.mark.parametrize(
    ("changes", "raw", "detail"),
    [
        ({}, b"", "`x`: `data`, or `binary_data_size`. Received: nothing"),
        (
            {"data": [1, 2, 3]},
            b"",
            "`x`: as many numbers as its shape says, 6. Received: 3",
        ),
        (
            {"data": [[1, 2], [3]]},
            b"",
            "`x`: `data` of FP32 numbers, flat or nested like its shape. "
            "Received: lists of several lengths",
        ),
        (
            {"data": [1, 2, 3, "4", None, True]},
            b"",
            "`x`: `data` of FP32 numbers, flat or nested like its shape. "
            "Received: null, text, true or false",
        ),
        (
            {"datatype": "INT64", "data": [1, 2, 3, 4, 5, 6.5]},
            b"",
            "`x`: `data` of INT64 numbers, flat or nested like its shape. "
            "Received: a number with a fraction",
        ),
        (
            {"datatype": "INT64", "data": [1, 2, 3, 4, 5, 2**63]},
            b"",
            "`x`: numbers that INT64 can hold. Received: Python int too large to convert to C long",
        ),
        (
            {"data": [1, 2, 3, 4, 5, 10**400]},
            b"",
            "`x`: numbers that FP32 can hold. Received: int too large to convert to float",
        ),
        (
            {"parameters": {"binary_data_size": 24}},
            bytes(23),
            "`x`: 24 raw bytes after the JSON. Received: 23",
        ),
        (
            {"parameters": {"binary_data_size": 24}},
            b"",
            "`x`: 24 raw bytes after the JSON. Received: 0",
        ),
        (
            {"parameters": {"binary_data_size": 20}},
            bytes(20),
            "`x`: `binary_data_size` as its shape and datatype say, 24. Received: 20",
        ),
        (
            {"parameters": {"binary_data_size": "24"}, "shape": [2, 3]},
            bytes(24),
            "`x`: `binary_data_size` as its shape and datatype say, 24. Received: 24",
        ),
        (
            {"parameters": {"binary_data_size": 24}, "data": [1]},
            bytes(24),
            "`x`: `data` or `binary_data_size`. Received: both",
        ),
        (
            {"data": [1, 2, 3, 4, 5, 6]},
            bytes(5),
            "`body`: as many bytes after its JSON as its tensors say. Received: 5 more",
        ),
    ],
    ids=[
        "nothing",
        "too few",
        "ragged",
        "other kinds",
        "fraction",
        "over int64",
        "over float",
        "truncated",
        "absent",
        "other size",
        "size as text",
        "both",
        "too much",
    ],
)
def test_read_tensors_of_wrong_data_says_what_is_wanted(
    changes: dict[str, Any], raw: bytes, detail: str
) -> None:
    with pytest.raises(InvalidInferenceError) as caught:
        read(named(**changes), raw=raw)

    assert caught.value.detail == detail


def test_read_tensors_of_texts_among_numbers_makes_no_long_texts() -> None:
    # Left to choose, NumPy would make texts of the longest one's length of them all.
    data = ["x" * 1_000_000, *range(1_000_000)]
    request = InferenceRequest.model_validate({"inputs": [named(data=data)]})

    with pytest.raises(InvalidInferenceError, match="Received: text"):
        read_tensors(request, Message(b""))


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"", "`body`: Invalid JSON: EOF while parsing a value at line 1 column 0. Received: "),
        (b"{", "`body`: Invalid JSON: EOF while parsing an object at line 1 column 1. Received: {"),
        (b"[]", "`body`: Input should be an object. Received: a list of 0"),
        (b"{}", "`inputs`: a value is required. Received: nothing"),
        (b'{"inputs": 3}', "`inputs`: Input should be a valid array. Received: 3"),
        (b'{"inputs": [3, 4]}', "`inputs.0`: Input should be an object. Received: 3"),
        (
            b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": ["a", "b"]}]}',
            "`inputs.0.shape.0`: Input should be a valid integer, "
            "unable to parse string as an integer. Received: a",
        ),
        (
            b'{"inputs": [], "outputs": [{"name": "y", "parameters": {"classification": 3}}]}',
            "`y`: no parameter `classification`. Received: 3",
        ),
    ],
)
def test_read_request_of_wrong_json_says_where(text: bytes, detail: str) -> None:
    with pytest.raises(InvalidInferenceError) as caught:
        read_request(Message(text), 1000)

    assert caught.value.detail == detail


@pytest.mark.parametrize("text", [b"[" * 10_000, b'{"inputs": [' + b"{}," * 200_000 + b"{}]}"])
def test_read_request_of_hostile_json_stays_short(text: bytes) -> None:
    with pytest.raises(InvalidInferenceError) as caught:
        read_request(Message(text), 1_000_000)

    assert len(caught.value.detail) < 1000


def test_read_request_of_too_much_json_says_limit() -> None:
    with pytest.raises(TensorsTooLargeError) as caught:
        read_request(Message(bytes(1001)), 1000)

    assert caught.value.detail == (
        "Without tensors as raw bytes a request must have at most 1,000 bytes. Received: 1,001"
    )


def test_split_body_without_header_is_all_json() -> None:
    assert split_body(b"{}", None) == Message(b"{}")


@pytest.mark.parametrize(
    ("length", "detail"),
    [
        ("4", "at most the length of the body, 3. Received: 4"),
        ("-1", "a number of bytes. Received: -1"),
        ("", "a number of bytes. Received: "),
        ("1e1", "a number of bytes. Received: 1e1"),
        ("\u0663", "a number of bytes. Received: \u0663"),
        ("9" * 5000, f"a number of bytes. Received: {'9' * 200}... (5,000 characters)"),
    ],
)
def test_split_body_with_wrong_header_says_what_is_wanted(length: str, detail: str) -> None:
    with pytest.raises(InvalidInferenceError) as caught:
        split_body(b"{}x", length)

    assert caught.value.detail == f"`Inference-Header-Content-Length`: {detail}"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"{}", mtime=0)),
        ("deflate", zlib.compress(b"{}")),
        ("identity", b"{}"),
    ],
)
def test_decompress_undoes_what_clients_do(encoding: str, packed: bytes) -> None:
    assert decompress(packed, encoding, 2) == b"{}"


def test_decompress_of_bomb_stops_at_limit() -> None:
    bomb = gzip.compress(bytes(10_000_000))

    with pytest.raises(TensorsTooLargeError) as caught:
        decompress(bomb, "gzip", 1000)

    assert caught.value.detail == (
        "A compressed body must unpack to at most 1,000 bytes. Received: 1,001"
    )


@pytest.mark.parametrize(
    ("packed", "detail"),
    [
        (b"{}", "undamaged gzip. Received: Error -3 while decompressing data"),
        (gzip.compress(b"{}", mtime=0)[:-9], "complete gzip. Received: 13 bytes of it"),
    ],
)
def test_decompress_of_damaged_body_says_so(packed: bytes, detail: str) -> None:
    with pytest.raises(InvalidInferenceError) as caught:
        decompress(packed, "gzip", 1000)

    assert caught.value.detail.startswith(f"`body`: {detail}")


def test_decompress_of_other_encoding_names_those_that_are_read() -> None:
    with pytest.raises(UnsupportedEncodingError) as caught:
        decompress(b"", "br", 1000)

    assert caught.value.headers == {"Accept-Encoding": "identity, gzip, deflate"}
    assert caught.value.detail == (
        "`Content-Encoding` must be one of identity, gzip, deflate. Received: br"
    )


@pytest.mark.parametrize(
    ("parameters", "outputs", "raw"),
    [
        ({}, [], []),
        ({"binary_data_output": True}, [], ["x", "y"]),
        ({}, [{"name": "x", "parameters": {"binary_data": True}}, {"name": "y"}], ["x"]),
        (
            {"binary_data_output": True},
            [{"name": "x", "parameters": {"binary_data": False}}, {"name": "y"}],
            ["y"],
        ),
    ],
    ids=["json", "raw by default", "one raw", "one json"],
)
def test_write_answer_writes_outputs_as_they_are_wanted(
    parameters: dict[str, Any], outputs: list[dict[str, Any]], raw: list[str]
) -> None:
    request = InferenceRequest.model_validate(
        {"id": "7", "inputs": [], "outputs": outputs, "parameters": parameters}
    )
    tensors = {"x": NUMBERS, "y": np.array([5, 2**60])}

    message = write_answer("v1", request, tensors)

    answer = json.loads(message.text)
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "v1", "1")
    described = {output["name"]: output for output in answer["outputs"]}
    assert [name for name in described if "data" not in described[name]] == raw
    assert b"".join(tensors[name].tobytes() for name in raw) == message.raw
    assert (message.json_bytes is None) == (not raw)
    assert described["x"]["shape"] == [2, 3]
    assert described["y"]["datatype"] == "INT64"
    for name in set(tensors) - set(raw):
        data = np.array(described[name]["data"], tensors[name].dtype)
        np.testing.assert_array_equal(data, tensors[name].ravel())
    for name in raw:
        assert described[name]["parameters"] == {"binary_data_size": tensors[name].nbytes}


def test_write_answer_that_is_not_finite_blames_inputs() -> None:
    request = InferenceRequest.model_validate({"inputs": []})

    with pytest.raises(InvalidInferenceError, match="lead to a finite x"):
        write_answer("v1", request, {"x": np.array([1, np.nan], np.float32)})
