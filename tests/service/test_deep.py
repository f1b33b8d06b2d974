"""All 16 bits of a channel survive reading and writing; other libraries are the oracle."""

from __future__ import annotations

import io
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from service.deep import to_8_bit, to_16_bit
from service.errors import PictureTooLargeError, UnreadablePictureError
from service.formats import PNG, TIFF
from service.images import Limits, decode_image, encode_image

UInt16 = NDArray[np.uint16]

LIMITS = Limits(max_pixels=100_000)


def samples_of(channels: int, height: int = 40, width: int = 50) -> UInt16:
    """Noise of 16 bits, shape (height, width, channels)."""
    return np.random.default_rng(channels).integers(0, 65536, (height, width, channels), np.uint16)


def png_16_bit(samples: UInt16, *, interlace: bool = False, transparent: Any = None) -> bytes:
    """A PNG from an encoder other than ours: unfiltered, and of any kind."""
    height, width, channels = samples.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        ]
    rows = b"".join(
        b"\0" + row.astype(">u2").tobytes()
        for top, left, down, right in passes
        for row in samples[top::down, left::right]
        if row.size
    )

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + checksum

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    header += bytes([16, color_type, 0, 0, int(interlace)])
    transparency = b""
    if transparent is not None:
        transparency = chunk(b"tRNS", np.asarray(transparent, ">u2").tobytes())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + transparency
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def joined(data: bytes) -> UInt16:
    """Decode, and put alpha behind the colours again, shape (H, W, C)."""
    decoded = decode_image(data, LIMITS)
    assert decoded.pixels.dtype == np.uint16
    assert decoded.bit_depth == 16
    planes = [decoded.pixels] if decoded.alpha is None else [decoded.pixels, decoded.alpha]
    return np.dstack(planes)


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_decode_png_keeps_all_bits(channels: int, interlace: bool) -> None:
    samples = samples_of(channels)

    assert np.array_equal(joined(png_16_bit(samples, interlace=interlace)), samples)


@pytest.mark.parametrize("channels", [3, 4])
def test_decode_filtered_png_keeps_all_bits(channels: int) -> None:
    samples = samples_of(channels)
    samples[20:] //= 256
    stored = samples[..., [2, 1, 0, 3][:channels]]
    data = cv2.imencode(".png", stored)[1].tobytes()

    assert np.array_equal(joined(data), samples)


@pytest.mark.parametrize("channels", [1, 3])
def test_decode_png_with_transparent_colour_makes_deep_alpha(channels: int) -> None:
    samples = samples_of(channels)
    # Equal in the upper bytes only: not the transparent colour.
    samples[0, 1] = samples[0, 0] ^ 1

    alpha = decode_image(png_16_bit(samples, transparent=samples[0, 0]), LIMITS).alpha

    assert alpha is not None
    assert alpha[0, :2].tolist() == [0, 65535]
    assert np.count_nonzero(alpha == 0) == 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"tile": (16, 16), "compression": "zlib"}],
    ids=["strips", "deflated", "tiles", "deflated tiles"],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_decode_tiff_keeps_all_bits(channels: int, options: dict[str, Any], order: Any) -> None:
    samples = samples_of(channels)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        samples.squeeze(),
        photometric="minisblack" if channels == 1 else "rgb",
        byteorder=order,
        extrasamples=["unassalpha"] if channels == 4 else None,
        **options,
    )

    assert np.array_equal(joined(buffer.getvalue()), samples)


def test_decode_tiff_with_lzw_and_predictor_keeps_all_bits() -> None:
    samples = samples_of(3)
    data = cv2.imencode(".tif", samples[..., ::-1])[1].tobytes()

    assert np.array_equal(joined(data), samples)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_decode_planar_tiff_keeps_at_least_8_bits(compression: Any, order: Any) -> None:
    samples = samples_of(3)
    buffer = io.BytesIO()
    planes = np.moveaxis(samples, -1, 0)
    options = {"photometric": "rgb", "planarconfig": "separate", "byteorder": order}
    tifffile.imwrite(buffer, planes, compression=compression, **options)

    difference = joined(buffer.getvalue()).astype(int) - samples

    assert np.abs(difference).max() <= (0 if compression is None else 255)


