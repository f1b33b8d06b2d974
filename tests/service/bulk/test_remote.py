"""Asking a service again, and telling what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from service.bulk import remote
from service.bulk.engine import EngineError
from service.bulk.remote import Patience
from service.client import ProblemError

URL = "http://service"
OVERLOADED = {"type": "/problems/overloaded", "title": "Overloaded", "detail": "Come back."}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that were made, in no time."""
    slept: list[float] = []
    monkeypatch.setattr("service.bulk.remote.time.sleep", slept.append)
    return slept


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def patience(told: list[str]) -> Patience:
    return Patience(URL, 30, told.append)


def failing(error: Exception) -> Callable[[], None]:
    def ask() -> None:
        raise error

    return ask


def overloaded(retry_after: str | None = None) -> ProblemError:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return ProblemError(httpx.Response(503, json=OVERLOADED, headers=headers))


@pytest.mark.parametrize(
    ("retry_after", "pauses"),
    [
        (None, [0.5, 1, 2, 4, 8]),
        ("3", [3, 3, 3, 3, 3]),
        # Nobody sits through an hour.
        ("3600", [10, 10, 10, 10, 10]),
    ],
)
def test_patience_pauses_as_long_as_the_service_says_within_reason(
    retry_after: str | None, pauses: list[float], patience: Patience, slept: list[float]
) -> None:
    with pytest.raises(EngineError) as caught:
        patience.ask(failing(overloaded(retry_after)))

    assert slept == pauses
    assert caught.value.problem == {**OVERLOADED, "status": 503}
    assert not caught.value.is_last


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (overloaded(), "answers 503, Overloaded"),
        (httpx.ConnectError("[Errno 111] Refused"), "cannot be reached: [Errno 111] Refused"),
        (httpx.ConnectTimeout(""), "cannot be reached: ConnectTimeout"),
    ],
)
def test_patience_says_why_it_asks_again_but_not_each_time(
    error: Exception, reason: str, patience: Patience, slept: list[float], told: list[str]
) -> None:
    for _ in range(2):
        with pytest.raises(EngineError):
            patience.ask(failing(error))

    assert len(slept) == 10
    assert told == [f"{URL} {reason}; it is asked again in 0.5 s"]


def test_patience_ends_where_the_user_says(
    patience: Patience, slept: list[float], told: list[str]
) -> None:
    with pytest.raises(EngineError) as caught:
        patience.ask(failing(httpx.ReadTimeout("timed out")))

    assert caught.value.problem == {
        "title": "No answer",
        "detail": "No answer in 30 s: with --timeout it is waited for longer",
    }
    assert (slept, told, caught.value.is_last) == ([], [], False)


@pytest.mark.parametrize(
    ("error", "is_last"),
    [(httpx.ConnectError("refused"), True), (httpx.ReadError("reset"), False)],
)
def test_service_that_is_gone_ends_the_run(
    error: Exception, is_last: bool, patience: Patience, slept: list[float]
) -> None:
    with pytest.raises(EngineError) as caught:
        patience.ask(failing(error))

    assert caught.value.problem == {"title": "No answer", "detail": f"No answer: {error}"}
    assert caught.value.is_last is is_last


def test_patience_says_what_it_waits_for(
    patience: Patience, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "NOTICE_AFTER_S", 0.02)

    def ask() -> str:
        while not told:
            time.sleep(0.001)
        return "answer"

    assert patience.ask(ask) == "answer"
    assert told == [f"{URL} has not answered yet; it is waited for up to 30 s"]


def test_patience_says_nothing_of_quick_answers(patience: Patience, told: list[str]) -> None:
    assert patience.ask(lambda: "answer") == "answer"
    assert told == []
