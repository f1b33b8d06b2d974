"""A program that decodes one HEIC, and then ends: ``python -I heif_decoder.py MAX_PIXELS``.

The file comes over standard input. Over standard output leaves a line of JSON:
``size``, ``mode``, and the ``lengths`` of what follows it, the last being the
pixels; ``size`` alone when there are too many of them; ``error`` when it cannot
be decoded. It imports nothing of the service, so that it starts quickly.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any

import pi_heif
from pi_heif import options

PARSING_BYTES = 1 << 30
DECODING_BYTES = 1 << 29
DECODING_BYTES_PER_PIXEL = 24
"""Address space: planes of 16 bits, their reference pictures, sRGB, and copies of it."""
DECODING_S = 60
"""Of processor time; a hundred megapixels take a tenth of it."""
Buffer = bytes | memoryview

DECODING_THREADS = 2
"""More than one core for a picture, as an exception: no other format takes as long."""
METADATA = ("exif", "icc_profile", "xmp")


def decode(data: bytes, max_pixels: int) -> tuple[dict[str, Any], list[Buffer], object]:
    """Decode the picture of a file.

    Parameters
    ----------
    data : bytes
    max_pixels : int

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
        # Not by its plugin for Pillow: a hundred megabytes would be copied three times.
        picture = pi_heif.open_heif(io.BytesIO(data))
        width, height = picture.size
        if width * height <= max_pixels:
            limit_memory(DECODING_BYTES + DECODING_BYTES_PER_PIXEL * width * height)
            pixels = picture.data
        # What the header says may differ from what it holds.
        width, height = picture.size
        if width * height > max_pixels:
            return {"size": picture.size}, [], None
        # It is upright already.
        pi_heif.set_orientation(picture.info)
        parts = {name: picture.info[name] for name in METADATA if picture.info.get(name)}
        parts["pixels"] = pixels
        lengths = {name: len(part) for name, part in parts.items()}
        head = {"size": picture.size, "mode": picture.mode, "lengths": lengths}
        return head, list(parts.values()), picture
    except Exception as error:  # noqa: BLE001
        return {"error": str(error).strip() or type(error).__name__}, [], None


def limit_memory(most_bytes: int) -> None:
    """Let the system refuse more address space than this."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main() -> None:
    """Decode what comes in."""
    limit_memory(PARSING_BYTES)
    resource.setrlimit(resource.RLIMIT_CPU, (DECODING_S, DECODING_S))
    head, parts, _owner = decode(sys.stdin.buffer.read(), int(sys.argv[1]))
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    sys.stdout.buffer.writelines(parts)


if __name__ == "__main__":
    main()
