"""Pictures from bytes and to bytes: orientation, alpha, bit depth, colour, limits.

Uploads are hostile until decoded. The format is told by content, never by name;
the size is checked from the header, before a pixel is decoded; and whatever a
decoder raises becomes one error of ours.
"""

from __future__ import annotations

import io
import os
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from service.cie import UInt8, UInt16
from service.deep import (
    has_deep_colour,
    load_deep,
    to_8_bit,
    to_16_bit,
    write_deep_png,
    write_tiff,
)
from service.errors import (
    EmptyUploadError,
    PictureTooLargeError,
    UnreadablePictureError,
    UnsupportedFormatError,
)
from service.formats import (
    ACCEPTED_FORMATS,
    JPEG,
    PILLOW_FORMATS,
    TIFF,
    OutputFormat,
    has_known_signature,
)
from service.heif import is_avif_of_parts, is_heif, open_heif
from service.metadata import (
    NO_METADATA,
    UPRIGHT,
    Metadata,
    encoder_options,
    read_metadata,
    tiff_directory,
)
from service.profiles import convert_deep_to_srgb, convert_to_srgb
from service.quiet import silence_libtiff
from service.structure import check_exif, check_scans, check_structure, drop_misleading_texts

Samples = NDArray[Any]
"""Of uint8 or uint16."""

# All compressed texts of a PNG together; Pillow would unpack 64 MB of them.
PngImagePlugin.MAX_TEXT_MEMORY = 8 * 1024 * 1024

# Pillow's own limit is a constant of the process; ours is a setting, checked in
# `decode_image` from the header, so that nothing is decoded before it either.
Image.MAX_IMAGE_PIXELS = None

silence_libtiff()


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
QUARTER_TURNS = (5, 6, 7, 8)
"""Orientations that exchange height and width."""
LARGE_PIXELS = 4_000_000
"""Of answers: beyond it their encoder must hurry."""
CENTIMETRES = 3
"""EXIF's unit of resolution that is not the inch."""


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
    """A picture, upright, in sRGB.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Grey, or colour, gamma-encoded.
    alpha : ndarray of the same type, shape (H, W), or None
        Opacity; None when the picture has none.
    format : str
        Pillow's name, one of `ACCEPTED_FORMATS`.
    dpi : tuple of float, or None
        Resolution for print, horizontal, then vertical.
    metadata : Metadata
        What the answer is to say of the picture; empty unless it was asked for.
    """

    pixels: Samples
    alpha: Samples | None
    format: str
    dpi: tuple[float, float] | None
    metadata: Metadata = NO_METADATA

    @property
    def bit_depth(self) -> int:
        """Bits of a sample: 8 or 16."""
        return self.pixels.itemsize * 8

    @property
    def grey_8_bit(self) -> UInt8 | None:
        """The pixels, shape (H, W), when they are 8-bit grey; otherwise None."""
        return self.pixels if self.pixels.ndim == 2 and self.bit_depth == 8 else None

    @property
    def has_alpha(self) -> bool:
        """Whether there is opacity beside the colours."""
        return self.alpha is not None

    @property
    def longer_side(self) -> int:
        """Height or width, whichever is larger, in pixels."""
        height, width = self.pixels.shape[:2]
        return int(max(height, width))

    def rgb_8_bit(self) -> UInt8:
        """Reduce the picture to 8-bit sRGB without alpha, shape (H, W, 3)."""
        pixels = to_8_bit(self.pixels)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


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


