"""Files that are either whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a path to write to that takes the place of `path` when all went well.

    The new path has the suffixes of the old one, which some writers insist on.
    """
    new_path = path.with_name(f".new-{path.name}")
    try:
        yield new_path
        new_path.replace(path)
    finally:
        new_path.unlink(missing_ok=True)
