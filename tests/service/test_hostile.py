"""Broken and hostile pictures: each is answered with a picture or told what is wrong."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from service.errors import ColorizeError
from service.formats import ACCEPTED_FORMATS
from service.images import Limits, decode_image
from tests.conftest import DATA_DIR, ENCODABLE_FORMATS, TestClient
from tests.service.hostile import (
    BOMBS,
    SMALL_PIXELS,
    Bomb,
    flip,
    grey_tiff,
    jpeg_of_many_scans,
    jpeg_with_segments,
    jpeg_with_size,
    png,
    save,
    truncations,
    webp,
)

LIMITS = Limits(max_pixels=100_000_000)
STATUS = Path("/proc/self/status")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
DEEP_MODES = ("I", "I;16", "F")
PICTURE = Image.fromarray(
    (np.add.outer(np.arange(24) * 5, np.arange(40) * 3) + 20).astype(np.uint8)
)

Encode = Callable[..., bytes]


def corpus() -> dict[str, bytes]:
    """A good picture of each format."""
    pictures = {name: save(PICTURE, name) for name in ENCODABLE_FORMATS}
    pictures["HEIF"] = next(iter(sorted(DATA_DIR.glob("*.heic")))).read_bytes()
    pictures["JPEG, progressive"] = save(PICTURE.convert("RGB"), "JPEG", progressive=True)
    pictures["PNG, interlaced 16 bits"] = save(Image.new("I;16", (40, 24), 999), "PNG")
    pictures["TIFF, LZW"] = save(PICTURE, "TIFF", compression="tiff_lzw")
    pictures["WEBP, lossless"] = save(PICTURE.convert("RGBA"), "WEBP", lossless=True)
    return pictures


def corpus_of_modes() -> dict[tuple[str, str], bytes]:
    """A picture of each of Pillow's modes, in each format that takes it."""
    pictures = {}
    for mode in MODES + DEEP_MODES:
        # Not every mode can be reached from grey.
        by_way = "RGBA" if mode == "PA" else "RGB"
        direct = mode in ("1", "L", "LA", *DEEP_MODES)
        picture = PICTURE.convert(mode) if direct else PICTURE.convert(by_way).convert(mode)
        for format_name in ENCODABLE_FORMATS:
            with contextlib.suppress(OSError, ValueError):
                pictures[mode, format_name] = save(picture, format_name)
    return pictures


CORPUS = corpus()
CORPUS_OF_MODES = corpus_of_modes()


def assert_good_answer(client: TestClient, data: bytes, name: str = "picture.png") -> int:
    """Post a picture; the answer must be a whole picture or a problem of the client's."""
    response = client.post("/colorize?model=v1", files={"file": (name, data)})
    if response.status_code == 200:
        with Image.open(io.BytesIO(response.content)) as image:
            image.load()
    else:
        assert 400 <= response.status_code < 500, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
    return response.status_code


@pytest.mark.parametrize("name", CORPUS)
def test_post_truncated_picture_is_refused(name: str, client: TestClient) -> None:
    statuses = [assert_good_answer(client, data) for data in truncations(CORPUS[name])]

    # Of some formats the end is not needed; their beginning always is.
    assert set(statuses[:8]) <= {415, 422}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(sorted(CORPUS)),
    flips=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 7)), min_size=1, max_size=4),
)
def test_post_picture_with_flipped_bits_is_answered(
    name: str, flips: list[tuple[int, int]], client: TestClient
) -> None:
    data = CORPUS[name]
    for position, bit in flips:
        data = flip(data, position, bit)

    assert_good_answer(client, data)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(sorted(CORPUS)), tail=st.binary(max_size=300))
def test_post_nonsense_with_good_signature_is_answered(
    name: str, tail: bytes, client: TestClient
) -> None:
    assert_good_answer(client, CORPUS[name][:24] + tail)


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("extension", ["exe", "svg", "tif", "php"])
def test_post_wrong_extension_does_not_matter(
    name: str, extension: str, client: TestClient
) -> None:
    assert assert_good_answer(client, CORPUS[name], f"picture.{extension}") == 200


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize(
    "other", [b"<script>alert(1)</script>", b"PK\x03\x04", b"%PDF-1.7", b"GIF89a"]
)
def test_post_polyglot_is_answered_as_picture_alone(
    name: str, other: bytes, client: TestClient
) -> None:
    """What follows a picture is not part of it, and never comes back."""
    response = client.post("/colorize", files={"file": CORPUS[name] + other})

    assert response.status_code == 200
    assert other not in response.content


