"""Archives that are sent while they are made, each at its own pace.

Work holds a turn, of which there are as many as slots: it keeps a decoded picture, or
finished ones, in memory. A client that takes its archive slowly must not keep it. So
what is made waits in a spool; and when that is full, the turn is given back, and
taken again once the client has caught up.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from service.admission import LEAVE_LINE, Slots
from service.routes import WorkingSlots
from service.spool import Room, Spool


class ArchiveMaker:
    """Makes one archive.

    Parameters
    ----------
    slots : Slots
    room : Room
        For what is made and not yet taken.
    leave_line : callable
        Called when the request takes no place from others any more, maybe several times.
    """

    def __init__(self, slots: Slots, room: Room, leave_line: Callable[[], None]) -> None:
        self._slots = slots
        self._leave_line = leave_line
        self._spool = Spool(room)
        self._has_begun = False
        self._task: asyncio.Task[None] | None = None

    @property
    def has_room(self) -> bool:
        """Whether more is to be made in this turn."""
        return self._spool.has_room

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn to make something, at least one file; the first may be refused."""
        if not self.has_room:
            await self._spool.wait_until_taken()
        async with self._slots.stream(may_be_refused=not self._has_begun):
            self._has_begun = True
            yield
            if self._spool.is_overdue:
                # It is in memory still, which is what turns are there to bound.
                await self._spool.wait_until_taken()
        self._leave_line()

    async def start(self, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        """Begin to make an archive, and wait for its first piece.

        Parameters
        ----------
        pieces : async generator of bytes
            Makes it, in turns.

        Returns
        -------
        pieces : async iterator of bytes
            For the client.

        Raises
        ------
        Exception
            What is raised before the first piece; what is raised later comes to the client
            in the middle.
        """
        self._task = asyncio.create_task(self._make(pieces))
        await self._spool.wait_for_piece()
        return self._spool.take()

    async def close(self) -> None:
        """Stop what is still going on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._spool.close()

    async def _make(self, pieces: AsyncGenerator[bytes, None]) -> None:
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await self._spool.put(piece)
        # For those who take it.
        except Exception as error:  # noqa: BLE001
            self._spool.end(error)
        else:
            self._spool.end()


async def open_maker(request: Request, slots: WorkingSlots) -> AsyncIterator[ArchiveMaker]:
    """Make the maker of the archive of a request, as long as that lasts."""
    leave_line = request.scope.get("state", {}).get(LEAVE_LINE, lambda: None)
    maker = ArchiveMaker(slots, request.app.state.archive_room, leave_line)
    try:
        yield maker
    finally:
        await maker.close()


OpenMaker = Annotated[ArchiveMaker, Depends(open_maker, scope="request")]
