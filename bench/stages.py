"""Stage times of one picture, beside what Pillow takes to read and write it.

Times differ between machines and hours, ratios much less: the table divides
within one run, and each figure is the best of several.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from service.cie import Float32, UInt8
from service.color import apply_chroma, resize_plane, split_lightness
from service.formats import JPEG
from service.images import Limits, decode_image, encode_image

LIMITS = Limits(max_pixels=1_000_000_000)
NETWORK_SIZE = (192, 256)
CHROMA_SIZE = (96, 128)
MODEL_ALLOWANCE_MS = 30.0
"""What stands in for the network: it depends on the model, not on the picture."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--width", type=int, default=4000, help="of a picture of 4 x 3")
    parser.add_argument("--threads", type=int, default=1, help="for lightness and merge")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    height, width = arguments.width * 3 // 4, arguments.width
    columns = {
        name: time_stages(draw(height, width), arguments.threads, arguments.repeats)
        for name, draw in (("smooth", draw_smooth), ("grainy shapes", draw_shapes))
    }
    write_table(columns)
    extra_mb = measure_extra_memory(draw_smooth(height, width), arguments.threads) / 1e6
    sys.stdout.write(f"\nMemory of merge beyond its input and output: {extra_mb:.0f} MB\n")


def time_stages(pixels: UInt8, threads: int, repeats: int) -> dict[str, float]:
    """Time what happens to a grey JPEG on its way to a coloured one.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W)
    threads, repeats : int

    Returns
    -------
    times : dict of str to float
        Row of the table -> milliseconds, or a ratio.
    """
    upload = encode_jpeg(pixels)
    picture = decode_image(upload, LIMITS)
    lightness = split_lightness(picture.pixels)
    chroma = draw_chroma()
    rgb = apply_chroma(lightness, chroma)

    def best_ms(run: Callable[[], object]) -> float:
        return min(_elapsed_ms(run) for _ in range(repeats))

    pillow = {
        "Pillow: decode": best_ms(lambda: np.asarray(Image.open(io.BytesIO(upload)))),
        "Pillow: encode": best_ms(lambda: encode_jpeg(rgb)),
    }
    ours = {
        "decode": best_ms(lambda: decode_image(upload, LIMITS)),
        "lightness": best_ms(lambda: split_lightness(picture.pixels, threads=threads)),
        "resize for the network": best_ms(lambda: resize_plane(lightness, *NETWORK_SIZE)),
        "network (allowed for)": MODEL_ALLOWANCE_MS,
        "merge": best_ms(lambda: apply_chroma(lightness, chroma, threads=threads)),
        "encode": best_ms(lambda: encode_image(rgb, picture, JPEG)),
    }
    total, reference = sum(ours.values()), sum(pillow.values())
    return pillow | ours | {"sum": total, "sum / Pillow": total / reference}


def measure_extra_memory(pixels: UInt8, threads: int) -> int:
    """Measure the peak of bytes that merging takes beyond lightness and picture."""
    lightness, chroma = split_lightness(pixels), draw_chroma()
    apply_chroma(lightness[:1], chroma)  # Makes the tables, which stay.
    tracemalloc.start()
    rgb = apply_chroma(lightness, chroma, threads=threads)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak_bytes - rgb.nbytes


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
