"""Pictures that nobody made in good faith: built here, byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MB = 1_000_000


@dataclass(frozen=True)
class Bomb:
    """A few bytes that ask for very many.

    Parameters
    ----------
    name : str
    build : callable
        Makes the bytes.
    statuses : tuple of int
        What it may be answered with.
    """

    name: str
    build: Callable[[], bytes]
    statuses: tuple[int, ...]


def save(image: Image.Image, format_name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(width: int, height: int, pixels: bytes, *extra: bytes, bit_depth: int = 8) -> bytes:
    """A grey PNG; `pixels` are compressed rows, `extra` are chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, 0, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IDAT", pixels)]
    return b"".join([PNG_SIGNATURE, *chunks, png_chunk(b"IEND", b"")])


def zeros(count: int) -> bytes:
    """A zlib stream of so many zeros, made in little memory."""
    compressor = zlib.compressobj(9)
    block = bytes(MB)
    parts = [compressor.compress(block) for _ in range(count // MB)]
    parts += [compressor.compress(bytes(count % MB)), compressor.flush()]
    return b"".join(parts)


SMALL_PIXELS = zlib.compress(b"\0" * (9 * 8))
"""Of 8 x 8 grey pixels."""


def tiff(tags: dict[int, tuple[int, int, int]], *blocks: bytes) -> bytes:
    """A little-endian TIFF of one directory: tag -> type, count, value or offset.

    Blocks lie one after the other from offset 1,000 on.
    """
    entries = b"".join(
        struct.pack("<HHII", tag, kind, count, value)
        for tag, (kind, count, value) in sorted(tags.items())
    )
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(1000, b"\0") + b"".join(blocks)


def grey_tiff(width: int, height: int, strip: bytes, **more: tuple[int, int, int]) -> bytes:
    """A deflated grey TIFF; further tags as ``t34675=(type, count, value)``."""
    tags = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, 8),
        259: (3, 1, 8),
        262: (3, 1, 1),
        273: (4, 1, 1000),
        277: (3, 1, 1),
        278: (4, 1, height),
        279: (4, 1, len(strip)),
    }
    tags |= {int(name[1:]): value for name, value in more.items()}
    return tiff(tags, strip)


def webp(canvas_side: int, *frames: bytes, animated: bool = False) -> bytes:
    """A WebP of the extended kind, around chunks."""
    side = struct.pack("<I", canvas_side - 1)[:3]
    flags = bytes([2 if animated else 0, 0, 0, 0])
    body = b"WEBPVP8X" + struct.pack("<I", 10) + flags + side + side + b"".join(frames)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_picture(side: int, grey: int = 128) -> bytes:
    """The picture chunk of a lossless WebP."""
    return save(Image.new("RGB", (side, side), (grey,) * 3), "WEBP", lossless=True, method=0)[12:]


def animated_webp(side: int, frames: int) -> bytes:
    picture = webp_picture(side)
    size = struct.pack("<I", side - 1)[:3]
    head = bytes(6) + size + size + b"\x01\0\0" + b"\0"
    frame = b"ANMF" + struct.pack("<I", len(head) + len(picture)) + head + picture
    animation = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return webp(side, animation, *[frame] * frames, animated=True)


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """A GIF whose canvas is as told, and whose frames are a pixel large."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"


def gif_of_full_frame(side: int) -> bytes:
    return save(Image.new("P", (side, side)), "GIF")


def jpeg_with_size(width: int, height: int) -> bytes:
    """A JPEG of 8 x 8 pixels whose header claims another size."""
    data = bytearray(save(Image.new("L", (8, 8), 99), "JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_of_many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that tells its finest detail, which is none, again and again."""
    data = save(Image.new("L", (side, side), 99), "JPEG", progressive=True)
    starts = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    last, end = starts[-1], data.rindex(b"\xff\xd9")
    # Its Huffman table stands before the scan; repeated scans use it again.
    return data[:end] + data[last:end] * scans + data[end:]


def jpeg_with_segments(marker: int, body: bytes, count: int = 1) -> bytes:
    data = save(Image.new("L", (8, 8), 99), "JPEG")
    segment = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    return data[:2] + segment * count + data[2:]


