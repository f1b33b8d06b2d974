"""GET /health: for whoever restarts the process, and whoever sends it traffic."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from service.errors import NotReadyError, problem_responses
from service.routes import LoadedRegistry

router = APIRouter(prefix="/health", tags=["health"])


class Live(BaseModel):
    """The process is alive."""

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """The models are loaded and warmed."""

    status: Literal["ready"] = "ready"
    models: list[str]


@router.get("/live", summary="Is the process alive?")
async def live() -> Live:
    """Answer at all: that is the check."""
    return Live()


@router.get("/ready", summary="Can it colour now?", responses=problem_responses(NotReadyError))
async def ready(registry: LoadedRegistry) -> Ready:
    """Answer 200 when the models are loaded and warmed, else 503."""
    return Ready(models=list(registry.names))
