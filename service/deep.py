"""Pictures of 16 bits a channel, which Pillow holds in grey only.

Reading: Pillow's decoders of PNG and TIFF do go through all bits, but keep the
upper byte of each colour sample. Told that the samples have the other byte
order, they keep the lower one: two passes give all 16 bits, with the decoders
and the checks that any upload meets.

Writing: both formats are a header, a difference of neighbouring samples, and a
zlib stream. Header and metadata are Pillow's, the pixels are written here.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, PngImagePlugin, TiffImagePlugin

from service.cie import UInt8, UInt16

DEEP_COLOUR_RAWMODES = ("RGB;16", "RGBX;16", "RGBA;16", "RGBa;16", "LA;16")
"""How Pillow's readers call colour samples of 16 bits, without their byte order."""

STRIP_BYTES = 1 << 20
"""Pixels differenced and compressed at a time."""
COMPRESS_LEVEL = 1
"""Samples of 16 bits are noise in their lower byte: more effort gains little."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels -> colour type of the header."""
PNG_FILTER_SUB = 1
PNG_FILTER_UP = 2

TIFF_DEFLATE = 8
TIFF_HORIZONTAL_DIFFERENCE = 2
TIFF_RGB = 2
TIFF_EXTRA_SAMPLES = 338
TIFF_UNASSOCIATED_ALPHA = 2


def to_8_bit(samples: NDArray[Any]) -> UInt8:
    """Round 16-bit samples to 8 bits; leave others.

    Parameters
    ----------
    samples : ndarray of uint8 or uint16

    Returns
    -------
    ndarray of uint8
    """
    if samples.dtype == np.uint8:
        return samples
    # Exactly round(samples / 257), without floats.
    return ((samples.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)


def to_16_bit(samples: NDArray[Any]) -> UInt16:
    """Spread 8-bit samples over 16 bits; leave others.

    Parameters
    ----------
    samples : ndarray of uint8 or uint16

    Returns
    -------
    ndarray of uint16
    """
    return samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * 257


def has_deep_colour(image: ImageFile.ImageFile) -> bool:
    """Tell whether an opened, not yet loaded picture has colour or alpha of 16 bits."""
    return _is_deep_planar(image) or any(
        _rawmode(tile).startswith(DEEP_COLOUR_RAWMODES) for tile in image.tile
    )


def load_deep(
    image: ImageFile.ImageFile,
    again: ImageFile.ImageFile,
    load_upright: Callable[[ImageFile.ImageFile], Image.Image],
) -> UInt16:
    """Load all bits of a picture.

    Parameters
    ----------
    image, again : ImageFile
        The same picture with `has_deep_colour`, opened twice, not yet loaded.
    load_upright : callable
        Loads each, and turns it as is needed.

    Returns
    -------
    samples : ndarray of uint16, shape (H, W, C)
        C is 2 for grey with alpha, 3 for colour, 4 for colour with alpha, of
        which the colour is not multiplied.

    Raises
    ------
    Exception
        Whatever Pillow's decoders raise about damaged bytes.
    """
    if any(_rawmode(tile) == "LA;16B" for tile in image.tile):
        # Four bytes a pixel, which one pass can keep as they are.
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]
        return np.asarray(load_upright(image)).view(">u2").astype(np.uint16)
    premultiplied = any("a" in _rawmode(tile) for tile in image.tile)
    byte_order = _sample_order(image)
    _expect_byte_order(image, byte_order)
    _expect_byte_order(again, "B" if byte_order == "L" else "L")
    samples = np.asarray(load_upright(image)).astype(np.uint16)
    samples <<= 8
    samples |= np.asarray(load_upright(again))
    return _divide_by_alpha(samples) if premultiplied else samples


def write_deep_png(samples: UInt16, **options: Any) -> bytes:
    """Write a PNG of 16 bits a channel.

    Parameters
    ----------
    samples : ndarray of uint16, shape (H, W, 3) or (H, W, 4)
        sRGB, and alpha.
    **options
        Pillow's: ``pnginfo``, ``exif``, ``dpi``.

    Returns
    -------
    data : bytes
    """
    height, width, channels = samples.shape
    # Pillow writes everything around the pixels, here of a picture with one.
    template = io.BytesIO()
    Image.new("RGB", (1, 1)).save(template, "PNG", **options)
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOR_TYPES[channels], 0, 0, 0)
    replaced = {b"IHDR": [header], b"IDAT": _compress(_filter_png_rows(samples))}
    output = io.BytesIO()
    output.write(PNG_SIGNATURE)
    for kind, body in _png_chunks(template.getvalue()):
        for content in replaced.get(kind, [body]):
            PngImagePlugin.putchunk(output, kind, content)
    return output.getvalue()


