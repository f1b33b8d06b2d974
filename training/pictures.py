"""Folders of pictures, read as the service reads uploads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.errors import ColorizeError
from service.images import Limits, decode_image
from training.console import track, warn
from training.errors import CorpusError

LIMITS = Limits(max_pixels=200_000_000)


def list_files(folder: Path) -> list[Path]:
    """List the files below a folder, hidden ones left out, in a stable order.

    Raises
    ------
    CorpusError
        When there is no such folder.
    """
    if not folder.is_dir():
        raise CorpusError(f"a corpus must be a folder. Received: {folder}")
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )


def read_pictures(paths: list[Path], description: str) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """Decode files as the service does; report and skip what is no picture.

    Yields
    ------
    path : Path
    rgb : ndarray of uint8, shape (H, W, 3)
    """
    for path in track(paths, description):
        try:
            rgb = decode_image(path.read_bytes(), LIMITS).rgb_8_bit()
        except (ColorizeError, OSError) as error:
            warn(f"{path}: skipped, {error}")
            continue
        yield path, rgb
