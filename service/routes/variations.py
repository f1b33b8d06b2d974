"""POST /colorize/variations: a picture in, several colourings of it out."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from service.admission import Slots
from service.archive import MEDIA_TYPE as ZIP_MEDIA_TYPE
from service.archive import ZipWriter
from service.images import Limits
from service.names import UniqueNames
from service.parameters import MOST_VARIATIONS
from service.pipeline import Colorings, ColorizedPicture, predict_colorings
from service.ranges import Range
from service.routes import (
    LoadedRegistry,
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
from service.routes.archives import ArchiveMaker, OpenMaker
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
        responses=document_answer(
            "A ZIP of `NAME-MODEL-VARIATION.EXTENSION` and `palettes.json`, or one sheet.",
            ZIP_CONTENT | PICTURE_CONTENT,
        ),
    )
    async def color_variations(
        registry: LoadedRegistry,
        slots: WorkingSlots,
        maker: OpenMaker,
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
        told: dict[str, str] = {}

        def predict(done: int) -> Colorings:
            rest = replace(look, variation=look.variation + done)
            file.file.seek(0)
            data = file.file.read()
            colorings = predict_colorings(data, colorizer, limits, output, rest, n - done)
            # What all have in common is told ahead of them.
            told.setdefault("Server-Timing", timing_header(colorings.timings_ms))
            told.setdefault("X-Colorize-Palette", palette_header(colorings.palettes))
            return colorings

        pictures = _Pictures(predict, slots, maker, ahead)
        pieces = await maker.start(_pack(pictures, maker, n, file.filename, model, look.variation))
        disposition = content_disposition(file.filename, f"-{model}-variations.zip", "attachment")
        return StreamingResponse(
            pieces,
            media_type=ZIP_MEDIA_TYPE,
            headers={"Content-Disposition": disposition, **told},
        )

    return router


class _Pictures:
    """The pictures of an archive.

    Parameters
    ----------
    predict : callable
        Predicts them; from the one of a number on, counted from 0.
    slots : Slots
    maker : ArchiveMaker
    ahead : int
        How many are finished at a time.
    """

    def __init__(
        self, predict: Callable[[int], Colorings], slots: Slots, maker: ArchiveMaker, ahead: int
    ) -> None:
        self._predict = predict
        self._slots = slots
        self._maker = maker
        self._ahead = ahead

    async def finish_from(self, number: int) -> AsyncIterator[ColorizedPicture]:
        """Yield pictures while there is room for them; all that they share is forgotten then."""
        colorings = await self._slots.run(self._predict, number)
        indices = takewhile(lambda _: self._maker.has_room, range(len(colorings)))
        calls = (partial(self._slots.run, colorings.finish, index) for index in indices)
        async for picture in run_ahead(calls, self._ahead):
            yield picture


async def _pack(
    pictures: _Pictures,
    maker: ArchiveMaker,
    count: int,
    upload_name: str | None,
    model: str,
    first: int,
) -> AsyncGenerator[bytes, None]:
    """Yield the archive, each picture as soon as it is done."""
    archive, names = ZipWriter(), UniqueNames()
    entries: list[dict[str, Any]] = []

    def add(picture: ColorizedPicture) -> bytes:
        number = first + len(entries)
        name = names.take(upload_name, f"-{model}-{number}{picture.extension}")
        entries.append({"file": name, "variation": number, "palette": picture.palettes[0]})
        return archive.add(name, picture.data)

    while len(entries) < count:
        async with maker.turn():
            async for picture in pictures.finish_from(len(entries)):
                yield await asyncio.to_thread(add, picture)
    yield archive.add("palettes.json", json.dumps(entries, indent=2).encode())
    yield archive.close()
