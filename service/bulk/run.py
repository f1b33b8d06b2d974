"""The run: tasks to outcomes, several at a time, in the order in which they are done."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from service.bulk.engine import Answer, Engine, EngineError, RunEngine
from service.bulk.tasks import Task
from service.errors import ColorizeError
from service.files import write_whole
from service.stopwatch import stage_watcher

AHEAD = 2
"""Tasks handed out for each thread: one in work, one that it goes on with at once."""
THREADS = "colorize"
LAST_STAGE_S = 10.0
"""How long pictures in work may take to notice that the run is stopped."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Faults of a disk that the next picture would meet, too."""


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Parameters
    ----------
    picture : str
        As people know it.
    files : list of str
        The answers; ``-`` is standard output.
    palettes : list of list of str
        The colours of each.
    elapsed_s : float
        From reading it to writing its answers.
    is_skipped : bool
        Whether the answers were there already.
    problem : dict or None
        Why there are none, as the service would answer it.
    is_last : bool
        Whether nothing else will succeed either.
    """

    picture: str
    files: list[str] = field(default_factory=list)
    palettes: list[list[str]] = field(default_factory=list)
    elapsed_s: float = 0.0
    is_skipped: bool = False
    problem: dict[str, Any] | None = None
    is_last: bool = False


def run_tasks(tasks: Iterable[Task], engine: RunEngine, jobs: int) -> Generator[Outcome]:
    """Colour pictures.

    Parameters
    ----------
    tasks : iterable of Task
        Taken as their turn comes.
    engine : RunEngine
        Closed at the end.
    jobs : int
        Threads that read, colour and write.

    Yields
    ------
    Outcome
        Of each task, as soon as it is there. When the caller goes away, what is
        in work ends with its stage and is not written.
    """
    stop = threading.Event()
    upcoming = iter(tasks)
    until = _Until(stop)
    pool = ThreadPoolExecutor(jobs, THREADS, stage_watcher.set, (until,))
    try:
        working = {pool.submit(_do, task, engine, until) for task in islice(upcoming, AHEAD * jobs)}
        while working:
            done, working = wait(working, return_when=FIRST_COMPLETED)
            working |= {
                pool.submit(_do, task, engine, until) for task in islice(upcoming, len(done))
            }
            for future in done:
                outcome = future.result()
                yield outcome
                if outcome.is_last:
                    return
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        engine.close()
        # A service that does not answer, nobody waits for.
        wait([future for future in working if future.running()], LAST_STAGE_S)


def has_workers() -> bool:
    """Tell whether threads of a run that was stopped are still at work."""
    return any(thread.name.startswith(THREADS) for thread in threading.enumerate())


class _StoppedError(Exception):
    """Nobody waits for the picture any more."""


@dataclass(frozen=True)
class _Until:
    """Ends the work on a picture, at its next stage, when the run is stopped."""

    stop: threading.Event

    def watch(self, _: str) -> AbstractContextManager[None]:
        """Let a stage begin, or not."""
        if self.stop.is_set():
            raise _StoppedError
        return nullcontext()


def _do(task: Task, engine: Engine, until: _Until) -> Outcome:
    """Read, colour and write one picture of this machine."""
    path = task.source.path

    def read() -> bytes:
        return sys.stdin.buffer.read() if path is None else path.read_bytes()

    def write(answer: Answer) -> str:
        until.watch("write")
        return _write(task, answer)

    return color_picture(task.source.name, read, engine, write)


def color_picture(
    picture: str, read: Callable[[], bytes], engine: Engine, write: Callable[[Answer], str]
) -> Outcome:
    """Read, colour and write one picture; what goes wrong is its outcome.

    Parameters
    ----------
    picture : str
        As people know it.
    read : callable
        Gives its bytes.
    engine : Engine
    write : callable
        Writes an answer, and tells its name.
    """
    start = time.perf_counter()
    try:
        answers = engine.color(read())
        files = [write(answer) for answer in answers]
    except OSError as error:
        return Outcome(picture, problem=describe(error), is_last=error.errno in FULL)
    except EngineError as error:
        return Outcome(picture, problem=error.problem, is_last=error.is_last)
    except Exception as error:  # noqa: BLE001 - a picture that fails must not end the others
        return Outcome(picture, problem=describe(error))
    return Outcome(
        picture,
        files,
        [palette for answer in answers for palette in answer.palettes],
        time.perf_counter() - start,
    )


def _write(task: Task, answer: Answer) -> str:
    path = task.path(answer.ending, answer.extension)
    if task.writes_to_standard:
        sys.stdout.buffer.write(answer.data)
        sys.stdout.buffer.flush()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, answer.data)
    return str(path)


def describe(error: Exception) -> dict[str, Any]:
    """Describe why there is no answer, as the service would."""
    if isinstance(error, ColorizeError):
        return error.problem().model_dump(exclude_none=True)
    if isinstance(error, EngineError):
        return error.problem
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return {"title": "File error", "detail": f"{error.strerror}{where}"}
    return {"title": "Unexpected error", "detail": f"{type(error).__name__}: {error}"}
