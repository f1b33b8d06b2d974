"""Ranges of numbers: what is within passes, who is outside is told both ends."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.ranges import Range

TONE: TypeAdapter[float] = TypeAdapter(Annotated[float, Range(-1, 0.5)])
COUNT: TypeAdapter[int] = TypeAdapter(Annotated[int, Range(1, 16)])


@pytest.mark.parametrize(
    ("adapter", "value", "expected"),
    [(TONE, -1, -1.0), (TONE, "0.5", 0.5), (COUNT, 1, 1), (COUNT, "16", 16)],
)
def test_range_takes_what_is_within(
    adapter: TypeAdapter[Any], value: object, expected: float
) -> None:
    result = adapter.validate_python(value)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("adapter", "value", "accepted"),
    [
        *((TONE, value, "a number from -1 to 0.5") for value in (-1.01, 0.51, "nan", "warm", None)),
        *((COUNT, value, "a whole number from 1 to 16") for value in (0, 17, 1.5, "inf", "")),
    ],
)
def test_range_tells_both_ends_of_whatever_is_not(
    adapter: TypeAdapter[Any], value: object, accepted: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)

    (details,) = caught.value.errors()
    assert (details["msg"], details["input"]) == (accepted, value)


def test_range_is_in_the_schema() -> None:
    assert COUNT.json_schema() == {"type": "integer", "minimum": 1, "maximum": 16}
    assert TONE.json_schema() == {"type": "number", "minimum": -1, "maximum": 0.5}
