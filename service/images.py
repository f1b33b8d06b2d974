"""Pictures from bytes and to bytes: formats, orientation, alpha, bit depth, limits.

Uploads are hostile until decoded. The format is told by content, never by name;
the size is checked from the header, before a pixel is decoded; and whatever a
decoder raises becomes one error of ours.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from service.errors import (
    EmptyUploadError,
    PictureTooLargeError,
    UnreadablePictureError,
    UnsupportedFormatError,
)

UInt8 = NDArray[np.uint8]

Image.init()
# Pillow's own limit is a constant of the process; ours is a setting, checked in
# `decode_image` from the header, so that nothing is decoded before it either.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class OutputFormat:
    """A format that answers are written in.

    Parameters
    ----------
    name : str
        Pillow's name for it.
    media_type : str
    extension : str
        Of file names, with its dot.
    carries_alpha : bool
    """

    name: str
    media_type: str
    extension: str
    carries_alpha: bool


JPEG = OutputFormat("JPEG", "image/jpeg", ".jpg", carries_alpha=False)
PNG = OutputFormat("PNG", "image/png", ".png", carries_alpha=True)
WEBP = OutputFormat("WEBP", "image/webp", ".webp", carries_alpha=True)
TIFF = OutputFormat("TIFF", "image/tiff", ".tiff", carries_alpha=True)
BMP = OutputFormat("BMP", "image/bmp", ".bmp", carries_alpha=False)
AVIF = OutputFormat("AVIF", "image/avif", ".avif", carries_alpha=True)

OUTPUT_FORMATS = {
    "JPEG": JPEG,
    "PNG": PNG,
    "WEBP": WEBP,
    # A palette of 256 colours would band.
    "GIF": PNG,
    "BMP": BMP,
    "TIFF": TIFF,
} | ({"AVIF": AVIF} if features.check("avif") else {})
"""Format of an upload -> format of the answer."""

ACCEPTED_FORMATS = tuple(OUTPUT_FORMATS)

TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what shows the picture upright; 1 needs nothing."""

SIGNATURE_BYTES = 16
"""As many as Pillow looks at to tell formats apart."""


@dataclass(frozen=True)
class Limits:
    """What an upload may ask of the service.

    Parameters
    ----------
    max_pixels : int
        Height times width.
    """

    max_pixels: int


@dataclass(frozen=True)
class DecodedImage:
    """A picture, upright, in 8 bits.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey, or gamma-encoded sRGB.
    alpha : ndarray of uint8, shape (H, W), or None
        Opacity; None when the picture has none.
    format : str
        Pillow's name, one of `ACCEPTED_FORMATS`.
    dpi : tuple of float, or None
        Resolution for print, horizontal, then vertical.
    """

    pixels: UInt8
    alpha: UInt8 | None
    format: str
    dpi: tuple[float, float] | None


@dataclass(frozen=True)
class EncodedImage:
    """A file.

    Parameters
    ----------
    data : bytes
    media_type : str
    extension : str
        With its dot.
    """

    data: bytes
    media_type: str
    extension: str


def decode_image(data: bytes, limits: Limits) -> DecodedImage:
    """Decode the first frame of a picture.

    Parameters
    ----------
    data : bytes
        A file in one of `ACCEPTED_FORMATS`.
    limits : Limits

    Returns
    -------
    decoded : DecodedImage

    Raises
    ------
    EmptyUploadError
        When there are no bytes.
    UnsupportedFormatError
        When the bytes begin like none of `ACCEPTED_FORMATS`.
    PictureTooLargeError
        When the header says more pixels than `limits` allow.
    UnreadablePictureError
        When the bytes are damaged or truncated.
    """
    if not data:
        raise EmptyUploadError
    if not _has_known_signature(data):
        raise UnsupportedFormatError(ACCEPTED_FORMATS)
    _silence_pillow()
    try:
        image = Image.open(io.BytesIO(data), formats=ACCEPTED_FORMATS)
    except Exception as error:
        raise _unreadable(error) from error
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureTooLargeError(height, width, limits.max_pixels)
    try:
        image.load()
        pixels, alpha = _to_arrays(_turn_upright(image))
    # A decoder fed with hostile bytes may raise anything at all.
    except Exception as error:
        raise _unreadable(error) from error
    # A phone's JPEG that holds several pictures is "MPO" to Pillow.
    format_name = "JPEG" if image.format == "MPO" else str(image.format)
    return DecodedImage(pixels, alpha, format_name, _read_dpi(image))


