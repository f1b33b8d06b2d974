"""What a worker of a cluster does: pages of pictures, from one store to another.

A worker is a process with one core and an engine of its own. When one dies, Ray starts
it again and gives it the same page. From then on it lets a process of its own colour
a few pages: a picture that ends that one, too, is a failure like any other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from service.bulk.companion import Companion, LostError
from service.bulk.engine import Answer, Engine, EngineError
from service.bulk.listing import Picture, Plan
from service.bulk.local import LocalEngine
from service.bulk.order import Order
from service.bulk.places import LocalPlace
from service.bulk.run import Outcome, color_picture
from service.colorizer import read_card
from service.settings import Settings
from service.steering import Look

LANES = 4
"""Pictures of a page that are on their way at the same time, where one of the places is far: one
is coloured while the others are waited for."""
PAGES_WITH_CARE = 4
"""After a loss: those that were in the worker, and as many again."""


@dataclass(frozen=True)
class LocalMaker:
    """Makes the engine of a worker, with the models of its machine.

    Parameters
    ----------
    settings : Settings
        Of whoever began the run.
    order : Order
    look : Look
        What it says about colours.
    digests : dict of str to str
        SHA-256 of each artifact, which must be the same everywhere.
    """

    settings: Settings
    order: Order
    look: Look
    digests: dict[str, str] = field(default_factory=dict)

    def __call__(self) -> Engine:
        """Load the models.

        Raises
        ------
        ColorizeError
            When one is not there or cannot be used.
        EngineError
            When one is another than elsewhere.
        """
        settings = self.settings
        # Another machine may have them elsewhere, and says so in its own environment.
        if not settings.models_dir.is_dir():
            settings = settings.model_copy(update={"models_dir": Settings().models_dir})
        for name in self.order.models:
            digest = read_card(settings.models_dir / f"{name}.onnx").sha256
            if digest != self.digests[name]:
                where = f"{settings.models_dir} of {os.uname().nodename}"
                detail = f"model {name} must be {self.digests[name][:8]}. Received: {digest[:8]}"
                raise EngineError({"title": "Other model", "detail": f"{where}: {detail}"})
        return LocalEngine(settings, self.order, 1, self.look)


@dataclass(frozen=True)
class Job:
    """All that a worker must know.

    Parameters
    ----------
    plan : Plan
    make_engine : callable
        Makes its engine; travels to other machines.
    """

    plan: Plan
    make_engine: Callable[[], Engine]


@dataclass(frozen=True)
class Finished:
    """A picture, and what became of it."""

    picture: Picture
    outcome: Outcome


class Worker:
    """Colours pages.

    Parameters
    ----------
    job : Job
    is_second : bool
        Whether it takes the place of one that died.
    """

    def __init__(self, job: Job, *, is_second: bool) -> None:
        self._job = job
        self._pages_with_care = PAGES_WITH_CARE if is_second else 0
        self._painter: Painter | Apart = Apart(job) if is_second else Painter(job)

    def color(self, page: Sequence[Picture]) -> list[Finished]:
        """Colour what is to be coloured of a page, and tell of all."""
        finished = list(self._tell(page))
        if self._pages_with_care:
            self._pages_with_care -= 1
            if self._pages_with_care == 0:
                self._painter.close()
                self._painter = Painter(self._job)
        return finished

    def _tell(self, page: Sequence[Picture]) -> Iterator[Finished]:
        """Colour until the end of the page, or until nothing will succeed any more."""
        with ThreadPoolExecutor(self._painter.lanes, "colorize") as pool:
            # In one lane each as it is wanted, and none that is not.
            do = map if self._painter.lanes == 1 else pool.map
            for picture, outcome in zip(page, do(self._tell_one, page), strict=True):
                yield Finished(picture, outcome)
                if outcome.is_last:
                    pool.shutdown(cancel_futures=True)
                    return

    def _tell_one(self, picture: Picture) -> Outcome:
        plan = self._job.plan
        name = plan.source.show(picture.path)
        if picture.rival is not None:
            detail = f"{picture.rival} has answers of the same name"
            return Outcome(name, problem={"title": "Name taken", "detail": detail})
        if picture.answers:
            return Outcome(name, [plan.out.show(path) for path in picture.answers], is_skipped=True)
        return self._painter.color(picture)


class Painter:
    """Colours pictures in this process, one at a time, whoever asks for it.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job) -> None:
        self._plan = job.plan
        self._engine = _Alone(job.make_engine())
        is_near = all(isinstance(place, LocalPlace) for place in (job.plan.source, job.plan.out))
        self.lanes = 1 if is_near else LANES

    def close(self) -> None:
        """Do nothing: what it holds goes with it."""

    def color(self, picture: Picture) -> Outcome:
        """Read, colour and write a picture."""
        plan = self._plan

        def write(answer: Answer) -> str:
            path = f"{picture.target}{answer.ending}{answer.extension}"
            plan.out.write(path, answer.data)
            return plan.out.show(path)

        return color_picture(
            plan.source.show(picture.path),
            lambda: plan.source.read(picture.path),
            self._engine,
            write,
        )


class _Alone:
    """An engine that has a core, and colours one picture at a time.

    Parameters
    ----------
    engine : Engine
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()

    def color(self, data: bytes) -> list[Answer]:
        """Make the answers of an encoded picture; see `Engine`."""
        with self._lock:
            return self._engine.color(data)


class Apart:
    """Colours pictures in a process that may die of them.

    Parameters
    ----------
    job : Job
    """

    lanes = 1
    """So that it is known of which."""

    def __init__(self, job: Job) -> None:
        self._plan = job.plan
        self._companion = Companion[Picture, Outcome]("spawn", partial(_get_ready, job))

    def color(self, picture: Picture) -> Outcome:
        """Read, colour and write a picture; when its process dies, that is the outcome."""
        try:
            return self._companion.ask(picture)
        except EngineError as error:
            problem = error.problem
        except LostError:
            detail = "The process that coloured it died, and so did a second one"
            problem = {"title": "Worker lost", "detail": detail}
        return Outcome(self._plan.source.show(picture.path), problem=problem)

    def close(self) -> None:
        """End the process."""
        self._companion.end()


def _get_ready(job: Job) -> Callable[[Picture], Outcome]:
    return Painter(job).color
