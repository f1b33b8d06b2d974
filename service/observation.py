"""Every request is seen: counted, measured, and told in one line of the log."""

from __future__ import annotations

import logging
import time
from urllib.parse import parse_qs, quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs
from service.error_answers import problem_of
from service.metrics import Metrics

logger = logging.getLogger("service.access")

QUIET_ROUTES = ("/health/live", "/health/ready", "/metrics", "/v2/health/live", "/v2/health/ready")
"""What others ask for every few seconds is only told at the level of debugging."""
NO_ROUTE = "none"


class ObservationMiddleware:
    """Log and count requests.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = received_bytes = sent_bytes = 0

        async def receive_counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive_counted, send_counted)
        finally:
            seconds = time.perf_counter() - start
            self._tell(scope, status, seconds, received_bytes, sent_bytes)

    def _tell(
        self, scope: Scope, status: int, seconds: float, received_bytes: int, sent_bytes: int
    ) -> None:
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        model = find_model(scope, route)
        problem = problem_of(scope)
        self.metrics.observe_request(route, model, status, seconds, problem)
        level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
        if not logger.isEnabledFor(level):
            return
        # Quoted: an address may hold line breaks, and what else a terminal obeys.
        path = quote(scope["path"])
        logger.log(
            level,
            "%s %s %s %.0f ms",
            scope["method"],
            path,
            status or "client left",
            seconds * 1000,
            extra={
                "request_id": logs.request_id.get(),
                "method": scope["method"],
                "path": path,
                "route": route,
                "model": model,
                "status": status,
                "problem": problem,
                "duration_ms": round(seconds * 1000, 1),
                "received_bytes": received_bytes,
                "sent_bytes": sent_bytes,
                "client": (scope.get("client") or [None])[0],
            },
        )


def find_model(scope: Scope, route: str) -> str:
    """Tell which model a request is for.

    Returns
    -------
    model : str
        ``unknown`` for names that are none: there must not be a series of
        metrics for each. Empty for routes that need none.
    """
    state = scope["app"].state
    name = scope.get("path_params", {}).get("model")
    if name is None:
        if route not in state.default_models:
            return ""
        query = scope["query_string"]
        names = parse_qs(query.decode("latin-1")).get("model") if b"model" in query else None
        if names is None:
            return str(state.default_models[route])
        name = names[-1]
    registry = getattr(state, "registry", None)
    return str(name) if registry and name in registry.names else "unknown"
