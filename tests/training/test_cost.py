"""Counting multiply-adds and measuring time, on graphs that are counted by hand."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from training.cost import count_macs, measure_speed

SIZE = 8


def make_artifact() -> bytes:
    """Convolution, transposed convolution, product with a constant and of two maps."""
    rng = np.random.default_rng(0)
    weights = {"conv": (4, 1, 3, 3), "up": (4, 2, 2, 2), "mix": (2, 2)}
    nodes = [
        helper.make_node("Transpose", ["lightness"], ["planes"], "first", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "conv"], ["a"], "conv", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("ConvTranspose", ["a", "up"], ["b"], "up", strides=[2, 2]),
        helper.make_node("Transpose", ["b"], ["c"], "last", perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["c", "mix"], ["d"], "mix"),
        helper.make_node("Transpose", ["d"], ["e"], "turn", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["e", "d"], ["f"], "square"),
        helper.make_node("Relu", ["f"], ["chroma"], "relu"),
    ]
    graph = helper.make_graph(
        nodes,
        "counted",
        [helper.make_tensor_value_info("lightness", TensorProto.FLOAT, [1, "H", "W", 1])],
        [helper.make_tensor_value_info("chroma", TensorProto.FLOAT, [1, "h", 2, 2])],
        [
            onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_count_macs_equals_a_count_by_hand() -> None:
    conv = 4 * 4 * 4 * (1 * 3 * 3)  # (4, 4, 4) out, each of 9
    up = 4 * 4 * 4 * (2 * 2 * 2)  # (4, 4, 4) in, each to 8
    mix = 8 * 8 * 2 * 2
    square = 8 * (2 * 2 * 8)  # a (2, 8) by (8, 2) for each of 8 rows
    assert count_macs(make_artifact(), SIZE) == conv + up + mix + square


def test_count_macs_grows_with_the_area() -> None:
    artifact = make_artifact()
    assert count_macs(artifact, 2 * SIZE) == 4 * count_macs(artifact, SIZE)


def test_measure_speed_tells_of_each_in_milliseconds() -> None:
    artifact = make_artifact()
    speed = measure_speed({"one": artifact, "other": artifact}, SIZE, threads=1)
    assert set(speed) == {"one", "other"}
    assert all(0 < milliseconds < 1000 for milliseconds in speed.values())
