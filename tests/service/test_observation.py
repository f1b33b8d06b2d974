"""Requests are counted, measured and logged; pictures and keys are not."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from PIL import Image

from service import tracing
from service.app import create_app
from service.extras import MissingExtraError
from service.logs import add_request_id, configure_logging, human_formatter, json_formatter
from service.settings import Settings
from tests.conftest import TestClient

Encode = Callable[..., bytes]


@pytest.fixture
def observed(settings: Settings) -> Iterator[TestClient]:
    """A client of a service that has counted nothing yet."""
    with TestClient(create_app(settings)) as started:
        yield started


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the service logs as JSON, also at the level of debugging."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(add_request_id)
    handler.setFormatter(json_formatter())
    logger = logging.getLogger("service")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


@pytest.fixture
def png(grey_gradient: Image.Image, encode: Encode) -> bytes:
    return encode(grey_gradient, "PNG")


def values(client: TestClient) -> dict[str, float]:
    """Series of `GET /metrics` -> value."""
    text = client.get("/metrics").text
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, value in pairs}


def test_metrics_count_requests_by_route_model_and_status(observed: TestClient, png: bytes) -> None:
    for query in ("", "?model=v1", "?model=v1", "?model=nonsense", "?model=more-nonsense"):
        observed.post(f"/colorize{query}", files={"file": png})
    observed.get("/models/v1")
    observed.get("/nowhere")
    observed.get("/elsewhere")

    requests = {
        series: value
        for series, value in values(observed).items()
        if series.startswith("colorize_requests_total")
    }

    def series(route: str, model: str, status: int) -> str:
        labels = f'model="{model}",route="{route}",status="{status}"'
        return f"colorize_requests_total{{{labels}}}"

    assert requests == {
        series("/colorize", "v12", 200): 1,
        series("/colorize", "v1", 200): 2,
        series("/colorize", "unknown", 404): 2,
        series("/models/{name}", "", 200): 1,
        series("none", "", 404): 2,
    }


def test_metrics_count_inference_by_model_of_path(observed: TestClient) -> None:
    for name in ("v1", "v1", "v9"):
        observed.post(f"/v2/models/{name}/infer", content=b"{}")

    route = "/v2/models/{model}/infer"
    counted = {
        series: value
        for series, value in values(observed).items()
        if series.startswith("colorize_requests_total") and route in series
    }
    assert counted == {
        f'colorize_requests_total{{model="v1",route="{route}",status="400"}}': 2,
        f'colorize_requests_total{{model="unknown",route="{route}",status="404"}}': 1,
    }


def test_metrics_measure_stages_and_requests(observed: TestClient, png: bytes) -> None:
    observed.post("/colorize", files={"file": png})

    measured = values(observed)

    for stage in ("decode", "model", "merge", "encode"):
        assert measured[f'colorize_stage_seconds_count{{stage="{stage}"}}'] == 1
    assert measured['colorize_request_seconds_count{route="/colorize"}'] == 1
    assert 0 < measured['colorize_request_seconds_sum{route="/colorize"}'] < 10


def test_metrics_count_problems_by_reason(observed: TestClient) -> None:
    observed.post("/colorize", files={"file": b"no picture"})
    observed.post("/colorize", content=bytes(200_001))
    observed.app.state.line.capacity = 0  # type: ignore[attr-defined]
    observed.post("/colorize", files={"file": b"no picture"})

    rejected = {
        series: value
        for series, value in values(observed).items()
        if series.startswith("colorize_rejected_total")
    }

    assert rejected == {
        'colorize_rejected_total{reason="unsupported-format"}': 1,
        'colorize_rejected_total{reason="upload-too-large"}': 1,
        'colorize_rejected_total{reason="overloaded"}': 1,
    }


def test_metrics_show_slots_queue_and_models(observed: TestClient) -> None:
    observed.app.state.line.enter()  # type: ignore[attr-defined]

    measured = values(observed)

    assert measured["colorize_slots"] == 1
    assert measured["colorize_slots_busy"] == 0
    assert measured["colorize_queue_depth"] == 1
    assert measured["colorize_queue_capacity"] == 17
    assert measured["colorize_saturated_seconds"] == 0
    (v12,) = [name for name in measured if name.startswith("colorize_model_info") and "v12" in name]
    assert re.search(r'sha256="[0-9a-f]{64}"', v12)
    assert 'execution_providers="cpu"' in v12
    assert measured["process_resident_memory_bytes"] > 1e6


def test_log_has_a_line_for_each_request(
    observed: TestClient, png: bytes, lines: io.StringIO
) -> None:
    observed.post(
        "/colorize?model=v1",
        files={"file": ("secret-name.png", png)},
        headers={"X-Request-ID": "abc-1", "X-API-Key": "secret-key"},
    )

    (line,) = lines.getvalue().splitlines()
    entry = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", entry.pop("time"))
    assert re.fullmatch(r"POST /colorize 200 \d+ ms", entry.pop("message"))
    assert entry.pop("duration_ms") > 0
    assert entry.pop("received_bytes") > len(png)
    assert entry.pop("sent_bytes") > 100
    assert entry == {
        "level": "INFO",
        "logger": "service.access",
        "request_id": "abc-1",
        "method": "POST",
        "path": "/colorize",
        "route": "/colorize",
        "model": "v1",
        "status": 200,
        "problem": None,
        "client": "testclient",
    }
    assert "secret" not in lines.getvalue()


def test_log_of_odd_path_is_one_line_without_escapes(
    observed: TestClient, lines: io.StringIO
) -> None:
    observed.get("/a%0Ab%1B%5B31mc?key=secret")

    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["path"] == "/a%0Ab%1B%5B31mc"
    assert "secret" not in line


def test_log_tells_health_only_when_debugging(observed: TestClient, lines: io.StringIO) -> None:
    observed.get("/health/live")
    observed.get("/metrics")

    levels = [json.loads(line)["level"] for line in lines.getvalue().splitlines()]
    assert levels == ["DEBUG", "DEBUG"]


def test_log_for_people_ends_with_request_id() -> None:
    record = logging.makeLogRecord({"msg": "GET / 200 3 ms", "levelname": "INFO"})
    record.suffix = " [abc-1]"

    line = human_formatter().format(record)

    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO    GET / 200 3 ms \[abc-1\]", line)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name in ("service", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("restored_logging")
def test_log_of_libraries_is_of_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("auto", "DEBUG")

    logging.getLogger("PIL.PngImagePlugin").info("what a picture holds")
    logging.getLogger("service.x").debug("of ours")

    # No terminal here, so it is JSON.
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "of ours"


def test_trace_has_stages_within_request(
    settings: Settings, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)

    with TestClient(create_app(settings.model_copy(update={"tracing": True}))) as client:
        client.post("/colorize", files={"file": png})

    spans = {span.name: span for span in exporter.get_finished_spans()}
    request = spans["POST /colorize"]
    for stage in ("decode", "model", "merge", "encode"):
        assert spans[stage].parent is not None
        assert spans[stage].parent.span_id == request.context.span_id


def test_start_with_tracing_but_without_its_libraries_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "NEEDED_MODULE", "opentelemetry.exporter.absent.http")

    with pytest.raises(
        MissingExtraError, match=r"pip install 'colorization-autoencoder\[telemetry\]'"
    ):
        create_app(settings.model_copy(update={"tracing": True}))


def test_metrics_survive_another_start(settings: Settings) -> None:
    app = create_app(settings)
    for _ in range(2):
        with TestClient(app) as client:
            assert values(client)["colorize_slots"] == 1
