"""The door: who finds the line full is turned away here, before there is a request.

Inside of the application a refusal takes a task, a dozen layers and a line of the log:
a millisecond of the processor. While three of four requests are refused, those that
are served would lose a tenth of it. Here it is bytes in, bytes out.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import Headers, State

from service.access import Keys, read_key
from service.admission import AGAIN_S, Line, announces_body
from service.error_answers import answer_error, is_inference_path
from service.errors import OverloadedError
from service.headers import SECURITY_HEADERS
from service.metrics import Metrics
from service.middleware import choose_request_id
from service.observation import NO_ROUTE

logger = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
"""Those who were turned away meanwhile are one line of the log."""

ODD_PATH = re.compile(r"^[^/]|[%#]")
"""What must be read before it tells which path is asked for; left to the application."""

RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Refusal:
    """An answer that turns a request away.

    Parameters
    ----------
    delay_s : float
        How long it must wait; see `Line.refusal_delay_s`.
    status : int
    headers : sequence of tuple of bytes
    body : bytes
    """

    delay_s: float
    status: int
    headers: RawHeaders
    body: bytes


class Door:
    """Turns requests away as the application would.

    Parameters
    ----------
    state : State
        Of the application, which has its `line` once it is started.
    metrics : Metrics
    keys : Keys, optional
        Who has none of them is left to the application.
    answers_other_origins : bool
        Whether the application does; then requests of other origins are left to it.
    """

    def __init__(
        self,
        state: State,
        metrics: Metrics,
        keys: Keys | None = None,
        *,
        answers_other_origins: bool = False,
    ) -> None:
        self._state = state
        self._metrics = metrics
        self._keys = keys
        self._answers_other_origins = answers_other_origins
        self._turned_away = 0

    @property
    def is_shut(self) -> bool:
        """Whether there is no room for work."""
        line: Line | None = getattr(self._state, "line", None)
        return line is not None and line.is_full

    def refuse(
        self, url: bytes, raw_headers: list[tuple[bytes, bytes]], last_refused_s: float
    ) -> Refusal | None:
        """Turn a request away when it would bring work and there is no room for it.

        Parameters
        ----------
        url : bytes
            As it was sent.
        raw_headers : list of tuple of bytes
            Names in lower case.
        last_refused_s : float
            When the same connection was turned away before, on the monotonic clock.

        Returns
        -------
        refusal : Refusal or None
            None when the request is for the application.
        """
        line: Line | None = getattr(self._state, "line", None)
        if line is None or not line.is_full:
            return None
        headers = Headers(raw=raw_headers)
        path = url.partition(b"?")[0].decode("latin-1")
        is_odd = ODD_PATH.search(path) is not None
        if not announces_body(headers) or is_odd or self._is_for_application(headers):
            return None
        headers_of_all, body = _write_problem(
            line.capacity, line.turn_away().retry_after_s, is_inference=is_inference_path(path)
        )
        self._count()
        return Refusal(
            line.refusal_delay_s(is_again=time.monotonic() - last_refused_s < AGAIN_S),
            OverloadedError.status,
            [*headers_of_all, (b"x-request-id", choose_request_id(headers).encode())],
            body,
        )

    def _is_for_application(self, headers: Headers) -> bool:
        """Tell whether its answer depends on more than on the line."""
        if self._keys is not None:
            key = read_key(headers)
            if key is None or not self._keys.know(key):
                return True
        return self._answers_other_origins and "Origin" in headers

    def _count(self) -> None:
        self._metrics.observe_request(
            NO_ROUTE, "", OverloadedError.status, 0.0, OverloadedError.type
        )
        if not self._turned_away:
            asyncio.get_running_loop().call_later(TELL_EVERY_S, self._tell)
        self._turned_away += 1

    def _tell(self) -> None:
        logger.warning(
            "Turned away %d requests in %g s: the line was full",
            self._turned_away,
            TELL_EVERY_S,
            extra={"turned_away": self._turned_away, "problem": OverloadedError.type},
        )
        self._turned_away = 0


@lru_cache(maxsize=128)
def _write_problem(
    capacity: int, retry_after_s: int, *, is_inference: bool
) -> tuple[RawHeaders, bytes]:
    """Write what all refusals of the same words have in common."""
    answer = answer_error(OverloadedError(capacity, retry_after_s))
    if is_inference:
        answer.speak_inference()
    answer.headers.update(SECURITY_HEADERS)
    return tuple(answer.raw_headers), bytes(answer.body)
