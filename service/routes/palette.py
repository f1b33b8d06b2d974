"""POST /palette: the colours of a picture."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.error_answers import problem_responses
from service.images import Limits
from service.palettes import PaletteOfPicture
from service.parameters import EXTRACTED_COLORS, MAX_COLORS
from service.pipeline import read_palette
from service.ranges import Range
from service.routes import WorkingSlots, palette_header
from service.routes.parameters import PictureFile, show
from service.routes.problems import UPLOAD
from service.settings import Settings


def build_router(settings: Settings) -> APIRouter:
    """Make the route, with the limits of `settings`."""
    router = APIRouter(tags=["palette"])
    limits = Limits(max_pixels=settings.max_picture_pixels)

    @router.post(
        "/palette",
        summary="Find the colours of a picture",
        responses=problem_responses(*UPLOAD),
    )
    async def find_palette(
        response: Response,
        slots: WorkingSlots,
        file: PictureFile,
        colors: Annotated[
            int,
            Range(1, MAX_COLORS),
            Query(
                description="The most to find; near-duplicates are one.",
                openapi_examples=show({"as usual": EXTRACTED_COLORS, "the main ones": 3}),
            ),
        ] = EXTRACTED_COLORS,
    ) -> PaletteOfPicture:
        """Answer the palette that the picture would give as a `reference`."""
        palette = await slots.run_on(file, read_palette, limits, colors)
        answer = PaletteOfPicture.of(palette)
        response.headers["X-Colorize-Palette"] = palette_header(
            [[color.hex for color in answer.colors]]
        )
        return answer

    return router
