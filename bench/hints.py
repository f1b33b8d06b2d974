"""How exactly hints hold: CIEDE2000 at their points, at full size.

`python -m bench.hints` prints a table; `bench/README.md` says how to read it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000

from service.cie import Float32, UInt8
from service.color import apply_chroma, merge_chroma, rgb_to_lab, split_lightness
from service.colorizer import Registry
from service.palettes import parse_palette
from service.pins import pin_hints
from service.settings import Settings

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*-grey.jpg"))
COLORS = parse_palette("ff8800,0050ff,00b060,e0007a,7800c8,00b4c8,fadc00")[:, 1:3]
COUNTS = (1, 3, 10, 30)
SEEN = 5.0
"""CIEDE2000 from which a hint counts as missed."""


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.hints", description=__doc__)
    parser.add_argument("--side", type=int, default=1000, help="of the pictures")
    parser.add_argument("--rounds", type=int, default=4, help="over all samples")
    options = parser.parse_args()
    settings = Settings()
    colorizer = Registry.load(settings.models_dir, settings.intra_op_threads).get(
        settings.default_model
    )
    rng = np.random.default_rng(0)
    print("| hints | mean, as enlarged | missed | mean, as answered | largest | missed |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in COUNTS:
        enlarged, answered = [], []
        for path in SAMPLES * options.rounds:
            lightness = _read(path, options.side)
            hints = _scatter(rng, count)
            chroma = colorizer.predict(lightness, hints=hints).first
            rgb = apply_chroma(lightness, chroma)
            enlarged.append(_measure(rgb, lightness, hints))
            pin_hints(rgb, lightness, hints)
            answered.append(_measure(rgb, lightness, hints))
        before, after = np.concatenate(enlarged), np.concatenate(answered)
        print(
            f"| {count} | {before.mean():.2f} | {(before > SEEN).mean():.1%} "
            f"| {after.mean():.2f} | {after.max():.2f} | {(after > SEEN).mean():.1%} |",
            flush=True,
        )


def _read(path: Path, side: int) -> Float32:
    with Image.open(path) as image:
        return split_lightness(np.asarray(image.convert("L").resize((side, side))))


def _scatter(rng: np.random.Generator, count: int) -> Float32:
    """Draw hints anywhere, in vivid colours."""
    points = rng.uniform(0, 1, (count, 2))
    colors = COLORS[rng.integers(0, len(COLORS), count)]
    return np.column_stack([points, colors, np.ones(count)]).astype(np.float32)


def _measure(rgb: UInt8, lightness: Float32, hints: Float32) -> NDArray[np.float64]:
    """Compare what is at hints with what sRGB has of their colours, at their lightness."""
    height, width = lightness.shape
    rows = (hints[:, 1] * height).astype(int)
    columns = (hints[:, 0] * width).astype(int)
    wanted = merge_chroma(lightness[rows, columns][None], hints[None, :, 2:4])[0]
    difference = deltaE_ciede2000(rgb_to_lab(wanted), rgb_to_lab(rgb[rows, columns]))
    return np.asarray(difference, np.float64)


if __name__ == "__main__":
    main()
