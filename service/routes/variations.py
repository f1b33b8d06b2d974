"""POST /colorize/variations: a picture in, several colourings of it out."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from service.admission import Slots
from service.archive import MEDIA_TYPE as ZIP_MEDIA_TYPE
from service.archive import ZipWriter
from service.images import Limits
from service.names import UniqueNames
from service.parameters import MOST_VARIATIONS
from service.pipeline import Colorings, predict_colorings
from service.ranges import Range
from service.routes import (
    LoadedRegistry,
    StreamTurn,
    WorkingSlots,
    content_disposition,
    palette_header,
)
from service.routes.ahead import run_ahead
from service.routes.answers import (
    PICTURE_CONTENT,
    ZIP_CONTENT,
    answer_picture,
    document_answer,
    timing_header,
)
from service.routes.parameters import (
    MetadataChoice,
    ModelName,
    PictureFile,
    RequestedLook,
    RequestedOutput,
    read_look,
    read_output,
    show,
)
from service.settings import Settings
from service.sheets import draw_variations


def build_router(settings: Settings) -> APIRouter:
    """Make the route, with the defaults and limits of `settings`."""
    router = APIRouter(tags=["colorize"])
    limits = Limits(max_pixels=settings.max_picture_pixels)
    # One more than can work: while a picture is packed and sent, no slot is idle.
    ahead = settings.working_slots + 1

    @router.post(
        "/colorize/variations",
        summary="Colour a picture in several ways",
        response_class=Response,
        dependencies=[StreamTurn],
        responses=document_answer(
            "A ZIP of `NAME-MODEL-VARIATION.EXTENSION` and `palettes.json`, or one sheet.",
            ZIP_CONTENT | PICTURE_CONTENT,
        ),
    )
    async def color_variations(
        registry: LoadedRegistry,
        slots: WorkingSlots,
        file: PictureFile,
        requested_look: Annotated[RequestedLook, Depends(read_look)],
        requested_output: Annotated[RequestedOutput, Depends(read_output)],
        model: ModelName = settings.default_model,
        n: Annotated[
            int,
            Range(1, MOST_VARIATIONS),
            Query(
                description="How many, beginning with `variation`: 0, the best, unless given.",
                openapi_examples=show({"a few": 4, "more": 8}),
            ),
        ] = 4,
        sheet: Annotated[
            bool,
            Query(
                description="One labelled picture of all, in place of the ZIP.",
                openapi_examples=show({"a ZIP": False, "one sheet": True}),
            ),
        ] = False,
        metadata: MetadataChoice = "drop",
    ) -> Response:
        """Answer the alternatives among which the model chooses, or those of a palette.

        The same numbers give the same pictures as `variation` of `POST /colorize`.
        """
        colorizer = registry.get(model)
        look = await requested_look.read(slots, limits)
        if sheet:
            output = requested_output.of_picture()
            picture = await slots.run_on(file, draw_variations, colorizer, limits, output, look, n)
            return answer_picture(picture, file.filename, f"-{model}-variations")
        output = requested_output.of_archive(keep_metadata=metadata == "keep")
        colorings = await slots.run_on(file, predict_colorings, colorizer, limits, output, look, n)
        return StreamingResponse(
            _pack(colorings, slots, ahead, file.filename, model, look.variation),
            media_type=ZIP_MEDIA_TYPE,
            headers={
                "Content-Disposition": content_disposition(
                    file.filename, f"-{model}-variations.zip", "attachment"
                ),
                "Server-Timing": timing_header(colorings.timings_ms),
                "X-Colorize-Palette": palette_header(colorings.palettes),
            },
        )

    return router


async def _pack(
    colorings: Colorings,
    slots: Slots,
    ahead: int,
    upload_name: str | None,
    model: str,
    first: int,
) -> AsyncIterator[bytes]:
    """Yield the archive, each picture as soon as it is done."""
    archive, names, entries = ZipWriter(), UniqueNames(), []
    calls = (partial(slots.run, colorings.finish, index) for index in range(len(colorings)))
    number = first
    async for picture in run_ahead(calls, ahead):
        name = names.take(upload_name, f"-{model}-{number}{picture.extension}")
        entries.append({"file": name, "variation": number, "palette": picture.palettes[0]})
        yield archive.add(name, picture.data)
        number += 1
    yield archive.add("palettes.json", json.dumps(entries, indent=2).encode())
    yield archive.close()
