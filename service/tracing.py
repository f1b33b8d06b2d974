"""Spans for OpenTelemetry: of requests, which FastAPI makes by itself, and of their stages.

Optional: the libraries that send them are the extra `telemetry`, and are loaded
only when `COLORIZE_TRACING` is set. Where to, the usual `OTEL_*` variables say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from opentelemetry import trace

from service.extras import require_extra

NEEDED_MODULE = "opentelemetry.exporter.otlp.proto.http"


def check_installed() -> None:
    """Make sure that spans can be sent.

    Raises
    ------
    MissingExtraError
        When the extra is missing.
    """
    require_extra("COLORIZE_TRACING", NEEDED_MODULE, "telemetry")


def stage_tracer() -> Callable[[str], AbstractContextManager[object]]:
    """Return what makes a span of a stage, within that of its request."""
    return trace.get_tracer("service").start_as_current_span
