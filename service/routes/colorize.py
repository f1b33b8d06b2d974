"""POST /colorize: a picture in, the coloured picture out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from service.images import Limits
from service.pipeline import colorize
from service.routes import LoadedRegistry, WorkingSlots
from service.routes.answers import PICTURE_CONTENT, answer_picture, document_answer
from service.routes.parameters import (
    MetadataChoice,
    ModelName,
    PictureFile,
    RequestedLook,
    RequestedOutput,
    read_look,
    read_output,
)
from service.settings import Settings


def build_router(settings: Settings) -> APIRouter:
    """Make the route, with the defaults and limits of `settings`."""
    router = APIRouter(tags=["colorize"])
    limits = Limits(max_pixels=settings.max_picture_pixels)

    @router.post(
        "/colorize",
        summary="Colour a picture",
        response_class=Response,
        responses=document_answer("The coloured picture.", PICTURE_CONTENT),
    )
    async def colorize_picture(
        registry: LoadedRegistry,
        slots: WorkingSlots,
        file: PictureFile,
        requested_look: Annotated[RequestedLook, Depends(read_look)],
        requested_output: Annotated[RequestedOutput, Depends(read_output)],
        model: ModelName = settings.default_model,
        metadata: MetadataChoice = "drop",
    ) -> Response:
        """Answer the uploaded picture in colour: same size, same lightness.

        Colours are the model's choice, or yours: by `palette`, by a `reference`
        picture, by `hints` at points, by asking for the next `variation`.
        """
        colorizer = registry.get(model)
        output = requested_output.of_picture(keep_metadata=metadata == "keep")
        look = await requested_look.read(slots, limits)
        picture = await slots.run_on(file, colorize, colorizer, limits, output, look)
        return answer_picture(picture, file.filename, f"-{model}")

    return router
