"""Stage times of one picture, beside what Pillow takes to read and write it.

Times differ between machines and hours, ratios much less: all rows take turns
for some rounds, a time is the best of them, and a ratio the median of those
formed inside each round.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import io
import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

import numpy as np
from PIL import Image, ImageDraw

from bench.peers.plain_numpy import colorize_plainly
from service.cie import Float32, UInt8
from service.color import apply_chroma, resize_plane, split_lightness, warm_up
from service.colorizer import Colorizer, Registry
from service.formats import JPEG
from service.images import Limits, decode_image, encode_image
from service.pipeline import colorize
from service.settings import Settings

LIMITS = Limits(max_pixels=1_000_000_000)
CHROMA_SIZE = (96, 128)
WHOLE = "from bytes to bytes"
PLAIN = "straightforward NumPy"
NAIVE = "Keras and scikit-image"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--width", type=int, default=4000, help="of a picture of 4 x 3")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-others", action="store_true", help="leave out the slow ways")
    arguments = parser.parse_args()
    height, width = arguments.width * 3 // 4, arguments.width
    settings = Settings()
    colorizer = Registry.load(settings.models_dir, settings.intra_op_threads).get(
        settings.default_model
    )
    warm_up()
    others = {} if arguments.no_others else slow_ways(colorizer)
    columns = {}
    for name, draw in (("smooth", draw_smooth), ("grainy shapes", draw_shapes)):
        upload = encode_jpeg(draw(height, width))
        columns[name] = time_stages(upload, colorizer, arguments.rounds, others)
    write_table(columns)
    extra_mb = measure_extra_memory(draw_smooth(height, width)) / 1e6
    sys.stdout.write(f"\nMemory of merge beyond its input and output: {extra_mb:.0f} MB\n")


def slow_ways(colorizer: Colorizer) -> dict[str, Callable[[bytes], object]]:
    """Collect other ways from bytes to bytes that can run here."""
    ways: dict[str, Callable[[bytes], object]] = {
        PLAIN: lambda upload: colorize_plainly(upload, colorizer)
    }
    if importlib.util.find_spec("keras") and importlib.util.find_spec("skimage"):
        from bench.peers import naive

        network = naive.build_network()
        ways[NAIVE] = lambda upload: naive.colorize(upload, network)
    else:
        sys.stderr.write(f"!!! {NAIVE!r} is LEFT OUT: its libraries are not installed.\n")
    return ways


def time_stages(
    upload: bytes,
    colorizer: Colorizer,
    rounds: int,
    others: dict[str, Callable[[bytes], object]],
) -> dict[str, float]:
    """Time what happens to a grey JPEG on its way to a coloured one.

    Parameters
    ----------
    upload : bytes
    colorizer : Colorizer
    rounds : int
    others : dict of str to callable
        Run in the first round only.

    Returns
    -------
    times : dict of str to float
        Row of the table -> milliseconds, or a ratio.
    """
    picture = decode_image(upload, LIMITS)
    lightness = split_lightness(picture.pixels)
    # More vivid than most predictions are, and of no lightness: the worst case.
    chroma = draw_chroma()
    rgb = apply_chroma(lightness, chroma, greys=picture.grey_8_bit)
    packed = np.ascontiguousarray(rgb)
    stages: dict[str, Callable[[], object]] = {
        "Pillow: decode": lambda: np.asarray(Image.open(io.BytesIO(upload))),
        "Pillow: encode": lambda: encode_jpeg(packed),
        "decode": lambda: decode_image(upload, LIMITS),
        "lightness": lambda: split_lightness(picture.pixels),
        "network": lambda: colorizer.predict(lightness),
        "merge": lambda: apply_chroma(lightness, chroma, greys=picture.grey_8_bit),
        "encode": lambda: encode_image(rgb, picture, JPEG),
        WHOLE: lambda: colorize(upload, colorizer, LIMITS),
    }
    for run in stages.values():
        run()
    times = [{name: _elapsed_ms(run) for name, run in stages.items()} for _ in range(rounds)]
    for name, way in others.items():
        times[0][name] = _elapsed_ms(functools.partial(way, upload))

    def ratio(name: str) -> float:
        return median(
            once[name] / (once["Pillow: decode"] + once["Pillow: encode"])
            for once in times
            if name in once
        )

    best = {name: min(once[name] for once in times if name in once) for name in times[0]}
    return best | {f"{name} / Pillow": ratio(name) for name in (WHOLE, *others)}


def measure_extra_memory(pixels: UInt8) -> int:
    """Measure the peak of bytes that merging takes beyond lightness and picture."""
    lightness, chroma = split_lightness(pixels), draw_chroma()
    tracemalloc.start()
    rgb = apply_chroma(lightness, chroma, greys=pixels)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak_bytes - rgb.size // 3 * 4


def draw_smooth(height: int, width: int) -> UInt8:
    """Draw clouds without grain: Pillow is fastest here, and the ratio worst."""
    knots = np.random.default_rng(0).uniform(0, 255, (12, 16)).astype(np.float32)
    clouds = Image.fromarray(knots).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(clouds).clip(0, 255).astype(np.uint8)


def draw_shapes(height: int, width: int) -> UInt8:
    """Draw 150 triangles under light film grain."""
    rng = np.random.default_rng(0)
    picture = Image.new("L", (width, height), 128)
    draw = ImageDraw.Draw(picture)
    for _ in range(150):
        centre = rng.uniform(-0.1, 1.1, 2)
        corners = (centre + rng.uniform(-0.15, 0.15, (3, 2))) * (width, height)
        draw.polygon([(x, y) for x, y in corners], fill=int(rng.integers(256)))
    grain = rng.normal(0, 4, (height, width)).astype(np.float32)
    return (np.asarray(picture) + grain).clip(0, 255).astype(np.uint8)


def draw_chroma() -> Float32:
    """Draw vivid drifting chroma, a fifth to a third of it outside sRGB."""
    knots = np.random.default_rng(1).uniform(-70, 70, (2, 8, 11)).astype(np.float32)
    return np.dstack([resize_plane(plane, *CHROMA_SIZE) for plane in knots])


def encode_jpeg(pixels: UInt8) -> bytes:
    """Encode as the service does, with Pillow alone."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling="4:4:4")
    return buffer.getvalue()


def write_table(columns: dict[str, dict[str, float]]) -> None:
    """Write times by row, one column for each picture."""
    sys.stdout.write(f"| ms | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}\n")
    for row in next(iter(columns.values())):
        digits = 2 if "/" in row else 0
        figures = " | ".join(f"{times[row]:.{digits}f}" for times in columns.values())
        sys.stdout.write(f"| {row} | {figures} |\n")


def _elapsed_ms(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
