"""What the settings that were chosen by measurement cost beside their alternatives.

PNG's effort on coloured pictures, and ONNX Runtime's session options on the
network. All take turns for some rounds; a time is the best of them, in processor
time, so that what waits for a core is not counted.
"""

from __future__ import annotations

import argparse
import functools
import io
import time
import zlib
from collections.abc import Callable
from itertools import product
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from PIL import Image

from bench.stages import draw_shapes, draw_smooth
from service.cie import UInt8
from service.color import apply_chroma, split_lightness
from service.colorizer import Colorizer, Registry
from service.settings import Settings

Name = TypeVar("Name")

PNG_EFFORTS: dict[str, dict[str, int]] = {
    **{f"level {level}": {"compress_level": level} for level in (0, 1, 2, 3, 6, 9)},
    "level 1, run lengths only": {"compress_level": 1, "compress_type": zlib.Z_RLE},
    "level 1, no matches": {"compress_level": 1, "compress_type": zlib.Z_HUFFMAN_ONLY},
}
DRAWINGS = (draw_smooth, draw_shapes)
NETWORK_SHAPES = ((192, 256), (256, 256), (256, 144))
"""Sizes of lightness, taken in turn: pictures come in every shape."""


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.choices", description=__doc__)
    parser.add_argument("--width", type=int, default=2000, help="of a picture of 4 x 3")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    settings = Settings()
    colorizer = Registry.load(settings.models_dir, 1).get(settings.default_model)
    print_png_table(colorizer, arguments.width, arguments.rounds)
    print()
    artifact = (settings.models_dir / f"{settings.default_model}.onnx").read_bytes()
    print_session_table(artifact, arguments.rounds)


def print_png_table(colorizer: Colorizer, width: int, rounds: int) -> None:
    """Print time and size by effort, for a smooth and a grainy picture."""
    shape = width * 3 // 4, width
    pictures = [Image.fromarray(_colour(draw(*shape), colorizer)) for draw in DRAWINGS]
    times = _best_ms(
        {
            (name, index): functools.partial(_write_png, picture, options)
            for name, options in PNG_EFFORTS.items()
            for index, picture in enumerate(pictures)
        },
        rounds,
    )
    print("| PNG | smooth, ms | MB | grainy, ms | MB |\n|---|---:|---:|---:|---:|")
    for name, options in PNG_EFFORTS.items():
        cells = [
            f"{times[name, index]:.0f} | {len(_write_png(picture, options)) / 1e6:.2f}"
            for index, picture in enumerate(pictures)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def print_session_table(artifact: bytes, rounds: int) -> None:
    """Print the time of a prediction by the options of its session."""
    ways: dict[tuple[int, ...], Callable[[], object]] = {}
    cores = Settings().working_slots
    for threads, spins, arena, pattern in product((1, cores), *[(False, True)] * 3):
        if threads == 1 and spins:
            continue  # One thread has nobody to wait for.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spins)))
        options.enable_cpu_mem_arena = arena
        options.enable_mem_pattern = pattern
        session = onnxruntime.InferenceSession(
            artifact, options, providers=["CPUExecutionProvider"]
        )
        feeds = [_make_feed(session, shape) for shape in NETWORK_SHAPES]
        ways[threads, spins, arena, pattern] = functools.partial(_run_all, session, feeds)
    wall = _best_ms(ways, rounds, time.perf_counter)
    processor = _best_ms(ways, rounds, time.process_time)
    print("| threads | spinning | arena | pattern | ms | processor ms |")
    print("|---:|---|---|---|---:|---:|")
    for way in ways:
        cells = [str(way[0]), *("yes" if switch else "no" for switch in way[1:])]
        figures = [f"{table[way] / len(NETWORK_SHAPES):.1f}" for table in (wall, processor)]
        print(f"| {' | '.join(cells + figures)} |")


def _colour(pixels: UInt8, colorizer: Colorizer) -> UInt8:
    lightness = split_lightness(pixels)
    (chroma, *_) = colorizer.predict(lightness).chroma
    return np.ascontiguousarray(apply_chroma(lightness, chroma))


def _run_all(session: onnxruntime.InferenceSession, feeds: list[dict[str, Any]]) -> None:
    for feed in feeds:
        session.run(None, feed)


def _write_png(picture: Image.Image, options: dict[str, int]) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def _make_feed(session: onnxruntime.InferenceSession, shape: tuple[int, int]) -> dict[str, Any]:
    """Make the tensors of a prediction: lightness, and nothing said about colours."""
    height, width = shape
    feed: dict[str, Any] = {}
    for tensor in session.get_inputs():
        sides = (1, height, width, 1) if tensor.name == "lightness" else _shortest(tensor.shape)
        dtype = np.int64 if "int64" in tensor.type else np.float32
        feed[tensor.name] = np.full(sides, 50 if tensor.name == "lightness" else 0, dtype)
    return feed


def _shortest(shape: list[int | str | None]) -> list[int]:
    return [side if isinstance(side, int) else 1 for side in shape]


def _best_ms(
    ways: dict[Name, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[Name, float]:
    """Time all ways in turn, and take the best of each."""
    best: dict[Name, float] = {}
    for _ in range(rounds):
        for name, run in ways.items():
            start = clock()
            run()
            elapsed_ms = (clock() - start) * 1000
            best[name] = min(elapsed_ms, best.get(name, elapsed_ms))
    return best


if __name__ == "__main__":
    main()
