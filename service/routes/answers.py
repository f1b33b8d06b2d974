"""What a coloured answer looks like: its headers, and how the documentation shows it."""

from typing import Any

from fastapi import Response

from service.archive import MEDIA_TYPE as ZIP_MEDIA_TYPE
from service.error_answers import problem_responses
from service.formats import WRITTEN_FORMATS
from service.pipeline import ColorizedPicture
from service.routes import content_disposition, palette_header
from service.routes.problems import COLORING

BINARY = {"schema": {"type": "string", "format": "binary"}}
PICTURE_CONTENT = {output_format.media_type: BINARY for output_format in WRITTEN_FORMATS}
ZIP_CONTENT = {ZIP_MEDIA_TYPE: BINARY}

HEADERS = {
    "Content-Disposition": "A name for the answer, made of that of the upload.",
    "Server-Timing": "Milliseconds of decode, model, merge and encode.",
    "Vary": "`Accept`: it takes part in the choice of the format.",
    "X-Colorize-Palette": "The colours that were used, before adjustments: hex without `#`, comma "
    "separated, as `palette` takes them. Of several colourings one after the other, `; ` between.",
    "X-Request-ID": "That of the request, or a new one; the log of an unexpected error has the "
    "same.",
}


def document_answer(
    description: str, content: dict[str, Any], *absent_headers: str
) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route that colours pictures."""
    headers = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in HEADERS.items()
        if name not in absent_headers
    }
    answer = {"description": description, "content": content, "headers": headers}
    return {200: answer, **problem_responses(*COLORING)}


def answer_picture(picture: ColorizedPicture, upload_name: str | None, ending: str) -> Response:
    """Answer a picture or a sheet.

    Parameters
    ----------
    picture : ColorizedPicture
    upload_name : str or None
        As the client sent it.
    ending : str
        Of the answer's name, before its extension, such as ``-v12``.

    Returns
    -------
    Response
    """
    return Response(
        picture.data,
        media_type=picture.media_type,
        headers={
            "Vary": "Accept",
            "Content-Disposition": content_disposition(upload_name, ending + picture.extension),
            "Server-Timing": timing_header(picture.timings_ms),
            "X-Colorize-Palette": palette_header(picture.palettes),
        },
    )


def timing_header(timings_ms: dict[str, float]) -> str:
    """Write what stages took as browsers show it."""
    return ", ".join(f"{stage};dur={elapsed_ms:.1f}" for stage, elapsed_ms in timings_ms.items())
