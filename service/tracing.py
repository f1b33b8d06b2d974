"""Spans for OpenTelemetry: of requests, which FastAPI makes by itself, and of their stages.

Optional: the libraries that send them are the extra `telemetry`, and are loaded
only when `COLORIZE_TRACING` is set. Where to, the usual `OTEL_*` variables say.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec

from opentelemetry import trace

NEEDED_MODULE = "opentelemetry.exporter.otlp.proto.http"


class MissingExtraError(Exception):
    """Spans are wanted, and what sends them is not installed."""


def check_installed() -> None:
    """Make sure that spans can be sent.

    Raises
    ------
    MissingExtraError
        When the extra is missing.
    """
    try:
        found = find_spec(NEEDED_MODULE)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingExtraError(
            "COLORIZE_TRACING needs the extra `telemetry`: "
            "pip install 'colorization-autoencoder[telemetry]'"
        )


def stage_tracer() -> Callable[[str], AbstractContextManager[object]]:
    """Return what makes a span of a stage, within that of its request."""
    return trace.get_tracer("service").start_as_current_span