def exif_loop() -> bytes:
    """EXIF whose directories point at themselves."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    loop = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8)
    return b"Exif\0\0" + loop


def exif_of_claims() -> bytes:
    """EXIF whose every tag claims four billion values."""
    entries = b"".join(struct.pack("<HHII", 0x9000 + i, 5, 0xFFFFFFFF, 8) for i in range(2000))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2000) + entries + bytes(4)


def exif_of_values(count: int) -> bytes:
    """EXIF whose orientation has very many values."""
    entry = struct.pack("<HHII", 274, 4, count, 26)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4 + 4 * count)


def tiff_of_values(tag: int, kind: int, count: int) -> bytes:
    """A TIFF one of whose tags has very many values."""
    strip = SMALL_PIXELS.ljust(1000, b"\0")
    sizes = {4: 4, 5: 8}
    return grey_tiff(8, 8, strip, **{f"t{tag}": (kind, count, 2000)}) + bytes(sizes[kind] * count)


def gif_of_comments(count: int) -> bytes:
    comments = b"!\xfe\x01x\0" * count
    return gif(8, 8)[:19] + comments + gif(8, 8)[19:]


def bmp_of_runs(side: int) -> bytes:
    """A BMP of run-length code whose few runs fill everything."""
    colors = b"".join(bytes([i, i, i, 0]) for i in range(256))
    runs = b"\xff\x80" * 50 + b"\0\x01"
    offset = 14 + 40 + len(colors)
    head = b"BM" + struct.pack("<IHHI", offset + len(runs), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return head + info + colors + runs


def icc_of_size(size: int) -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile += bytes(size - len(profile))
    profile[:4] = struct.pack(">I", len(profile))
    return bytes(profile)


def icc_of_claims() -> bytes:
    """A profile whose curves claim four billion entries."""
    return icc_of_size(5000).replace(b"para\0\0\0\0", b"curv\0\0\0\0\xff\xff\xff\xff")


BOMBS = (
    Bomb("png-says-4-gigapixels", lambda: png(65_535, 65_535, SMALL_PIXELS), (413,)),
    Bomb("png-says-2-to-the-62", lambda: png(2**31 - 1, 2**31 - 1, SMALL_PIXELS), (413,)),
    Bomb("png-pixels-without-end", lambda: png(8, 8, zeros(200 * MB)), (200, 422)),
    Bomb(
        "png-text",
        lambda: png(8, 8, SMALL_PIXELS, png_chunk(b"zTXt", b"a\0\0" + zeros(100 * MB))),
        (200, 422),
    ),
    Bomb(
        "png-many-texts",
        lambda: png(8, 8, SMALL_PIXELS, *[png_chunk(b"zTXt", b"a\0\0" + zeros(MB))] * 100),
        (200, 422),
    ),
    Bomb(
        "png-international-text",
        lambda: png(8, 8, SMALL_PIXELS, png_chunk(b"iTXt", b"a\0\x01\0\0\0" + zeros(100 * MB))),
        (200, 422),
    ),
    Bomb(
        "png-profile",
        lambda: png(8, 8, SMALL_PIXELS, png_chunk(b"iCCP", b"a\0\0" + zeros(100 * MB))),
        (200, 422),
    ),
    Bomb(
        "png-profile-of-claims",
        lambda: png(
            8,
            8,
            SMALL_PIXELS,
            png_chunk(b"iCCP", b"a\0\0" + zlib.compress(icc_of_claims())),
        ),
        (200, 422),
    ),
    Bomb(
        "png-many-chunks",
        lambda: png(8, 8, SMALL_PIXELS, *[png_chunk(b"tEXt", b"a\0b")] * 50_000),
        (200, 422),
    ),
    Bomb("png-empty-chunks", lambda: png(8, 8, b"", *[png_chunk(b"IDAT", b"")] * 50_000), (422,)),
    Bomb("tiff-says-4-gigapixels", lambda: grey_tiff(65_535, 65_535, SMALL_PIXELS), (413,)),
    Bomb("tiff-strip-without-end", lambda: grey_tiff(8, 8, zeros(200 * MB)), (200, 422)),
    Bomb(
        "tiff-profile-of-claims",
        lambda: grey_tiff(8, 8, SMALL_PIXELS, t34675=(7, 0xFFFFFFFF, 1000)),
        (200, 422),
    ),
    Bomb(
        "tiff-many-samples",
        lambda: grey_tiff(8, 8, SMALL_PIXELS, t277=(3, 1, 65_535)),
        (422,),
    ),
    Bomb("tiff-many-strips", lambda: grey_tiff(8, 8, SMALL_PIXELS, t273=(4, 10**9, 8)), (200, 422)),
    Bomb("tiff-many-values", lambda: tiff_of_values(270, 5, 2_000_000), (422,)),
    Bomb("tiff-many-values-of-orientation", lambda: tiff_of_values(274, 4, 4_000_000), (422,)),
    Bomb(
        "tiff-directory-loop", lambda: grey_tiff(8, 8, SMALL_PIXELS, t34665=(4, 1, 8)), (200, 422)
    ),
    Bomb(
        "png-exif-of-many-values",
        lambda: png(8, 8, SMALL_PIXELS, png_chunk(b"eXIf", exif_of_values(4_000_000))),
        (200, 422),
    ),
    Bomb("webp-says-268-megapixels", lambda: webp(16_383, webp_picture(8)), (413, 422)),
    Bomb("webp-many-frames", lambda: animated_webp(64, 20_000), (200, 422)),
    Bomb("gif-says-4-gigapixels", lambda: gif(65_535, 65_535), (413,)),
    Bomb("gif-many-frames", lambda: gif(8, 8, frames=100_000), (200, 422)),
    Bomb("jpeg-says-4-gigapixels", lambda: jpeg_with_size(65_500, 65_500), (413,)),
    Bomb("jpeg-many-scans", lambda: jpeg_of_many_scans(256, 20_000), (200, 422)),
    Bomb(
        "jpeg-many-segments",
        lambda: jpeg_with_segments(0xEC, bytes(8), count=50_000),
        (200, 422),
    ),
    Bomb("jpeg-exif-loop", lambda: jpeg_with_segments(0xE1, exif_loop()), (200, 422)),
    Bomb("jpeg-exif-of-claims", lambda: jpeg_with_segments(0xE1, exif_of_claims()), (200, 422)),
    Bomb("jpeg-many-scans-of-much", lambda: jpeg_of_many_scans(2000, 1000), (422,)),
    Bomb(
        "jpeg-much-exif",
        lambda: jpeg_with_segments(0xE1, b"Exif\0\0" + bytes(60_000), count=300),
        (200, 422),
    ),
    Bomb("jpeg-junk", lambda: b"\xff\xd8\xff\xe0\0\2" + bytes(5 * MB), (422,)),
    Bomb("jpeg-padding", lambda: b"\xff\xd8" + b"\xff" * (5 * MB), (422,)),
    Bomb("gif-many-comments", lambda: gif_of_comments(500_000), (422,)),
    Bomb("bmp-says-2-to-the-62", lambda: bmp_of_runs(2**31 - 1), (413, 422)),
)
"""Each costs at most a tenth of a second, and no memory to speak of."""


def truncations(data: bytes, parts: int = 16) -> Iterator[bytes]:
    """Cut at every sixteenth, and just before the end."""
    for part in range(parts):
        yield data[: len(data) * part // parts]
    yield data[:-1]


def flip(data: bytes, position: int, bit: int) -> bytes:
    """Flip one bit; the position wraps around."""
    spoiled = bytearray(data)
    spoiled[position % len(data)] ^= 1 << bit
    return bytes(spoiled)


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of a HEIC or AVIF."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, flags: int, *content: bytes) -> bytes:
    """A box with a version, which comes first in `flags`, and flags."""
    return box(kind, struct.pack(">I", flags), *content)


def avif_of_tiles(tile: bytes, rows: int, columns: int, side: int) -> bytes:
    """An AVIF that shows the picture of another one many times, each said to have a side."""
    config, payload = (_content_of(tile, kind) for kind in (b"av1C", b"mdat"))
    tiles = range(2, 2 + rows * columns)
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, columns * side, rows * side)
    says = [
        full_box(b"ispe", 0, struct.pack(">II", columns * side, rows * side)),
        full_box(b"ispe", 0, struct.pack(">II", side, side)),
        box(b"av1C", config),
        full_box(b"pixi", 0, bytes((3, 8, 8, 8))),
    ]
    owners = [struct.pack(">HBBB", 1, 2, 1, 4)]
    owners += [struct.pack(">HBBBB", each, 3, 2, 0x83, 4) for each in tiles]
    kinds = [full_box(b"infe", 2 << 24, struct.pack(">HH", 1, 0), b"grid\0")]
    kinds += [full_box(b"infe", 2 << 24 | 1, struct.pack(">HH", n, 0), b"av01\0") for n in tiles]

    def build(offset: int) -> bytes:
        places = [struct.pack(">HHHII", 1, 0, 1, offset, len(grid))]
        behind = offset + len(grid)
        places += [struct.pack(">HHHII", each, 0, 1, behind, len(payload)) for each in tiles]
        count = struct.pack(">H", len(places))
        return box(b"ftyp", b"avif\0\0\0\0avifmif1miaf") + full_box(
            b"meta",
            0,
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", 1)),
            full_box(b"iloc", 0, b"\x44\0", count, *places),
            full_box(b"iinf", 0, count, *kinds),
            box(
                b"iprp",
                box(b"ipco", *says),
                full_box(b"ipma", 0, struct.pack(">I", len(owners)), *owners),
            ),
            full_box(
                b"iref",
                0,
                box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles)),
            ),
        )

    return build(len(build(0)) + 8) + box(b"mdat", grid, payload)


def _content_of(data: bytes, kind: bytes) -> bytes:
    """Find a box, wherever it is."""
    start = data.index(kind) - 4
    (length,) = struct.unpack_from(">I", data, start)
    return data[start + 8 : start + length]
