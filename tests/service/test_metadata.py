"""Nothing private leaves by default; everything that makes sense does when asked."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, IptcImagePlugin, PngImagePlugin

from service.errors import PictureTooLargeError, UnreadablePictureError
from service.formats import (
    AVIF,
    JPEG,
    OUTPUT_FORMATS,
    PNG,
    TIFF,
    WEBP,
    WRITTEN_FORMATS,
    OutputFormat,
)
from service.images import EncodedImage, Limits, decode_image, encode_image
from service.metadata import Metadata
from tests.conftest import DATA_DIR

Encode = Callable[..., bytes]

Base = ExifTags.Base
LIMITS = Limits(max_pixels=100_000)

MAKER = "Maker of cameras"
LENS = "A lens of glass"
NOTE = b"a note of the maker"
LATITUDE = (47.0, 22.0, 39.25)
CAPTION = "A caption for the press"
COMMENT = "taken at home"
THUMBNAIL = b"\xff\xd8 a small grey picture \xff\xd9"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:Description tiff:Orientation="6" dc:creator="Somebody">'
    b"<xmp:Thumbnails><rdf:li>a small grey picture</rdf:li></xmp:Thumbnails>"
    b"<tiff:Orientation>6</tiff:Orientation></rdf:Description></x:xmpmeta>"
)
SECRETS = [MAKER.encode(), LENS.encode(), NOTE, CAPTION.encode(), COMMENT.encode(), b"Somebody"]


def exif_of_camera(xmp: bytes = b"") -> Image.Exif:
    exif = Image.Exif()
    if xmp:
        exif[700] = xmp
    exif[Base.Make] = MAKER
    exif[Base.Orientation] = 6
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[Base.LensModel] = LENS
    details[Base.MakerNote] = NOTE
    details[Base.FNumber] = 2.8
    details[Base.ColorSpace] = 65535
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = LATITUDE
    return exif


def iptc_segment() -> bytes:
    caption = b"\x1c\x02\x78" + len(CAPTION).to_bytes(2, "big") + CAPTION.encode()
    resource = b"8BIM\x04\x04\0\0" + len(caption).to_bytes(4, "big") + caption
    thumbnail = b"8BIM\x04\x0c\0\0" + len(THUMBNAIL).to_bytes(4, "big") + THUMBNAIL
    body = b"Photoshop 3.0\0" + resource + bytes(len(caption) % 2) + thumbnail
    return b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body


@pytest.fixture(scope="module")
def uploads(encode: Encode) -> dict[str, bytes]:
    """One file of each format, with all the metadata that it can hold."""
    image = Image.new("L", (48, 32), 120)
    exif = exif_of_camera()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", COMMENT)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return {
        "JPEG": encode(image, "JPEG", exif=exif, xmp=XMP, comment=COMMENT, extra=iptc_segment()),
        "PNG": encode(image, "PNG", exif=exif, pnginfo=texts),
        "WEBP": encode(image, "WEBP", exif=exif.tobytes(), xmp=XMP),
        "AVIF": encode(image, "AVIF", exif=exif.tobytes(), xmp=XMP),
        "TIFF": encode(image, "TIFF", exif=exif_of_camera(xmp=XMP).tobytes()),
        "GIF": encode(image, "GIF", comment=COMMENT),
        "HEIF": (DATA_DIR / "turned.heic").read_bytes(),
    }


def answer(
    upload: bytes, output_format: OutputFormat, *, keep: bool, bit_depth: int = 8
) -> EncodedImage:
    source = decode_image(upload, LIMITS, keep_metadata=keep)
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    rgb = np.full((*source.pixels.shape[:2], 3), 90, dtype)
    return encode_image(rgb, source, output_format)


def opened(encoded: EncodedImage) -> Image.Image:
    # Not loaded: loading turns a TIFF, and takes its tag away.
    return Image.open(io.BytesIO(encoded.data))


@pytest.mark.parametrize("output_format", WRITTEN_FORMATS)
@pytest.mark.parametrize("format_name", OUTPUT_FORMATS)
def test_metadata_is_dropped_by_default(
    format_name: str, output_format: OutputFormat, uploads: dict[str, bytes], encode: Encode
) -> None:
    upload = uploads.get(format_name) or encode(Image.new("L", (8, 8)), format_name)

    encoded = answer(upload, output_format, keep=False)

    for secret in [*SECRETS, THUMBNAIL, b"xmpmeta", b"small grey picture"]:
        assert secret not in encoded.data
    assert not opened(encoded).getexif().get_ifd(ExifTags.IFD.GPSInfo)


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("output_format", [JPEG, PNG, WEBP, AVIF, TIFF])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_metadata_is_kept_when_asked(
    format_name: str, output_format: OutputFormat, bit_depth: int, uploads: dict[str, bytes]
) -> None:
    if bit_depth == 16 and not output_format.carries_16_bit:
        bit_depth = 8

    encoded = answer(uploads[format_name], output_format, keep=True, bit_depth=bit_depth)

    image = opened(encoded)
    exif = image.getexif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert exif[Base.Make] == MAKER
    assert details[Base.LensModel] == LENS
    assert float(details[Base.FNumber]) == pytest.approx(2.8)
    latitude = exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude]
    assert [float(part) for part in latitude] == pytest.approx(LATITUDE)
    # What is no longer true is gone.
    assert exif.get(Base.Orientation, 1) == 1
    assert details[Base.ColorSpace] == 1
    assert Base.MakerNote not in details
    assert NOTE not in encoded.data
    xmp = image.info["xmp"]
    xmp = xmp if isinstance(xmp, bytes) else xmp.encode()
    assert b'dc:creator="Somebody"' in xmp
    assert b'tiff:Orientation="1"' in xmp
    assert b"<tiff:Orientation>1<" in xmp
    assert b"small grey picture" not in encoded.data


def test_heic_metadata_is_kept_when_asked(uploads: dict[str, bytes]) -> None:
    image = opened(answer(uploads["HEIF"], JPEG, keep=True))

    assert image.getexif()[Base.Make] == MAKER
    assert image.getexif().get_ifd(ExifTags.IFD.GPSInfo)[2] == (47.0, 8.0, 1.0)
    assert image.getexif().get(Base.Orientation, 1) == 1


@pytest.mark.parametrize("output_format", [JPEG, TIFF])
def test_iptc_is_kept_without_its_thumbnail(
    output_format: OutputFormat, uploads: dict[str, bytes]
) -> None:
    encoded = answer(uploads["JPEG"], output_format, keep=True)

    iptc: Any = IptcImagePlugin.getiptcinfo(opened(encoded))  # type: ignore[arg-type]
    assert iptc[(2, 120)] == CAPTION.encode()
    assert THUMBNAIL not in encoded.data
    # And on from there.
    again = answer(encoded.data, JPEG, keep=True)
    assert CAPTION.encode() in again.data


@pytest.mark.parametrize(
    ("format_name", "output_format", "name"),
    [
        ("JPEG", JPEG, "comment"),
        ("JPEG", PNG, "Comment"),
        ("GIF", PNG, "Comment"),
        ("PNG", PNG, "Comment"),
        ("PNG", JPEG, "comment"),
    ],
)
def test_comment_is_kept_when_asked(
    format_name: str, output_format: OutputFormat, name: str, uploads: dict[str, bytes]
) -> None:
    image = opened(answer(uploads[format_name], output_format, keep=True))

    comment = image.info[name]
    assert (comment.decode() if isinstance(comment, bytes) else comment) == COMMENT


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_answer_says_that_it_is_srgb(
    format_name: str, keep: bool, uploads: dict[str, bytes]
) -> None:
    jpeg, webp, png, tiff = (
        answer(uploads[format_name], output_format, keep=keep)
        for output_format in (JPEG, WEBP, PNG, TIFF)
    )

    for encoded in (jpeg, webp):
        assert opened(encoded).getexif().get_ifd(ExifTags.IFD.Exif)[Base.ColorSpace] == 1
    assert opened(png).info["srgb"] == 0
    profile = ImageCms.ImageCmsProfile(io.BytesIO(opened(tiff).info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_jpeg_leaves_out_what_is_too_large(encode: Encode) -> None:
    exif = Image.Exif()
    exif[Base.Make] = MAKER
    exif[Base.ImageDescription] = "x" * 70_000
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "c" * 70_000)
    texts.add_itxt("XML:com.adobe.xmp", "p" * 70_000)
    upload = encode(Image.new("L", (8, 8)), "PNG", exif=exif, pnginfo=texts)

    image = opened(answer(upload, JPEG, keep=True))

    assert image.getexif().get(Base.Make) is None
    assert "comment" not in image.info
    assert len(opened(answer(upload, PNG, keep=True)).info["Comment"]) == 70_000


def test_exif_in_a_text_does_not_come_back_as_a_text(encode: Encode) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    texts = PngImagePlugin.PngInfo()
    texts.add_text("exif", exif.tobytes().decode("latin-1"))
    upload = encode(Image.new("L", (8, 4)), "PNG", pnginfo=texts)

    image = opened(answer(upload, PNG, keep=True))

    assert image.size == (4, 8)
    # Which fails on a text.
    assert Base.Orientation not in image.getexif()


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_corrupted_metadata_never_fails(
    format_name: str, seed: int, uploads: dict[str, bytes]
) -> None:
    data = bytearray(uploads[format_name])
    chance = random.Random(seed)
    begin = (
        data.index(b"Exif") + 6
        if format_name == "JPEG"
        else max(8, data.index(MAKER.encode()) - 200)
    )
    for _ in range(12):
        data[begin + chance.randrange(260)] = chance.randrange(256)
    try:
        source = decode_image(bytes(data), LIMITS, keep_metadata=True)
    # The tags of a TIFF are its structure too.
    except (UnreadablePictureError, PictureTooLargeError):
        return
    rgb = np.zeros((*source.pixels.shape[:2], 3), np.uint8)

    for output_format in WRITTEN_FORMATS:
        assert encode_image(rgb, source, output_format).data


def test_metadata_is_empty_unless_asked(uploads: dict[str, bytes]) -> None:
    assert decode_image(uploads["JPEG"], LIMITS).metadata == Metadata()
