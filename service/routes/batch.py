"""POST /colorize/batch: many pictures in, a ZIP of coloured ones out, while it is made."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Response, UploadFile
from fastapi.responses import StreamingResponse

from service.archive import MEDIA_TYPE as ZIP_MEDIA_TYPE
from service.archive import ZipWriter
from service.colorizer import Colorizer
from service.errors import (
    ColorizeError,
    InvalidRequestError,
    Problem,
    Violation,
    unexpected_error,
)
from service.images import Limits
from service.names import UniqueNames
from service.pipeline import ColorizedPicture, OutputOptions, colorize
from service.routes import LoadedRegistry, WorkingSlots, content_disposition
from service.routes.ahead import run_ahead
from service.routes.answers import ZIP_CONTENT, document_answer
from service.routes.archives import ArchiveMaker, OpenMaker
from service.routes.parameters import (
    READ_FORMATS,
    MetadataChoice,
    ModelName,
    RequestedLook,
    RequestedOutput,
    read_look,
    read_output,
)
from service.settings import Settings
from service.steering import Look

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Colored:
    """A file that became a picture; its name is as the client sent it."""

    upload_name: str | None
    picture: ColorizedPicture


@dataclass(frozen=True)
class Failed:
    """A file that did not, and why."""

    upload_name: str | None
    problem: Problem


Outcome = Colored | Failed


def build_router(settings: Settings) -> APIRouter:
    """Make the route, with the defaults and limits of `settings`."""
    router = APIRouter(tags=["colorize"])
    limits = Limits(max_pixels=settings.max_picture_pixels)

    @router.post(
        "/colorize/batch",
        summary="Colour many pictures",
        response_class=Response,
        responses=document_answer(
            "A ZIP of `NAME-MODEL.EXTENSION`, `palettes.json` and, if files failed, `errors.json`.",
            ZIP_CONTENT,
            "Server-Timing",
            "Vary",
            "X-Colorize-Palette",
        ),
    )
    async def color_batch(
        registry: LoadedRegistry,
        slots: WorkingSlots,
        maker: OpenMaker,
        files: Annotated[
            list[UploadFile],
            File(
                description=f"1 to {settings.max_batch_files} pictures: {READ_FORMATS}.",
                # Swagger UI shows a choice of files for this, not for a media type.
                json_schema_extra={"items": {"type": "string", "format": "binary"}},
            ),
        ],
        requested_look: Annotated[RequestedLook, Depends(read_look)],
        requested_output: Annotated[RequestedOutput, Depends(read_output)],
        model: ModelName = settings.default_model,
        metadata: MetadataChoice = "drop",
    ) -> Response:
        """Answer all pictures in colour, the first while the last ones still wait.

        A file that cannot be coloured becomes an entry of `errors.json`, with its
        name and the problem that it would have been answered with alone. Files of
        the same name are numbered.
        """
        colorizer = registry.get(model)
        _check_count(files, settings.max_batch_files)
        look = await requested_look.read(slots, limits)
        colorizer.require(*look.needs)
        output = requested_output.of_archive(keep_metadata=metadata == "keep")

        async def color(file: UploadFile) -> Outcome:
            # Read in its turn: files wait on disk, not in memory.
            color_file = partial(_color_file, file, colorizer, limits, output, look)
            try:
                return Colored(file.filename, await slots.run(color_file))
            except ColorizeError as error:
                return Failed(file.filename, error.problem())
            except Exception:
                logger.exception("Unexpected error in a batch")
                return Failed(file.filename, unexpected_error().problem())

        pieces = _pack(files, color, maker, settings.working_slots, f"-{model}")
        return StreamingResponse(
            await maker.start(pieces),
            media_type=ZIP_MEDIA_TYPE,
            headers={
                "Content-Disposition": content_disposition(
                    "colorized", f"-{model}.zip", "attachment"
                )
            },
        )

    return router


def _check_count(files: list[UploadFile], most: int) -> None:
    if len(files) > most:
        violation = Violation(
            location="form", name="files", received=f"{len(files)} files", accepted=f"1 to {most}"
        )
        raise InvalidRequestError([violation])


def _color_file(
    file: UploadFile, colorizer: Colorizer, limits: Limits, output: OutputOptions, look: Look
) -> ColorizedPicture:
    return colorize(file.file.read(), colorizer, limits, output, look)


def _nothing_colored(failures: list[Failed]) -> ColorizeError:
    """Make the error of a batch in which no file is a picture."""
    if any(failure.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR for failure in failures):
        return unexpected_error()
    return InvalidRequestError(
        [
            Violation(
                location="form",
                name=f"files.{index}",
                received=failure.upload_name,
                accepted=failure.problem.detail,
            )
            for index, failure in enumerate(failures)
        ]
    )


async def _pack(
    files: list[UploadFile],
    color: Callable[[UploadFile], Awaitable[Outcome]],
    maker: ArchiveMaker,
    ahead: int,
    ending: str,
) -> AsyncGenerator[bytes, None]:
    """Yield the archive, each picture as soon as its turn has come.

    Nothing before the first one: only then is it certain that the answer is good.
    """
    archive, names = ZipWriter(), UniqueNames()
    palettes: list[dict[str, Any]] = []
    failures: list[Failed] = []
    waiting = deque(files)

    def next_calls() -> Iterator[Callable[[], Awaitable[Outcome]]]:
        while waiting and maker.has_room:
            yield partial(color, waiting.popleft())

    def add(colored: Colored) -> bytes:
        picture = colored.picture
        name = names.take(colored.upload_name, ending + picture.extension)
        palettes.append(
            {"file": name, "upload": colored.upload_name, "palette": picture.palettes[0]}
        )
        return archive.add(name, picture.data)

    while waiting:
        async with maker.turn():
            async for outcome in run_ahead(next_calls(), ahead):
                if isinstance(outcome, Colored):
                    yield await asyncio.to_thread(add, outcome)
                else:
                    failures.append(outcome)
    if not palettes:
        raise _nothing_colored(failures)
    yield archive.add("palettes.json", _one_a_line(palettes))
    if failures:
        problems = [
            {"file": failure.upload_name, **failure.problem.model_dump(exclude_none=True)}
            for failure in failures
        ]
        yield archive.add("errors.json", _one_a_line(problems))
    yield archive.close()


def _one_a_line(entries: list[dict[str, Any]]) -> bytes:
    """Write a JSON list with a line for each entry."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f"[\n{lines}\n]\n".encode(errors="replace")
