"""Asking a service again."""

from __future__ import annotations

import httpx
import pytest

from service.bulk import remote
from service.bulk.engine import EngineError
from service.bulk.remote import retry
from service.client import ProblemError


@pytest.mark.parametrize(
    ("retry_after", "pauses"),
    [
        (None, [0.5, 1, 2, 4, 8]),
        ("3", [3, 3, 3, 3, 3]),
        # Nobody sits through an hour.
        ("3600", [10, 10, 10, 10, 10]),
    ],
)
def test_retry_pauses_as_long_as_the_service_says_within_reason(
    retry_after: str | None, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", slept.append)
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    problem = {"type": "/problems/overloaded", "title": "Overloaded", "detail": "Come back."}

    def ask() -> None:
        raise ProblemError(httpx.Response(503, json=problem, headers=headers))

    with pytest.raises(EngineError) as caught:
        retry(ask)

    assert slept == pauses
    assert caught.value.problem == {**problem, "status": 503}
