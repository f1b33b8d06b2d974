"""GET /health: for whoever restarts the process, and whoever sends it traffic."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from service.admission import Line
from service.error_answers import problem_responses
from service.errors import OverloadedError
from service.routes import LoadedRegistry
from service.routes.problems import OPEN, READINESS
from service.settings import Settings


class Live(BaseModel):
    """The process is alive."""

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """The models are loaded and warmed."""

    status: Literal["ready"] = "ready"
    models: list[str]


def build_router(settings: Settings) -> APIRouter:
    """Make the routes, with the limits of `settings`."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live", summary="Is the process alive?", responses=problem_responses(*OPEN))
    async def live() -> Live:
        """Answer at all: that is the check."""
        return Live()

    @router.get(
        "/ready",
        summary="Can it colour now?",
        responses=problem_responses(*READINESS),
    )
    async def ready(request: Request, registry: LoadedRegistry) -> Ready:
        """Answer 200 when the models are loaded and requests are taken on, else 503."""
        check_moving(request.app.state.line, settings.saturated_after_s)
        return Ready(models=list(registry.names))

    return router


def check_moving(line: Line, saturated_after_s: float) -> None:
    """Make sure that requests have not been turned away for too long.

    Raises
    ------
    OverloadedError
    """
    if line.saturated_s > saturated_after_s:
        raise OverloadedError(line.capacity, line.retry_after_s)
