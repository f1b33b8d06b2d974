"""Files are there as a whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service import files
from service.files import write_whole

ROOT = Path(__file__).parents[2]

WRITE_AND_WAIT = """
import os, pathlib, sys, time
from service import files

def wait(*arguments, **options):
    print("written", flush=True)
    time.sleep(60)

{patch}
files.write_whole(pathlib.Path(sys.argv[1]), b"new" * 100_000)
"""


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture(params=["nameless", "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to write: where files may have no name, and elsewhere."""
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE")
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("the system has no files without a name")
    return str(request.param)


def test_write_whole_makes_a_file_of_the_users_mode(way: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    mask = os.umask(0o027)
    try:
        write_whole(path, b"new")
    finally:
        os.umask(mask)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names_in(tmp_path) == ["picture.jpg"]


def test_write_whole_replaces_what_is_there(way: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"a longer file that was there before")

    write_whole(path, b"new")

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["picture.jpg"]


def test_write_whole_replaces_a_link_not_its_target(way: str, tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "picture.jpg"
    target.write_bytes(b"old")
    path.symlink_to(target)

    write_whole(path, b"new")

    assert (target.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"old", b"new", False)


def test_write_whole_takes_a_name_as_long_as_names_may_be(way: str, tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".jpg")
    path.write_bytes(b"old")

    write_whole(path, b"new")

    assert path.read_bytes() == b"new"


def test_write_whole_in_no_folder_raises(way: str, tmp_path: Path) -> None:
    path = tmp_path / "absent" / "picture.jpg"

    with pytest.raises(FileNotFoundError) as caught:
        write_whole(path, b"new")

    assert caught.value.filename == str(path)


def test_write_whole_that_fails_leaves_what_was_there(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old")
    monkeypatch.setattr(files.os, "replace", fail)
    monkeypatch.setattr(Path, "replace", fail)

    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")

    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["picture.jpg"]


@pytest.mark.parametrize(
    ("patch", "left_over"),
    [
        pytest.param("files.os.link = wait", 0, id="nameless"),
        pytest.param("del os.O_TMPFILE; pathlib.Path.replace = wait", 1, id="hidden"),
    ],
)
def test_write_whole_killed_before_it_is_done_leaves_what_was_there(
    patch: str, left_over: int, tmp_path: Path
) -> None:
    if left_over == 0 and not hasattr(os, "O_TMPFILE"):
        pytest.skip("the system has no files without a name")
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old")
    program = [sys.executable, "-c", WRITE_AND_WAIT.format(patch=patch), str(path)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)

    assert path.read_bytes() == b"old"
    others = [name for name in names_in(tmp_path) if name != "picture.jpg"]
    assert len(others) == left_over
    assert all(name.startswith(".") and name.endswith(".new") for name in others)
