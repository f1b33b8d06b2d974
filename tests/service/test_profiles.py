"""Pictures in other colour spaces come out as they look."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from service.images import Limits, decode_image
from service.profiles import SRGB_PROFILE, convert_deep_to_srgb, parse_curve_profile

Encode = Callable[..., bytes]

LIMITS = Limits(max_pixels=100_000)

SRGB_PRIMARIES = (
    (0.43607, 0.22249, 0.01392),
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71410),
)
ADOBE_RGB_PRIMARIES = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
SRGB_PARAMETERS = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(gamma: float) -> bytes:
    points = np.rint(np.linspace(0, 1, 1024) ** gamma * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(points)) + points.tobytes()


def parametric_curve(kind: int, *parameters: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + s15(*parameters)


def profile_of(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile, made by hand from its tags."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(80),
        b"wtpt": b"XYZ \0\0\0\0" + s15(0.9642, 1, 0.8249),
        **tags,
    }
    table, body = b"", b""
    start = 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content
    header = struct.pack(">I4s4s4s4s4s", 0, bytes(4), b"\x04\0\0\0", b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + s15(0.9642, 1, 0.8249) + bytes(48)
    profile = header + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


def rgb_profile(primaries: tuple[tuple[float, ...], ...], curve: bytes) -> bytes:
    names = zip((b"r", b"g", b"b"), primaries, strict=True)
    tags = {name + b"XYZ": b"XYZ \0\0\0\0" + s15(*primary) for name, primary in names}
    return profile_of(b"RGB ", tags | {name + b"TRC": curve for name in (b"r", b"g", b"b")})


ADOBE_RGB = rgb_profile(ADOBE_RGB_PRIMARIES, gamma_curve(2.2))
SWAPPED = rgb_profile(SRGB_PRIMARIES[::-1], parametric_curve(3, *SRGB_PARAMETERS))
GREY_LINEAR = profile_of(b"GRAY", {b"kTRC": gamma_curve(1.0)})


@pytest.fixture(scope="module")
def colours() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_decode_swapped_profile_swaps_channels(format_name: str, encode: Encode) -> None:
    data = encode(Image.new("RGB", (16, 16), (200, 90, 30)), format_name, icc_profile=SWAPPED)

    pixel = decode_image(data, LIMITS).pixels[8, 8].astype(int)

    assert np.abs(pixel - (30, 90, 200)).max() <= 4


def test_decode_wide_gamut_profile_gains_chroma(encode: Encode) -> None:
    data = encode(Image.new("RGB", (4, 4), (120, 180, 120)), "PNG", icc_profile=ADOBE_RGB)

    red, green, _ = decode_image(data, LIMITS).pixels[0, 0].astype(int)

    assert green - red > 70


@pytest.mark.parametrize(
    "profile",
    [
        SRGB_PROFILE,
        rgb_profile(SRGB_PRIMARIES, parametric_curve(3, *SRGB_PARAMETERS)),
        rgb_profile(SRGB_PRIMARIES, parametric_curve(4, *SRGB_PARAMETERS, 0, 0)),
    ],
    ids=["lcms", "parametric 3", "parametric 4"],
)
def test_decode_srgb_profile_changes_nothing(
    profile: bytes, colours: NDArray[np.uint8], encode: Encode
) -> None:
    data = encode(Image.fromarray(colours), "PNG", icc_profile=profile)

    assert np.array_equal(decode_image(data, LIMITS).pixels, colours)
    deep = colours.astype(np.uint16) * 257
    assert np.array_equal(convert_deep_to_srgb(deep, profile), deep)


@pytest.mark.parametrize(
    "curve",
    [
        gamma_curve(1.8),
        table_curve(2.0),
        b"curv\0\0\0\0\0\0\0\0",
        parametric_curve(0, 2.2),
        parametric_curve(1, 2.2, 0.9, 0.1),
        parametric_curve(2, 2.2, 0.9, 0.05, 0.02),
        parametric_curve(3, *SRGB_PARAMETERS),
        parametric_curve(4, *SRGB_PARAMETERS, 0.01, 0.01),
    ],
    ids=["gamma", "table", "identity", "para 0", "para 1", "para 2", "para 3", "para 4"],
)
@pytest.mark.parametrize("primaries", [ADOBE_RGB_PRIMARIES, SRGB_PRIMARIES[::-1]])
def test_convert_deep_agrees_with_little_cms(
    primaries: tuple[tuple[float, ...], ...], curve: bytes, colours: NDArray[np.uint8]
) -> None:
    profile = rgb_profile(primaries, curve)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(
        Image.fromarray(colours), source, ImageCms.createProfile("sRGB"), renderingIntent=1
    )

    converted = convert_deep_to_srgb(colours.astype(np.uint16) * 257, profile)

    difference = converted / 257 - np.asarray(expected)
    # The oracle computes with fewer bits, which shows near black only.
    assert np.abs(difference).mean() < 0.6
    assert np.quantile(np.abs(difference), 0.99) < 2.5


def test_convert_deep_keeps_gradients_fine() -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16)
    pixels = np.repeat(ramp[None, :, None], 3, axis=2)

    converted = convert_deep_to_srgb(pixels, ADOBE_RGB)

    assert len(np.unique(converted[0, :, 1])) > 4_000


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_decode_grey_profile_applies_its_curve(dtype: type, encode: Encode) -> None:
    highest = np.iinfo(dtype).max
    levels = np.array([[0, highest // 5, highest // 2, highest]], dtype)

    decoded = decode_image(encode(Image.fromarray(levels), "PNG", icc_profile=GREY_LINEAR), LIMITS)

    # Linear 0.2 and 0.5 are 0.485 and 0.735 in the curve of sRGB.
    assert decoded.pixels.dtype == dtype
    shares = decoded.pixels / highest
    np.testing.assert_allclose(shares, [[0, 0.485, 0.735, 1]], atol=0.003)


def test_decode_lab_tiff_becomes_srgb(encode: Encode) -> None:
    image = Image.new("RGB", (4, 4), (180, 60, 90))
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )

    pixel = decode_image(encode(lab, "TIFF"), LIMITS).pixels[0, 0].astype(int)

    assert np.abs(pixel - (180, 60, 90)).max() <= 3


def test_decode_alpha_survives_profile(encode: Encode) -> None:
    image = Image.new("RGBA", (4, 4), (200, 90, 30, 77))

    decoded = decode_image(encode(image, "PNG", icc_profile=SWAPPED), LIMITS)

    assert decoded.alpha is not None
    assert (decoded.alpha == 77).all()
    assert np.abs(decoded.pixels[0, 0].astype(int) - (30, 90, 200)).max() <= 1


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        b"",
        SWAPPED[:140],
        GREY_LINEAR,
        SWAPPED.replace(b"acsp", b"nope"),
        bytes(4000),
    ],
    ids=["text", "empty", "cut", "for grey", "unsigned", "zeros"],
)
def test_decode_broken_profile_is_ignored(
    profile: bytes, colours: NDArray[np.uint8], encode: Encode
) -> None:
    data = encode(Image.fromarray(colours), "PNG", icc_profile=profile)

    assert np.array_equal(decode_image(data, LIMITS).pixels, colours)
    deep = colours.astype(np.uint16) * 257
    assert np.array_equal(convert_deep_to_srgb(deep, profile), deep)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("profile", [SWAPPED, ADOBE_RGB, GREY_LINEAR], ids=["rgb", "adobe", "grey"])
def test_corrupted_profile_never_fails(
    profile: bytes, seed: int, colours: NDArray[np.uint8], encode: Encode
) -> None:
    damaged = bytearray(profile)
    chance = random.Random(seed)
    for _ in range(6):
        damaged[chance.randrange(128, len(damaged))] = chance.randrange(256)
    image = Image.fromarray(colours if profile is not GREY_LINEAR else colours[..., 0])

    decoded = decode_image(encode(image, "PNG", icc_profile=bytes(damaged)), LIMITS)
    deep = convert_deep_to_srgb(np.asarray(image).astype(np.uint16) * 257, bytes(damaged))

    assert decoded.pixels.shape == np.asarray(image).shape
    assert deep.shape == np.asarray(image).shape


def test_parse_profile_with_tables_is_refused() -> None:
    curve = gamma_curve(1.0)
    tags = dict.fromkeys((b"A2B0", b"rTRC", b"gTRC", b"bTRC"), curve)

    with pytest.raises(ValueError, match="another build"):
        parse_curve_profile(profile_of(b"RGB ", tags))
