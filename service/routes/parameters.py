"""What a request says: how to colour, and how to write the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import File, Form, Query, Request, UploadFile
from fastapi.openapi.models import Example
from pydantic import AfterValidator

from service.adjustments import STRENGTH_RANGE, TONE_RANGE, Adjustments
from service.admission import Slots
from service.errors import errors_of
from service.formats import OUTPUT_FORMATS
from service.images import Limits
from service.negotiation import ANY_FORMAT, FormatWeights, weigh_format_name, weigh_formats
from service.palettes import parse_palette
from service.parameters import (
    DEFAULT_QUALITY,
    LAST_VARIATION,
    MAX_COLORS,
    FormatName,
    MetadataName,
)
from service.pipeline import OutputOptions, read_palette
from service.ranges import Range
from service.steering import MAX_HINTS, Look, check_combination, check_palette, parse_hints

READ_FORMATS = ", ".join(OUTPUT_FORMATS)


def show(examples: Mapping[str, object]) -> dict[str, Example]:
    """Make the examples of a parameter: what each says, and its value; the default first."""
    return {name: {"summary": name, "value": value} for name, value in examples.items()}


ModelName = Annotated[
    str,
    Query(
        description="One of the names that `GET /models` lists.",
        openapi_examples=show(
            {"geometric and fluid pictures": "v12", "geometric ones": "v1", "fluid ones": "v2"}
        ),
    ),
]
PictureFile = Annotated[UploadFile, File(description=f"The picture: {READ_FORMATS}.")]
ChosenFormat = Annotated[
    FormatName,
    Query(
        alias="format",
        description="Format of the answer. `auto` is that of the upload: GIF becomes PNG, HEIC "
        "becomes JPEG; a sheet is a PNG. When `format` is not given, `Accept` is honoured, which "
        "leaves the choice to us where clients take anything.",
        openapi_examples=show({"that of the upload": "auto", "PNG": "png", "WebP": "webp"}),
    ),
]
Quality = Annotated[
    int,
    Range(1, 100),
    Query(
        description="Of JPEG, WebP and AVIF; 100 is the best.",
        openapi_examples=show({"as usual": 90, "small": 60, "the best": 100}),
    ),
]
MetadataChoice = Annotated[
    MetadataName,
    Query(
        description="Whether the answer has the EXIF (place included), XMP, IPTC and comments of "
        "the upload. Orientation is applied, colour is sRGB, and print resolution is kept, always.",
        openapi_examples=show({"nothing private": "drop", "as sent": "keep"}),
    ),
]
Strength = Range(*STRENGTH_RANGE)


@dataclass(frozen=True)
class RequestedOutput:
    """How a request wants its answer.

    Parameters
    ----------
    format_weights : mapping of OutputFormat to float
        What the parameter says; all alike where it says nothing.
    accept : str or None
        The header, where the parameter leaves the choice to it.
    quality : int
    """

    format_weights: FormatWeights
    accept: str | None
    quality: int

    def of_picture(self, *, keep_metadata: bool = False) -> OutputOptions:
        """Options of an answer that is a picture.

        Raises
        ------
        NotAcceptableError
            When `Accept` excludes all formats.
        """
        weights = self.format_weights if self.accept is None else weigh_formats(self.accept)
        return OutputOptions(weights, self.quality, keep_metadata)

    def of_archive(self, *, keep_metadata: bool = False) -> OutputOptions:
        """Options of pictures in an archive, of which `Accept` says nothing."""
        return OutputOptions(self.format_weights, self.quality, keep_metadata)


async def read_output(
    request: Request, format_name: ChosenFormat = "auto", quality: Quality = DEFAULT_QUALITY
) -> RequestedOutput:
    """Find out which formats a request wants: the parameter first, then `Accept`."""
    if "format" in request.query_params:
        return RequestedOutput(weigh_format_name(format_name), None, quality)
    return RequestedOutput(ANY_FORMAT, ",".join(request.headers.getlist("Accept")), quality)


@dataclass(frozen=True)
class RequestedLook:
    """How a request wants to be coloured; of a reference the palette is not read yet."""

    look: Look
    reference: UploadFile | None

    async def read(self, slots: Slots, limits: Limits) -> Look:
        """Read the palette of the reference, if there is one.

        Raises
        ------
        ColorizeError
            When the reference is not a picture that we read.
        """
        if self.reference is None:
            return self.look
        with errors_of("reference"):
            palette = await slots.run_on(self.reference, read_palette, limits)
        return replace(self.look, palette=palette)


async def read_look(
    palette: Annotated[
        str | None,
        AfterValidator(lambda text: text if text is None else check_palette(text)),
        Query(
            description=f"1 to {MAX_COLORS} colours to use, comma separated: hex with or without "
            "`#` (in an address `%23`), or names of CSS; how much there is to be of one, beside "
            "the others, may follow it. Chosen by the model when not given.",
            openapi_examples={
                "chosen by the model": {"summary": "chosen by the model"},
                **show(
                    {
                        "hex": "ff00ff,00ffff",
                        "names of CSS": "navy,tomato,beige",
                        "mostly navy": "navy:3,tomato,beige:0.5",
                    }
                ),
            },
        ),
    ] = None,
    variation: Annotated[
        int,
        Range(0, LAST_VARIATION),
        Query(
            description="0 is the model's best choice of colours, n its n-th alternative; of a "
            "palette or a reference, which of its colours go to the dark and which to the light. "
            "The same number always gives the same picture.",
            openapi_examples=show({"its best choice": 0, "the third alternative": 3}),
        ),
    ] = 0,
    saturation: Annotated[
        float,
        Strength,
        Query(
            description="0 is grey, 1 as predicted, 2 twice the chroma.",
            openapi_examples=show({"as predicted": 1, "vivid": 1.4, "pale": 0.6}),
        ),
    ] = 1,
    brightness: Annotated[
        float,
        Strength,
        Query(
            description="Below 1 darker, above 1 brighter; black and white stay.",
            openapi_examples=show({"as sent": 1, "brighter": 1.2, "darker": 0.8}),
        ),
    ] = 1,
    contrast: Annotated[
        float,
        Strength,
        Query(
            description="0 is one lightness everywhere, 1 as sent.",
            openapi_examples=show({"as sent": 1, "stronger": 1.3, "softer": 0.7}),
        ),
    ] = 1,
    tone: Annotated[
        float,
        Range(*TONE_RANGE),
        Query(
            description="-1 is cool, 0 as predicted, 1 warm.",
            openapi_examples=show({"as predicted": 0, "warm": 0.5, "cool": -0.5}),
        ),
    ] = 0,
    reference: Annotated[
        UploadFile | None,
        File(
            description=f"A picture whose colours are used, in place of `palette`: {READ_FORMATS}."
        ),
    ] = None,
    hints: Annotated[
        str | None,
        Form(
            description=f"JSON: up to {MAX_HINTS} colours at points. x and y are shares of width "
            "and height of the upright picture, from its upper left corner; the colour holds "
            "there and spreads over what it belongs to.",
            # Forms begin with the first: none.
            examples=["[]", '[{"x": 0.25, "y": 0.5, "color": "#ff8800"}]'],
        ),
    ] = None,
) -> RequestedLook:
    """Read all that a request says about colours.

    Raises
    ------
    InvalidRequestError
        When a hint is wrong, or parameters contradict each other.
    """
    # What a form of a browser sends for a picture that was not chosen.
    if reference is not None and not (reference.filename or reference.size):
        reference = None
    check_combination(has_palette=palette is not None, has_reference=reference is not None)
    look = Look(
        parse_palette(palette) if palette is not None else None,
        parse_hints(hints) if hints is not None else None,
        variation,
        Adjustments(saturation, brightness, contrast, tone),
    )
    return RequestedLook(look, reference)