def write_tiff(samples: NDArray[Any], directory: TiffImagePlugin.ImageFileDirectory_v2) -> bytes:
    """Write a TIFF of 8 or 16 bits a channel, deflated without loss.

    Parameters
    ----------
    samples : ndarray of uint8 or uint16, shape (H, W, 3) or (H, W, 4)
        sRGB, and alpha.
    directory : ImageFileDirectory_v2
        Little-endian; everything that is to be said beside the pixels.

    Returns
    -------
    data : bytes
    """
    height, width, channels = samples.shape
    rows = max(1, STRIP_BYTES // (width * channels * samples.itemsize))
    strips = [
        zlib.compress(_difference_tiff_row(samples[start : start + rows]), COMPRESS_LEVEL)
        for start in range(0, height, rows)
    ]
    sizes = [len(strip) for strip in strips]
    tags = ExifTags.Base
    directory[tags.ImageWidth] = width
    directory[tags.ImageLength] = height
    directory[tags.BitsPerSample] = (samples.itemsize * 8,) * channels
    directory[tags.SampleFormat] = (1,) * channels
    directory[tags.Compression] = TIFF_DEFLATE
    directory[tags.Predictor] = TIFF_HORIZONTAL_DIFFERENCE
    directory[tags.PhotometricInterpretation] = TIFF_RGB
    directory[tags.SamplesPerPixel] = channels
    directory[tags.PlanarConfiguration] = 1
    directory[tags.RowsPerStrip] = rows
    directory[tags.StripByteCounts] = tuple(sizes)
    # Pillow adds the length of all that it writes before them.
    directory[tags.StripOffsets] = tuple(sum(sizes[:i]) for i in range(len(sizes)))
    if channels == 4:
        directory[TIFF_EXTRA_SAMPLES] = TIFF_UNASSOCIATED_ALPHA
    output = io.BytesIO()
    directory.save(output)
    output.writelines(strips)
    return output.getvalue()


def _rawmode(tile: Any) -> str:
    """Pillow's name of how samples lie in the file."""
    args = tile.args or ("",)
    return args if isinstance(args, str) else str(args[0])


def _is_deep_planar(image: Image.Image) -> bool:
    """Tell whether each channel of 16 bits lies apart, uncompressed.

    Pillow takes such for channels of 8 bits.
    """
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.mode in ("RGB", "RGBA")
        and image.tag_v2.get(ExifTags.Base.PlanarConfiguration) == 2
        and image.tag_v2.get(ExifTags.Base.BitsPerSample, (8,))[0] == 16
        and all(len(_rawmode(tile)) == 1 for tile in image.tile)
    )


def _sample_order(image: ImageFile.ImageFile) -> str:
    """Byte order in which the decoder hands over the samples: B(ig) or L(ittle)."""
    suffix = _rawmode(image.tile[0])[-1]
    if suffix == "N":
        return "L" if sys.byteorder == "little" else "B"
    if isinstance(image, TiffImagePlugin.TiffImageFile) and suffix not in "BL":
        suffix = "L" if image.tag_v2.prefix == b"II" else "B"
    return suffix


def _expect_byte_order(image: ImageFile.ImageFile, byte_order: str) -> None:
    """Make the decoder keep the upper byte of samples in this byte order."""
    for i, tile in enumerate(image.tile):
        # The upper byte of a colour multiplied by alpha cannot be divided alone.
        channels = _rawmode(tile).partition(";")[0].replace("a", "A")
        rawmode = f"{channels};16{byte_order}"
        is_text = isinstance(tile.args, str)
        args = rawmode if is_text else (rawmode, *(tile.args or ())[1:])
        image.tile[i] = tile._replace(args=args)


def _divide_by_alpha(samples: UInt16) -> UInt16:
    """Undo the multiplication of colour by alpha; nothing stays of what cannot be seen."""
    alpha = np.maximum(samples[..., 3:], 1).astype(np.float32)
    colour = np.minimum(samples[..., :3] * (65535 / alpha), 65535)
    return np.dstack((np.rint(colour).astype(np.uint16), samples[..., 3]))


def _filter_png_rows(samples: UInt16) -> Iterator[bytes]:
    """Difference rows with their left or their upper neighbours, whichever is smaller."""
    height, width, channels = samples.shape
    pixel_bytes = 2 * channels
    rows = max(1, STRIP_BYTES // (width * pixel_bytes))
    above = np.zeros((1, width * pixel_bytes), np.uint8)
    for start in range(0, height, rows):
        strip = samples[start : start + rows].astype(">u2").view(np.uint8)
        strip = strip.reshape(-1, width * pixel_bytes)
        up = strip - np.concatenate((above, strip[:-1]))
        sub = strip.copy()
        sub[:, pixel_bytes:] -= strip[:, :-pixel_bytes]
        sub_is_smaller = _cost(sub) < _cost(up)
        filters = np.where(sub_is_smaller, PNG_FILTER_SUB, PNG_FILTER_UP).astype(np.uint8)
        yield np.hstack((filters, np.where(sub_is_smaller, sub, up))).tobytes()
        above = strip[-1:]


def _cost(differences: UInt8) -> NDArray[np.int64]:
    """Sum of absolute differences of each row, shape (rows, 1): guesses how well it packs."""
    magnitudes = np.abs(differences.view(np.int8).astype(np.int16))
    return np.add.reduce(magnitudes, axis=1, keepdims=True, dtype=np.int64)


def _difference_tiff_row(samples: NDArray[Any]) -> bytes:
    """Difference samples with their left neighbours, little-endian."""
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    return differences.astype(samples.dtype.newbyteorder("<")).tobytes()


def _compress(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Compress blocks into one zlib stream, piece by piece."""
    compressor = zlib.compressobj(COMPRESS_LEVEL)
    for block in blocks:
        yield compressor.compress(block)
    yield compressor.flush()


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Take a PNG, which is known to be whole, apart into kinds and bodies."""
    offset = len(PNG_SIGNATURE)
    while offset < len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        yield kind, data[offset + 8 : offset + 8 + size]
        offset += 12 + size
