"""What a client says about the colours of a picture: palette, hints, variation, adjustments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.cie import Float32
from service.errors import InvalidRequestError, Violation, describe_violation, shorten
from service.palettes import COLOR_FORMS, colors_to_palette, parse_color, parse_palette
from service.parameters import MAX_COLORS
from service.ranges import Range

MAX_HINTS = 100
SHARE = Range(0, 1)
"""Of a side of the picture."""


@dataclass(frozen=True)
class Look:
    """How a picture is to be coloured; by default as the model finds best.

    Parameters
    ----------
    palette : ndarray of float32, shape (K, 4), optional
        L*, a*, b* and weight of the colours to use.
    hints : ndarray of float32, shape (M, 5), optional
        As from `parse_hints`.
    variation : int
        Which of its choices the model is to make: 0 is its best, n its n-th
        alternative. Of a palette, which of its arrangements.
    adjustments : Adjustments
    """

    palette: Float32 | None = None
    hints: Float32 | None = None
    variation: int = 0
    adjustments: Adjustments = NO_ADJUSTMENTS

    @property
    def needs(self) -> list[str]:
        """The inputs, beside lightness, that a model needs for it."""
        wanted = {
            "palette": self.palette is not None,
            "hints": self.hints is not None,
            "variation": self.variation > 0 and self.palette is None,
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]


DEFAULT_LOOK = Look()


def check_color(text: str) -> str:
    """Tell pydantic whether a text is a colour.

    Raises
    ------
    PydanticCustomError
        When it is none; it says how colours are written.
    """
    try:
        parse_color(text)
    except ValueError as error:
        raise PydanticCustomError("color", "a colour: {forms}", {"forms": COLOR_FORMS}) from error
    return text


def check_palette(text: str) -> str:
    """Tell pydantic whether a text is a palette.

    Raises
    ------
    PydanticCustomError
        When it is none; it says how palettes are written.
    """
    try:
        parse_palette(text)
    except ValueError as error:
        raise PydanticCustomError(
            "palette",
            "1 to {most} colours, comma separated, each {forms} ({wrong})",
            {"most": MAX_COLORS, "forms": COLOR_FORMS, "wrong": shorten(str(error))},
        ) from error
    return text


def check_combination(*, has_palette: bool, has_reference: bool) -> None:
    """Refuse to guess which of two wishes is meant.

    Raises
    ------
    InvalidRequestError
        When both say which colours to use.
    """
    if has_palette and has_reference:
        raise InvalidRequestError(
            [
                Violation(
                    location="form",
                    name="reference",
                    received="a picture, beside `palette`",
                    accepted="either `reference` or `palette`: both say which colours to use",
                )
            ]
        )


class Hint(BaseModel):
    """A colour at a point."""

    model_config = ConfigDict(extra="forbid", strict=True)

    x: Annotated[float, SHARE] = Field(description="Share of the width, from the left.")
    y: Annotated[float, SHARE] = Field(description="Share of the height, from the top.")
    color: Annotated[str, AfterValidator(check_color)]


PALETTE = TypeAdapter(Annotated[str, AfterValidator(check_palette)])
HINTS = TypeAdapter(Annotated[list[Hint], Field(max_length=MAX_HINTS)])


def parse_hints(text: str) -> Float32 | None:
    """Read hints.

    Parameters
    ----------
    text : str
        JSON: a list of `Hint`, such as ``[{"x": 0.25, "y": 0.5, "color": "#ff8800"}]``.

    Returns
    -------
    hints : ndarray of float32, shape (M, 5), or None
        x, y, a*, b* and weight, which is 1, of each; None when there are none.

    Raises
    ------
    InvalidRequestError
        When it is not such a list; it says which hint is wrong, and what of it.
    """
    return make_hints(read_hints(text))


def read_hints(text: str) -> list[Hint]:
    """Read hints as they were written.

    Parameters
    ----------
    text : str
        As of `parse_hints`.

    Returns
    -------
    list of Hint

    Raises
    ------
    InvalidRequestError
        As `parse_hints`.
    """
    try:
        return HINTS.validate_json(text)
    except ValidationError as error:
        raise _invalid(error, "form", "hints") from error


def read_palette_names(text: str) -> Float32:
    """Read a palette that a client names, as `parse_palette` does.

    Raises
    ------
    InvalidRequestError
        When it is none; it says how palettes are written.
    """
    try:
        return parse_palette(PALETTE.validate_python(text))
    except ValidationError as error:
        raise _invalid(error, "query", "palette") from error


def _invalid(error: ValidationError, *location: str) -> InvalidRequestError:
    return InvalidRequestError([_describe(details, location) for details in error.errors()])


def _describe(details: ErrorDetails, location: tuple[str, ...]) -> Violation:
    violation = describe_violation({**details, "loc": (*location, *details["loc"])})
    if details["type"] != "too_long":
        return violation
    counted = {"received": f"{details['ctx']['actual_length']} hints"}
    return violation.model_copy(update=counted | {"accepted": f"up to {MAX_HINTS}"})


def make_hints(hints: Sequence[Hint]) -> Float32 | None:
    """Make the array of `Look` of hints; None when there are none."""
    if not hints:
        return None
    colors = colors_to_palette([parse_color(hint.color) for hint in hints])
    points = [(hint.x, hint.y) for hint in hints]
    return np.column_stack([points, colors[:, 1:]]).astype(np.float32)
