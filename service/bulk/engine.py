"""What every engine does: one picture in, its answers out; and where engines come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from service.bulk.order import Order
from service.card import ModelCard
from service.palettes import PaletteOfPicture


class EngineError(Exception):
    """An engine that is not this process has no answer.

    Parameters
    ----------
    problem : dict
        As the service describes it; `title` and `detail` at least.
    is_last : bool
        Whether the next picture would have none either.
    """

    def __init__(self, problem: dict[str, Any], *, is_last: bool = False) -> None:
        super().__init__(problem["detail"])
        self.problem = problem
        self.is_last = is_last


@dataclass(frozen=True)
class Answer:
    """One file that was made of a picture.

    Parameters
    ----------
    data : bytes
    ending : str
        Of its name, before the extension, such as ``-v12``.
    extension : str
        With its dot.
    palettes : list of list of str
        The colours that were used, as ``#rrggbb``; of a sheet those of each
        colouring on it.
    """

    data: bytes
    ending: str
    extension: str
    palettes: list[list[str]]


class Engine(Protocol):
    """Whoever colours pictures as they were ordered. Safe to call from several threads."""

    def color(self, data: bytes) -> list[Answer]:
        """Make the answers of an encoded picture.

        Raises
        ------
        ColorizeError, EngineError
            When it cannot be coloured.
        """


class RunEngine(Engine, Protocol):
    """The engine of a run, which ends with it."""

    def close(self) -> None:
        """Let go of what it holds; what is in work may end without an answer."""


class Workshop(Protocol):
    """A place with models, where pictures can be coloured."""

    def cards(self) -> list[ModelCard]:
        """List the cards of its models.

        Raises
        ------
        ColorizeError, EngineError
            When there are none.
        """

    def close(self) -> None:
        """Let go of what it holds."""

    def jobs(self) -> int:
        """Tell how many pictures it takes at a time unless the user says."""

    def engine(self, order: Order, jobs: int, count: int) -> RunEngine:
        """Get ready to colour as ordered.

        Parameters
        ----------
        order : Order
        jobs : int
            Pictures at the same time, as far as there are so many.
        count : int
            Pictures that there will be.

        Raises
        ------
        ColorizeError, EngineError
            When an order cannot be met whatever the picture.
        """

    def read_palette(self, data: bytes, count: int) -> PaletteOfPicture:
        """Find the colours of an encoded picture, so many at most.

        Raises
        ------
        ColorizeError, EngineError
            When it is not a picture that can be read.
        """
