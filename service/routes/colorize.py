"""POST /colorize: a picture in, the coloured picture out."""

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, File, Query, Request, Response, UploadFile

from service import errors
from service.images import OUTPUT_FORMATS, Limits
from service.pipeline import colorize
from service.routes import LoadedRegistry, content_disposition
from service.settings import Settings

PICTURE_RESPONSE: dict[str, Any] = {
    "description": "The coloured picture, in the format of the upload (GIF becomes PNG).",
    "content": {
        output_format.media_type: {"schema": {"type": "string", "format": "binary"}}
        for output_format in OUTPUT_FORMATS.values()
    },
    "headers": {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in {
            "Content-Disposition": "`NAME-MODEL.EXTENSION`, NAME being that of the upload.",
            "Server-Timing": "Milliseconds of decode, model, merge and encode.",
            "X-Request-ID": "That of the request, or a new one; the log has the same.",
        }.items()
    },
}

PROBLEM_RESPONSES = errors.problem_responses(
    errors.UnknownModelError,
    errors.UploadTooLargeError,
    errors.PictureTooLargeError,
    errors.UnsupportedFormatError,
    errors.InvalidRequestError,
    errors.UnreadablePictureError,
    errors.EmptyUploadError,
    errors.NotReadyError,
)


def build_router(settings: Settings) -> APIRouter:
    """Make the route, with the defaults and limits of `settings`."""
    router = APIRouter(tags=["colorize"])
    limits = Limits(max_pixels=settings.max_picture_pixels)

    @router.post(
        "/colorize",
        summary="Colour a picture",
        response_class=Response,
        responses={200: PICTURE_RESPONSE, **PROBLEM_RESPONSES},
    )
    async def colorize_picture(
        request: Request,
        registry: LoadedRegistry,
        file: Annotated[UploadFile, File(description=f"The picture: {', '.join(OUTPUT_FORMATS)}.")],
        model: Annotated[
            str, Query(description="One of the names that `GET /models` lists.")
        ] = settings.default_model,
    ) -> Response:
        """Answer the uploaded picture in colour: same size, same lightness, same format."""
        colorizer = registry.get(model)
        slots: CapacityLimiter = request.app.state.slots
        data = await file.read()
        picture = await to_thread.run_sync(colorize, data, colorizer, limits, limiter=slots)
        return Response(
            picture.data,
            media_type=picture.media_type,
            headers={
                "Content-Disposition": content_disposition(
                    file.filename, f"-{model}{picture.extension}"
                ),
                "Server-Timing": ", ".join(
                    f"{stage};dur={elapsed_ms:.1f}"
                    for stage, elapsed_ms in picture.timings_ms.items()
                ),
            },
        )

    return router
