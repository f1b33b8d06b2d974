"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODE = 0o666
"""Of new files, less what the user's mask takes away."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it, even when we are killed.

    Where the system can, the bytes go to a file that has no name yet, of which
    nothing is left if we die; elsewhere to a hidden one in the same folder.

    Parameters
    ----------
    path : Path
        Of the file; what is there is replaced. Its folder exists.
    data : bytes

    Raises
    ------
    OSError
        When it cannot be written; it names `path`, which is then as it was.
    """
    try:
        _write_nameless(path, data)
    except (AttributeError, OSError):
        # Not Linux, or a file system or container without what it takes.
        try:
            _write_hidden(path, data)
        except OSError as error:
            # Of the hidden file nobody has heard.
            raise OSError(error.errno, error.strerror, str(path)) from error


def _write_nameless(path: Path, data: bytes) -> None:
    nameless = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, MODE)
    with os.fdopen(nameless, "wb") as file:
        file.write(data)
        file.flush()
        address = f"/proc/self/fd/{nameless}"
        with _opened(path.parent) as folder:
            try:
                # Relative to a folder: only then is the address followed.
                os.link(address, path.name, dst_dir_fd=folder)
            except FileExistsError:
                # Links do not replace; names do. The file is whole already.
                hidden = _hidden_name()
                os.link(address, hidden, dst_dir_fd=folder)
                try:
                    os.replace(hidden, path.name, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError:
                    os.unlink(hidden, dir_fd=folder)
                    raise


def _write_hidden(path: Path, data: bytes) -> None:
    hidden = path.with_name(_hidden_name())
    try:
        with os.fdopen(os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, MODE), "wb") as file:
            file.write(data)
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


def _hidden_name() -> str:
    # Short, whatever the name of the file, and of this write alone.
    return f".{uuid.uuid4().hex}.new"


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
