"""Places: the same of folders of this machine and of stores."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.bulk import places
from service.bulk.places import LocalPlace, Place, RemotePlace, may_pass, open_place, patiently
from tests.service.bulk.bucket import Bucket


@pytest.fixture(params=["folder", "file URL", "memory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    match request.param:
        case "folder":
            return open_place(str(tmp_path))
        case "file URL":
            return open_place(tmp_path.as_uri())
        case "memory":
            request.getfixturevalue("memory")
            return open_place("memory://place")
        case _:
            monkeypatch.setenv("BUCKET", str(tmp_path / "store"))
            return RemotePlace(Bucket(), "bucket/place")


def test_place_gives_back_what_was_written(place: Place) -> None:
    place.write("a/b.jpg", b"first")
    place.write("a/b.jpg", b"second")

    assert place.read("a/b.jpg") == b"second"
    assert [entry.name for entry in place.entries("a")] == ["b.jpg"]


def test_place_lists_files_and_folders(place: Place) -> None:
    place.write("a.jpg", b"123")
    place.write("below/b.jpg", b"")

    found = {entry.name: (entry.is_folder, entry.size) for entry in place.entries("")}

    assert found == {"a.jpg": (False, 3), "below": (True, 0)}
    (entry,) = place.entries("below")
    assert entry.written_ns is not None


def test_place_marks_what_changed(place: Place) -> None:
    def mark() -> str:
        (entry,) = place.entries("")
        return entry.mark

    place.write("a.jpg", b"123")
    first = mark()
    assert mark() == first
    place.write("a.jpg", b"321")
    assert mark() != first


def test_place_says_what_is_not_there(place: Place) -> None:
    with pytest.raises(FileNotFoundError):
        list(place.entries("absent"))
    with pytest.raises(FileNotFoundError):
        place.read("absent")
    place.remove("absent")


def test_place_removes_a_file(place: Place) -> None:
    place.write("a.jpg", b"")
    place.write("b.jpg", b"")

    place.remove("a.jpg")

    assert [entry.name for entry in place.entries("")] == ["b.jpg"]


def test_places_are_named_as_people_know_them(tmp_path: Path) -> None:
    assert open_place(str(tmp_path)).show("a/b.jpg") == f"{tmp_path}/a/b.jpg"
    assert open_place("memory://in").show("a.jpg") == "memory:///in/a.jpg"
    assert isinstance(open_place(f"local://{tmp_path}"), LocalPlace)


def test_links_to_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")

    assert [entry.name for entry in LocalPlace(tmp_path).entries("")] == ["real"]


def test_store_that_renames_shows_whole_files_only(memory: Place) -> None:
    assert isinstance(memory, RemotePlace)
    written: list[str] = []

    class Slow(type(memory.file_system)):  # type: ignore[misc]
        protocol = "sftp"

        def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
            written.append(path)
            super().pipe_file(path, value)

    place = RemotePlace(Slow(), "/slow")
    place.write("a/b.jpg", b"1")
    place.write("a/b.jpg", b"2")

    assert all(path.startswith("/slow/a/.") for path in written)
    assert [entry.name for entry in place.entries("a")] == ["b.jpg"]
    assert place.read("a/b.jpg") == b"2"


def failing(error: Exception, times: int) -> tuple[Callable[[], str], list[int]]:
    calls: list[int] = []

    def do() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return do, calls


@pytest.mark.parametrize("error", [OSError("reduce your rate"), TimeoutError(), ConnectionError()])
def test_fault_that_passes_is_waited_for(error: Exception) -> None:
    do, _ = failing(error, places.ATTEMPTS - 1)

    assert patiently(do, may_pass) == "done"


def test_fault_that_does_not_pass_ends_after_some_attempts() -> None:
    do, calls = failing(OSError("reduce your rate"), 100)

    with pytest.raises(OSError, match="reduce your rate"):
        patiently(do, may_pass)
    assert len(calls) == places.ATTEMPTS


@pytest.mark.parametrize("error", [FileNotFoundError(), PermissionError(), IsADirectoryError()])
def test_answer_for_good_is_taken(error: Exception) -> None:
    do, calls = failing(error, 1)

    with pytest.raises(type(error)):
        patiently(do, may_pass)
    assert len(calls) == 1


@pytest.mark.parametrize(("number", "attempts"), [(errno.EIO, places.ATTEMPTS), (errno.ENOSPC, 1)])
def test_disk_is_asked_again_when_that_helps(
    number: int, attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def fail(path: Path, _: bytes) -> None:
        calls.append(path)
        raise OSError(number, "fault")

    monkeypatch.setattr(places, "write_whole", fail)
    with pytest.raises(OSError, match="fault"):
        LocalPlace(tmp_path).write("a.jpg", b"")
    assert len(calls) == attempts
