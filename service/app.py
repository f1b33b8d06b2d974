"""The application: models loaded once, limits on every request, and the routes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from service import __version__, errors, protocol, tracing
from service.access import AccessMiddleware, Keys
from service.admission import AdmissionMiddleware, Line, Slots, StageObserver
from service.color import warm_up
from service.colorizer import Registry
from service.door import Door
from service.error_answers import OTHER_PROBLEM, install_error_handlers, problem_schemas
from service.headers import SecurityHeadersMiddleware
from service.lifetime import LifetimeMiddleware, Patience
from service.memory import give_back
from service.metrics import Metrics
from service.middleware import (
    BodyLimitMiddleware,
    DrainMiddleware,
    HeadMiddleware,
    PlainErrorMiddleware,
    RequestIdMiddleware,
)
from service.observation import ObservationMiddleware
from service.routes import (
    batch,
    colorize,
    compare,
    health,
    inference,
    models,
    page,
    palette,
    variations,
)
from service.routes import metrics as metrics_routes
from service.routes.strangers import refuse_strangers
from service.settings import Settings
from service.spool import Room

logger = logging.getLogger(__name__)

EXPOSED_HEADERS = (
    "Content-Disposition",
    "Retry-After",
    "Server-Timing",
    "X-Colorize-Palette",
    "X-Request-ID",
)
"""What pages of other origins may read of an answer."""
UNSENT_RETRY_S = 10
"""When clients that do not take their answers will have been cut off."""


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
    metrics = Metrics()
    observe_stage = _observe_stages(metrics, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.registry = registry or load_models(settings)
        # Half, so that archives that wait never keep pictures from being answered.
        app.state.archive_room = Room(settings.max_total_answer_bytes // 2)
        with Slots(
            settings.working_slots,
            observe=observe_stage,
            check=lambda: check_unsent(app, settings.max_total_answer_bytes),
            close_timeout_s=settings.shutdown_timeout_s,
        ) as slots:
            app.state.slots = slots
            app.state.line = Line(slots, settings.queue_length, give_back)
            metrics.watch_service(app.state.registry, slots, app.state.line)
            yield

    app = DocumentedApp(
        title=page.TITLE,
        version=__version__,
        description="Colours black-and-white abstract pictures. Lightness and size stay as sent.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={"default": OTHER_PROBLEM},
        # FastAPI makes spans by itself; it must not send anything unless that is wanted.
        telemetry={
            "tracing": settings.tracing,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": settings.tracing,
        },
        form_limits={
            # One too many is for the route to tell of, and there may be a reference.
            "max_files": settings.max_batch_files + 2,
            "max_fields": settings.max_form_fields,
            "max_part_size": settings.max_field_bytes,
        },
    )
    for routes in (colorize, variations, compare, batch, palette):
        app.include_router(routes.build_router(settings), dependencies=[Depends(refuse_strangers)])
    app.include_router(models.router)
    app.include_router(inference.build_router(settings))
    app.include_router(health.build_router(settings))
    app.include_router(metrics_routes.build_router(metrics))
    app.include_router(page.router)
    app.mount("/static", page.PageFiles(directory=page.STATIC_DIR), name="static")
    app.state.default_models = find_default_models(app)
    install_error_handlers(app)
    keys = Keys([key.get_secret_value() for key in settings.api_keys])
    add_middleware(app, settings, metrics, keys)
    app.state.door = Door(
        app.state,
        metrics,
        keys if settings.api_keys else None,
        answers_other_origins=bool(settings.cors_origins),
    )
    return app


def add_middleware(app: FastAPI, settings: Settings, metrics: Metrics, keys: Keys) -> None:
    """Surround the routes with what every request passes, the innermost first."""
    app.add_middleware(HeadMiddleware)
    app.add_middleware(AdmissionMiddleware)
    app.add_middleware(
        BodyLimitMiddleware,
        max_bytes=settings.max_upload_bytes,
        max_total_bytes=settings.max_total_upload_bytes,
    )
    app.add_middleware(
        LifetimeMiddleware,
        patience=Patience(
            settings.upload_timeout_s,
            settings.min_upload_bytes_per_s,
            settings.request_timeout_s,
        ),
    )
    if settings.api_keys:
        app.add_middleware(AccessMiddleware, keys=keys, open_paths=page.OPEN_PATHS)
    if settings.cors_origins:
        # Outside of access: browsers ask whether they may come before they show a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(PlainErrorMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    # Outside of the others: their answers get an id, and are seen, too.
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(ObservationMiddleware, metrics=metrics)
    app.add_middleware(DrainMiddleware)


def find_default_models(app: FastAPI) -> dict[str, str]:
    """List the routes that take a model, and the one that each takes by default."""
    return {
        path: str(parameter["schema"]["default"])
        for path, operations in app.openapi()["paths"].items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "model" and "default" in parameter["schema"]
    }


def _observe_stages(metrics: Metrics, settings: Settings) -> StageObserver:
    """Let stages be measured and, if that is wanted, traced."""
    if not settings.tracing:
        return metrics.watch_stage
    tracing.check_installed()
    trace_stage = tracing.stage_tracer()

    @contextmanager
    def measure_and_trace(stage: str) -> Iterator[None]:
        with metrics.watch_stage(stage), trace_stage(stage):
            yield

    return measure_and_trace


def check_unsent(app: FastAPI, max_bytes: int) -> None:
    """Make sure that answers do not pile up before slow clients.

    Raises
    ------
    OverloadedError
        When more bytes wait to be taken than `max_bytes`.
    """
    # Servers other than ours do not tell.
    unsent_bytes = getattr(app.state, "unsent_bytes", int)() + app.state.archive_room.used_bytes
    if unsent_bytes > max_bytes:
        raise errors.OverloadedError(max_bytes, UNSENT_RETRY_S, "bytes of answers not yet taken")


def load_models(settings: Settings) -> Registry:
    """Load and warm all that the first request needs.

    Raises
    ------
    ExecutionProviderError
        When what is to compute is not there.
    ModelFileError
        When a model cannot be used, or the default one is not there.
    """
    # Side by side: a session is made without the interpreter.
    with ThreadPoolExecutor(max_workers=1) as executor:
        tables = executor.submit(warm_up)
        registry = Registry.load(
            settings.models_dir,
            settings.intra_op_threads,
            strict=settings.strict_models,
            providers=settings.execution_providers,
        )
    tables.result()
    if settings.default_model not in registry.names:
        error = errors.ModelFileError(
            settings.models_dir,
            "COLORIZE_DEFAULT_MODEL must be one of the models in this folder, "
            f"{', '.join(registry.names)}. Received: {settings.default_model}",
        )
        if settings.strict_models:
            raise error
        logger.error("Requests that name no model will fail: %s", error)
    return registry


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document also has what its routes read and raise themselves."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes; made once."""
        if self.openapi_schema is None:
            schemas = super().openapi()["components"]["schemas"]
            schemas.update(problem_schemas() | protocol.request_schemas())
        return super().openapi()
