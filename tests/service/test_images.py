"""Decoding meets every format, mode and orientation, and bytes that mean harm."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from service import images
from service.deep import to_8_bit
from service.errors import (
    EmptyUploadError,
    PictureTooLargeError,
    UnreadablePictureError,
    UnsupportedFormatError,
)
from service.formats import (
    ACCEPTED_FORMATS,
    AVIF,
    BMP,
    FORMATS_BY_NAME,
    JPEG,
    OUTPUT_FORMATS,
    PNG,
    TIFF,
    WEBP,
    WRITTEN_FORMATS,
)
from service.images import LARGE_PIXELS, DecodedImage, Limits, decode_image, encode_image
from service.negotiation import natural_format
from service.structure import MISLEADING_KEYWORDS
from tests.conftest import DATA_DIR, ENCODABLE_FORMATS
from tests.service.hostile import png, png_chunk

Encode = Callable[..., bytes]

LIMITS = Limits(max_pixels=100_000)
LOSSLESS_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
}


def decoded_grey(decoded: DecodedImage) -> np.ndarray:
    """The green plane, or the only one: for pictures that are grey."""
    return decoded.pixels if decoded.pixels.ndim == 2 else decoded.pixels[..., 1]


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    """80 x 60 pixels that no format can compress to a few bytes."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))


