"""Pictures that are built to wear out their reader are refused before they are opened.

Pillow's readers walk over the parts of a file one by one, in Python, and make an
object of each value of a tag: some megabytes of the smallest parts there are
keep them busy for seconds, or make a gigabyte of them. The same walk, without
doing anything at each part, tells such files from those that anybody has.

References
----------
.. [1] ITU-T T.81, JPEG.
.. [2] W3C, Portable Network Graphics, third edition.
.. [3] Adobe, TIFF 6.0; for more than 4 GB, BigTIFF.
.. [4] CompuServe, GIF 89a.
"""

from __future__ import annotations

import re
import struct

from service.errors import UnreadablePictureError

MAX_PARTS = 10_000
"""Segments, chunks or blocks; files that people have hold some dozens."""
PART_BYTES = 1024
"""So many bytes of a file allow one part more: long pictures are sent in pieces."""
MAX_JUNK_BYTES = 100_000
"""Of a JPEG, between its segments."""
MAX_EXIF_SEGMENTS = 16
MAX_TAG_VALUES = 200_000
"""Numbers in the tags of a TIFF or of EXIF; strips and tiles need two each."""
MAX_DIRECTORIES = 64
MAX_SCANNED_PIXELS = 2_000_000_000
"""Of a JPEG, all scans together: a hundred megapixels in twenty scans."""
MAX_SCANS = 500
"""Of whatever size: what the makers of the decoder allow when they test it."""

PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LONGEST_KEYWORD = 79
MISLEADING_KEYWORDS = frozenset(
    {
        "aspect",
        "bbox",
        "blend",
        "chromaticity",
        "default_image",
        "disposal",
        "dpi",
        "duration",
        "gamma",
        "icc_profile",
        "interlace",
        "loop",
        "srgb",
        "transparency",
        "xmp",
    }
)
"""What Pillow calls things that are no texts, where it keeps the texts of a PNG as well."""

EXIF_PREFIX = b"Exif\0\0"
SOS = 0xDA
EOI = 0xD9
APP1 = 0xE1
BARE_MARKERS = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))
"""Markers that no length follows."""
# Neither stuffed (00), nor a restart (D0 to D7), nor padding (FF).
NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