def decode_image(data: bytes, limits: Limits, *, keep_metadata: bool = False) -> DecodedImage:
    """Decode the first frame of a picture.

    Parameters
    ----------
    data : bytes
        A file in one of `ACCEPTED_FORMATS`.
    limits : Limits
    keep_metadata : bool
        Whether to collect what the file says beside its pixels.

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
        When the bytes are damaged or truncated, or hold pixels of a kind that
        is not read here.
    """
    if not data:
        raise EmptyUploadError
    if not has_known_signature(data):
        raise UnsupportedFormatError(ACCEPTED_FORMATS)
    _silence_pillow()
    check_structure(data)
    data = drop_misleading_texts(data)
    # A decoder fed with hostile bytes may raise anything at all.
    try:
        image = _open_any(data, limits)
    except PictureTooLargeError:
        raise
    except Exception as error:
        raise _unreadable(error) from error
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureTooLargeError(height, width, limits.max_pixels)
    if image.format in ("JPEG", "MPO"):
        check_scans(data, width * height)
    try:
        if isinstance(image, ImageFile.ImageFile) and has_deep_colour(image):
            pixels, alpha = _load_deep_colour(image, data)
        else:
            pixels, alpha = _load(image)
    except Exception as error:
        raise _unreadable(error) from error
    return DecodedImage(
        pixels,
        alpha,
        # A phone's JPEG that holds several pictures is "MPO" to Pillow.
        "JPEG" if image.format == "MPO" else str(image.format),
        _read_dpi(image),
        _read_metadata(image, data) if keep_metadata else NO_METADATA,
    )


def encode_image(
    rgb: Samples,
    source: DecodedImage,
    output_format: OutputFormat,
    *,
    quality: int = 90,
) -> EncodedImage:
    """Encode a coloured picture, with what its source has beside colours.

    Parameters
    ----------
    rgb : ndarray of uint8 or uint16, shape (H, W, 3)
        Gamma-encoded sRGB; of 16 bits where the format carries them. With 8 bits
        best laid out as `apply_chroma` does it: then nothing is copied.
    source : DecodedImage
        The upload, of the same height and width: its alpha, print resolution and
        metadata are taken over. Where the format cannot carry alpha, the picture
        is laid on white.
    output_format : OutputFormat
    quality : int
        1..100, for lossy formats.

    Returns
    -------
    encoded : EncodedImage
    """
    samples = rgb
    if source.alpha is not None:
        alpha: Samples = (to_8_bit if rgb.dtype == np.uint8 else to_16_bit)(source.alpha)
        if output_format.carries_alpha:
            samples = np.dstack((rgb, alpha))
        else:
            samples = _lay_on_white(rgb, alpha)
    data = _write(samples, source, output_format, quality)
    return EncodedImage(data, output_format.media_type, output_format.extension)


def _write(
    samples: Samples, source: DecodedImage, output_format: OutputFormat, quality: int
) -> bytes:
    if output_format is TIFF:
        return write_tiff(samples, tiff_directory(source.metadata, source.dpi))
    options = encoder_options(source.metadata, source.dpi, output_format)
    if samples.dtype == np.uint16:
        return write_deep_png(samples, **options)
    options |= _compression_options(output_format, quality, samples.shape[0] * samples.shape[1])
    with _open_scratch() as scratch:
        _as_image(samples, output_format).save(scratch, output_format.name, **options)
        scratch.seek(0)
        return scratch.read()


