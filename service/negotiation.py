"""Which format an answer has: the client's `Accept` header, and what the upload needs.

References
----------
.. [1] RFC 9110, HTTP Semantics, sections 12.4.2 (weights) and 12.5.1 (Accept).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from service.errors import NotAcceptableError, SideTooLongError
from service.formats import FORMATS_BY_NAME, OUTPUT_FORMATS, PNG, WRITTEN_FORMATS, OutputFormat
from service.parameters import FormatName

FormatWeights = Mapping[OutputFormat, float]
"""How much a client wants each format, in (0, 1]; formats it refuses are absent."""

ANY_FORMAT: FormatWeights = dict.fromkeys(WRITTEN_FORMATS, 1.0)

MEDIA_RANGE = re.compile(r"([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)", re.ASCII)
WEIGHT = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)
ALIASES = {"image/jpg": "image/jpeg"}
"""Names that no registry has, but that people write."""
PAGE_MEDIA_TYPE = "text/html"


class Picture(Protocol):
    """What is asked of a decoded picture."""

    @property
    def format(self) -> str:
        """Pillow's name of its format."""

    @property
    def has_alpha(self) -> bool:
        """Whether any of it can be seen through."""

    @property
    def longer_side(self) -> int:
        """Height or width, whichever is larger, in pixels."""


def weigh_format_name(name: FormatName) -> FormatWeights:
    """Read what the parameter `format` says; ``auto`` says nothing."""
    return ANY_FORMAT if name == "auto" else {FORMATS_BY_NAME[name]: 1.0}


def weigh_formats(accept: str) -> FormatWeights:
    """Read what an `Accept` header says about the formats that are written.

    Parameters
    ----------
    accept : str
        All such headers of a request, joined with commas; anything at all.

    Returns
    -------
    weights : mapping of OutputFormat to float
        All equal when the header is absent or has nothing that can be read, and
        when it is that of a browser opening a page, which lists all that it can
        show and says nothing about what the user wants.

    Raises
    ------
    NotAcceptableError
        When the header excludes all formats.
    """
    ranges = _parse_accept(accept)
    if not ranges:
        return ANY_FORMAT
    weights = {
        output_format: weight
        for output_format in WRITTEN_FORMATS
        if (weight := _weigh(output_format.media_type, ranges)) > 0
    }
    if not weights:
        accepted = [output_format.media_type for output_format in WRITTEN_FORMATS]
        raise NotAcceptableError(accept, accepted)
    return dict.fromkeys(weights, 1.0) if PAGE_MEDIA_TYPE in ranges else weights


def choose_format(picture: Picture, weights: FormatWeights) -> OutputFormat:
    """Choose the format of an answer.

    Parameters
    ----------
    picture : Picture
        The upload.
    weights : mapping of OutputFormat to float
        What the client wants, not empty.

    Returns
    -------
    OutputFormat
        The most wanted one. Of several that are wanted equally it is the
        upload's, or else one that carries its alpha.

    Raises
    ------
    SideTooLongError
        When none of the formats can hold so many pixels a side.
    """
    fitting = {
        output_format: weight
        for output_format, weight in weights.items()
        if picture.longer_side <= output_format.max_side
    }
    if not fitting:
        limits = {output_format.parameter: output_format.max_side for output_format in weights}
        raise SideTooLongError(limits, picture.longer_side)
    heaviest = max(fitting.values())
    wanted = [output_format for output_format, weight in fitting.items() if weight == heaviest]
    natural = natural_format(picture)
    if natural in wanted:
        return natural
    return max(wanted, key=lambda candidate: candidate.carries_alpha or not picture.has_alpha)


def natural_format(picture: Picture) -> OutputFormat:
    """Return the format of the upload, or the nearest that can hold all of the answer."""
    output_format = OUTPUT_FORMATS[picture.format]
    return PNG if picture.has_alpha and not output_format.carries_alpha else output_format


def _parse_accept(accept: str) -> dict[str, float]:
    """Map each media range to its weight; parts that cannot be read are skipped."""
    ranges = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if not MEDIA_RANGE.fullmatch(name):
            continue
        weight = 1.0
        for parameter in parameters:
            if match := WEIGHT.fullmatch(parameter):
                weight = float(match[1])
        name = name.lower()
        ranges[ALIASES.get(name, name)] = weight
    return ranges


def _weigh(media_type: str, ranges: Mapping[str, float]) -> float:
    """Take the weight of the most specific range that a media type is in."""
    kind = media_type.partition("/")[0]
    for candidate in (media_type, f"{kind}/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0
