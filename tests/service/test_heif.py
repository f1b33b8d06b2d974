"""HEIC is decoded in a process of its own, which may break without harm."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from service import heif, heif_decoder
from service.errors import PictureTooLargeError
from service.heif import is_avif_of_parts, is_heif, open_heif
from tests.conftest import DATA_DIR, TestClient
from tests.service.hostile import avif_of_tiles, save

TURNED = (DATA_DIR / "turned.heic").read_bytes()
CRASHING = TURNED.replace(b"Exif", b"E\xeaif", 1)
"""Its type of metadata is no UTF-8, which ends the process of the decoder."""


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of the decoder, yet to be written."""
    program = tmp_path / "decoder.py"
    monkeypatch.setattr(heif, "DECODER", program)
    return program


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0\0\0\x18ftypheic", True),
        (b"\0\0\0\x18ftypmif1", True),
        (b"\0\0\0\x18ftypavif", False),
        (b"\0\0\0\x18ftypqt  ", False),
        (b"ftypheic", False),
        (b"", False),
    ],
)
def test_heif_is_told_by_its_first_bytes(data: bytes, expected: bool) -> None:
    assert is_heif(data) is expected


def test_open_heif_keeps_what_stands_beside_pixels() -> None:
    image = open_heif(TURNED, 10_000)

    assert (image.format, image.mode, image.size) == ("HEIF", "RGB", (48, 32))
    assert image.getexif()[271] == "Maker of cameras"


def test_open_heif_of_too_many_pixels_says_how_many() -> None:
    with pytest.raises(PictureTooLargeError) as raised:
        open_heif(TURNED, 48 * 32 - 1)

    assert str(raised.value) == (
        "A picture must have at most 1,535 pixels. Received: 48 x 32 = 1,536 pixels"
    )


def test_post_heic_that_crashes_its_decoder_is_answered_422(client: TestClient) -> None:
    response = client.post("/colorize", files={"file": CRASHING})

    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/unreadable-picture",
        "title": "Unreadable picture",
        "status": 422,
        "detail": "A picture must be complete and undamaged. "
        "Received: one that cannot be decoded (its decoder broke off)",
    }


def test_open_heif_does_not_wait_for_ever(decoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "LONGEST_S", 0.1)
    decoder.write_text("import time; time.sleep(60)")

    with pytest.raises(ValueError, match="it takes too long"):
        open_heif(TURNED, 10_000)


def test_decoder_does_not_know_keys(decoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORIZE_API_KEYS", "secret")
    monkeypatch.setenv("LANG", "C")
    decoder.write_text(
        "import json, os; print(json.dumps({'error': ' '.join(map('='.join, os.environ.items()))}))"
    )

    with pytest.raises(ValueError, match="LANG=C") as raised:
        open_heif(TURNED, 10_000)

    assert "secret" not in str(raised.value)


def test_open_heif_that_is_damaged_says_what_its_decoder_says() -> None:
    with pytest.raises(ValueError, match=r"^Invalid input: "):
        open_heif(TURNED[:200], 10_000)


# AVIF of many parts


@pytest.fixture(scope="module")
def tile() -> bytes:
    """An AVIF of one part, 64 x 64."""
    return save(Image.new("RGB", (64, 64), (90, 90, 90)), "AVIF", speed=10)


def test_avif_of_parts_is_told_from_others(tile: bytes) -> None:
    frames = [Image.new("RGB", (16, 16), (level,) * 3) for level in (10, 90, 200)]
    moving = save(frames[0], "AVIF", save_all=True, append_images=frames[1:], speed=10)

    assert is_avif_of_parts(avif_of_tiles(tile, 2, 2, 64))
    assert is_avif_of_parts(moving)
    assert not is_avif_of_parts(tile)
    assert not is_avif_of_parts(TURNED)


def test_post_avif_of_parts_is_answered(tile: bytes, client: TestClient) -> None:
    response = client.post("/colorize", files={"file": avif_of_tiles(tile, 2, 3, 64)})

    assert response.headers["Content-Type"] == "image/avif"
    assert Image.open(io.BytesIO(response.content)).size == (192, 128)


def test_post_avif_whose_parts_are_larger_than_they_say_takes_no_more_than_is_granted(
    client: TestClient,
) -> None:
    """Twelve thousand pixels a side, each; all of it two kilobytes."""
    vast = (DATA_DIR / "vast.avif").read_bytes()

    response = client.post("/colorize", files={"file": avif_of_tiles(vast, 4, 4, 64)})

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/unreadable-picture"


def test_decoder_ends_when_its_time_is_over() -> None:
    code = "from service.heif_decoder import limit_time\nlimit_time(0.1)\nwhile True: pass"

    ended = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)

    assert ended.returncode == -signal.SIGXCPU


def test_decoder_grants_time_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    granted: list[float] = []
    monkeypatch.setattr(heif_decoder, "limit_memory", lambda _: None)
    monkeypatch.setattr(heif_decoder, "limit_time", granted.append)

    for pixels in (0, 33_000_000):
        heif_decoder.limit_work(pixels)

    assert granted == pytest.approx([8, 17.9])
