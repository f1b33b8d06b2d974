"""What is counted and measured, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from service.admission import Line, Slots
from service.colorizer import Registry

MEDIA_TYPE = CONTENT_TYPE_LATEST

REQUEST_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Series(NamedTuple):
    """Where requests that are alike are counted: to find it takes longer than to count."""

    requests: Counter
    seconds: Histogram
    rejected: Counter | None


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._of_service: list[Gauge | Info] = []
        self._series: dict[tuple[str, str, int, str | None], Series] = {}
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "colorize_requests",
            "Answered requests.",
            ("route", "model", "status"),
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "colorize_request_seconds",
            "From the headers of a request to the end of its answer.",
            ("route",),
            buckets=REQUEST_BUCKETS_S,
            registry=self._registry,
        )
        self._stage_seconds = Histogram(
            "colorize_stage_seconds",
            "Time of the stages of colouring.",
            ("stage",),
            buckets=STAGE_BUCKETS_S,
            registry=self._registry,
        )
        self._rejected = Counter(
            "colorize_rejected",
            "Requests that were answered with a problem, by its type.",
            ("reason",),
            registry=self._registry,
        )

    def observe_request(
        self, route: str, model: str, status: int, seconds: float, problem: str | None
    ) -> None:
        """Count an answered request.

        Parameters
        ----------
        route : str
            The template of its path: there must not be a series for each path.
        model : str
            The model that it asked for, if there is one; empty when it needs none.
        status : int
        seconds : float
        problem : str or None
            The type of the problem that it was answered with.
        """
        key = (route, model, status, problem)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._find_series(*key)
        series.requests.inc()
        series.seconds.observe(seconds)
        if series.rejected is not None:
            series.rejected.inc()

    def _find_series(self, route: str, model: str, status: int, problem: str | None) -> Series:
        return Series(
            self._requests.labels(route, model, status),
            self._request_seconds.labels(route),
            None if problem is None else self._rejected.labels(problem.rpartition("/")[2]),
        )

    @contextmanager
    def watch_stage(self, stage: str) -> Iterator[None]:
        """Measure a stage; one that fails does not count."""
        start = time.perf_counter()
        yield
        self._stage_seconds.labels(stage).observe(time.perf_counter() - start)

    def watch_service(self, registry: Registry, slots: Slots, line: Line) -> None:
        """Show models, slots and line from now on."""
        gauges = {
            "colorize_slots": ("Pictures that can be coloured at a time.", lambda: slots.count),
            "colorize_slots_busy": ("Pictures that are being coloured.", lambda: slots.busy),
            "colorize_queue_capacity": (
                "Requests that are taken on at most, in work and waiting.",
                lambda: line.capacity,
            ),
            "colorize_queue_depth": ("Requests that wait for a slot.", lambda: line.waiting),
            "colorize_saturated_seconds": (
                "Since requests began to be turned away; 0 when they are not.",
                lambda: line.saturated_s,
            ),
        }
        # An application may be started again.
        while self._of_service:
            self._registry.unregister(self._of_service.pop())
        for name, (description, read) in gauges.items():
            gauge = Gauge(name, description, registry=self._registry)
            gauge.set_function(read)
            self._of_service.append(gauge)
        info = Info("colorize_model", "The models.", ("model",), registry=self._registry)
        self._of_service.append(info)
        for colorizer in registry:
            card = colorizer.card
            info.labels(card.name).info(
                {
                    "architecture": card.architecture.name,
                    "execution_providers": ",".join(colorizer.providers),
                    "parameters": str(card.architecture.parameters),
                    "recipe": card.training.recipe,
                    "sha256": card.sha256,
                }
            )

    def render(self) -> bytes:
        """Write all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
