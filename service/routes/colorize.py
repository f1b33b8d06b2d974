"""POST /colorize: a picture in, the coloured picture out."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Query, Request, Response, UploadFile

from service import errors
from service.admission import Slots
from service.formats import OUTPUT_FORMATS, WRITTEN_FORMATS
from service.images import Limits
from service.negotiation import ANY_FORMAT, FormatWeights, weigh_formats
from service.pipeline import OutputOptions, colorize
from service.routes import LoadedRegistry, content_disposition
from service.settings import Settings

FormatName = Literal["auto", "png", "jpeg", "webp", "avif", "tiff", "bmp"]
FORMATS_BY_NAME = {output_format.parameter: output_format for output_format in WRITTEN_FORMATS}

PICTURE_RESPONSE: dict[str, Any] = {
    "description": "The coloured picture.",
    "content": {
        output_format.media_type: {"schema": {"type": "string", "format": "binary"}}
        for output_format in WRITTEN_FORMATS
    },
    "headers": {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in {
            "Content-Disposition": "`NAME-MODEL.EXTENSION`, NAME being that of the upload.",
            "Server-Timing": "Milliseconds of decode, model, merge and encode.",
            "Vary": "`Accept`: it takes part in the choice of the format.",
            "X-Request-ID": "That of the request, or a new one; the log of an unexpected error "
            "has the same.",
        }.items()
    },
}

PROBLEM_RESPONSES = errors.problem_responses(
    errors.UnknownModelError,
    errors.NotAcceptableError,
    errors.UploadTooLargeError,
    errors.PictureTooLargeError,
    errors.UnsupportedFormatError,
    errors.InvalidRequestError,
    errors.SideTooLongError,
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
        format_name: Annotated[
            FormatName,
            Query(
                alias="format",
                description="Format of the answer. `auto` is that of the upload: GIF becomes PNG, "
                "HEIC becomes JPEG. When `format` is not given, `Accept` is honoured, which "
                "leaves the format of the upload to clients that take anything.",
            ),
        ] = "auto",
        quality: Annotated[
            int, Query(ge=1, le=100, description="Of JPEG, WebP and AVIF; 100 is the best.")
        ] = 90,
        metadata: Annotated[
            Literal["drop", "keep"],
            Query(
                description="Whether the answer has the EXIF (place included), XMP, IPTC and "
                "comments of the upload. Orientation is applied, colour is sRGB, and print "
                "resolution is kept, always."
            ),
        ] = "drop",
    ) -> Response:
        """Answer the uploaded picture in colour: same size, same lightness."""
        colorizer = registry.get(model)
        output = OutputOptions(
            _weigh_request(request, format_name), quality, keep_metadata=metadata == "keep"
        )
        slots: Slots = request.app.state.slots
        data = await file.read()
        picture = await slots.run(colorize, data, colorizer, limits, output)
        return Response(
            picture.data,
            media_type=picture.media_type,
            headers={
                "Vary": "Accept",
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


def _weigh_request(request: Request, format_name: FormatName) -> FormatWeights:
    """Find out which formats a request wants: the parameter first, then `Accept`."""
    if format_name != "auto":
        return {FORMATS_BY_NAME[format_name]: 1.0}
    if "format" in request.query_params:
        return ANY_FORMAT
    return weigh_formats(",".join(request.headers.getlist("Accept")))
