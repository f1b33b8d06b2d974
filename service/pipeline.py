"""One request, from bytes to bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.color import apply_chroma, split_lightness
from service.colorizer import Colorizer
from service.images import Limits, decode_image, encode_image

Result = TypeVar("Result")


@dataclass(frozen=True)
class ColorizedPicture:
    """A coloured picture, encoded, and what each stage took."""

    data: bytes
    media_type: str
    extension: str
    timings_ms: dict[str, float]


def colorize(data: bytes, colorizer: Colorizer, limits: Limits) -> ColorizedPicture:
    """Colour an encoded picture at its full size.

    Parameters
    ----------
    data : bytes
        The upload, in any format that `decode_image` reads.
    colorizer : Colorizer
    limits : Limits
        What `decode_image` accepts.

    Returns
    -------
    ColorizedPicture
        In the format of the upload where that can hold true colour.

    Raises
    ------
    ColorizeError
        When the upload is not a picture that we read; see `service.errors`.
    """
    watch = _Stopwatch()
    picture = watch.time("decode", lambda: decode_image(data, limits))
    lightness = watch.time("decode", lambda: split_lightness(picture.pixels))
    chroma = watch.time("model", lambda: colorizer.predict(lightness))
    rgb = watch.time("merge", lambda: merge_prediction(lightness, chroma))
    encoded = watch.time("encode", lambda: encode_image(rgb, picture))
    return ColorizedPicture(encoded.data, encoded.media_type, encoded.extension, watch.elapsed_ms)


def merge_prediction(
    lightness: NDArray[np.float32], chroma: NDArray[np.float32], *, threads: int = 1
) -> NDArray[np.uint8]:
    """Put predicted chroma on full-size lightness.

    Parameters
    ----------
    lightness : ndarray of float32, shape (H, W)
        CIE L* in [0, 100].
    chroma : ndarray of float32, shape (h, w, 2)
        Small predicted a* and b*.
    threads : int
        At least 1.

    Returns
    -------
    rgb : ndarray of uint8, shape (H, W, 3)
        Gamma-encoded sRGB with the given lightness.
    """
    return apply_chroma(lightness, chroma, threads=threads)


class _Stopwatch:
    """Adds up the wall time of named stages."""

    def __init__(self) -> None:
        self.elapsed_ms: dict[str, float] = {}

    def time(self, stage: str, run: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        try:
            return run()
        finally:
            elapsed_ms = (time.perf_counter() - start) * 1000
            self.elapsed_ms[stage] = self.elapsed_ms.get(stage, 0.0) + elapsed_ms