def _open_scratch() -> BinaryIO:
    """Open a file in memory, where there are such files.

    What Pillow writes to anything else, it writes with the lock of the interpreter
    held: neither another picture nor the event loop would get on meanwhile.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("picture"), "w+b")
    return io.BytesIO()


def _as_image(samples: UInt8, output_format: OutputFormat) -> Image.Image:
    """Give pixels to Pillow, without a copy where they lie as it has them itself."""
    height, width, channels = samples.shape
    if (channels, samples.strides) != (3, (4 * width, 4, 1)):
        return Image.fromarray(samples)
    padded = np.lib.stride_tricks.as_strided(samples, (height, width, 4))
    image = Image.frombuffer("RGBX", (width, height), padded, "raw", "RGBX", 0, 1)
    # Only JPEG's writer knows the mode with an unused byte.
    return image if output_format is JPEG else image.convert("RGB")


def _compression_options(output_format: OutputFormat, quality: int, pixels: int) -> dict[str, Any]:
    match output_format.name:
        # 4:2:0 would halve the resolution of the very thing that was added, the
        # colour: it bleeds over edges and takes L* of saturated pixels with it.
        case "JPEG":
            return {"quality": quality, "subsampling": "4:4:4"}
        case "AVIF":
            # A third of the time of the usual speed 6, for files a sixth larger. Where that
            # would be many seconds, a third of it again.
            speed = 8 if pixels <= LARGE_PIXELS else 10
            return {"quality": quality, "subsampling": "4:4:4", "speed": speed}
        case "WEBP":
            # Lossy WebP is always 4:2:0; this keeps lightness right at colour edges.
            # The usual method 4 takes four times as long, at 33 megapixels six times (11 s),
            # for files that are 3 % smaller at most.
            return {"quality": quality, "use_sharp_yuv": True, "method": 2}
        case "PNG":
            # A third of the time of the usual level 6, for files a twentieth larger: after
            # the filters of PNG, longer matches than runs are rare.
            return {"compress_level": 1, "compress_type": zlib.Z_RLE}
        case _:
            return {}


def _lay_on_white(rgb: Samples, alpha: Samples) -> UInt8:
    """Show an 8-bit picture as it looks on white paper."""
    opacity = alpha[..., None].astype(np.uint16)
    mixed = rgb * opacity + 255 * (255 - opacity)
    return ((mixed + 127) // 255).astype(np.uint8)


def _open_any(data: bytes, limits: Limits) -> Image.Image:
    if is_avif_of_parts(data):
        return open_heif(data, limits.max_pixels, "AVIF")
    try:
        return _open(data)
    except UnidentifiedImageError:
        if not is_heif(data):
            raise
    return open_heif(data, limits.max_pixels)


def _open(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=PILLOW_FORMATS)


def _silence_pillow() -> None:
    """Keep Pillow's warnings about odd metadata out of the log.

    They are about the upload, not about the service. Setting the same filter
    again is harmless; `warnings.catch_warnings` would not be safe in threads.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _unreadable(error: Exception) -> UnreadablePictureError:
    if isinstance(error, UnidentifiedImageError):
        reason = "its header is damaged, or it holds pixels of a kind that is not read here"
    else:
        reason = str(error) or type(error).__name__
    return UnreadablePictureError(
        f"A picture must be complete and undamaged. Received: one that cannot be decoded ({reason})"
    )


def _load(image: Image.Image) -> tuple[Samples, Samples | None]:
    """Load a picture of any of Pillow's modes: sRGB or grey, and alpha."""
    _spread_transparent_level(image)
    upright = _load_upright(image)
    profile = image.info.get("icc_profile")
    if upright.mode.startswith(("I", "F")):
        deep_grey = _scale_deep_grey(np.asarray(upright))
        alpha = _transparent_to_alpha(deep_grey[..., None], image.info.get("transparency"))
        return convert_deep_to_srgb(deep_grey, profile), alpha
    is_grey = upright.mode in ("1", "L", "LA", "La")
    opacity: UInt8 | None = None
    if upright.has_transparency_data:
        upright = upright.convert("LA" if is_grey else "RGBA")
        opacity = np.asarray(upright.getchannel("A"))
    if is_grey:
        upright = upright.convert("L")
    elif upright.mode not in ("CMYK", "LAB"):
        upright = upright.convert("RGB")
    return np.asarray(convert_to_srgb(upright, profile)), opacity


def _load_deep_colour(image: ImageFile.ImageFile, data: bytes) -> tuple[UInt16, UInt16 | None]:
    """Load all bits of a picture with 16-bit colour or alpha."""
    samples = load_deep(image, _open(data), _load_upright)
    alpha: UInt16 | None
    if samples.shape[2] == 3:
        alpha = _transparent_to_alpha(samples, image.info.get("transparency"))
    else:
        alpha = np.ascontiguousarray(samples[..., -1])
    pixels = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    profile = image.info.get("icc_profile")
    return convert_deep_to_srgb(np.ascontiguousarray(pixels), profile), alpha


