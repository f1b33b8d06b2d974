"""Numbers of requests: who leaves their range is told both of its ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import PydanticCustomError, core_schema


@dataclass(frozen=True)
class Range:
    """Annotates a parameter of type `int` or `float` with the least and the most that it may be.

    What pydantic says by itself of a number out of its range names the end that
    was passed, and of what is no number neither.

    Parameters
    ----------
    lowest, highest : float
        Both belong to it.
    """

    lowest: float
    highest: float

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Let pydantic check the bounds, and tell of them in our words."""
        kind = "a whole number" if source is int else "a number"
        bounded: Any = {**handler(source), "ge": self.lowest, "le": self.highest}

        def check(value: object, inner: core_schema.ValidatorFunctionWrapHandler) -> object:
            try:
                return inner(value)
            except ValidationError as error:
                raise PydanticCustomError(
                    "range",
                    "{kind} from {lowest} to {highest}",
                    {"kind": kind, "lowest": self.lowest, "highest": self.highest},
                ) from error

        return core_schema.no_info_wrap_validator_function(check, bounded)
