"""Where pictures lie and answers go: folders of this machine, or of a store."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from service.files import write_whole

Result = TypeVar("Result")

ATTEMPTS = 5
"""Of each reading and writing of a store that fails in a way that may pass."""
FIRST_PAUSE_S = 0.2
"""After an attempt, give or take a half; doubled each time."""
WHOLE_AT_ONCE = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "memory"))
"""Protocols of stores that show a file when all of it has come, and not before."""
PASSING = frozenset(
    (errno.EAGAIN, errno.EBUSY, errno.EIO, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT)
)
"""Faults of a disk, most often of one across a network, that may pass."""
LASTING = (
    FileNotFoundError,
    PermissionError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)
"""What a store says for good."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder has.

    Parameters
    ----------
    name : str
        Without its folder.
    is_folder : bool
    size : int
        In bytes.
    mark : str
        Changes when the file does: its ETag, or when it was written.
    written_ns : int or None
        Since the epoch; None where the store does not tell.
    """

    name: str
    is_folder: bool
    size: int = 0
    mark: str = ""
    written_ns: int | None = None


class Place(Protocol):
    """A folder with all that is below it. Paths are relative to it, with `/` between names."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """List a folder, in no order; links to folders are left out.

        Raises
        ------
        FileNotFoundError
            When there is none. Stores without folders may say that of empty ones.
        """

    def read(self, path: str) -> bytes:
        """Read a file.

        Raises
        ------
        OSError
            When it cannot be read, asked as often as makes sense.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write a file so that nobody ever sees a part of it, its folders too.

        Raises
        ------
        OSError
            When it cannot be written, tried as often as makes sense.
        """

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def show(self, path: str) -> str:
        """Name a file as people know it; the place itself where the path is empty."""


def open_place(text: str) -> Place:
    """Find the place that is called by a path, or by a URL of fsspec.

    Raises
    ------
    OSError, ValueError, ImportError
        When the store cannot be reached, is none that fsspec knows, or needs a
        library that is not installed.
    """
    if "://" not in text and "::" not in text:
        return LocalPlace(Path(text))
    import fsspec

    file_system, root = fsspec.url_to_fs(text)
    if "file" in _protocols(file_system):
        return LocalPlace(Path(root))
    return RemotePlace(file_system, root)


@dataclass(frozen=True)
class LocalPlace:
    """A folder of this machine; see `Place`.

    Parameters
    ----------
    root : Path
    """

    root: Path

    def entries(self, folder: str) -> Iterator[Entry]:
        """List a folder, one entry after the other."""
        with os.scandir(self.root / folder) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    yield Entry(entry.name, is_folder=True)
                    continue
                # Links that lead nowhere, and what goes away meanwhile.
                with contextlib.suppress(OSError):
                    if entry.is_file():
                        about = entry.stat()
                        written_ns = about.st_mtime_ns
                        yield Entry(
                            entry.name, False, about.st_size, str(written_ns), about.st_mtime_ns
                        )

    def read(self, path: str) -> bytes:
        """Read a file."""
        return patiently((self.root / path).read_bytes, _may_pass_on_disk)

    def write(self, path: str, data: bytes) -> None:
        """Write a file, under its name when it is whole."""
        file = self.root / path

        def write() -> None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, data)

        patiently(write, _may_pass_on_disk)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        (self.root / path).unlink(missing_ok=True)

    def show(self, path: str) -> str:
        """Name a file by its path."""
        return str(self.root / path)


@dataclass(frozen=True)
class RemotePlace:
    """A folder of a store; see `Place`.

    Parameters
    ----------
    file_system : fsspec.AbstractFileSystem
        Travels to other processes by itself.
    root : str
        Of the folder, as the file system calls it.
    """

    file_system: Any
    root: str

    def entries(self, folder: str) -> Iterator[Entry]:
        """List a folder; what was known of it before does not count."""
        path = self._path(folder)

        def ask() -> list[dict[str, Any]]:
            self.file_system.invalidate_cache(path)
            found: list[dict[str, Any]] = self.file_system.ls(path, detail=True)
            return found

        for about in patiently(ask, may_pass):
            name = about["name"].rstrip("/").rpartition("/")[2]
            # Some list a folder as a file in itself.
            if about["name"].rstrip("/") == path.rstrip("/") or not name:
                continue
            if about["type"] == "directory":
                yield Entry(name, is_folder=True)
            else:
                written_ns = _written_ns(about)
                mark = about.get("ETag") or about.get("etag") or about.get("md5Hash") or written_ns
                yield Entry(name, False, about.get("size") or 0, str(mark), written_ns)

    def read(self, path: str) -> bytes:
        """Read a file."""
        data: bytes = patiently(lambda: self.file_system.cat_file(self._path(path)), may_pass)
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write a file, under its name when it is whole."""
        full = self._path(path)

        def write() -> None:
            if _protocols(self.file_system) & WHOLE_AT_ONCE:
                self.file_system.pipe_file(full, data)
                return
            folder, _, _ = full.rpartition("/")
            self.file_system.makedirs(folder, exist_ok=True)
            hidden = f"{folder}/.{uuid.uuid4().hex}.new"
            try:
                self.file_system.pipe_file(hidden, data)
                self.file_system.mv(hidden, full)
            except BaseException:
                with contextlib.suppress(Exception):
                    self.file_system.rm_file(hidden)
                raise

        patiently(write, may_pass)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.file_system.rm_file(self._path(path))

    def show(self, path: str) -> str:
        """Name a file by its URL."""
        url: str = self.file_system.unstrip_protocol(self._path(path))
        return url

    def _path(self, path: str) -> str:
        return f"{self.root.rstrip('/')}/{path}" if path else self.root


def patiently(do: Callable[[], Result], is_passing: Callable[[Exception], bool]) -> Result:
    """Do something again while it fails in a way that may pass.

    Raises
    ------
    Exception
        Any other, and the last of these.
    """
    pause_s = FIRST_PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return do()
        except Exception as error:
            if not is_passing(error):
                raise
        # Not all at the same time: what they share has its rest.
        time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        pause_s *= 2
    return do()


def may_pass(error: Exception) -> bool:
    """Tell whether a store may answer another time."""
    return not isinstance(error, (*LASTING, ImportError, NotImplementedError, TypeError))


def _may_pass_on_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in PASSING


def _protocols(file_system: Any) -> set[str]:
    names = file_system.protocol
    return {names} if isinstance(names, str) else set(names)


def _written_ns(about: dict[str, Any]) -> int | None:
    """Find when a file was written, in the words of the store."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        moment = about.get(name)
        if isinstance(moment, str):
            with contextlib.suppress(ValueError):
                moment = datetime.fromisoformat(moment)
        if isinstance(moment, datetime):
            # Stores that say no zone mean this one.
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(moment, (int, float)):
            return int(moment * 1e9)
    return None
