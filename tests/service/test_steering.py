"""Hints are read exactly, and each that is wrong is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage import color as oracle

from service.adjustments import Adjustments
from service.errors import InvalidRequestError
from service.palettes import parse_palette
from service.steering import DEFAULT_LOOK, MAX_HINTS, Look, parse_hints

GOOD = {"x": 0.5, "y": 0.5, "color": "red"}


def test_parse_hints_gives_points_and_chroma() -> None:
    hints = parse_hints(
        '[{"x": 0.25, "y": 1, "color": "#ff8800"}, {"y": 0, "x": 0, "color": "navy"}]'
    )

    assert hints is not None
    assert hints.dtype == np.float32
    lab = oracle.rgb2lab(np.array([[[255, 136, 0], [0, 0, 128]]], np.uint8))[0]
    np.testing.assert_allclose(hints[:, :2], [(0.25, 1), (0, 0)])
    np.testing.assert_allclose(hints[:, 2:4], lab[:, 1:], atol=0.05)
    np.testing.assert_array_equal(hints[:, 4], 1)


def test_parse_hints_of_none_is_none() -> None:
    assert parse_hints("[]") is None


SHARE = "a number from 0 to 1"


@pytest.mark.parametrize(
    ("change", "name", "received", "accepted"),
    [
        ({"x": 1.5}, "hints.1.x", "1.5", SHARE),
        ({"y": -0.1}, "hints.1.y", "-0.1", SHARE),
        ({"x": "0.5"}, "hints.1.x", "0.5", SHARE),
        ({"x": True}, "hints.1.x", "True", SHARE),
        ({"x": None}, "hints.1.x", "None", SHARE),
        ({"z": 1}, "hints.1.z", "1", "Extra inputs are not permitted"),
        (
            {"color": "reddish"},
            "hints.1.color",
            "reddish",
            "a colour: hex, such as ff8800, #ff8800 or f80, or a name of CSS, such as orange",
        ),
        ({"color": 7}, "hints.1.color", "7", "Input should be a valid string"),
    ],
)
def test_parse_hints_names_what_is_wrong(
    change: dict[str, object], name: str, received: str, accepted: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_hints(json.dumps([GOOD, GOOD | change]))

    (violation,) = caught.value.violations
    assert violation.model_dump() == {
        "location": "form",
        "name": name,
        "received": received,
        "accepted": accepted,
    }


@pytest.mark.parametrize(
    "text", ['[{"x": NaN, "y": 0, "color": "red"}]', '[{"x": 1e999, "y": 0, "color": "red"}]']
)
def test_parse_hints_refuses_points_that_are_no_numbers(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_hints(text)

    assert [violation.name for violation in caught.value.violations] == ["hints.0.x"]


def test_parse_hints_names_every_hint_that_is_wrong() -> None:
    hints = [GOOD, {"x": 2, "y": 0.5, "color": "red"}, GOOD, {"x": 0.5, "color": "redd"}]

    with pytest.raises(InvalidRequestError) as caught:
        parse_hints(json.dumps(hints))

    names = [violation.name for violation in caught.value.violations]
    assert names == ["hints.1.x", "hints.3.y", "hints.3.color"]


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("", "Invalid JSON: "),
        ("[{", "Invalid JSON: "),
        ("{}", "Input should be a valid array"),
        ("null", "Input should be a valid array"),
        ("[" * 10_000, "Invalid JSON: recursion limit exceeded"),
    ],
)
def test_parse_hints_of_other_json_says_so(text: str, accepted: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_hints(text)

    (violation,) = caught.value.violations
    assert violation.name == "hints"
    assert violation.accepted.startswith(accepted)
    assert len(caught.value.detail) < 1000


def test_parse_hints_takes_so_many() -> None:
    hints = parse_hints(json.dumps([GOOD] * MAX_HINTS))
    assert hints is not None
    assert hints.shape == (MAX_HINTS, 5)

    with pytest.raises(InvalidRequestError) as caught:
        parse_hints(json.dumps([GOOD] * (MAX_HINTS + 1)))

    (violation,) = caught.value.violations
    assert (violation.received, violation.accepted) == ("101 hints", "up to 100")


@pytest.mark.parametrize(
    ("look", "needs"),
    [
        (DEFAULT_LOOK, []),
        (Look(adjustments=Adjustments(saturation=2)), []),
        (Look(palette=parse_palette("red")), ["palette"]),
        (Look(palette=parse_palette("red"), variation=1), ["palette"]),
        (Look(hints=np.zeros((1, 5), np.float32), variation=1), ["hints", "variation"]),
    ],
)
def test_look_needs_inputs_for_what_it_says(look: Look, needs: list[str]) -> None:
    assert look.needs == needs