def test_post_several_formats_at_once_is_answered(client: TestClient) -> None:
    pictures = list(CORPUS.values())
    for i, first in enumerate(pictures):
        assert_good_answer(client, first[: len(first) // 2] + pictures[i - 1])


@pytest.mark.parametrize(
    "data",
    [
        png(0, 8, SMALL_PIXELS),
        png(8, 0, SMALL_PIXELS),
        png(8, 8, b""),
        png(8, 8, SMALL_PIXELS, bit_depth=3),
        jpeg_with_size(0, 8),
        jpeg_with_size(8, 0),
        webp(1),
        b"BM" + bytes(60),
        b"II*\0" + bytes(4),
        b"II*\0\xff\xff\xff\xff",
        b"MM\0+" + b"\xff" * 60,
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR",
        b"GIF89a",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        b"\0\0\0\x18ftypavif" + bytes(40),
        b"\0\0\0\x18ftypheic" + bytes(40),
        b"\0" * 1000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_post_picture_without_pixels_is_refused(data: bytes, client: TestClient) -> None:
    assert assert_good_answer(client, data) in (415, 422)


@pytest.mark.parametrize(("mode", "format_name"), sorted(CORPUS_OF_MODES))
def test_post_any_mode_is_answered(mode: str, format_name: str, client: TestClient) -> None:
    assert assert_good_answer(client, CORPUS_OF_MODES[mode, format_name]) == 200


# Bombs


def peak_mb() -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells")
@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_decode_bomb_costs_little_time_and_memory(bomb: Bomb) -> None:
    data = bomb.build()
    seconds = []
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_mb()
    for _ in range(3):
        start = time.process_time()
        status = decode_status(data)
        seconds.append(time.process_time() - start)

    assert status in bomb.statuses
    assert min(seconds) < 0.1
    assert peak_mb() - before < 32 + 2 * len(data) / 1e6


def decode_status(data: bytes) -> int:
    try:
        decode_image(data, LIMITS, keep_metadata=True)
    except ColorizeError as error:
        return int(error.status)
    return 200


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (jpeg_of_many_scans(64, 600), "500 scans at its size"),
        (jpeg_with_segments(0xEC, b"", count=11_000), "10,043 segments at its length"),
        (jpeg_with_segments(0xE1, b"Exif\0\0", count=17), "16 segments of EXIF"),
    ],
    ids=["scans", "segments", "exif"],
)
def test_post_absurd_structure_says_limit(data: bytes, limit: str, client: TestClient) -> None:
    response = client.post("/colorize", files={"file": data})

    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/unreadable-picture",
        "title": "Unreadable picture",
        "status": 422,
        "detail": f"A picture must have at most {limit}. Received: more",
    }


def test_post_jpeg_of_usual_scans_with_video_behind_is_answered(client: TestClient) -> None:
    """What follows the end of a JPEG, as phones append it, counts as no scan."""
    photo = save(PICTURE.convert("RGB"), "JPEG", progressive=True)

    assert assert_good_answer(client, photo + b"\xff\xda\0\x08" * 3000) == 200


@pytest.mark.skipif(not STATUS.exists(), reason="only on Linux libtiff can be found")
def test_decode_broken_tiff_says_nothing_past_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    whole = save(PICTURE, "TIFF", compression="tiff_lzw")
    # A tag of a type that there is not, and a strip that ends too early.
    odd = grey_tiff(8, 8, SMALL_PIXELS, t65000=(99, 1, 0))

    assert decode_status(odd) in (200, 422)
    for data in truncations(whole):
        decode_status(data)

    assert capfd.readouterr().err == ""


def test_every_format_is_in_the_corpus() -> None:
    assert set(ACCEPTED_FORMATS) <= set(CORPUS)
