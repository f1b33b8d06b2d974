"""Slots and the line before them: what is coloured now, what waits, who is turned away."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from contextvars import copy_context
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from starlette.datastructures import Headers, UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.error_answers import answer_error
from service.errors import OverloadedError
from service.stopwatch import stage_watcher

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

USUAL_SECONDS = 0.1
"""What a picture is taken to need before the first one was measured."""
MEAN_WEIGHT = 0.1
"""How much each measured picture counts in the mean of them."""
LONGEST_RETRY_S = 60
REFUSALS_PER_SLOT_S = 150
REFUSALS_AGAIN_PER_SLOT_S = 75
"""How many are turned away at once, each second, for each slot; of those who were turned away over
the same connection less than `AGAIN_S` ago, in place of coming back when they were told to, half as
many. A storm takes the processor from those that are served."""
AGAIN_S = 1.0
LONGEST_REFUSAL_S = 1.0
"""How much later than at once a refusal may come, however many there are."""
REFUSED_TOGETHER_S = 0.1
"""Between two moments at which those that wait are told, all together."""
LEAVE_LINE = "leave_line"
"""In the state of a request: what is called when all its work is done, though not all is sent."""
REST_S = 1.0
"""Without requests, after which there is time for tidying up."""

StageObserver = Callable[[str], AbstractContextManager[object]]
"""Told the name of a stage; surrounds it."""


class AbandonedError(Exception):
    """Nobody waits for the result any more."""


class Job:
    """One call in a slot, which stops before its next stage once it is abandoned.

    A thread cannot be stopped from outside, and a large picture takes seconds.

    Parameters
    ----------
    observe : callable
        Surrounds every stage.
    """

    def __init__(self, observe: StageObserver) -> None:
        self.abandoned = False
        self._observe = observe

    @contextmanager
    def watch(self, stage: str) -> Iterator[None]:
        """Surround a stage.

        Raises
        ------
        AbandonedError
            When nobody waits for it.
        """
        if self.abandoned:
            raise AbandonedError
        with self._observe(stage):
            yield


class Slots:
    """Threads that colour pictures; who finds all of them busy waits in line.

    The line is the threads' own: a thread that is done takes the next picture
    at once. Were it the event loop that hands pictures out, the thread would be
    idle until the loop gets its turn, behind the other threads.

    Parameters
    ----------
    count : int
        Pictures at the same time.
    observe : callable, optional
        Surrounds every stage.
    check : callable, optional
        Called once a request's turn has come, before its first work; may refuse it by
        raising. What has begun is never refused.
    close_timeout_s : float
        Seconds that closing waits for pictures in work.
    """

    def __init__(
        self,
        count: int,
        observe: StageObserver = nullcontext,
        check: Callable[[], None] = lambda: None,
        close_timeout_s: float = math.inf,
    ) -> None:
        self.count = count
        self.mean_s = USUAL_SECONDS
        self._busy = 0
        self._idle = threading.Condition()
        self._observe = observe
        self._check = check
        self._streams = asyncio.Semaphore(count)
        self._close_timeout_s = close_timeout_s
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="slot")

    @property
    def busy(self) -> int:
        """Slots that are at work."""
        return self._busy

    async def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function in a slot, first come, first served.

        Cancelled, it leaves the line, or stops before its next stage.
        """
        job = Job(self._observe)
        context = copy_context()
        context.run(stage_watcher.set, job)

        def occupy() -> Result:
            with self._occupied():
                return context.run(function, *args, **kwargs)

        try:
            return await asyncio.wrap_future(self._threads.submit(occupy))
        finally:
            job.abandoned = True

    def submit(self, function: Callable[[], None]) -> None:
        """Call a function in a slot, and do not wait for it."""
        # It may come after the end.
        with suppress(RuntimeError):
            self._threads.submit(function)

    async def run_on(
        self,
        upload: UploadFile,
        function: Callable[Concatenate[bytes, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function with the bytes of an upload, which until then may stay on disk.

        It may be refused.
        """

        def read_and_call() -> Result:
            self._check()
            return function(upload.file.read(), *args, **kwargs)

        return await self.run(read_and_call)

    @asynccontextmanager
    async def stream(self, *, may_be_refused: bool = True) -> AsyncIterator[None]:
        """Wait for the turn to make an answer of several pictures.

        It keeps a decoded one, or finished ones: there must not be more of them than
        there are slots.

        Parameters
        ----------
        may_be_refused : bool
            Not so once it has begun: its client would be left with half an answer.
        """
        async with self._streams:
            if may_be_refused:
                self._check()
            yield

    @contextmanager
    def _occupied(self) -> Iterator[None]:
        with self._idle:
            self._busy += 1
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            with self._idle:
                self._busy -= 1
                self.mean_s += MEAN_WEIGHT * (seconds - self.mean_s)
                self._idle.notify_all()

    def __enter__(self) -> Slots:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        # What is in work is not waited for longer than was promised.
        timeout_s = None if math.isinf(self._close_timeout_s) else self._close_timeout_s
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout_s)


class Line:
    """Requests that were taken on: those in work, and a bounded number that waits.

    Parameters
    ----------
    slots : Slots
        What they wait for.
    length : int
        How many may wait.
    tidy_up : callable, optional
        Called in a slot once nobody has been there for `REST_S`.
    """

    def __init__(
        self, slots: Slots, length: int, tidy_up: Callable[[], None] = lambda: None
    ) -> None:
        self.capacity = slots.count + length
        self.taken = 0
        self._slots = slots
        self._tidy_up = tidy_up
        self._rest: asyncio.TimerHandle | None = None
        self._refused_until = 0.0
        self._full_since: float | None = None

    @property
    def waiting(self) -> int:
        """Requests that were taken on and are not in a slot."""
        return max(0, self.taken - self._slots.busy)

    @property
    def saturated_s(self) -> float:
        """Seconds since requests began to be turned away; 0 when the line is moving.

        Under constant overload a place becomes free every moment, so the line
        must be half empty before it counts as moving again.
        """
        return 0.0 if self._full_since is None else time.monotonic() - self._full_since

    @property
    def retry_after_s(self) -> int:
        """Whole seconds in which those before will be done, as far as can be told."""
        seconds = math.ceil(self.taken * self._slots.mean_s / self._slots.count)
        return min(max(1, seconds), LONGEST_RETRY_S)

    @property
    def is_full(self) -> bool:
        """Whether the next request is turned away."""
        return self.taken >= self.capacity

    def check_room(self) -> None:
        """Make sure that one more request can be taken on.

        Raises
        ------
        OverloadedError
        """
        if self.is_full:
            raise self.turn_away()

    def turn_away(self) -> OverloadedError:
        """Note that there was no room for a request; returns what it is to be told."""
        if self._full_since is None:
            self._full_since = time.monotonic()
        return OverloadedError(self.capacity, self.retry_after_s)

    def refusal_delay_s(self, *, is_again: bool = False) -> float:
        """Seconds until one more request that finds no room is told so: 0, but in a storm.

        What is held back in a storm is told ten times a second, many together: were the loop
        to wake up for each, it would take the caches from those who colour.

        Parameters
        ----------
        is_again : bool
            Whether it was told so less than `AGAIN_S` ago.
        """
        now = time.monotonic()
        per_slot_s = REFUSALS_AGAIN_PER_SLOT_S if is_again else REFUSALS_PER_SLOT_S
        # A second's worth of them may come together.
        earliest = max(self._refused_until + 1 / (per_slot_s * self._slots.count), now - 1)
        self._refused_until = min(earliest, now + LONGEST_REFUSAL_S)
        if self._refused_until <= now:
            return 0.0
        together = math.ceil(self._refused_until / REFUSED_TOGETHER_S) * REFUSED_TOGETHER_S
        return together - now

    async def pace_refusal(self) -> None:
        """Wait until a request that finds no room may be told so."""
        if delay_s := self.refusal_delay_s():
            await asyncio.sleep(delay_s)

    def enter(self) -> None:
        """Take a request on.

        Raises
        ------
        OverloadedError
            When there is no room.
        """
        self.check_room()
        self.taken += 1
        if self._rest is not None:
            self._rest.cancel()

    def leave(self) -> None:
        """Let go of a request that was taken on."""
        self.taken -= 1
        if self.taken <= self.capacity // 2:
            self._full_since = None
        if self.taken == 0:
            self._rest = asyncio.get_running_loop().call_later(
                REST_S, self._slots.submit, self._tidy_up
            )


class AdmissionMiddleware:
    """Turn away requests that would have to wait too long, as early as that is known.

    At once when the line is full already; else a request takes its place when
    its body is complete: slow uploads take no place from others.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        line = getattr(scope["app"].state, "line", None) if scope["type"] == "http" else None
        # Only bodies bring work.
        if line is None or not has_body(scope):
            await self.app(scope, receive, send)
            return
        try:
            line.check_room()
        except OverloadedError as error:
            await line.pace_refusal()
            await answer_error(error)(scope, receive, send)
            return
        taken_on = is_over = False

        async def receive_and_enter() -> Message:
            nonlocal taken_on
            message = await receive()
            ends_body = message["type"] == "http.request" and not message.get("more_body", False)
            if ends_body and not taken_on:
                try:
                    line.enter()
                except OverloadedError:
                    await line.pace_refusal()
                    raise
                taken_on = True
            return message

        def leave() -> None:
            nonlocal is_over
            if taken_on and not is_over:
                is_over = True
                line.leave()

        scope.setdefault("state", {})[LEAVE_LINE] = leave

        async def leave_and_send(message: Message) -> None:
            # All work is done: who takes his answer slowly takes no place from others.
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                leave()
            await send(message)

        try:
            await self.app(scope, receive_and_enter, leave_and_send)
        finally:
            leave()


def has_body(scope: Scope) -> bool:
    """Tell whether a request announces a body."""
    return announces_body(Headers(scope=scope))


def announces_body(headers: Headers) -> bool:
    """Tell whether there will be a body after these headers."""
    return headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers
