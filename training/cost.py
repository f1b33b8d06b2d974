"""What a prediction costs: multiply-adds and time."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

RUNS = 20
COUNTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def count_macs(artifact: bytes, size: int) -> int:
    """Count the multiply-adds of one prediction, as ONNX Runtime runs it.

    Parameters
    ----------
    artifact : bytes
        An ONNX file that takes `lightness` and needs nothing else.
    size : int
        Of the square picture, in pixels.

    Returns
    -------
    int
        Of convolutions and products of matrices; the rest is small beside them.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of inputs that have defaults
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            artifact, options, providers=["CPUExecutionProvider"]
        )
        session.run(["chroma"], _picture(size))
        events = json.loads(Path(session.end_profiling()).read_text())
    graph = onnx.load_from_string(artifact).graph
    kernels = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    weights = {node.name: kernels.get(node.input[1]) for node in graph.node if len(node.input) > 1}
    suffix = "_kernel_time"
    return sum(
        _macs(event["args"], weights[event["name"].removesuffix(suffix)])
        for event in events
        if event["name"].endswith(suffix) and event["args"]["op_name"] in COUNTED
    )


def measure_speed(artifacts: dict[str, bytes], size: int, threads: int) -> dict[str, float]:
    """Measure predictions side by side: the median of each, in milliseconds."""
    sessions = {}
    for name, artifact in artifacts.items():
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        sessions[name] = onnxruntime.InferenceSession(
            artifact, options, providers=["CPUExecutionProvider"]
        )
    feed = _picture(size)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(RUNS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(["chroma"], feed)
            times[name].append((time.perf_counter() - start) * 1000)
    return {name: float(np.median(values)) for name, values in times.items()}


def _picture(size: int) -> dict[str, Any]:
    lightness = np.random.default_rng(0).uniform(0, 100, (1, size, size, 1))
    return {"lightness": lightness.astype(np.float32)}


def _macs(node: dict[str, Any], weight: list[int] | None) -> int:
    """Multiply-adds of one node: of its shapes, and that of its weight if it is constant."""
    inputs, outputs = (
        [list[int](next(iter(shape.values()))) for shape in node[f"{side}_type_shape"]]
        for side in ("input", "output")
    )
    if node["op_name"] == "Conv" and weight:  # (out, in, height, width)
        return math.prod(outputs[0]) * math.prod(weight[1:])
    if node["op_name"] == "ConvTranspose" and weight:  # (in, out, height, width)
        return math.prod(inputs[0]) * math.prod(weight[1:])
    return math.prod(outputs[0]) * int(inputs[0][-1])
