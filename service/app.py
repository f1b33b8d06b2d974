"""The application: models loaded once, limits on every request, and the routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from service import __version__, errors
from service.admission import Slots
from service.color import warm_up
from service.colorizer import Registry
from service.middleware import BodyLimitMiddleware, RequestIdMiddleware
from service.routes import batch, colorize, compare, health, models, page, palette, variations
from service.settings import Settings


def create_app(settings: Settings | None = None, registry: Registry | None = None) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    settings : Settings, optional
        Those of the environment when not given.
    registry : Registry, optional
        The models, when they are loaded already.

    Returns
    -------
    app : FastAPI
        Without a registry it loads its models when it is started, and raises
        `ModelFileError` then when it cannot serve with them.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.registry = registry or load_models(settings)
        with Slots(settings.working_slots) as slots:
            app.state.slots = slots
            yield

    app = DocumentedApp(
        title=page.TITLE,
        version=__version__,
        description="Colours black-and-white abstract pictures. Lightness and size stay as sent.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={"default": errors.OTHER_PROBLEM},
    )
    for routes in (colorize, variations, compare, batch, palette):
        app.include_router(routes.build_router(settings))
    app.include_router(models.router)
    app.include_router(health.router)
    app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=page.STATIC_DIR), name="static")
    errors.install_error_handlers(app)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_upload_bytes)
    # Added last, so outermost: answers of the other middleware get an id too.
    app.add_middleware(RequestIdMiddleware)
    return app


def load_models(settings: Settings) -> Registry:
    """Load and warm all that the first request needs.

    Raises
    ------
    ModelFileError
        When a model cannot be used, or the default one is not there.
    """
    registry = Registry.load(settings.models_dir, settings.intra_op_threads)
    if settings.default_model not in registry.names:
        raise errors.ModelFileError(
            settings.models_dir,
            "COLORIZE_DEFAULT_MODEL must be one of the models in this folder, "
            f"{', '.join(registry.names)}. Received: {settings.default_model}",
        )
    warm_up()
    return registry


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document also has the shape of errors."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes; made once."""
        if self.openapi_schema is None:
            schemas = super().openapi()["components"]["schemas"]
            schemas.update(errors.problem_schemas())
        return super().openapi()
