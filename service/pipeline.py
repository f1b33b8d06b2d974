"""One request, from bytes to bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from service.color import apply_chroma, split_lightness
from service.colorizer import Colorizer
from service.images import Limits, decode_image, encode_image
from service.negotiation import ANY_FORMAT, FormatWeights, choose_format

Result = TypeVar("Result")


@dataclass(frozen=True)
class ColorizedPicture:
    """A coloured picture, encoded, and what each stage took."""

    data: bytes
    media_type: str
    extension: str
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class OutputOptions:
    """How an answer is to be written.

    Parameters
    ----------
    format_weights : mapping of OutputFormat to float
        How much each format is wanted; see `service.negotiation`.
    quality : int
        1..100, for lossy formats.
    keep_metadata : bool
        Whether the answer says what the upload said beside its pixels.
    """

    format_weights: FormatWeights = field(default_factory=lambda: ANY_FORMAT)
    quality: int = 90
    keep_metadata: bool = False


DEFAULT_OUTPUT = OutputOptions()


def colorize(
    data: bytes,
    colorizer: Colorizer,
    limits: Limits,
    output: OutputOptions = DEFAULT_OUTPUT,
) -> ColorizedPicture:
    """Colour an encoded picture at its full size.

    Parameters
    ----------
    data : bytes
        The upload, in any format that `decode_image` reads.
    colorizer : Colorizer
    limits : Limits
        What `decode_image` accepts.
    output : OutputOptions, optional
        By default the format of the upload, where that can hold the answer.

    Returns
    -------
    ColorizedPicture
        Of 16 bits when the upload is, and the format can hold them.

    Raises
    ------
    ColorizeError
        When the upload is not a picture that we read; see `service.errors`.
    """
    watch = _Stopwatch()
    picture = watch.time(
        "decode", lambda: decode_image(data, limits, keep_metadata=output.keep_metadata)
    )
    output_format = choose_format(picture, output.format_weights)
    bit_depth = picture.bit_depth if output_format.carries_16_bit else 8
    lightness = watch.time("decode", lambda: split_lightness(picture.pixels))
    chroma = watch.time("model", lambda: colorizer.predict(lightness))
    rgb = watch.time("merge", lambda: apply_chroma(lightness, chroma, bit_depth=bit_depth))
    encoded = watch.time(
        "encode", lambda: encode_image(rgb, picture, output_format, quality=output.quality)
    )
    return ColorizedPicture(encoded.data, encoded.media_type, encoded.extension, watch.elapsed_ms)


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
