"""A client gets the format that it asks for, and its own when it does not care."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import NotAcceptableError, SideTooLongError
from service.formats import AVIF, BMP, JPEG, PNG, TIFF, WEBP, WRITTEN_FORMATS, OutputFormat
from service.negotiation import ANY_FORMAT, choose_format, weigh_formats

CHROME_PAGE = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,"
    "image/avif,image/webp,image/apng,*/*;q=0.8"
)
FIREFOX_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass
class Upload:
    format: str
    has_alpha: bool = False
    longer_side: int = 100


@pytest.mark.parametrize(
    ("accept", "upload", "expected"),
    [
        # No preference: the upload's format.
        ("", Upload("JPEG"), JPEG),
        ("*/*", Upload("JPEG"), JPEG),
        ("*/*", Upload("TIFF"), TIFF),
        ("image/*", Upload("WEBP"), WEBP),
        ("IMAGE/*", Upload("WEBP"), WEBP),
        ("*/*", Upload("GIF"), PNG),
        ("*/*", Upload("HEIF"), JPEG),
        ("*/*", Upload("HEIF", has_alpha=True), PNG),
        ("*/*", Upload("BMP", has_alpha=True), PNG),
        (CHROME_PAGE, Upload("JPEG"), JPEG),
        (FIREFOX_PAGE, Upload("TIFF"), TIFF),
        # A wish.
        ("image/webp", Upload("JPEG"), WEBP),
        ("Image/JPEG", Upload("PNG"), JPEG),
        ("image/jpg", Upload("PNG"), JPEG),
        ("image/png;level=1", Upload("JPEG"), PNG),
        ("image/webp, */*;q=0.1", Upload("JPEG"), WEBP),
        ("image/webp;q=0.2, image/png;q=0.3", Upload("JPEG"), PNG),
        ("image/png; q=0.3 , image/bmp ;Q=0.9", Upload("JPEG"), BMP),
        ("image/*;q=0.5, image/tiff", Upload("JPEG"), TIFF),
        ("image/avif,image/webp", Upload("WEBP"), WEBP),
        ("application/json, image/png;q=0.1", Upload("JPEG"), PNG),
        # A tie that the upload is not part of.
        ("image/png, image/webp", Upload("JPEG"), PNG),
        ("image/jpeg, image/webp", Upload("PNG"), JPEG),
        ("image/jpeg, image/webp", Upload("PNG", has_alpha=True), WEBP),
        # Refusals: the most specific range counts.
        ("image/jpeg;q=0, */*", Upload("JPEG"), PNG),
        ("*/*, image/jpeg;q=0.0", Upload("PNG"), PNG),
        ("*/*;q=0, image/webp;q=0.001", Upload("PNG"), WEBP),
        # What cannot be read is skipped.
        ("nonsense", Upload("JPEG"), JPEG),
        (",,;q=1,/,*", Upload("JPEG"), JPEG),
        ("nonsense, image/webp", Upload("JPEG"), WEBP),
        ("image/webp;q=high", Upload("JPEG"), WEBP),
    ],
)
def test_choose_format_follows_accept(accept: str, upload: Upload, expected: OutputFormat) -> None:
    assert choose_format(upload, weigh_formats(accept)) is expected


@pytest.mark.parametrize(
    "accept",
    ["application/json", "text/*", "image/gif", "*/*;q=0", "image/*;q=0", "image/heic, video/mp4"],
)
def test_weigh_formats_refuses_what_cannot_be_written(accept: str) -> None:
    with pytest.raises(NotAcceptableError) as raised:
        weigh_formats(accept)

    assert raised.value.received == accept
    assert raised.value.accepted == [output.media_type for output in WRITTEN_FORMATS]


def test_choose_format_passes_over_what_cannot_hold_the_side() -> None:
    upload = Upload("PNG", longer_side=20_000)

    assert choose_format(upload, {WEBP: 1.0, JPEG: 0.1}) is JPEG
    with pytest.raises(SideTooLongError) as raised:
        choose_format(upload, {WEBP: 1.0})
    assert raised.value.accepted == {"webp": 16_383}
    assert raised.value.received == 20_000


PIECES = st.sampled_from(
    ["image/", "png", "jpeg", "*", "*/*", "/", ",", ";", "q", "=", "q=0.5", "1", "0", ".", " ", '"']
)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join)))
def test_weigh_formats_of_garbage_is_refused_or_weighed(accept: str) -> None:
    try:
        weights = weigh_formats(accept)
    except NotAcceptableError:
        return

    assert weights
    assert set(weights) <= set(ANY_FORMAT)
    assert all(0 < weight <= 1 for weight in weights.values())
    assert choose_format(Upload("GIF", has_alpha=True), weights) in weights
    assert AVIF not in weights or AVIF in WRITTEN_FORMATS
