"""Pictures to begin with, and small copies of them to choose by."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from PIL import Image

PACKAGE_DIR = Path(__file__).resolve().parent
ENDING = "-grey.jpg"
THUMBNAIL_SIDE = 192
"""Pixels: enough for the page on screens of twice the usual density."""


def find_samples_dir() -> Path:
    """Return `samples/` of the checkout, or of the package when it is installed."""
    beside_package = PACKAGE_DIR.parent / "samples"
    return beside_package if beside_package.is_dir() else PACKAGE_DIR / "samples"


@cache
def find_samples(folder: Path) -> dict[str, Path]:
    """List the samples.

    Parameters
    ----------
    folder : Path
        With files named ``NAME-grey.jpg``; it need not exist.

    Returns
    -------
    samples : dict of str to Path
        Files by name, kinds taking turns: ``geometric-1``, ``fluid-1``, ...
    """
    samples = {path.name.removesuffix(ENDING): path for path in folder.glob(f"*{ENDING}")}
    return {name: samples[name] for name in sorted(samples, key=_turn)}


@cache
def draw_thumbnail(path: Path) -> bytes:
    """Draw a small copy of a sample, as JPEG; longer side `THUMBNAIL_SIDE`."""
    with Image.open(path) as picture:
        picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _turn(name: str) -> tuple[str, int]:
    kind, _, number = name.rpartition("-")
    # Geometric before fluid: what is told from grey at a glance comes first.
    return number, -ord(kind[:1] or "\0")
