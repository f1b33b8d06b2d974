"""ICC profiles: pictures of any colour space brought to sRGB.

8-bit pictures go through Little CMS. It has no more than 8 bits in Pillow, so
deep pictures, and grey ones of any depth, are computed here from the curves and
the matrix of the profile, which is what the usual working spaces consist of
(Adobe RGB, Display P3, ProPhoto, grey gammas).

References
----------
.. [1] ICC.1:2022, Image technology colour management.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from service.cie import Float32, UInt16

SRGB_TO_XYZ_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""The sRGB primaries, adapted to the white of ICC profiles."""
SRGB_TOLERANCE = 0.003
"""Linear light by which the many published sRGB profiles differ among each other."""

SRGB_PROFILE: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
"""A small profile (under 1 kB), for formats that cannot name sRGB in fewer bytes."""

STRIP_ROWS = 64
"""Rows converted at a time: floats of a whole picture would be four times its size."""


@dataclass(frozen=True)
class CurveProfile:
    """A profile that is one curve for each channel and, for RGB, a matrix.

    Parameters
    ----------
    curves : tuple of ndarray of float32, shape (65536,)
        Linear light in [0, 1] of each 16-bit code; one for grey, three for RGB.
    matrix : ndarray of float64, shape (3, 3), or None
        Linear RGB to XYZ (D50); None for grey.
    """

    curves: tuple[Float32, ...]
    matrix: NDArray[np.float64] | None

    @property
    def is_srgb(self) -> bool:
        """Whether it says what would be assumed without it."""
        if self.matrix is None or np.abs(self.matrix - SRGB_TO_XYZ_D50).max() > SRGB_TOLERANCE:
            return False
        codes = slice(None, None, 257)
        expected = _srgb_to_linear(np.arange(0, 65536, 257) / 65535)
        return all(np.abs(curve[codes] - expected).max() < SRGB_TOLERANCE for curve in self.curves)


def convert_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an 8-bit picture to sRGB, or to grey of the sRGB curve.

    Parameters
    ----------
    image : Image
        Of mode L, RGB, CMYK, YCbCr or LAB, without alpha.
    profile : bytes or None
        Its ICC profile. One that is damaged, or for another kind of picture,
        counts as none.

    Returns
    -------
    Image
        Of mode L for grey, else RGB.
    """
    if image.mode == "LAB":
        return _transform(image, ImageCms.createProfile("LAB"))
    if image.mode == "YCbCr":
        image = image.convert("RGB")
    if profile:
        try:
            return _apply_profile(image, profile)
        # Little CMS and the parser are fed with hostile bytes.
        except Exception:  # noqa: BLE001, S110 - the pixels are good without it
            pass
    return image if image.mode == "L" else image.convert("RGB")


def convert_deep_to_srgb(pixels: UInt16, profile: bytes | None) -> UInt16:
    """Convert a 16-bit picture to sRGB, or to grey of the sRGB curve.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (H, W) or (H, W, 3)
    profile : bytes or None
        Its ICC profile. One that is damaged, or for another kind of picture,
        or made of more than curves and a matrix, counts as none.

    Returns
    -------
    ndarray of uint16, of the same shape
    """
    try:
        parsed = parse_curve_profile(profile or b"")
    except ValueError:
        return pixels
    if (parsed.matrix is None) != (pixels.ndim == 2) or parsed.is_srgb:
        return pixels
    if parsed.matrix is None:
        return _grey_table(parsed)[pixels]
    to_srgb = (np.linalg.inv(SRGB_TO_XYZ_D50) @ parsed.matrix).T.astype(np.float32)
    converted = np.empty_like(pixels)
    for start in range(0, len(pixels), STRIP_ROWS):
        strip = pixels[start : start + STRIP_ROWS]
        linear = np.stack([c[strip[..., i]] for i, c in enumerate(parsed.curves)], axis=-1)
        encoded = _linear_to_srgb(np.clip(linear @ to_srgb, 0, 1))
        converted[start : start + STRIP_ROWS] = np.rint(encoded * 65535)
    return converted


def parse_curve_profile(profile: bytes) -> CurveProfile:
    """Read a profile that consists of curves and, for RGB, a matrix.

    Parameters
    ----------
    profile : bytes

    Returns
    -------
    CurveProfile

    Raises
    ------
    ValueError
        When it is damaged, or of another build.
    """
    try:
        return _parse_curve_profile(profile)
    except (ArithmeticError, IndexError, KeyError, struct.error) as error:
        raise ValueError("a damaged profile") from error


def _parse_curve_profile(profile: bytes) -> CurveProfile:
    tags = _read_tags(profile)
    space = profile[16:20]
    if space == b"GRAY":
        return CurveProfile((_read_curve(tags[b"kTRC"]),), None)
    # Where a profile has tables as well, the tables are what is meant.
    if space != b"RGB " or profile[20:24] != b"XYZ " or b"A2B0" in tags:
        raise ValueError("a profile of another build")
    matrix = np.column_stack([_read_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")])
    curves = tuple(_read_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    return CurveProfile(curves, matrix)


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert by a profile; raise anything at all when it is damaged."""
    space = profile[16:20].strip().decode("ascii")
    if space != {"L": "GRAY"}.get(image.mode, image.mode):
        raise ValueError("a profile for another kind of picture")
    if space == "GRAY":
        codes = _grey_table(parse_curve_profile(profile))[::257]
        return image.point(np.rint(codes / 257).astype(int).tolist())
    # What is sRGB already stays exactly as it is.
    if space == "RGB" and _is_srgb(profile):
        return image
    return _transform(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))


