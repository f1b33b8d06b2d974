"""GET /metrics: for Prometheus."""

from fastapi import APIRouter, Response

from service.error_answers import problem_responses
from service.metrics import MEDIA_TYPE, Metrics
from service.routes.problems import USUAL


def build_router(metrics: Metrics) -> APIRouter:
    """Make the route."""
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/metrics",
        summary="Show what is counted and measured",
        response_class=Response,
        responses={
            200: {
                "description": "In the text format of Prometheus.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **problem_responses(*USUAL),
        },
    )
    async def show_metrics() -> Response:
        """Answer requests by route, model and status, times of stages, slots and queue."""
        return Response(metrics.render(), media_type=MEDIA_TYPE)

    return router
