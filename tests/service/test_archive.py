"""Archives arrive piece by piece, and are like any other once they are there."""

from __future__ import annotations

import gc
import io
import struct
import sys
import zipfile

from service.archive import ZipWriter

FILES = {"a.png": b"first" * 100, "画.png": b"", "c.png": bytes(range(256)) * 40}


def write(files: dict[str, bytes]) -> list[bytes]:
    archive = ZipWriter()
    return [archive.add(name, data) for name, data in files.items()] + [archive.close()]


def test_archive_holds_every_file() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(write(FILES)))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_archive_gives_each_file_when_it_is_added() -> None:
    for piece, (name, data) in zip(write(FILES), FILES.items(), strict=False):
        header = struct.unpack("<4s5H3L2H", piece[:30])
        # Signature; no flag says that sizes follow later; both sizes; name; no more.
        assert header[0] == b"PK\x03\x04"
        assert header[2] & 0x08 == 0
        assert header[7:9] == (len(data), len(data))
        assert piece[30:] == name.encode() + data


def test_archive_of_same_files_is_same_bytes() -> None:
    assert write(FILES) == write(FILES)


def test_archive_without_files_is_one() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(write({})))) as archive:
        assert archive.namelist() == []


def test_archive_that_is_given_up_ends_quietly() -> None:
    unraised: list[object] = []
    hook, sys.unraisablehook = sys.unraisablehook, unraised.append
    try:
        archive = ZipWriter()
        archive.add("picture", b"pixels")
        # As what runs a stream that was cut: found by the collector only.
        vars(archive)["itself"] = archive
        del archive
        gc.collect()
    finally:
        sys.unraisablehook = hook

    assert unraised == []