def _load_upright(image: Image.Image) -> Image.Image:
    """Load a picture and apply its EXIF orientation, once.

    Pillow turns TIFF by itself on loading and takes the tag away, so the tag
    is read from the loaded picture.
    """
    image.load()
    method = TRANSPOSITIONS.get(_read_orientation(image))
    return image if method is None else image.transpose(method)


def _read_metadata(image: Image.Image, data: bytes) -> Metadata:
    """Collect the metadata of a loaded picture; none when that fails."""
    try:
        check_exif(image.info.get("exif"))
        # Pillow closes a TIFF once it is loaded, with directories not yet read.
        return read_metadata(_open(data) if image.format == "TIFF" else image)
    except Exception:  # noqa: BLE001 - damaged metadata does not damage the pixels
        return NO_METADATA


def _read_orientation(image: Image.Image) -> int:
    try:
        check_exif(image.info.get("exif"))
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - damaged metadata does not damage the pixels
        return UPRIGHT
    return orientation if isinstance(orientation, int) else UPRIGHT


def _spread_transparent_level(image: Image.Image) -> None:
    """Bring the transparent level of a shallow grey PNG to the 8 bits of its pixels.

    Pillow spreads 2 or 4 bits over 8 in the pixels, and leaves this one.
    """
    level = image.info.get("transparency")
    if isinstance(image, PngImagePlugin.PngImageFile) and isinstance(level, int) and image.tile:
        factor = {"L;2": 85, "L;4": 17}.get(str(image.tile[0].args), 1)
        image.info["transparency"] = level * factor


def _transparent_to_alpha(samples: UInt16, transparent: Any) -> UInt16 | None:
    """Make alpha of the one colour, if any, that a PNG declares transparent.

    Parameters
    ----------
    samples : ndarray of uint16, shape (H, W, C)
    transparent : int, tuple of int, or None
    """
    if transparent is None:
        return None
    matches = (samples == np.atleast_1d(transparent)).all(axis=-1)
    return np.where(matches, np.uint16(0), np.uint16(65535))


def _scale_deep_grey(values: NDArray[Any]) -> UInt16:
    """Scale deep grey to 16 bits by the range that its values are meant for.

    Parameters
    ----------
    values : ndarray of integers or floats, shape (H, W)
        Integers are 16-bit unless larger. Floats are shares of 1, or else 8-bit,
        or else 16-bit values, whichever range holds them.

    Returns
    -------
    grey : ndarray of uint16, shape (H, W)
    """
    if values.dtype.kind == "u" and values.itemsize == 2:
        return values.astype(np.uint16)
    scaled = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
    largest = float(scaled.max())
    ranges = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    full_scale: float = next((limit for limit in ranges if largest <= limit), largest)
    shares: NDArray[np.float32] = np.clip(scaled / full_scale, 0, 1)
    return np.rint(shares * 65535).astype(np.uint16)


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Read the print resolution of the upright picture; nonsense counts as none."""
    try:
        horizontal, vertical = (float(value) for value in image.info.get("dpi") or _exif_dpi(image))
    # Damaged metadata, division by zero in fractions, and the like.
    except Exception:  # noqa: BLE001 - it does not damage the pixels
        return None
    # 1 is what Pillow reads from a TIFF without any; JPEG holds 16 bits of it.
    sensible = 1 < horizontal <= 65535 and 1 < vertical <= 65535
    if not sensible:
        return None
    is_turned = _read_orientation(image) in QUARTER_TURNS
    return (vertical, horizontal) if is_turned else (horizontal, vertical)


def _exif_dpi(image: Image.Image) -> tuple[float, float]:
    """Read the print resolution of formats that hold it in EXIF only."""
    check_exif(image.info.get("exif"))
    exif = image.getexif()
    per_inch = 2.54 if exif.get(ExifTags.Base.ResolutionUnit) == CENTIMETRES else 1.0
    return (
        exif[ExifTags.Base.XResolution] * per_inch,
        exif[ExifTags.Base.YResolution] * per_inch,
    )
