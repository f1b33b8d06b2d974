"""One request keeps everything of the picture but its colour."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image
from skimage import color as oracle

from service.colorizer import Colorizer, Prediction, Registry
from service.errors import (
    EmptyUploadError,
    PictureTooLargeError,
    UnreadablePictureError,
    UnsupportedFormatError,
)
from service.formats import JPEG, OUTPUT_FORMATS, PNG, TIFF, OutputFormat
from service.images import Limits, decode_image
from service.pipeline import ColorizedPicture, OutputOptions, colorize
from tests.conftest import DATA_DIR, ENCODABLE_FORMATS, MODEL_CHROMA

Encode = Callable[..., bytes]

LIMITS = Limits(max_pixels=400_000)
STRONG_CHROMA = (70.0, -80.0)
"""A violet that sRGB can show at few lightnesses only."""


class PaintingColorizer(Colorizer):
    """Stands in for a network; predicts one chroma everywhere, at a given size."""

    def __init__(self, chroma: tuple[float, float], size: tuple[int, int] = (16, 24)) -> None:
        self.chroma = np.full((*size, 2), chroma, np.float32)

    def predict(self, *_: object, **__: object) -> Prediction:
        return Prediction(self.chroma[None], (np.array([[50, *self.chroma[0, 0], 1]], np.float32),))


@pytest.fixture(scope="module")
def colorizer(models_dir: Path) -> Colorizer:
    return Registry.load(models_dir, intra_op_threads=1).get("v1")


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    """Every grey next to every other, 96 x 72 pixels."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (72, 96), np.uint8))


def decode(picture: ColorizedPicture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    return image


def lightness_of(image: Image.Image) -> NDArray[np.float64]:
    lab: NDArray[np.float64] = oracle.rgb2lab(np.asarray(image.convert("RGB")))
    return lab[..., 0]


# What is kept


@pytest.mark.parametrize("chroma", [(0.0, 0.0), STRONG_CHROMA, (-90.0, 80.0), (127.0, 127.0)])
def test_colorize_png_keeps_lightness(
    noise: Image.Image, encode: Encode, chroma: tuple[float, float]
) -> None:
    coloured = decode(colorize(encode(noise, "PNG"), PaintingColorizer(chroma), LIMITS))

    error = np.abs(lightness_of(coloured) - lightness_of(noise))
    assert error.mean() <= 0.3
    assert error.max() <= 0.8


def test_colorize_without_chroma_answers_same_greys(noise: Image.Image, encode: Encode) -> None:
    coloured = decode(colorize(encode(noise, "PNG"), PaintingColorizer((0.0, 0.0)), LIMITS))

    np.testing.assert_array_equal(np.asarray(coloured), np.asarray(noise.convert("RGB")))


@pytest.mark.parametrize("format_name", ENCODABLE_FORMATS)
def test_colorize_keeps_size_and_format(
    grey_gradient: Image.Image, encode: Encode, colorizer: Colorizer, format_name: str
) -> None:
    picture = colorize(encode(grey_gradient, format_name), colorizer, LIMITS)

    expected = OUTPUT_FORMATS[format_name]
    coloured = decode(picture)
    assert coloured.format == expected.name
    assert (picture.media_type, picture.extension) == (expected.media_type, expected.extension)
    assert coloured.size == grey_gradient.size
    assert coloured.mode == "RGB"
    # Lossy formats included: chroma is never bought with visible lightness.
    assert np.abs(lightness_of(coloured) - lightness_of(grey_gradient)).mean() < 1


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 500), (500, 1), (31, 257), (640, 480)])
def test_colorize_keeps_any_size(
    encode: Encode, colorizer: Colorizer, size: tuple[int, int]
) -> None:
    grey = Image.linear_gradient("L").resize(size)

    coloured = decode(colorize(encode(grey, "PNG"), colorizer, LIMITS))

    assert coloured.size == size
    assert np.abs(lightness_of(coloured) - lightness_of(grey)).max() <= 0.8


def test_colorize_turns_upright_once(
    grey_gradient: Image.Image, encode: Encode, colorizer: Colorizer
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    upload = encode(grey_gradient, "PNG", exif=exif)

    coloured = decode(colorize(upload, colorizer, LIMITS))

    upright = grey_gradient.transpose(Image.Transpose.ROTATE_270)
    assert coloured.size == upright.size
    assert coloured.getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert np.abs(lightness_of(coloured) - lightness_of(upright)).max() <= 0.8


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_colorize_png_keeps_alpha(
    noise: Image.Image, encode: Encode, colorizer: Colorizer, mode: str
) -> None:
    alpha = Image.linear_gradient("L").resize(noise.size)
    upload = noise.convert(mode)
    upload.putalpha(alpha)

    coloured = decode(colorize(encode(upload, "PNG"), colorizer, LIMITS))

    assert coloured.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(coloured.getchannel("A")), np.asarray(alpha))
    assert np.abs(lightness_of(coloured) - lightness_of(noise)).max() <= 0.8


