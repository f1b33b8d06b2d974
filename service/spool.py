"""Answers that wait for their clients on disk, so that no work has to wait for them."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

logger = logging.getLogger(__name__)

MEMORY_BYTES = 1 << 18
"""Of an answer that may wait in memory: small ones never see the disk."""
CHUNK_BYTES = 1 << 17
"""Handed to a client at a time: even a slow one takes so much within its patience."""
SHARE = 4
"""An answer may have the n-th part of what is free: however many wait, there is some left."""


class Room:
    """What all spools together may hold.

    Parameters
    ----------
    max_bytes : int
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0

    @property
    def free_bytes(self) -> int:
        """What more may be held."""
        return max(0, self.max_bytes - self.used_bytes)


@dataclass(frozen=True)
class _Part:
    """A piece that waits: in memory, or from an offset on in the file."""

    length: int
    offset: int = 0
    data: bytes | None = None


class Spool:
    """The pieces of one answer, from when they are made until they are taken.

    They wait in a file without a name, of which nothing is left if we die. It is
    filled, emptied, and then filled again from its beginning. What finds no room
    there waits in memory; who makes more must wait until it is taken.

    Parameters
    ----------
    room : Room
        Shared with all others.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._parts: deque[_Part] = deque()
        self._untaken_bytes = 0
        self._held_bytes = 0
        self._file_bytes = 0
        self._is_overdue = False
        self._has_ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._taken = asyncio.Event()
        self._file: IO[bytes] | None = None
        self._is_closed = False
        # A thread that writes cannot be cancelled, and the file must not be closed under it.
        self._lock = threading.Lock()

    @property
    def has_room(self) -> bool:
        """Whether it is worth while to make more; always so when all is taken."""
        own_bytes = self._held_bytes + self._file_bytes
        return not self._is_overdue and own_bytes * SHARE <= self._room.free_bytes

    @property
    def is_overdue(self) -> bool:
        """Whether something found no room, and waits in memory."""
        return self._is_overdue

    async def put(self, piece: bytes) -> None:
        """Add a piece.

        Parameters
        ----------
        piece : bytes
        """
        self._untaken_bytes += len(piece)
        part = await self._keep(piece)
        self._parts.append(part)
        self._news.set()

    def end(self, error: Exception | None = None) -> None:
        """Note that there will be no more pieces, maybe because of an error."""
        self._has_ended = True
        self._error = error
        self._news.set()

    async def wait_for_piece(self) -> None:
        """Wait until there is a piece to take, or no more will come.

        Raises
        ------
        Exception
            The one that it ended with, when there is no piece before it.
        """
        while not self._parts and not self._has_ended:
            self._news.clear()
            await self._news.wait()
        if not self._parts and self._error is not None:
            raise self._error

    async def wait_until_taken(self) -> None:
        """Wait until the client has all that there is."""
        while self._untaken_bytes:
            self._taken.clear()
            await self._taken.wait()

    async def take(self) -> AsyncIterator[bytes]:
        """Yield what was put, in its order, as soon as it is there."""
        while True:
            await self.wait_for_piece()
            if not self._parts:
                return
            part = self._parts.popleft()
            for start in range(0, part.length, CHUNK_BYTES):
                if part.data is None:
                    length = min(CHUNK_BYTES, part.length - start)
                    yield await asyncio.to_thread(self._read, part.offset + start, length)
                else:
                    yield part.data[start : start + CHUNK_BYTES]
            self._forget(part)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._is_closed = True
            if self._file is not None:
                self._file.close()
        self._room.used_bytes -= self._held_bytes + self._file_bytes
        self._held_bytes = self._file_bytes = 0

    async def _keep(self, piece: bytes) -> _Part:
        length = len(piece)
        if self._held_bytes + length > MEMORY_BYTES and length <= self._room.free_bytes:
            part = _Part(length, self._file_bytes)
            self._room.used_bytes += length
            self._file_bytes += length
            try:
                await asyncio.to_thread(self._write, part.offset, piece)
            except OSError as error:
                # Not to be used again before the file is emptied, but counted.
                logger.warning("An answer waits in memory: %s", error)
            else:
                return part
        self._is_overdue = self._held_bytes + length > MEMORY_BYTES
        self._room.used_bytes += length
        self._held_bytes += length
        return _Part(length, data=piece)

    def _forget(self, part: _Part) -> None:
        self._untaken_bytes -= part.length
        if part.data is not None:
            self._held_bytes -= part.length
            self._room.used_bytes -= part.length
        if not self._untaken_bytes:
            self._room.used_bytes -= self._file_bytes
            self._file_bytes = 0
            self._is_overdue = False
            self._empty()
            self._taken.set()

    def _write(self, offset: int, piece: bytes) -> None:
        with self._lock:
            if self._is_closed:
                return
            if self._file is None:
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the spool
            rest = memoryview(piece)
            while rest:
                written = os.pwrite(self._file.fileno(), rest, offset)
                rest, offset = rest[written:], offset + written

    def _read(self, offset: int, length: int) -> bytes:
        with self._lock:
            return b"" if self._file is None else os.pread(self._file.fileno(), length, offset)

    def _empty(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.truncate(0)
