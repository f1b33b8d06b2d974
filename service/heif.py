"""HEIC, and AVIF of many parts, decoded in a process of its own that ends with the picture.

HEIC's decoder is the one among those that we use that can be made to crash, which
would take all other requests with it. A process for each picture costs some
60 ms beside a decoding that takes ten times as long at 12 megapixels, and
nothing at rest: the library is not even loaded here.

AVIF says of each of its parts how large it is, and a part may be far larger: a few
kilobytes of them kept its decoder busy for minutes, which no thread can be made to end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from service.errors import PictureTooLargeError

DECODER = Path(__file__).with_name("heif_decoder.py")
LONGEST_S = 120.0
"""Far beyond the processor time that the decoder is granted."""
KEEP_FREED = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(1 << 26),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
}
"""Lets its C library, where it is glibc, use freed planes again: the system would clear
each page of the next one, for a fifth of the time."""
BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)
"""Of which the last two say nothing of the coding: AVIF has them as well."""


AVIF_BRANDS = frozenset((b"avif", b"avis", b"mif1", b"msf1"))


def is_avif_of_parts(data: bytes) -> bool:
    """Tell whether bytes may be an AVIF that is put together of several pictures.

    Parameters
    ----------
    data : bytes
        A whole file.

    Returns
    -------
    bool
        Also of some files, very few, that only look like it.
    """
    is_avif = data[4:8] == b"ftyp" and data[8:12] in AVIF_BRANDS and b"av01" in data
    return is_avif and (b"grid" in data or b"moov" in data)


def is_heif(data: bytes) -> bool:
    """Tell whether bytes begin like a HEIC.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    bool
    """
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS


def open_heif(data: bytes, max_pixels: int, format_name: str = "HEIF") -> Image.Image:
    """Decode the main picture of a HEIC, upright, or of an AVIF, as it lies.

    Parameters
    ----------
    data : bytes
    max_pixels : int
        Height times width, compared before anything is decoded.
    format_name : str
        ``HEIF`` or ``AVIF``.

    Returns
    -------
    Image
        Loaded; of the modes L, LA, RGB or RGBA, with EXIF, ICC profile and XMP.

    Raises
    ------
    PictureTooLargeError
    ValueError
        When it cannot be decoded.
    """
    answer = _run_decoder(data, max_pixels, format_name)
    # Found, not split off: the answer would be copied, and it is as large as its pixels.
    end = answer.find(b"\n")
    if end < 0:
        raise ValueError("its decoder broke off")
    described = json.loads(answer[:end])
    if "error" in described:
        raise ValueError(described["error"])
    width, height = described["size"]
    if "mode" not in described:
        raise PictureTooLargeError(height, width, max_pixels)
    parts, position = {}, end + 1
    for name, length in described["lengths"].items():
        parts[name] = np.frombuffer(answer, np.uint8, length, position)
        position += length
    mode, pixels = described["mode"], parts.pop("pixels")
    image = Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1)
    image.format = format_name
    image.info |= {name: part.tobytes() for name, part in parts.items()}
    return image


def _run_decoder(data: bytes, max_pixels: int, format_name: str) -> bytes:
    # Keys are none of its business.
    environment = {name: os.environ[name] for name in os.environ if "COLORIZE" not in name}
    environment |= KEEP_FREED
    try:
        finished = subprocess.run(  # noqa: S603 - our own program, without a shell
            [sys.executable, "-I", str(DECODER), str(max_pixels), format_name],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=LONGEST_S,
            check=False,
            # What a terminal sends to stop the service is not for it: it is work to be finished.
            process_group=0,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError("it takes too long") from error
    return finished.stdout