VALUE_BYTES = {
    # Text and bytes are taken as they are, whatever their number.
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Type of a tag whose values are numbers -> bytes of each."""
SUB_DIRECTORIES = frozenset((330, 34665, 34853, 40965))
"""Tags that point at directories: of a TIFF, EXIF, GPS, interoperability."""


def check_structure(data: bytes) -> None:
    """Refuse a file with absurdly many parts.

    Parameters
    ----------
    data : bytes
        A whole file, not yet opened. What is damaged is left to the reader.

    Raises
    ------
    UnreadablePictureError
    """
    try:
        if data.startswith(b"\xff\xd8"):
            _check_jpeg(data)
        elif data.startswith(b"\x89PNG"):
            _check_png(data)
        elif data.startswith(b"GIF8"):
            _check_gif(data)
        elif data.startswith((b"II", b"MM")):
            check_directories(data)
    except (IndexError, struct.error):
        # It ends too early: what is there has been looked at.
        return


def drop_misleading_texts(data: bytes) -> bytes:
    """Take out of a PNG the texts that Pillow would take for something else.

    A text "interlace" says nothing about the pixels, and would be believed.

    Parameters
    ----------
    data : bytes
        A file of any format, whose structure was checked.

    Returns
    -------
    data : bytes
        The same, where there are none.
    """
    if not data.startswith(b"\x89PNG"):
        return data
    kept, start, position = [], 0, 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind in PNG_TEXTS:
            keyword = data[position + 8 : position + 8 + LONGEST_KEYWORD].partition(b"\0")[0]
            if keyword.decode("latin-1") in MISLEADING_KEYWORDS:
                kept.append(data[start:position])
                start = end
        position = end
    return b"".join((*kept, data[start:])) if kept else data


def check_scans(data: bytes, pixels: int) -> None:
    """Refuse a JPEG that goes over its pixels too often.

    Parameters
    ----------
    data : bytes
        A JPEG.
    pixels : int
        Of the picture, as its header says.

    Raises
    ------
    UnreadablePictureError
    """
    most = min(MAX_SCANS, MAX_SCANNED_PIXELS // max(pixels, 1))
    # Quick: there are at least as many of these bytes as there are scans.
    if data.count(b"\xff\xda") > most and _count_scans(data) > most:
        raise _excessive(f"{most:,} scans at its size")


def check_directories(data: bytes) -> None:
    """Refuse tags, of a TIFF or of EXIF, with absurdly many values.

    Parameters
    ----------
    data : bytes
        From the byte order on.

    Raises
    ------
    UnreadablePictureError
    struct.error
        When it ends too early.
    """
    order = "<" if data.startswith(b"II") else ">"
    is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
    pointer, count, entry = ("Q", "Q", "HHQQ") if is_big else ("I", "H", "HHII")
    offset_at = 8 if is_big else 4
    ahead = [struct.unpack_from(order + pointer, data, offset_at)[0]]
    values, visited = 0, set[int]()
    while ahead:
        offset = ahead.pop()
        if offset in visited or offset >= len(data):
            continue
        visited.add(offset)
        if len(visited) > MAX_DIRECTORIES:
            raise _excessive(f"{MAX_DIRECTORIES} directories of tags")
        try:
            (entries,) = struct.unpack_from(order + count, data, offset)
        except struct.error:
            continue
        start, size = offset + struct.calcsize(order + count), struct.calcsize(order + entry)
        table = data[start : start + min(entries, MAX_TAG_VALUES + 1) * size]
        whole = table[: len(table) // size * size]
        for tag, kind, number, value in struct.iter_unpack(order + entry, whole):
            # More than the file holds cannot be read.
            values += min(number, len(data) // VALUE_BYTES[kind]) if kind in VALUE_BYTES else 1
            if values > MAX_TAG_VALUES:
                raise _excessive(f"{MAX_TAG_VALUES:,} values in its tags")
            if tag in SUB_DIRECTORIES and number == 1:
                ahead.append(value)


def check_exif(exif: bytes | None) -> None:
    """Refuse EXIF with absurdly many values.

    Parameters
    ----------
    exif : bytes or None
        As Pillow keeps it, with or without its prefix.

    Raises
    ------
    UnreadablePictureError
    struct.error
        When it ends too early.
    """
    if exif:
        has_prefix = exif.startswith(EXIF_PREFIX)
        check_directories(exif[len(EXIF_PREFIX) :] if has_prefix else exif)


def _excessive(limit: str) -> UnreadablePictureError:
    return UnreadablePictureError(f"A picture must have at most {limit}. Received: more")


def _check_parts(parts: int, data: bytes, what: str) -> None:
    most = MAX_PARTS + len(data) // PART_BYTES
    if parts > most:
        raise _excessive(f"{most:,} {what} at its length")


def _check_jpeg(data: bytes) -> None:
    """Walk over the segments before the first scan, as Pillow does."""
    position, segments, junk, exif_segments = 2, 0, 0, 0
    while True:
        start = data.find(b"\xff", position)
        if start < 0:
            start = len(data)
        junk += start - position
        if junk > MAX_JUNK_BYTES:
            raise _excessive(f"{MAX_JUNK_BYTES:,} bytes between its segments")
        code = data[start + 1]
        if code in (0x00, 0xFF):
            position = start + 1
            junk += 1
            continue
        if code in (SOS, EOI):
            return
        segments += 1
        _check_parts(segments, data, "segments")
        position = start + 2
        if code in BARE_MARKERS:
            continue
        if code == APP1 and data.startswith(EXIF_PREFIX, position + 2):
            exif_segments += 1
            if exif_segments > MAX_EXIF_SEGMENTS:
                raise _excessive(f"{MAX_EXIF_SEGMENTS} segments of EXIF")
        position += max(2, struct.unpack_from(">H", data, position)[0])


def _count_scans(data: bytes) -> int:
    position, scans = 2, 0
    while match := NEXT_MARKER.search(data, position):
        code = data[match.start() + 1]
        position = match.end()
        if code == EOI:
            break
        scans += code == SOS
        if code not in BARE_MARKERS:
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return scans


def _check_png(data: bytes) -> None:
    position, chunks = 8, 0
    while position < len(data):
        chunks += 1
        _check_parts(chunks, data, "chunks")
        position += 12 + struct.unpack_from(">I", data, position)[0]


def _check_gif(data: bytes) -> None:
    """Walk over the blocks before the first picture."""
    flags = data[10]
    position = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    blocks = 0
    # Extensions; what else there may be ends the walk, as does a picture.
    while data[position] == 0x21:
        position += 2
        while True:
            blocks += 1
            _check_parts(blocks, data, "blocks")
            size = data[position]
            position += 1 + size
            if not size:
                break