def test_decode_multiplied_alpha_is_divided() -> None:
    alpha = np.array([[65535, 32768, 0]], np.uint16)
    multiplied = np.dstack([np.array([[40_000, 20_000, 0]], np.uint16)] * 3 + [alpha])
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, multiplied, photometric="rgb", extrasamples=["assocalpha"])

    decoded = decode_image(buffer.getvalue(), LIMITS)

    assert decoded.pixels[0, :, 0].tolist() == [40_000, 39_999, 0]
    assert np.array_equal(decoded.alpha, alpha)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_decode_deep_picture_is_turned_once(orientation: int, format_name: str) -> None:
    # Written by our own encoder, which the other tests check, then tagged.
    upright = samples_of(3, height=4, width=6)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    if format_name == "TIFF":
        buffer = io.BytesIO()
        tag = (int(ExifTags.Base.Orientation), "H", 1, orientation, True)
        tifffile.imwrite(buffer, np.ascontiguousarray(stored), photometric="rgb", extratags=[tag])
        data = buffer.getvalue()
    else:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        body = exif.tobytes()[6:]
        chunk = b"eXIf" + body
        crc = zlib.crc32(chunk).to_bytes(4, "big")
        plain = png_16_bit(np.ascontiguousarray(stored))
        # After the signature and the header.
        data = plain[:33] + len(body).to_bytes(4, "big") + chunk + crc + plain[33:]

    assert np.array_equal(joined(data), upright)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (90, 110), (300, 301)])
@pytest.mark.parametrize("output_format", [PNG, TIFF])
def test_encode_deep_picture_keeps_all_bits(
    output_format: Any, size: tuple[int, int], channels: int
) -> None:
    samples = samples_of(channels, *size)
    # Half noise, half flat: both filters get their rows.
    samples[size[0] // 2 :] = 4_000
    source = decode_image(png_16_bit(samples), LIMITS)

    data = encode_image(np.ascontiguousarray(samples[..., :3]), source, output_format).data

    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored[..., [2, 1, 0, 3][:channels]], samples)
    assert np.array_equal(joined(data), samples)
    if output_format is TIFF:
        assert np.array_equal(tifffile.imread(io.BytesIO(data)).reshape(samples.shape), samples)


@pytest.mark.parametrize("channels", [3, 4])
def test_encode_shallow_tiff_is_read_by_others(channels: int) -> None:
    samples = to_8_bit(samples_of(channels))
    source = decode_image(png_16_bit(samples_of(channels)), LIMITS)

    data = encode_image(np.ascontiguousarray(samples[..., :3]), source, TIFF).data

    assert np.array_equal(tifffile.imread(io.BytesIO(data)), samples)


def test_deep_samples_round_to_nearest_and_come_back() -> None:
    every = np.arange(65536, dtype=np.uint16)

    assert np.array_equal(to_8_bit(every), np.rint(every / 257).astype(np.uint8))
    assert np.array_equal(to_8_bit(to_16_bit(np.arange(256, dtype=np.uint8))), np.arange(256))


@pytest.mark.parametrize("keep_bytes", [40, 200, 5_000])
def test_decode_truncated_deep_picture_raises_unreadable(keep_bytes: int) -> None:
    with pytest.raises(UnreadablePictureError):
        decode_image(png_16_bit(samples_of(3))[:keep_bytes], LIMITS)


def test_decode_deep_picture_is_refused_by_its_header() -> None:
    data = bytearray(png_16_bit(samples_of(3)))
    data[16:24] = (1 << 20).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")

    with pytest.raises(PictureTooLargeError):
        decode_image(bytes(data), LIMITS)
