"""POST /palette: the colours of a picture."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from service.errors import problem_responses
from service.images import Limits
from service.palettes import EXTRACTED_COLORS, MAX_COLORS, palette_to_hex
from service.pipeline import read_palette
from service.ranges import Range
from service.routes import WorkingSlots, palette_header
from service.routes.parameters import PictureFile, show
from service.routes.problems import UPLOAD
from service.settings import Settings


class PaletteColor(BaseModel):
    """One colour of a picture."""

    hex: str = Field(examples=["#ff8800"])
    lab: tuple[float, float, float] = Field(
        description="CIE L*, a* and b*, D65.", examples=[(68.66, 38.85, 74.98)]
    )
    share: float = Field(description="Of the picture, in [0, 1].", examples=[0.31])


class PaletteOfPicture(BaseModel):
    """The colours of a picture, the largest share first."""

    colors: list[PaletteColor]


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
        names = palette_to_hex(palette)
        response.headers["X-Colorize-Palette"] = palette_header([names])
        return PaletteOfPicture(
            colors=[
                PaletteColor(
                    hex=name,
                    # Adding zero makes -0.0 the zero that people write.
                    lab=(round(lightness, 2), round(a, 2) + 0.0, round(b, 2) + 0.0),
                    share=round(share, 4),
                )
                for name, (lightness, a, b, share) in zip(names, palette.tolist(), strict=True)
            ]
        )

    return router