def _is_srgb(profile: bytes) -> bool:
    try:
        return parse_curve_profile(profile).is_srgb
    except ValueError:
        return False


def _transform(image: Image.Image, profile: Any) -> Image.Image:
    """Convert to sRGB: relative colorimetric, black to black."""
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise ValueError("no picture came out of the conversion")
    return converted


def _grey_table(profile: CurveProfile) -> UInt16:
    """16-bit sRGB code of each 16-bit grey code of the profile, shape (65536,)."""
    codes: Float32 = np.rint(_linear_to_srgb(np.clip(profile.curves[0], 0, 1)) * 65535)
    return codes.astype(np.uint16)


def _read_tags(profile: bytes) -> dict[bytes, bytes]:
    if profile[36:40] != b"acsp":
        raise ValueError("not an ICC profile")
    (count,) = struct.unpack_from(">I", profile, 128)
    # Real profiles have a dozen or two; a hostile count must not cost time.
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100)))
    return {name: profile[offset : offset + size] for name, offset, size in entries}


def _read_xyz(tag: bytes) -> NDArray[np.float64]:
    if tag[:4] != b"XYZ ":
        raise ValueError("not an XYZ tag")
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _read_curve(tag: bytes) -> Float32:
    """Read a tone curve as linear light of each 16-bit code, shape (65536,)."""
    encoded = np.linspace(0, 1, 65536)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        points = np.frombuffer(tag, ">u2", min(count, 65536), offset=12)
        if count == 0:
            linear = encoded
        elif count == 1:
            linear = encoded ** (points[0] / 256)
        else:
            linear = np.interp(encoded, np.linspace(0, 1, len(points)), points / 65535)
    elif tag[:4] == b"para":
        linear = _parametric_curve(tag, encoded)
    else:
        raise ValueError("not a curve tag")
    if not np.isfinite(linear).all():
        raise ValueError("a curve without end")
    return np.clip(linear, 0, 1).astype(np.float32)


def _parametric_curve(tag: bytes, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a parametric curve; the letters are those of ICC.1, 10.18."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[kind]
    values: list[float] = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
    g, a, b, c, d, e, f = values + [1, 0, 0, 0, 0, 0][count - 1 :]
    if kind in (1, 2):
        # Below -b/a the curve is the constant c, which kind 1 does not have.
        d, e, f, c = -b / a, c, c, 0.0
    # Hostile parameters overflow; the caller refuses what came of it.
    with np.errstate(all="ignore"):
        upper = np.maximum(a * x + b, 0) ** g + e
        curve: NDArray[np.float64] = np.where(x >= d, upper, c * x + f)
    return curve


def _srgb_to_linear(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    upper = ((encoded + 0.055) / 1.055) ** 2.4
    linear: NDArray[np.float64] = np.where(encoded <= 0.04045, encoded / 12.92, upper)
    return linear


def _linear_to_srgb(linear: Float32) -> Float32:
    return np.where(
        linear <= 0.0031308,
        12.92 * linear,
        np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055),
    )
