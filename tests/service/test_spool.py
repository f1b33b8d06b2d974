"""What is made waits for who takes it: in order, within bounds, and whatever the disk does."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from service.spool import CHUNK_BYTES, MEMORY_BYTES, Room, Spool

SMALL = b"small"
LARGE = bytes(range(256)) * (MEMORY_BYTES // 256) + b"beyond"


def spooled(use: Callable[[Spool, Room], Awaitable[None]], max_bytes: int = 1 << 24) -> Room:
    """Use a spool, and let go of it."""
    room = Room(max_bytes)

    async def run() -> None:
        spool = Spool(room)
        try:
            await use(spool, room)
        finally:
            spool.close()

    asyncio.run(run())
    return room


async def take_all(spool: Spool) -> list[bytes]:
    return [piece async for piece in spool.take()]


async def take_bytes(pieces: AsyncIterator[bytes], count: int) -> bytes:
    taken = b""
    while len(taken) < count:
        taken += await anext(pieces)
    return taken


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_spool_gives_what_was_put_in_order() -> None:
    put = [SMALL, LARGE, b"", SMALL * 2, LARGE[::-1], SMALL]

    async def use(spool: Spool, _: Room) -> None:
        for piece in put:
            await spool.put(piece)
        spool.end()
        taken = await take_all(spool)
        assert b"".join(taken) == b"".join(put)
        assert max(map(len, taken)) == CHUNK_BYTES

    assert spooled(use).used_bytes == 0


def test_spool_gives_a_piece_before_the_next_one_is_put() -> None:
    async def use(spool: Spool, _: Room) -> None:
        pieces = spool.take()
        for piece in (SMALL, LARGE, SMALL):
            await spool.put(piece)
            assert await take_bytes(pieces, len(piece)) == piece

    spooled(use)


def test_spool_of_little_opens_no_file() -> None:
    async def use(spool: Spool, _: Room) -> None:
        before = open_files()
        await spool.put(SMALL)
        assert open_files() == before
        await spool.put(LARGE)
        assert open_files() == before + 1

    before = open_files()
    spooled(use)
    assert open_files() == before


def test_spool_has_no_room_beyond_its_share_until_all_is_taken() -> None:
    async def use(spool: Spool, room: Room) -> None:
        await spool.put(LARGE)
        assert spool.has_room
        await spool.put(LARGE)
        assert (spool.has_room, spool.is_overdue) == (False, False)
        assert room.used_bytes == 2 * len(LARGE)
        pieces = spool.take()
        waiting = asyncio.create_task(spool.wait_until_taken())
        await take_bytes(pieces, 2 * len(LARGE))
        assert not waiting.done()
        # Only who asks for more has sent what he has.
        more = asyncio.ensure_future(anext(pieces))
        await asyncio.wait_for(waiting, 5)
        assert spool.has_room
        assert room.used_bytes == 0
        more.cancel()

    spooled(use, max_bytes=8 * len(LARGE))


def test_spool_leaves_room_to_others() -> None:
    async def use(spool: Spool, room: Room) -> None:
        while spool.has_room:
            await spool.put(LARGE)
        other = Spool(room)
        await other.put(LARGE)
        assert not other.is_overdue
        other.close()

    assert spooled(use, max_bytes=8 * len(LARGE)).used_bytes == 0


def test_spool_without_room_keeps_a_piece_in_memory() -> None:
    async def use(spool: Spool, _: Room) -> None:
        before = open_files()
        await spool.put(LARGE)
        assert (spool.has_room, spool.is_overdue) == (False, True)
        assert open_files() == before
        spool.end()
        assert b"".join(await take_all(spool)) == LARGE
        assert (spool.has_room, spool.is_overdue) == (True, False)

    spooled(use, max_bytes=len(LARGE) - 1)


def test_spool_on_full_disk_keeps_a_piece_in_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def write_a_little(file: int, data: memoryview, offset: int) -> int:
        if offset < len(LARGE):
            return pwrite(file, data[:100_000], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", write_a_little)

    async def use(spool: Spool, _: Room) -> None:
        for piece in (LARGE, LARGE[::-1], SMALL):
            await spool.put(piece)
        assert spool.is_overdue
        spool.end()
        assert b"".join(await take_all(spool)) == LARGE + LARGE[::-1] + SMALL
        assert not spool.is_overdue

    assert spooled(use).used_bytes == 0
    assert "An answer waits in memory: [Errno 28] No space left on device" in caplog.text


def test_spool_uses_its_file_again_once_it_is_empty() -> None:
    async def use(spool: Spool, room: Room) -> None:
        taking = asyncio.create_task(take_all(spool))
        for _ in range(3):
            await spool.put(LARGE)
            assert room.used_bytes == len(LARGE)
            await spool.wait_until_taken()
            assert room.used_bytes == 0
        spool.end()
        assert b"".join(await taking) == 3 * LARGE

    spooled(use)


def test_spool_tells_an_error_in_its_place() -> None:
    async def use(spool: Spool, _: Room) -> None:
        await spool.put(SMALL)
        spool.end(ValueError("of the maker"))
        # What was put before is given.
        await spool.wait_for_piece()
        pieces = spool.take()
        assert await anext(pieces) == SMALL
        with pytest.raises(ValueError, match="of the maker"):
            await anext(pieces)

    async def fail_at_once(spool: Spool, _: Room) -> None:
        spool.end(ValueError("of the maker"))
        with pytest.raises(ValueError, match="of the maker"):
            await spool.wait_for_piece()

    spooled(use)
    spooled(fail_at_once)
