"""POST /colorize/compare: a picture beside what models make of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from service.images import Limits
from service.routes import LoadedRegistry, WorkingSlots
from service.routes.answers import PICTURE_CONTENT, answer_picture, document_answer
from service.routes.parameters import (
    PictureFile,
    RequestedLook,
    RequestedOutput,
    read_look,
    read_output,
    show,
)
from service.settings import Settings
from service.sheets import draw_comparison


def build_router(settings: Settings) -> APIRouter:
    """Make the route, with the limits of `settings`."""
    router = APIRouter(tags=["colorize"])
    limits = Limits(max_pixels=settings.max_picture_pixels)

    @router.post(
        "/colorize/compare",
        summary="Compare models",
        response_class=Response,
        responses=document_answer("The original and a colouring by each model.", PICTURE_CONTENT),
    )
    async def compare_models(
        registry: LoadedRegistry,
        slots: WorkingSlots,
        file: PictureFile,
        requested_look: Annotated[RequestedLook, Depends(read_look)],
        requested_output: Annotated[RequestedOutput, Depends(read_output)],
        models: Annotated[
            str | None,
            Query(
                description="Names that `GET /models` lists, comma separated; all of them when "
                "not given.",
                openapi_examples={
                    "all": {"summary": "all"},
                    **show({"two of them": "v1,v2"}),
                },
            ),
        ] = None,
    ) -> Response:
        """Answer one sheet: the original, then a labelled colouring by each model.

        Pictures are shown at 512 pixels at most, whatever their size.
        """
        names = registry.names if models is None else models.split(",")
        # Each once, so that a sheet is never wider than there are models.
        colorizers = [registry.get(name) for name in dict.fromkeys(map(str.strip, names))]
        output = requested_output.of_picture()
        look = await requested_look.read(slots, limits)
        sheet = await slots.run_on(file, draw_comparison, colorizers, limits, output, look)
        return answer_picture(sheet, file.filename, "-compare")

    return router