@pytest.mark.parametrize(("name", "output_format"), [("turned", JPEG), ("alpha", PNG)])
def test_colorize_heic_answers_what_everyone_reads(
    grey_gradient: Image.Image, colorizer: Colorizer, name: str, output_format: OutputFormat
) -> None:
    picture = colorize((DATA_DIR / f"{name}.heic").read_bytes(), colorizer, LIMITS)

    coloured = decode(picture)
    assert coloured.format == output_format.name
    assert np.abs(lightness_of(coloured) - lightness_of(grey_gradient)).max() < 3


@pytest.mark.parametrize("output_format", [PNG, TIFF])
@pytest.mark.parametrize("upload_format", ["PNG", "TIFF"])
def test_colorize_16_bit_ramp_does_not_band(
    encode: Encode, colorizer: Colorizer, upload_format: str, output_format: OutputFormat
) -> None:
    ramp = np.linspace(9_000, 50_000, 4_096).astype(np.uint16)
    upload = encode(Image.fromarray(np.tile(ramp, (4, 1))), upload_format)
    output = OutputOptions({output_format: 1.0})

    answer = decode_image(colorize(upload, colorizer, LIMITS, output).data, LIMITS)

    assert answer.pixels.dtype == np.uint16
    lightness = oracle.rgb2lab(answer.pixels / 65535)[..., 0]
    expected = oracle.rgb2lab(np.repeat(ramp[None, :, None], 3, axis=2) / 65535)[..., 0]
    assert np.abs(lightness - expected).max() < 0.02
    assert len(np.unique(answer.pixels[0, :, 1])) > 4_000
    # Every step is about as small as the input's: none is 8 bits wide.
    assert np.abs(np.diff(lightness[0])).max() < 0.05


def test_colorize_16_bit_upload_fits_8_bit_format(encode: Encode, colorizer: Colorizer) -> None:
    upload = encode(Image.fromarray(np.full((8, 8), 30_000, np.uint16)), "PNG")

    picture = colorize(upload, colorizer, LIMITS, OutputOptions({JPEG: 1.0}))

    assert decode(picture).mode == "RGB"
    assert picture.media_type == "image/jpeg"


# What is new


def test_colorize_gives_predicted_chroma(
    grey_gradient: Image.Image, encode: Encode, colorizer: Colorizer
) -> None:
    coloured = decode(colorize(encode(grey_gradient, "PNG"), colorizer, LIMITS))

    lab = oracle.rgb2lab(np.asarray(coloured))
    # sRGB has this colour at every lightness of the picture; 8-bit rounding is below 1.
    np.testing.assert_allclose(
        lab[..., 1:], np.broadcast_to(MODEL_CHROMA, (*lab.shape[:2], 2)), atol=1
    )


def test_colorize_colour_upload_recolours_its_own_lightness(encode: Encode) -> None:
    codes = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    upload = Image.fromarray(codes)

    coloured = decode(colorize(encode(upload, "PNG"), PaintingColorizer(STRONG_CHROMA), LIMITS))

    error = np.abs(lightness_of(coloured) - lightness_of(upload))
    assert error.mean() <= 0.3
    assert error.max() <= 0.8
    # Nothing of the old colours is left: every hue is that of the model.
    a, b = oracle.rgb2lab(np.asarray(coloured))[..., 1:].transpose(2, 0, 1)
    vivid = np.hypot(a, b) > 20
    assert vivid.mean() > 0.9
    hue_error = np.angle((a + 1j * b)[vivid] / complex(*STRONG_CHROMA), deg=True)
    assert np.abs(hue_error).max() < 5


# Determinism, timings, errors


def test_colorize_same_bytes_gives_same_bytes(
    noise: Image.Image, encode: Encode, colorizer: Colorizer
) -> None:
    for format_name in ("PNG", "JPEG", "WEBP"):
        upload = encode(noise, format_name)

        answers = {colorize(upload, colorizer, LIMITS).data for _ in range(3)}

        assert len(answers) == 1


def test_colorize_times_four_stages(
    grey_gradient: Image.Image, encode: Encode, colorizer: Colorizer
) -> None:
    timings_ms = colorize(encode(grey_gradient, "PNG"), colorizer, LIMITS).timings_ms

    assert list(timings_ms) == ["decode", "model", "merge", "encode"]
    assert all(0 < elapsed_ms < 60_000 for elapsed_ms in timings_ms.values())


@pytest.mark.parametrize(
    ("upload", "error"),
    [
        (b"", EmptyUploadError),
        (b"no picture at all", UnsupportedFormatError),
        (b"\x89PNG\r\n\x1a\n and no more", UnreadablePictureError),
    ],
    ids=["empty", "text", "damaged"],
)
def test_colorize_refuses_what_is_no_picture(
    colorizer: Colorizer, upload: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        colorize(upload, colorizer, LIMITS)


def test_colorize_refuses_too_many_pixels(
    grey_gradient: Image.Image, encode: Encode, colorizer: Colorizer
) -> None:
    upload = encode(grey_gradient, "PNG")
    pixels = grey_gradient.width * grey_gradient.height

    assert colorize(upload, colorizer, Limits(max_pixels=pixels)).data
    with pytest.raises(PictureTooLargeError):
        colorize(upload, colorizer, Limits(max_pixels=pixels - 1))