def encode_image(
    rgb: UInt8,
    source: DecodedImage,
    output_format: OutputFormat | None = None,
    *,
    quality: int = 90,
) -> EncodedImage:
    """Encode a coloured picture, with the alpha and print resolution of its source.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        Gamma-encoded sRGB.
    source : DecodedImage
        The upload, of the same height and width.
    output_format : OutputFormat, optional
        That of the source when not given, or PNG where that could not hold the
        colours. Alpha is left out where the format cannot carry it.
    quality : int
        1..100, for lossy formats.

    Returns
    -------
    encoded : EncodedImage
    """
    output_format = output_format or OUTPUT_FORMATS[source.format]
    if source.alpha is not None and output_format.carries_alpha:
        rgb = np.dstack((rgb, source.alpha))
    options = _encoder_options(output_format, quality)
    if source.dpi is not None:
        options["dpi"] = source.dpi
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, output_format.name, **options)
    return EncodedImage(buffer.getvalue(), output_format.media_type, output_format.extension)


def _encoder_options(output_format: OutputFormat, quality: int) -> dict[str, Any]:
    match output_format.name:
        # 4:2:0 would halve the resolution of the very thing that was added, the
        # colour: it bleeds over edges and takes L* of saturated pixels with it.
        case "JPEG":
            return {"quality": quality, "subsampling": "4:4:4"}
        case "AVIF":
            # A third of the time of the usual speed 6, for files a sixth larger.
            return {"quality": quality, "subsampling": "4:4:4", "speed": 8}
        case "WEBP":
            # Lossy WebP is always 4:2:0; this keeps lightness right at colour edges.
            return {"quality": quality, "use_sharp_yuv": True}
        case "PNG":
            # Two thirds of the time of the usual level 6; files may be a third larger.
            return {"compress_level": 1}
        case "TIFF":
            return {"compression": "tiff_lzw"}
        case _:
            return {}


def _has_known_signature(data: bytes) -> bool:
    """Ask Pillow's readers whether one of them knows the format, by its first bytes."""
    checks = (Image.OPEN[name][1] for name in ACCEPTED_FORMATS)
    return any(check is not None and check(data[:SIGNATURE_BYTES]) for check in checks)


def _silence_pillow() -> None:
    """Keep Pillow's warnings about odd metadata out of the log.

    They are about the upload, not about the service. Setting the same filter
    again is harmless; `warnings.catch_warnings` would not be safe in threads.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _unreadable(error: Exception) -> UnreadablePictureError:
    if isinstance(error, UnidentifiedImageError):
        reason = "its header is damaged"
    else:
        reason = str(error) or type(error).__name__
    return UnreadablePictureError(
        f"A picture must be complete and undamaged. Received: one that cannot be decoded ({reason})"
    )


def _turn_upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation, once.

    Pillow turns TIFF by itself on loading and takes the tag away, so the tag
    is read from the loaded picture.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - damaged metadata does not damage the pixels
        return image
    method = TRANSPOSITIONS.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_arrays(image: Image.Image) -> tuple[UInt8, UInt8 | None]:
    """Convert any of Pillow's modes to 8-bit pixels and alpha."""
    if image.mode.startswith(("I", "F")):
        return _to_8_bit(np.asarray(image)), None
    grey = image.mode in ("1", "L", "LA", "La")
    if not image.has_transparency_data:
        return np.asarray(image.convert("L" if grey else "RGB")), None
    channels = np.asarray(image.convert("LA" if grey else "RGBA"))
    pixels = channels[..., 0] if grey else channels[..., :3]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(channels[..., -1])


def _to_8_bit(values: NDArray[Any]) -> UInt8:
    """Scale deep grey to 8 bits by the range that its values are meant for.

    Pillow's own conversion clips at 255, which turns 16-bit pictures white.

    Parameters
    ----------
    values : ndarray of integers or floats, shape (H, W)
        Integers are 16-bit unless larger. Floats are shares of 1, or else 8-bit,
        or else 16-bit values, whichever range holds them.

    Returns
    -------
    grey : ndarray of uint8, shape (H, W)
    """
    scaled = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    largest = float(scaled.max())
    ranges = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    full_scale: float = next((limit for limit in ranges if largest <= limit), largest)
    shares: NDArray[np.float32] = np.clip(scaled / full_scale, 0, 1)
    return np.rint(shares * 255).astype(np.uint8)


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Read the print resolution; nonsense counts as none."""
    try:
        horizontal, vertical = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    # 1 is what Pillow reads from a TIFF without any; JPEG holds 16 bits of it.
    sensible = 1 < horizontal <= 65535 and 1 < vertical <= 65535
    return (horizontal, vertical) if sensible else None
