"""ZIP archives that leave while they are made."""

from __future__ import annotations

import io
import zipfile

MEDIA_TYPE = "application/zip"


class ZipWriter:
    """An archive of files that come one after the other, each as a whole.

    Files are stored, not compressed: pictures are already. As each one is whole,
    its header can tell its size and checksum, so that the archive can also be
    unpacked while it arrives. The same files give the same bytes: no clock is
    read.
    """

    def __init__(self) -> None:
        self._outlet = _Outlet()
        self._archive = zipfile.ZipFile(self._outlet, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: bytes) -> bytes:
        """Add a file; returns the next bytes of the archive."""
        entry = zipfile.ZipInfo(name)
        # Plain files that everybody may read: the default is that nobody may.
        entry.external_attr = 0o644 << 16
        self._archive.writestr(entry, data)
        return self._outlet.drain()

    def close(self) -> bytes:
        """End the archive; returns its last bytes."""
        self._archive.close()
        return self._outlet.drain()


class _Outlet:
    """A file that forgets what was taken out of it, but not where it stands.

    `zipfile` goes back to the header of a file once it has written the rest,
    and never farther. It is no `io` object: those are closed when they are
    collected, and an archive that was given up would still end itself in it.
    """

    def __init__(self) -> None:
        self._drained = 0
        self._held = io.BytesIO()

    def drain(self) -> bytes:
        held = self._held.getvalue()
        self._drained += len(held)
        self._held = io.BytesIO()
        return held

    def flush(self) -> None:
        """Nothing is held back from who drains."""

    def close(self) -> None:
        """There is nothing to let go."""

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._drained + self._held.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = self._drained if whence == io.SEEK_SET else 0
        return self._drained + self._held.seek(offset - base, whence)

    def write(self, data: bytes) -> int:
        return self._held.write(data)