def png_of(header: bytes, rows: bytes, transparent: int | None = None) -> bytes:
    """A PNG of grey, from its parts."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    transparency = b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent))
    pixels = chunk(b"IDAT", zlib.compress(rows) if rows else b"") + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + transparency + pixels


def png_with_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    return png_of(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"")


# Formats and modes


@pytest.mark.parametrize("format_name", LOSSLESS_OPTIONS)
def test_decode_lossless_format_keeps_every_pixel(
    format_name: str, grey_gradient: Image.Image, encode: Encode
) -> None:
    data = encode(grey_gradient, format_name, **LOSSLESS_OPTIONS[format_name])

    decoded = decode_image(data, LIMITS)

    assert np.array_equal(decoded_grey(decoded), np.asarray(grey_gradient))
    assert decoded.pixels.dtype == np.uint8
    assert (decoded.format, decoded.alpha) == (format_name, None)


@pytest.mark.parametrize("format_name", sorted(set(ENCODABLE_FORMATS) - set(LOSSLESS_OPTIONS)))
def test_decode_lossy_format_stays_close(
    format_name: str, grey_gradient: Image.Image, encode: Encode
) -> None:
    decoded = decode_image(encode(grey_gradient, format_name, quality=95), LIMITS)

    difference = decoded_grey(decoded).astype(int) - np.asarray(grey_gradient).astype(int)
    assert np.abs(difference).max() <= 4
    assert (decoded.format, decoded.alpha) == (format_name, None)


def test_decode_jpeg_that_holds_two_pictures_reads_the_first(encode: Encode) -> None:
    first, second = Image.new("L", (8, 8), 200), Image.new("L", (8, 8), 20)
    data = encode(first, "MPO", save_all=True, append_images=[second])

    decoded = decode_image(data, LIMITS)

    assert decoded.format == "JPEG"
    assert decoded_grey(decoded)[0, 0] == 200


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP", "TIFF"])
def test_decode_animation_reads_first_frame(format_name: str, encode: Encode) -> None:
    frames = [Image.new("L", (8, 8), level) for level in (200, 20)]
    data = encode(frames[0], format_name, save_all=True, append_images=frames[1:])

    grey = decoded_grey(decode_image(data, LIMITS))

    assert np.abs(grey.astype(int) - 200).max() <= 2


def test_decode_one_bit_picture_is_black_and_white(encode: Encode) -> None:
    image = Image.fromarray(np.eye(9, dtype=bool))

    decoded = decode_image(encode(image, "PNG"), LIMITS)

    assert np.array_equal(decoded.pixels, np.eye(9, dtype=np.uint8) * 255)


def test_decode_palette_picture_looks_up_its_colours(encode: Encode) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])

    decoded = decode_image(encode(image, "PNG"), LIMITS)

    assert decoded.pixels[0, 0].tolist() == [10, 20, 30]


def test_decode_cmyk_jpeg_becomes_rgb(encode: Encode) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))

    decoded = decode_image(encode(image, "JPEG", quality=100), LIMITS)

    assert decoded.pixels.shape == (8, 8, 3)
    assert np.abs(decoded.pixels[0, 0].astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize(
    ("format_name", "dtype"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2"), ("TIFF", "<i4")]
)
def test_decode_16_bit_grey_scales_instead_of_clipping(
    format_name: str, dtype: str, encode: Encode
) -> None:
    values = np.array([[0, 257, 128 * 257, 65535]], dtype)

    decoded = decode_image(encode(Image.fromarray(values), format_name), LIMITS)

    assert decoded.pixels.tolist() == values.tolist()


@pytest.mark.parametrize("full_scale", [1, 255, 65535, 1e6])
def test_decode_float_grey_finds_its_range(full_scale: float, encode: Encode) -> None:
    shares = np.array([[0, 0.2, 0.6, 1], [np.nan, -1, -np.inf, 0]], np.float32)

    decoded = decode_image(encode(Image.fromarray(shares * full_scale), "TIFF"), LIMITS)

    assert to_8_bit(decoded.pixels).tolist() == [[0, 51, 153, 255], [0, 0, 0, 0]]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_decode_alpha_is_kept_apart(mode: str, format_name: str, encode: Encode) -> None:
    image = Image.new(mode, (4, 2), (90, 7) if mode == "LA" else (90, 90, 90, 7))

    decoded = decode_image(encode(image, format_name), LIMITS)

    assert decoded_grey(decoded).tolist() == [[90] * 4] * 2
    assert decoded.alpha is not None
    assert decoded.alpha.tolist() == [[7] * 4] * 2


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_decode_transparent_colour_becomes_alpha(mode: str, encode: Encode) -> None:
    image = Image.new("L", (2, 1), 50)
    image.putpixel((1, 0), 200)
    transparency: Any = {"L": 200, "RGB": (200, 200, 200), "P": 200}[mode]

    decoded = decode_image(encode(image.convert(mode), "PNG", transparency=transparency), LIMITS)

    assert decoded.alpha is not None
    assert decoded.alpha.tolist() == [[255, 0]]
    assert decoded_grey(decoded).tolist() == [[50, 200]]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("format_name", ENCODABLE_FORMATS)
def test_decode_thin_picture_keeps_its_size(
    size: tuple[int, int], format_name: str, encode: Encode
) -> None:
    decoded = decode_image(encode(Image.new("L", size, 128), format_name), LIMITS)

    assert decoded.pixels.shape[:2] == size[::-1]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_decode_shallow_grey_png_spreads_levels_and_transparency(bits: int) -> None:
    highest = (1 << bits) - 1
    # One row of one byte: the highest level first, then zeros.
    row = bytes([0, highest << (8 - bits)])
    data = png_of(struct.pack(">IIBBBBB", 8 // bits, 1, bits, 0, 0, 0, 0), row, highest)

    decoded = decode_image(data, LIMITS)

    assert decoded.pixels[0, :2].tolist() == [255, 0]
    assert decoded.alpha is not None
    assert decoded.alpha[0, :2].tolist() == [0, 255]


def test_decode_progressive_jpeg_equals_baseline(noise: Image.Image, encode: Encode) -> None:
    baseline, progressive = (
        decode_image(encode(noise, "JPEG", progressive=progressive), LIMITS).pixels
        for progressive in (False, True)
    )

    assert np.array_equal(baseline, progressive)


@pytest.mark.parametrize("name", ["turned", "alpha"])
def test_decode_heic_is_upright_and_keeps_alpha(name: str, grey_gradient: Image.Image) -> None:
    decoded = decode_image((DATA_DIR / f"{name}.heic").read_bytes(), LIMITS)

    assert decoded.format == "HEIF"
    assert np.abs(decoded_grey(decoded).astype(int) - np.asarray(grey_gradient)).max() <= 4
    assert (decoded.alpha is not None) == (name == "alpha")
    if decoded.alpha is not None:
        assert (decoded.alpha == 128).all()


@pytest.mark.parametrize("seed", range(40))
def test_decode_corrupted_heic_raises_only_our_errors(seed: int) -> None:
    data = bytearray((DATA_DIR / "turned.heic").read_bytes())
    chance = random.Random(seed)
    for _ in range(10):
        data[chance.randrange(len(data))] = chance.randrange(256)

    with contextlib.suppress(UnreadablePictureError, UnsupportedFormatError, PictureTooLargeError):
        assert decode_image(bytes(data), LIMITS).pixels.size


def test_decode_unread_kind_of_tiff_says_so() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((4, 4, 3), np.float64), photometric="rgb")

    with pytest.raises(UnreadablePictureError, match="of a kind that is not read here"):
        decode_image(buffer.getvalue(), LIMITS)


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
@pytest.mark.parametrize("keyword", sorted(MISLEADING_KEYWORDS))
def test_decode_text_says_nothing_about_pixels(keyword: str, kind: str) -> None:
    packed = {
        "tEXt": b"\0a text",
        "zTXt": b"\0\0" + zlib.compress(b"a text"),
        "iTXt": b"\0\0\0\0\0a text",
    }[kind]
    text = png_chunk(kind.encode(), keyword.encode() + packed)
    rows = zlib.compress(b"".join(bytes((0, *range(8 * row, 8 * row + 8))) for row in range(8)))

    # Before the pixels, and behind another text.
    other = png_chunk(b"tEXt", b"Title\0interlace")
    decoded = decode_image(png(8, 8, rows, other, text), LIMITS, keep_metadata=True)

    assert np.array_equal(decoded.pixels, decode_image(png(8, 8, rows), LIMITS).pixels)
    assert decoded.alpha is None
    assert decoded.metadata.texts == {"Title": "interlace"}


# Orientation and print resolution


def test_decode_damaged_exif_is_ignored(grey_gradient: Image.Image, encode: Encode) -> None:
    damaged = b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + bytes(range(40))

    decoded = decode_image(encode(grey_gradient, "JPEG", exif=damaged), LIMITS)

    assert decoded.pixels.shape == (32, 48)


def test_decode_turned_picture_turns_its_print_resolution(encode: Encode) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encode(Image.new("L", (8, 4)), "PNG", dpi=(300, 150), exif=exif)

    assert decode_image(data, LIMITS).dpi == pytest.approx((150, 300), abs=0.1)


@pytest.mark.parametrize("output_format", WRITTEN_FORMATS)
def test_encode_keeps_print_resolution(
    output_format: Any, grey_gradient: Image.Image, encode: Encode
) -> None:
    source = decode_image(encode(grey_gradient, "PNG", dpi=(300, 300)), LIMITS)
    assert source.dpi == pytest.approx((300, 300), abs=0.1)

    encoded = encode_image(np.zeros((32, 48, 3), np.uint8), source, output_format)

    assert decode_image(encoded.data, LIMITS).dpi == pytest.approx((300, 300), abs=0.1)


# Hostile bytes


@pytest.mark.parametrize("eighths", range(1, 8))
@pytest.mark.parametrize("format_name", ENCODABLE_FORMATS)
def test_decode_truncated_picture_raises_unreadable(
    format_name: str, eighths: int, noise: Image.Image, encode: Encode
) -> None:
    data = encode(noise, format_name)

    with pytest.raises(UnreadablePictureError, match="complete and undamaged"):
        decode_image(data[: len(data) * eighths // 8], LIMITS)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("format_name", ENCODABLE_FORMATS)
def test_decode_corrupted_picture_raises_only_our_errors(
    format_name: str, seed: int, noise: Image.Image, encode: Encode
) -> None:
    data = bytearray(encode(noise, format_name))
    chance = random.Random(seed)
    for _ in range(10):
        # Headers are where the decoders' own checks are thinnest.
        data[chance.randrange(min(len(data), 200))] = chance.randrange(256)

    with contextlib.suppress(UnreadablePictureError, UnsupportedFormatError, PictureTooLargeError):
        assert decode_image(bytes(data), LIMITS).pixels.size


@pytest.mark.parametrize("seed", range(20))
def test_decode_random_bytes_raises_only_our_errors(seed: int) -> None:
    signatures = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\x00"]
    for signature in signatures:
        with pytest.raises((UnreadablePictureError, UnsupportedFormatError, PictureTooLargeError)):
            decode_image(signature + random.Random(seed).randbytes(400), LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"just a few words",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"P5\n1 1\n255\n\x00",
        b"\x00",
    ],
    ids=["text", "svg", "pdf", "zip", "pgm", "nul"],
)
def test_decode_other_content_raises_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedFormatError) as raised:
        decode_image(data, LIMITS)

    assert raised.value.accepted == list(ACCEPTED_FORMATS)


def test_decode_postscript_named_like_picture_is_not_run() -> None:
    with pytest.raises(UnsupportedFormatError):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", LIMITS)


def test_decode_no_bytes_raises_empty_upload() -> None:
    with pytest.raises(EmptyUploadError):
        decode_image(b"", LIMITS)


@pytest.mark.parametrize("side", [100_000, 2**31 - 1])
def test_decode_huge_header_is_refused_before_decoding(side: int) -> None:
    with pytest.raises(PictureTooLargeError) as raised:
        decode_image(png_with_header(side, side), LIMITS)

    assert (raised.value.received, raised.value.accepted) == (side * side, 100_000)


def test_decode_pixels_at_limit_are_accepted(encode: Encode) -> None:
    data = encode(Image.new("L", (400, 250)), "PNG")

    assert decode_image(data, Limits(max_pixels=100_000)).pixels.shape == (250, 400)
    with pytest.raises(PictureTooLargeError):
        decode_image(data, Limits(max_pixels=99_999))


# Encoding


@pytest.mark.parametrize("format_name", ENCODABLE_FORMATS)
def test_encode_answers_in_format_of_upload(
    format_name: str, noise: Image.Image, encode: Encode
) -> None:
    source = decode_image(encode(noise, format_name), LIMITS)
    output_format = OUTPUT_FORMATS[format_name]

    encoded = encode_image(np.full((60, 80, 3), 99, np.uint8), source, output_format)

    with Image.open(io.BytesIO(encoded.data)) as image:
        assert (image.format, image.size, image.mode) == (output_format.name, (80, 60), "RGB")
    assert encoded.media_type == output_format.media_type
    assert encoded.extension == output_format.extension


@pytest.mark.parametrize("output_format", [PNG, WEBP, TIFF, AVIF, JPEG, BMP])
def test_encode_keeps_alpha_where_format_can(output_format: Any, encode: Encode) -> None:
    source = decode_image(encode(Image.new("LA", (16, 16), (90, 128)), "PNG"), LIMITS)

    encoded = encode_image(np.full((16, 16, 3), 90, np.uint8), source, output_format)

    alpha = decode_image(encoded.data, LIMITS).alpha
    assert (alpha is not None) == output_format.carries_alpha
    if alpha is not None:
        assert np.abs(alpha.astype(int) - 128).max() <= 2


def test_encode_without_alpha_lays_picture_on_white(encode: Encode) -> None:
    upload = Image.new("LA", (3, 1), (0, 255))
    upload.putalpha(Image.fromarray(np.array([[0, 128, 255]], np.uint8)))
    source = decode_image(encode(upload, "PNG"), LIMITS)

    encoded = encode_image(np.zeros((1, 3, 3), np.uint8), source, BMP)

    assert decode_image(encoded.data, LIMITS).pixels[0, :, 0].tolist() == [255, 127, 0]


@pytest.mark.parametrize("output_format", WRITTEN_FORMATS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "CMYK", "I;16"])
def test_encode_any_upload_in_any_format(
    mode: str, output_format: Any, noise: Image.Image, encode: Encode
) -> None:
    upload = noise.convert("L").convert(mode) if mode == "I;16" else noise.convert(mode)
    if mode.endswith("A"):
        upload.putalpha(99)
    source = decode_image(encode(upload, "TIFF" if mode == "CMYK" else "PNG"), LIMITS)
    rgb = np.full((60, 80, 3), (30, 120, 90), np.uint8)

    decoded = decode_image(encode_image(rgb, source, output_format, quality=100).data, LIMITS)

    assert decoded.format == output_format.name
    if output_format.carries_alpha or not source.has_alpha:
        assert np.abs(decoded.pixels.astype(int) - rgb).mean() < 3
    assert decoded.has_alpha == (mode in ("LA", "RGBA") and output_format.carries_alpha)


@pytest.mark.parametrize("output_format", WRITTEN_FORMATS)
def test_encode_longest_side_that_format_holds(output_format: Any, encode: Encode) -> None:
    side = min(output_format.max_side, 70_000)
    source = decode_image(encode(Image.new("L", (side, 1)), "PNG"), LIMITS)

    assert encode_image(np.zeros((1, side, 3), np.uint8), source, output_format).data


def test_encode_quality_trades_size(noise: Image.Image, encode: Encode) -> None:
    source = decode_image(encode(noise, "PNG"), LIMITS)

    for output_format in (JPEG, WEBP, AVIF):
        sizes = [
            len(encode_image(np.asarray(noise), source, output_format, quality=quality).data)
            for quality in (1, 50, 90, 100)
        ]
        assert sizes == sorted(set(sizes))


def test_encode_jpeg_keeps_colour_resolution(encode: Encode) -> None:
    source = decode_image(encode(Image.new("L", (32, 32)), "JPEG"), LIMITS)
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = (200, 60, 60)
    stripes[:, 1::2] = (60, 60, 200)

    decoded = decode_image(encode_image(stripes, source, JPEG).data, LIMITS)

    assert np.abs(decoded.pixels.astype(int) - stripes).mean() < 5


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="has no files in memory")
@pytest.mark.parametrize("output_format", [JPEG, PNG, BMP])
def test_encode_lets_other_threads_work(
    output_format: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only into files, which have numbers, Pillow writes without the interpreter's lock."""
    source = DecodedImage(np.zeros((48, 64), np.uint8), None, "PNG", None)
    rgb = np.full((48, 64, 3), 90, np.uint8)
    numbers = []
    save = Image.Image.save

    def watch(image: Image.Image, target: Any, *args: Any, **options: Any) -> None:
        numbers.append(target.fileno())
        save(image, target, *args, **options)

    monkeypatch.setattr(Image.Image, "save", watch)
    data = encode_image(rgb, source, output_format).data
    assert len(numbers) == 1

    monkeypatch.undo()
    monkeypatch.delattr(os, "memfd_create")
    assert encode_image(rgb, source, output_format).data == data


def test_encode_twice_gives_same_bytes(encode: Encode, noise: Image.Image) -> None:
    for format_name in ENCODABLE_FORMATS:
        source = decode_image(encode(noise, format_name), LIMITS)
        output_format = natural_format(source)

        first, second = (encode_image(np.asarray(noise), source, output_format) for _ in range(2))

        assert first == second


def test_encoders_hurry_where_pictures_are_large() -> None:
    # Their usual effort takes 11 and 17 seconds at 33 megapixels.
    small, large = (
        {
            name: images._compression_options(FORMATS_BY_NAME[name], 90, pixels)
            for name in ("avif", "webp")
        }
        for pixels in (LARGE_PIXELS, LARGE_PIXELS + 1)
    )

    assert (small["avif"]["speed"], large["avif"]["speed"]) == (8, 10)
    assert small["webp"] == large["webp"]
    assert large["webp"]["method"] == 2
