"""A program that decodes one picture and ends: ``python -I heif_decoder.py MAX_PIXELS FORMAT``.

The file comes over standard input. Over standard output leaves a line of JSON:
``size``, ``mode``, and the ``lengths`` of what follows it, the last being the
pixels; ``size`` alone when there are too many of them; ``error`` when it cannot
be decoded. It imports nothing of the service, so that it starts quickly.
"""

from __future__ import annotations

import io
import json
import math
import resource
import sys
from typing import Any

import pi_heif
from pi_heif import options
from PIL import Image

PARSING_BYTES = 1 << 30
DECODING_BYTES = 1 << 29
DECODING_BYTES_PER_PIXEL = 24
"""Address space: planes of 16 bits, their reference pictures, sRGB, and copies of it."""
DECODING_S = 8
DECODING_S_PER_MEGAPIXEL = 0.3
"""Of processor time; an honest picture takes a third of the latter."""
Buffer = bytes | memoryview

DECODING_THREADS = 2
"""More than one core for a picture, as an exception: no other format takes as long."""
METADATA = ("exif", "icc_profile", "xmp")


def decode(
    data: bytes, max_pixels: int, format_name: str
) -> tuple[dict[str, Any], list[Buffer], object]:
    """Decode the picture of a file.

    Parameters
    ----------
    data : bytes
    max_pixels : int
    format_name : str
        ``HEIF`` or ``AVIF``.

    Returns
    -------
    head : dict
        As the module says.
    parts : list of bytes or memoryview
        What follows it.
    owner : object
        Of the memory of the pixels: without it, that is gone.
    """
    options.DECODE_THREADS = DECODING_THREADS
    # Thumbnails and depth maps inside a file are pictures that nobody asked for.
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    # Hostile bytes may raise anything at all.
    try:
        is_heif = format_name == "HEIF"
        # Not by its plugin for Pillow: a hundred megabytes would be copied three times.
        opened = pi_heif.open_heif if is_heif else Image.open
        picture: Any = opened(io.BytesIO(data))
        width, height = picture.size
        if width * height <= max_pixels:
            limit_work(width * height)
            pixels = picture.data if is_heif else picture.tobytes()
        # What the header says may differ from what it holds.
        width, height = picture.size
        if width * height > max_pixels:
            return {"size": picture.size}, [], None
        if is_heif:
            # It is upright already.
            pi_heif.set_orientation(picture.info)
        parts = {name: picture.info[name] for name in METADATA if picture.info.get(name)}
        parts["pixels"] = pixels
        lengths = {name: len(part) for name, part in parts.items()}
        head = {"size": picture.size, "mode": picture.mode, "lengths": lengths}
        return head, list(parts.values()), picture
    except Exception as error:  # noqa: BLE001
        return {"error": str(error).strip() or type(error).__name__}, [], None


def limit_work(pixels: int) -> None:
    """Let the system refuse more than a picture of so many pixels may take."""
    limit_memory(DECODING_BYTES + DECODING_BYTES_PER_PIXEL * pixels)
    limit_time(DECODING_S + DECODING_S_PER_MEGAPIXEL * pixels / 1e6)


def limit_time(seconds: float) -> None:
    """Let the system end the process after so much processor time."""
    whole = math.ceil(seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (whole, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def limit_memory(most_bytes: int) -> None:
    """Let the system refuse more address space than this."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main() -> None:
    """Decode what comes in."""
    limit_memory(PARSING_BYTES)
    limit_time(DECODING_S)
    head, parts, _owner = decode(sys.stdin.buffer.read(), int(sys.argv[1]), sys.argv[2])
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    sys.stdout.buffer.writelines(parts)


if __name__ == "__main__":
    main()
