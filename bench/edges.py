"""What enlarging chroma gets wrong, beside bilinear enlarging.

Chroma of pictures in colour is made small and brought back to full size; the
distance to what it was, hypot of a* and b*, is the error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.cie import Float32
from service.color import resize_plane, rgb_to_lab, upsample_chroma

SHRINKAGES = (8, 21)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.edges", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("samples"))
    folder = parser.parse_args().folder
    paths = [path for path in sorted(folder.rglob("*.jpg")) if not path.stem.endswith("-grey")]
    labs = [rgb_to_lab(np.asarray(Image.open(path).convert("RGB"))) for path in paths]
    sys.stdout.write("| mean error (95th percentile) | guided | bilinear |\n|---|---:|---:|\n")
    for shrinkage in SHRINKAGES:
        errors = np.mean([measure(lab, shrinkage) for lab in labs], axis=0)
        write_row(f"{len(labs)} pictures, 1 : {shrinkage}", errors)
    for ramp in (0, 2, 6):
        error = measure(draw_slanted_edge(ramp), 31)
        write_row(f"slanted edge, {ramp} px wide, 1 : 31; (worst)", error)


def measure(lab: Float32, shrinkage: int) -> NDArray[np.float64]:
    """Measure the errors of both ways; shape (2, 3): mean, 95th percentile, largest."""
    height, width = lab.shape[:2]
    small_size = max(1, height // shrinkage), max(1, width // shrinkage)
    small = np.dstack([resize_plane(lab[..., plane], *small_size) for plane in (1, 2)])
    guided = upsample_chroma(small, np.ascontiguousarray(lab[..., 0]))
    bilinear = np.dstack([resize_plane(small[..., plane], height, width) for plane in range(2)])
    distances = [np.linalg.norm(way - lab[..., 1:], axis=-1) for way in (guided, bilinear)]
    return np.array([(d.mean(), np.quantile(d, 0.95), d.max()) for d in distances])


def draw_slanted_edge(ramp: int) -> Float32:
    """Draw two flat colours, L*a*b*, 4000 wide; antialiased over `ramp` pixels."""
    rows, columns = np.mgrid[0:600, 0:4000]
    beyond = columns - 1800 - 0.7 * rows
    share = (beyond / ramp + 0.5).clip(0, 1) if ramp else (beyond >= 0).astype(float)
    return np.dstack((30 + 40 * share, 40 - 75 * share, -30 + 75 * share)).astype(np.float32)


def write_row(name: str, errors: NDArray[np.float64]) -> None:
    """Write the mean and, in brackets, the 95th percentile or the largest error."""
    bracketed = 2 if "worst" in name else 1
    figures = (f"{way[0]:.2f} ({way[bracketed]:.1f})" for way in errors)
    sys.stdout.write(f"| {name} | {' | '.join(figures)} |\n")


if __name__ == "__main__":
    main()
