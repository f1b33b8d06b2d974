"""The engine somewhere else: a service, asked through its client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import httpx

from service.bulk.engine import Answer, EngineError
from service.bulk.order import Order
from service.card import ModelCard
from service.client import Client, Look, Options, Picture, ProblemError, SheetOptions
from service.palettes import PaletteOfPicture

Result = TypeVar("Result")

NOTICE_AFTER_S = 4.0
"""Without an answer, and whoever waits is told of it."""
NOTICE_EVERY_S = 10.0
"""All requests together; each would say the same."""
ATTEMPTS = 6
"""Of each request, while the service is overloaded or cannot be reached."""
FIRST_PAUSE_S = 0.5
"""After an attempt, unless the service says how long; doubled each time."""
LONGEST_PAUSE_S = 10.0
"""Whatever the service says."""
BUSY = (429, 502, 503, 504)
"""Statuses that pass by themselves, of the service or of a proxy before it."""


JOBS = 4
"""Requests at the same time: of the cores of a service nothing is known."""


class RemoteWorkshop:
    """A running service; see `Workshop`.

    Parameters
    ----------
    url : str
        Where it listens.
    key : str or None
        That it is shown.
    timeout_s : float
        How long it may say nothing while it is waited for.
    notify : callable
        Told what is waited for.
    """

    def __init__(
        self, url: str, key: str | None, timeout_s: float, notify: Callable[[str], None]
    ) -> None:
        self._url = url
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = Client(url, timeout_s=timeout_s, headers=headers)
        self._patience = Patience(url, timeout_s, notify)

    def cards(self) -> list[ModelCard]:
        """Ask for the cards."""
        with self._understood():
            return [
                # Services add what is true of themselves.
                ModelCard(**{key: card[key] for key in ModelCard.model_fields if key in card})
                for card in self._patience.ask(self._client.models, 1)
            ]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def jobs(self) -> int:
        """Tell how many requests are sent at a time."""
        return JOBS

    def engine(self, order: Order, jobs: int, count: int) -> RemoteEngine:  # noqa: ARG002
        """Have pictures coloured, over as many connections as threads call."""
        return RemoteEngine(self._client, order, self._patience)

    def read_palette(self, data: bytes, count: int) -> PaletteOfPicture:
        """Ask for the colours of an encoded picture."""
        with self._understood():
            colors = self._patience.ask(lambda: self._client.palette(data, count))
            return PaletteOfPicture.model_validate({"colors": [asdict(color) for color in colors]})

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Say so when the answer is that of something else."""
        try:
            yield
        except (ValueError, TypeError, LookupError) as error:
            detail = f"What answers at {self._url} is no service of this kind"
            raise EngineError({"title": "No answer", "detail": detail}) from error


class RemoteEngine:
    """Sends pictures to a service; see `RunEngine`.

    Parameters
    ----------
    client : Client
    order : Order
    patience : Patience
    """

    def __init__(self, client: Client, order: Order, patience: Patience) -> None:
        self._client = client
        self._patience = patience
        self._order = order
        self._sheet_options = _sheet_options(order)
        self._options: Options = {
            **self._sheet_options,
            "model": order.models[0],
            "metadata": order.metadata,
        }

    def color(self, data: bytes) -> list[Answer]:
        """Make the answers of an encoded picture; see `Engine`."""
        pictures = self._patience.ask(lambda: self._ask(data))
        return [
            Answer(picture.data, ending, Path(picture.name).suffix, picture.palettes)
            for picture, ending in zip(pictures, self._order.endings, strict=True)
        ]

    def close(self) -> None:
        """Do nothing: connections are the workshop's."""

    def _ask(self, data: bytes) -> list[Picture]:
        client, order = self._client, self._order
        match order.kind:
            case "picture":
                return [client.colorize(data, **self._options)]
            case "variations":
                return client.variations(data, order.count, **self._options)
            case "sheet":
                return [client.variation_sheet(data, order.count, **self._options)]
            case "comparison":
                return [client.compare(data, order.models, **self._sheet_options)]


class Patience:
    """Waits for a service, asks it again, and says so.

    Parameters
    ----------
    url : str
    timeout_s : float
        That a request waits; here only to tell of it.
    notify : callable
    """

    def __init__(self, url: str, timeout_s: float, notify: Callable[[str], None]) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._notify = notify
        self._silent_until = 0.0
        self._telling = threading.Lock()

    def ask(self, ask: Callable[[], Result], attempts: int = ATTEMPTS) -> Result:
        """Ask, and again while the answer is that one should.

        Raises
        ------
        EngineError
            After any other answer, and after the last of these.
        """
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, attempts + 1):
            is_last = attempt == attempts
            try:
                with self._watch():
                    return ask()
            except ProblemError as error:
                if error.status not in BUSY or is_last:
                    raise EngineError(_describe_answer(error)) from error
                reason = f"answers {error.status}, {error.title}"
                pause_s = min(error.retry_after_s or pause_s, LONGEST_PAUSE_S)
            except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
                # It was waited for as long as the user wants to.
                detail = (
                    f"No answer in {self._timeout_s:g} s: with --timeout it is waited for longer"
                )
                raise EngineError({"title": "No answer", "detail": detail}) from error
            except httpx.TransportError as error:
                fault = str(error) or type(error).__name__
                reason = f"cannot be reached: {fault}"
                if is_last:
                    detail = f"No answer: {fault}"
                    is_gone = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                    raise EngineError(
                        {"title": "No answer", "detail": detail}, is_last=is_gone
                    ) from error
            self._tell(f"{self._url} {reason}; it is asked again in {pause_s:g} s")
            time.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _watch(self) -> Iterator[None]:
        """Tell of an answer that does not come."""
        text = f"{self._url} has not answered yet; it is waited for up to {self._timeout_s:g} s"
        timer = threading.Timer(NOTICE_AFTER_S, self._tell, (text,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _tell(self, text: str) -> None:
        with self._telling:
            now = time.monotonic()
            if now >= self._silent_until:
                self._silent_until = now + NOTICE_EVERY_S
                self._notify(text)


def _describe_answer(error: ProblemError) -> dict[str, Any]:
    problem = {"title": error.title, "detail": error.detail, "status": error.status}
    if "type" in error.problem:
        return problem | error.problem
    # Of a proxy in between, whose page says less than its status.
    return problem | {"detail": str(error).removesuffix(": ")}


def _sheet_options(order: Order) -> SheetOptions:
    adjustments = order.adjustments
    look: Look = {
        "variation": order.variation,
        "saturation": adjustments.saturation,
        "brightness": adjustments.brightness,
        "contrast": adjustments.contrast,
        "tone": adjustments.tone,
    }
    if order.palette is not None:
        look["palette"] = order.palette
    if order.reference is not None:
        look["reference"] = order.reference.read_bytes()
    if order.hints:
        look["hints"] = [(hint.x, hint.y, hint.color) for hint in order.hints]
    return {**look, "format": order.format_name, "quality": order.quality}
