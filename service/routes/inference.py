"""/v2: the Open Inference Protocol, for clients that bring tensors of their own."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from service import __version__, errors, protocol
from service.colorizer import Colorizer
from service.error_answers import INFERENCE_PATH, as_inference_error, problem_responses
from service.inference import Envelope, InferenceLimits, infer
from service.protocol import JSON_LENGTH_HEADER, InferenceAnswer, InferenceRequest, ModelMetadata
from service.routes import LoadedRegistry, WorkingSlots
from service.routes.answers import BINARY, timing_header
from service.routes.health import check_moving
from service.routes.problems import (
    BODY,
    INFERENCE,
    LOADED,
    OPEN,
    READINESS,
    UNKNOWN_MODEL,
    UNKNOWN_VERSION,
    USUAL,
)
from service.settings import Settings

SERVER_NAME = "colorization-autoencoder"
RAW = "application/octet-stream"


class ServerMetadata(BaseModel):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The process is alive."""

    live: bool = True


class ServerReady(BaseModel):
    """Models are loaded and requests are taken on."""

    ready: bool = True


class ModelReady(BaseModel):
    """The model is loaded."""

    name: str
    ready: bool = True


async def find_model(registry: LoadedRegistry, model: str) -> Colorizer:
    """Find a model by name."""
    return registry.get(model)


async def find_version(registry: LoadedRegistry, model: str, version: str) -> Colorizer:
    """Find a model by name and version, of which there is one."""
    colorizer = registry.get(model)
    if version != protocol.VERSION:
        raise errors.UnknownVersionError(version, protocol.VERSION)
    return colorizer


def document_problems(*problems: errors.Problem) -> dict[int | str, dict[str, Any]]:
    """Show problems as they are answered here: with an `error` too."""
    return problem_responses(*map(as_inference_error, problems))


def build_router(settings: Settings) -> APIRouter:
    """Make the routes, with the limits of `settings`."""
    router = APIRouter(tags=["inference"])
    router.include_router(build_server_router(settings))
    of_model = f"{INFERENCE_PATH}/models/{{model}}"
    router.include_router(build_model_router(of_model, find_model, settings))
    of_version = f"{of_model}/versions/{{version}}"
    router.include_router(build_model_router(of_version, find_version, settings, UNKNOWN_VERSION))
    return router


def build_server_router(settings: Settings) -> APIRouter:
    """Make the routes that are of no model."""
    router = APIRouter(prefix=INFERENCE_PATH)

    @router.get("", summary="Who answers?", responses=document_problems(*USUAL))
    async def describe_server() -> ServerMetadata:
        """Answer name, version, and the extensions of the protocol."""
        return ServerMetadata(
            name=SERVER_NAME, version=__version__, extensions=list(protocol.EXTENSIONS)
        )

    @router.get("/health/live", summary="Is the server alive?", responses=document_problems(*OPEN))
    async def server_live() -> ServerLive:
        """Answer at all: that is the check."""
        return ServerLive()

    @router.get(
        "/health/ready",
        summary="Can the server infer now?",
        responses=document_problems(*READINESS),
    )
    async def server_ready(request: Request, _: LoadedRegistry) -> ServerReady:
        """Answer 200 when the models are loaded and requests are taken on, else 503."""
        check_moving(request.app.state.line, settings.saturated_after_s)
        return ServerReady()

    return router


def build_model_router(
    prefix: str,
    find: Callable[..., Any],
    settings: Settings,
    *find_problems: errors.Problem,
) -> APIRouter:
    """Make the routes of one model, which `find` finds."""
    # Not a prefix of its inclusion: metrics tell the path that the router knows.
    router = APIRouter(prefix=prefix)
    find_problems = (*LOADED, UNKNOWN_MODEL, *find_problems)
    limits = InferenceLimits(settings.max_tensor_pixels, settings.max_upload_bytes)

    @router.get(
        "",
        summary="What a model takes and gives",
        responses=document_problems(*find_problems),
    )
    async def describe_model(colorizer: Annotated[Colorizer, Depends(find)]) -> ModelMetadata:
        """Answer names, datatypes and shapes; the card, `/models/NAME`, has units and ranges."""
        return protocol.describe_model(colorizer.card)

    @router.get("/ready", summary="Is a model ready?", responses=document_problems(*find_problems))
    async def model_ready(colorizer: Annotated[Colorizer, Depends(find)]) -> ModelReady:
        """Answer 200: what is known is loaded and warmed."""
        return ModelReady(name=colorizer.name)

    @router.post(
        "/infer",
        summary="Run a model on tensors",
        response_class=Response,
        responses={
            200: {
                "description": "The outputs, as JSON or, where that was asked for, as raw bytes "
                "after JSON.",
                "model": InferenceAnswer,
                "content": {RAW: BINARY},
                "headers": {
                    JSON_LENGTH_HEADER: {
                        "description": "Bytes of JSON, where raw bytes follow it.",
                        "schema": {"type": "string"},
                    }
                },
            },
            **document_problems(*find_problems, *BODY, *INFERENCE),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": f"#/components/schemas/{InferenceRequest.__name__}"}
                    },
                    RAW: BINARY,
                },
            }
        },
    )
    async def infer_outputs(
        request: Request,
        colorizer: Annotated[Colorizer, Depends(find)],
        slots: WorkingSlots,
        inference_header_content_length: Annotated[
            str | None, Header(description="Bytes of JSON, where raw bytes follow it.")
        ] = None,
        content_encoding: Annotated[
            str, Header(description="`gzip`, `deflate` or `identity`.")
        ] = "identity",
    ) -> Response:
        """Answer what the network makes of tensors: chroma of lightness, not a picture.

        Units and ranges are in the model's card; only `lightness` is required.
        """
        envelope = Envelope(inference_header_content_length, content_encoding.lower())
        result = await slots.run(infer, await request.body(), envelope, colorizer, limits)
        json_bytes = result.message.json_bytes
        headers = {"Server-Timing": timing_header(result.timings_ms)}
        if json_bytes is not None:
            headers[JSON_LENGTH_HEADER] = str(json_bytes)
        media_type = "application/json" if json_bytes is None else RAW
        return Response(result.message.body, media_type=media_type, headers=headers)

    return router
