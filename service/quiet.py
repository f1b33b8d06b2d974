"""What C libraries would say of uploads to standard error, past the log: not said."""

from __future__ import annotations

import ctypes
from pathlib import Path

LOADED_LIBRARIES = Path("/proc/self/maps")


def silence_libtiff() -> None:
    """Keep libtiff from telling the world about the tags of uploads.

    Pillow raises what matters of it. Where the library cannot be found, which
    is everywhere but on Linux, it goes on talking.
    """
    for path in _find_libraries("libtiff"):
        try:
            library = ctypes.CDLL(path)
            for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                set_handler = getattr(library, name)
                set_handler.restype = ctypes.c_void_p
                set_handler(None)
        except (AttributeError, OSError):
            continue


def _find_libraries(name: str) -> set[str]:
    """List the files of a library that this process has loaded."""
    try:
        lines = LOADED_LIBRARIES.read_text().splitlines()
    except OSError:
        return set()
    paths = {line.split(maxsplit=5)[-1] for line in lines if "/" in line}
    return {path for path in paths if Path(path).name.startswith(name)}
