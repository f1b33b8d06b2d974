"""What is wanted of every picture of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from service.adjustments import NO_ADJUSTMENTS, Adjustments
from service.formats import FORMATS_BY_NAME, OUTPUT_FORMATS, PNG, WRITTEN_FORMATS
from service.parameters import DEFAULT_QUALITY, FormatName, MetadataName
from service.steering import Hint, check_combination, read_palette_names

Kind = Literal["picture", "variations", "sheet", "comparison"]
"""One picture, several, several on one sheet, or models side by side."""


@dataclass(frozen=True)
class Order:
    """What is wanted of every picture, in the words of the HTTP contract.

    Parameters
    ----------
    models : tuple of str
        One, or those that are compared.
    kind : Kind
    count : int
        Of variations.
    palette : str or None
    reference : Path or None
    hints : tuple of Hint
    variation : int
        The first, where there are several.
    adjustments : Adjustments
    format_name : FormatName
    quality : int
    metadata : MetadataName

    Raises
    ------
    InvalidRequestError
        When the palette is none, or wishes contradict each other.
    """

    models: tuple[str, ...]
    kind: Kind = "picture"
    count: int = 1
    palette: str | None = None
    reference: Path | None = None
    hints: tuple[Hint, ...] = ()
    variation: int = 0
    adjustments: Adjustments = NO_ADJUSTMENTS
    format_name: FormatName = "auto"
    quality: int = DEFAULT_QUALITY
    metadata: MetadataName = "drop"

    def __post_init__(self) -> None:
        if self.palette is not None:
            read_palette_names(self.palette)
        check_combination(
            has_palette=self.palette is not None, has_reference=self.reference is not None
        )

    @property
    def endings(self) -> list[str]:
        """What comes after the name of a picture in those of its answers, without extensions."""
        match self.kind:
            case "picture":
                return [f"-{self.models[0]}"]
            case "variations":
                numbers = range(self.variation, self.variation + self.count)
                return [f"-{self.models[0]}-{number}" for number in numbers]
            case "sheet":
                return [f"-{self.models[0]}-variations"]
            case "comparison":
                return ["-compare"]

    def extensions(self, source_suffix: str) -> list[str]:
        """List the extensions that the answers of a file may have, told by its name.

        Parameters
        ----------
        source_suffix : str
            With its dot, in upper or lower case; may be none.
        """
        if self.format_name != "auto":
            return [FORMATS_BY_NAME[self.format_name].extension]
        if self.kind in ("sheet", "comparison"):
            return [PNG.extension]
        natural = OUTPUT_FORMATS.get(Image.registered_extensions().get(source_suffix.lower(), ""))
        if natural is None:
            return [output_format.extension for output_format in WRITTEN_FORMATS]
        # What is transparent becomes a PNG where its own format cannot be.
        return list(dict.fromkeys([natural.extension, PNG.extension][: 2 - natural.carries_alpha]))


def answer_pattern(models: Sequence[str]) -> re.Pattern[str]:
    """Make the pattern of names, without extensions, that answers have; 1 is the picture's."""
    names = "|".join(map(re.escape, models))
    return re.compile(rf"(.+)-(?:(?:{names})(?:-\d+|-variations)?|compare)", re.DOTALL)


PICTURE_SUFFIXES = frozenset(
    suffix for suffix, name in Image.registered_extensions().items() if name in OUTPUT_FORMATS
)
"""Of the files in a folder that are taken for pictures."""
