"""The application on many machines: Ray Serve starts it, feeds it and replaces it.

`serve run service.cluster:app` on one machine, `serve deploy deploy/ray/serve.yaml` on
a cluster. A replica is a process with one core, and with an application of its own,
built where it runs: models are read from the disk of its machine, nothing is pickled.

What waits is bounded twice: `ONGOING_REQUESTS` for each replica, behind which its own
admission counts too, and `QUEUED_REQUESTS` in each proxy. Ray turns the rest away with
plain text; `AnswerMiddleware` runs in its proxies and makes of it the problems that
clients of the application know.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import create_app
from service.error_answers import answer_error
from service.errors import ColorizeError, OverloadedError, ShuttingDownError, WorkTimeoutError
from service.extras import require_extra
from service.logs import configure_logging
from service.middleware import choose_request_id
from service.settings import Settings

require_extra("service.cluster", "ray", "ray")

import ray  # noqa: E402 - only now
from ray import serve  # noqa: E402
from ray.serve.config import AutoscalingConfig, BackpressureConfig  # noqa: E402

CORES = 1
"""Of a replica: more replicas colour more pictures than more threads."""
ONGOING_REQUESTS = 4
"""In a replica: one in work, the next ones there already, and room for health checks."""
QUEUED_REQUESTS = 64
"""In a proxy, for all replicas."""
RETRY_S = 2
"""When a full queue will have moved, or another replica has taken over."""


def replica_settings() -> Settings:
    """Read the settings of the environment, and give all cores of the replica to its slots."""
    cores = int(ray.get_runtime_context().get_assigned_resources().get("CPU", CORES))
    settings = Settings()
    return settings.model_copy(
        update={
            "working_slots": max(1, cores // settings.intra_op_threads),
            "intra_op_threads": min(settings.intra_op_threads, max(1, cores)),
            # Ray counts what waits; here only what it cannot see may be turned away.
            "queue_length": max(settings.queue_length, ONGOING_REQUESTS),
        }
    )


def build_replica() -> FastAPI:
    """Build the application of one replica, in its process."""
    settings = replica_settings()
    configure_logging(settings.log_format, settings.log_level)
    return create_app(settings)


@serve.deployment(
    name="colorize",
    max_ongoing_requests=ONGOING_REQUESTS,
    max_queued_requests=QUEUED_REQUESTS,
    ray_actor_options={"num_cpus": CORES},
    autoscaling_config=AutoscalingConfig(
        min_replicas=1, max_replicas=2, target_ongoing_requests=ONGOING_REQUESTS / 2
    ),
    backpressure_config=BackpressureConfig(retry_after_s=RETRY_S),
    health_check_period_s=2,
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=25,
)
@serve.ingress(build_replica)
class Colorize:
    """A replica."""


app = Colorize.bind()  # type: ignore[attr-defined]


class AnswerMiddleware:
    """Make problem documents of what Ray answers by itself, and one request id of two.

    The application answers no error in plain text: one that is comes from a proxy.
    Ray adds an id of its own to answers, if the client has not sent one.

    Parameters
    ----------
    app : ASGIApp
        A proxy of Ray Serve.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        request_id = choose_request_id(headers)
        headers["X-Request-ID"] = request_id
        problem: ColorizeError | None = None

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        async def send_as_problem(message: Message) -> None:
            nonlocal problem
            if message["type"] == "http.response.start":
                problem = find_problem(message["status"], Headers(raw=message["headers"]))
                if problem is None:
                    await send_with_id(message)
            elif problem is None:
                await send(message)
            elif not message.get("more_body", False):
                await answer_error(problem)(scope, receive, send_with_id)

        await self.app(scope, receive, send_as_problem)


def find_problem(status: int, headers: Headers) -> ColorizeError | None:
    """Tell what an answer of Ray means; None when it is the application's own."""
    if not headers.get("Content-Type", "").startswith("text/plain"):
        return None
    match status:
        case 503:
            return OverloadedError(QUEUED_REQUESTS, RETRY_S)
        case 408:
            return WorkTimeoutError(Settings().request_timeout_s)
        case 500:
            # The application answers its own faults: this replica was lost.
            return ShuttingDownError()
        case _:
            return None


def proxy_middlewares() -> list[Middleware]:
    """List what surrounds Ray's proxies; they find it by its name in their environment."""
    return [Middleware(AnswerMiddleware)]
