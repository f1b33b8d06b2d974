"""Pictures that lie on their side, or are mirrored, come back upright.

The eight orientations of EXIF, of pictures in landscape and in portrait, in each format that says
it in its own way: by a segment, a chunk, a tag or a box.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from service.color import rgb_to_lab
from tests.conftest import DATA_DIR, TestClient

Encode = Callable[..., bytes]
Grey = NDArray[np.uint8]

ORIENTATIONS = range(1, 9)
MAKER = "Maker of cameras"
# Quarters of four levels: all corners differ.
QUARTERS = np.array([[30, 90], [150, 230]], np.uint8)
SHAPES = {"landscape": (8, 16), "portrait": (16, 8)}
"""Of a quarter."""


def draw(shape: str) -> Grey:
    return np.kron(QUARTERS, np.ones(SHAPES[shape], np.uint8))


def store(upright: Grey, orientation: int) -> Grey:
    """Turn a picture so that it is upright again once its orientation is applied."""
    return {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]


def take(upright: Grey, orientation: int, format_name: str, encode: Encode) -> bytes:
    """Take a picture as a camera does that is held in some way."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = MAKER
    stored = Image.fromarray(np.ascontiguousarray(store(upright, orientation)))
    return encode(stored.convert("RGB"), format_name, exif=exif)


def assert_upright(answer: bytes, upright: Grey, make: str | None = None) -> None:
    """Make sure that an answer shows what was taken, and leaves nothing to be turned."""
    with Image.open(io.BytesIO(answer)) as image:
        exif = image.getexif()
        lightness = rgb_to_lab(np.asarray(image.convert("RGB")))[..., 0]
    expected = rgb_to_lab(np.repeat(upright[..., None], 3, axis=2))[..., 0]
    assert lightness.shape == expected.shape
    assert np.abs(lightness - expected).mean() < 2
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    assert exif.get(ExifTags.Base.Make) == make


@pytest.mark.parametrize("metadata", ["drop", "keep"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_post_turned_picture_is_answered_upright(
    format_name: str,
    orientation: int,
    shape: str,
    metadata: str,
    client: TestClient,
    encode: Encode,
) -> None:
    upright = draw(shape)
    data = take(upright, orientation, format_name, encode)

    response = client.post(f"/colorize?metadata={metadata}", files={"file": data})

    assert response.headers["Content-Type"] == f"image/{format_name.lower()}"
    assert_upright(response.content, upright, MAKER if metadata == "keep" else None)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("name", ["turned", "mirrored"])
def test_post_turned_heic_is_answered_upright(
    name: str, turns: int, client: TestClient, grey_gradient: Image.Image
) -> None:
    # By so many quarters more than it was stored with, in the one byte of its box.
    data = bytearray((DATA_DIR / f"{name}.heic").read_bytes())
    angle = data.index(b"irot") + 4
    data[angle] = (data[angle] + turns) % 4
    # What is mirrored is so after it was turned.
    turned = np.rot90(grey_gradient, turns if name == "turned" else -turns)

    response = client.post("/colorize?metadata=keep", files={"file": bytes(data)})

    assert response.headers["Content-Type"] == "image/jpeg"
    assert_upright(response.content, turned, MAKER)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", ["/colorize/batch", "/colorize/variations?n=1"])
def test_post_turned_picture_is_upright_in_archive(
    path: str, shape: str, client: TestClient, encode: Encode
) -> None:
    upright = draw(shape)
    part = "files" if path.endswith("batch") else "file"

    response = client.post(path, files={part: take(upright, 6, "JPEG", encode)})

    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert_upright(archive.read(archive.namelist()[0]), upright)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_post_turned_picture_is_upright_on_sheet(
    orientation: int, client: TestClient, encode: Encode
) -> None:
    straight, turned = (
        client.post(
            "/colorize/compare", files={"file": take(draw("portrait"), each, "PNG", encode)}
        )
        for each in (1, orientation)
    )

    assert turned.headers["Content-Type"] == "image/png"
    assert turned.content == straight.content
