"""The routes as a client sees them: pictures, headers, problems, documentation."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import anyio
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from starlette.types import Message

from service import gamut, lookup
from service.app import create_app
from service.errors import ModelFileError
from service.formats import ACCEPTED_FORMATS, OUTPUT_FORMATS, WRITTEN_FORMATS, OutputFormat
from service.routes import content_disposition
from service.settings import Settings
from tests.conftest import ENCODABLE_FORMATS
from tests.service.processes import running_service
from tests.service.ray_server import running_cluster

Encode = Callable[..., bytes]
Client = TestClient | httpx.Client

PROBLEM = "application/problem+json"
FORMATS = ", ".join(ACCEPTED_FORMATS)


@pytest.fixture(
    scope="module", params=["process", "uvicorn", pytest.param("ray", marks=pytest.mark.ray)]
)
def client(
    request: pytest.FixtureRequest,
    client: TestClient,
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    """The same application in this process, behind uvicorn, and behind Ray Serve."""
    if request.param == "process":
        yield client
        return
    log = tmp_path_factory.mktemp(request.param) / "log"
    limits = settings.model_dump(include={"max_upload_bytes", "max_picture_pixels"})
    with contextlib.ExitStack() as stack:
        if request.param == "uvicorn":
            service = running_service(settings.models_dir, log, **limits)
            url = stack.enter_context(service).url
        else:
            url = stack.enter_context(running_cluster(settings.models_dir, log, **limits))
        yield stack.enter_context(httpx.Client(base_url=url, timeout=60))


@pytest.fixture(scope="module")
def png(grey_gradient: Image.Image, encode: Encode) -> bytes:
    return encode(grey_gradient, "PNG")


def test_start_makes_tables_before_first_request(settings: Settings) -> None:
    for table in (gamut._largest_size_table, lookup._codes):
        table.cache_clear()

    with TestClient(create_app(settings)):
        # Of 16 bits and of 8.
        assert gamut._largest_size_table.cache_info().currsize == 1
        assert lookup._codes.cache_info().currsize == 1


def test_requests_change_to_no_other_thread_than_a_slot(
    steerable_client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FastAPI calls what is not async in a thread of its own: 0.2 ms of processor time each.
    async def fail(*_: object, **__: object) -> None:
        raise AssertionError("a thread of its own")

    monkeypatch.setattr("anyio.to_thread.run_sync", fail)

    assert steerable_client.post("/colorize", files={"file": png}).status_code == 200
    assert steerable_client.get("/models/v1").status_code == 200
    assert steerable_client.get("/health/ready").status_code == 200


# POST /colorize


def test_post_picture_answers_it_in_colour(client: Client, png: bytes) -> None:
    response = client.post("/colorize?model=v1", files={"file": ("hills.png", png)})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"] == 'inline; filename="hills-v1.png"'
    with Image.open(io.BytesIO(response.content)) as image:
        rgb = np.asarray(image).astype(int)
    assert rgb.shape == (32, 48, 3)
    # a* 20, b* -15 is a purple: green is the smallest channel everywhere.
    assert (rgb[..., 1] < rgb[..., 0]).all()
    assert (rgb[..., 1] < rgb[..., 2]).all()


def test_post_picture_with_unicode_name_keeps_it(client: Client, png: bytes) -> None:
    response = client.post("/colorize", files={"file": ("画.png", png)})

    assert response.headers["Content-Disposition"] == (
        "inline; filename=\"_-v12.png\"; filename*=UTF-8''%E7%94%BB-v12.png"
    )


def test_post_picture_without_model_uses_default(client: Client, png: bytes) -> None:
    response = client.post("/colorize", files={"file": ("hills.png", png)})

    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == 'inline; filename="hills-v12.png"'


def test_post_picture_twice_answers_same_bytes(client: Client, png: bytes) -> None:
    first, second = (client.post("/colorize", files={"file": png}).content for _ in range(2))

    assert first == second


def test_post_picture_reports_time_of_each_stage(client: Client, png: bytes) -> None:
    response = client.post("/colorize", files={"file": png})

    timing = response.headers["Server-Timing"]
    assert re.fullmatch(
        r"decode;dur=\d+\.\d, model;dur=\d+\.\d, merge;dur=\d+\.\d, encode;dur=\d+\.\d", timing
    )


@pytest.mark.parametrize("format_name", ENCODABLE_FORMATS)
def test_post_picture_answers_in_its_format(
    format_name: str, client: Client, grey_gradient: Image.Image, encode: Encode
) -> None:
    data = encode(grey_gradient, format_name)

    # The name lies: only the content counts.
    response = client.post("/colorize", files={"file": ("picture.xyz", data, "text/plain")})

    output_format = OUTPUT_FORMATS[format_name]
    assert response.status_code == 200
    assert response.headers["Content-Type"] == output_format.media_type
    assert response.headers["Content-Disposition"].endswith(f'-v12{output_format.extension}"')
    with Image.open(io.BytesIO(response.content)) as image:
        assert (image.format, image.size) == (output_format.name, (48, 32))


def test_post_transparent_picture_keeps_alpha(client: Client, encode: Encode) -> None:
    data = encode(Image.new("LA", (9, 7), (120, 40)), "PNG")

    response = client.post("/colorize", files={"file": data})

    with Image.open(io.BytesIO(response.content)) as image:
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema() == (40, 40)


@pytest.mark.parametrize("output_format", WRITTEN_FORMATS)
def test_post_with_format_answers_in_it(
    output_format: OutputFormat, client: Client, png: bytes
) -> None:
    response = client.post(
        f"/colorize?format={output_format.parameter}",
        files={"file": ("hills.png", png)},
        # The parameter is the last word.
        headers={"Accept": "application/json"},
    )

    assert response.status_code == 200
    assert response.headers["Content-Type"] == output_format.media_type
    assert response.headers["Vary"] == "Accept"
    name = f"hills-v12{output_format.extension}"
    assert response.headers["Content-Disposition"] == f'inline; filename="{name}"'
    with Image.open(io.BytesIO(response.content)) as image:
        assert (image.format, image.size) == (output_format.name, (48, 32))


def test_post_with_format_auto_ignores_accept(client: Client, png: bytes) -> None:
    response = client.post(
        "/colorize?format=auto", files={"file": png}, headers={"Accept": "image/jpeg"}
    )

    assert response.headers["Content-Type"] == "image/png"


def test_post_with_accept_answers_in_it(client: Client, png: bytes) -> None:
    response = client.post(
        "/colorize",
        files={"file": ("hills.png", png)},
        headers={"Accept": "image/webp;q=0.8, image/jpeg, image/png;q=0.5"},
    )

    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Content-Disposition"] == 'inline; filename="hills-v12.jpg"'


def test_post_with_accept_that_excludes_all_names_what_is_written(
    client: Client, png: bytes
) -> None:
    response = client.post("/colorize", files={"file": png}, headers={"Accept": "application/json"})

    written = [output_format.media_type for output_format in WRITTEN_FORMATS]
    assert response.status_code == 406
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json() == {
        "type": "/problems/not-acceptable",
        "title": "Not acceptable",
        "status": 406,
        "detail": f"`Accept` must allow one of {', '.join(written)}. Received: application/json",
        "received": "application/json",
        "accepted": written,
    }


def test_post_with_format_that_cannot_hold_the_side_says_so(client: Client, encode: Encode) -> None:
    long = encode(Image.new("L", (20_000, 2)), "PNG")

    response = client.post("/colorize?format=webp", files={"file": long})

    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/side-too-long",
        "title": "Side too long",
        "status": 422,
        "detail": "A side must have at most as many pixels as the format of the answer can hold "
        "(webp: 16,383). Received: 20,000",
        "received": 20_000,
        "accepted": {"webp": 16_383},
    }
    accept = {"Accept": "image/webp, image/jpeg;q=0.5"}
    response = client.post("/colorize", files={"file": long}, headers=accept)
    assert response.headers["Content-Type"] == "image/jpeg"


def test_post_with_quality_changes_size(
    client: Client, grey_gradient: Image.Image, encode: Encode
) -> None:
    jpeg = encode(grey_gradient, "JPEG")

    sizes = [
        len(client.post(f"/colorize?quality={quality}", files={"file": jpeg}).content)
        for quality in (1, 90, 100)
    ]

    assert sizes == sorted(set(sizes))
    assert client.post("/colorize", files={"file": jpeg}).content == (
        client.post("/colorize?quality=90", files={"file": jpeg}).content
    )


@pytest.mark.parametrize("metadata", ["drop", "keep"])
def test_post_metadata_is_kept_only_when_asked(
    metadata: str, client: Client, grey_gradient: Image.Image, encode: Encode
) -> None:
    jpeg = encode(grey_gradient, "JPEG", comment=b"taken at home")

    response = client.post(f"/colorize?metadata={metadata}", files={"file": jpeg})

    assert (b"taken at home" in response.content) == (metadata == "keep")


@pytest.mark.parametrize(
    ("query", "name", "received", "accepted"),
    [
        (
            "format=gif",
            "format",
            "gif",
            "Input should be 'auto', 'png', 'jpeg', 'webp', 'avif', 'tiff' or 'bmp'",
        ),
        ("format=", "format", "", "Input should be 'auto'"),
        ("format=PNG", "format", "PNG", "Input should be 'auto'"),
        ("metadata=yes", "metadata", "yes", "Input should be 'drop' or 'keep'"),
    ],
)
def test_post_bad_parameter_says_what_is_accepted(
    query: str, name: str, received: str, accepted: str, client: Client, png: bytes
) -> None:
    response = client.post(f"/colorize?{query}", files={"file": png})

    assert response.status_code == 422
    assert response.headers["Content-Type"] == PROBLEM
    (violation,) = response.json()["errors"]
    assert (violation["location"], violation["name"]) == ("query", name)
    assert violation["received"] == received
    assert violation["accepted"].startswith(accepted)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (33, 17)])
def test_post_odd_size_keeps_it(size: tuple[int, int], client: Client, encode: Encode) -> None:
    response = client.post("/colorize", files={"file": encode(Image.new("L", size, 99), "PNG")})

    assert response.status_code == 200
    with Image.open(io.BytesIO(response.content)) as image:
        assert image.size == size


@pytest.mark.parametrize(
    ("upload_name", "answer_name"),
    [
        ("hills.jpeg", "hills-v12.png"),
        ("no-extension", "no-extension-v12.png"),
        ("a.b.c.png", "a.b.c-v12.png"),
        ("../../etc/passwd", "passwd-v12.png"),
        ("C:\\pictures\\hills.png", "hills-v12.png"),
        (".png", "png-v12.png"),
        ("...", "picture-v12.png"),
        ('a"; x="b.png', 'a"; x="b-v12.png'),
        ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie: x=1-v12.png"),
        ("\u202egnp.exe.png", "gnp.exe-v12.png"),
        ("\ud800.png", "picture-v12.png"),
        (None, "picture-v12.png"),
        ("étude №7.png", "étude №7-v12.png"),
        ("画.png", "画-v12.png"),
        ("100%.png", "100%-v12.png"),
        ("x" * 400 + ".png", "x" * 100 + "-v12.png"),
    ],
)
def test_content_disposition_is_safe(upload_name: str | None, answer_name: str) -> None:
    header = content_disposition(upload_name, "-v12.png")

    match = re.fullmatch(r"inline; filename=\"([^\"\\%]+)\"(?:; filename\*=UTF-8''(\S+))?", header)
    assert match is not None
    assert header.isascii()
    assert header.isprintable()
    assert (unquote(match[2]) if match[2] else match[1]) == answer_name


def test_post_unknown_model_names_known_ones(client: Client, png: bytes) -> None:
    response = client.post("/colorize?model=v9", files={"file": png})

    assert response.status_code == 404
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json() == {
        "type": "/problems/unknown-model",
        "title": "Unknown model",
        "status": 404,
        "detail": "`model` must be one of v1, v12. Received: v9",
        "received": "v9",
        "accepted": ["v1", "v12"],
    }


def test_post_no_file_says_what_is_missing(client: Client) -> None:
    response = client.post("/colorize")

    assert response.status_code == 422
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json() == {
        "type": "/problems/invalid-request",
        "title": "Invalid request",
        "status": 422,
        "detail": "`file`: a value is required. Received: nothing",
        "errors": [{"location": "form", "name": "file", "accepted": "a value is required"}],
    }


def test_post_text_field_instead_of_file_says_what_was_received(client: Client) -> None:
    response = client.post("/colorize", data={"file": "hello"})

    assert response.status_code == 422
    (violation,) = response.json()["errors"]
    assert violation["received"] == "hello"
    assert violation["accepted"] == "a file part, with a file name"


def test_post_malformed_form_answers_problem(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/colorize", content=b"--x\r\nnonsense", headers=headers)

    assert response.status_code == 422
    assert response.headers["Content-Type"] == PROBLEM
    (violation,) = response.json()["errors"]
    assert violation == {"location": "form", "name": "file", "accepted": "a value is required"}


def test_post_form_without_boundary_answers_problem(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    response = client.post("/colorize", content=b"anything", headers=headers)

    assert response.status_code == 400
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "Missing boundary in multipart. Received: POST /colorize",
    }


def test_post_empty_file_answers_problem(client: Client) -> None:
    response = client.post("/colorize", files={"file": ("nothing.png", b"")})

    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/empty-upload",
        "title": "Empty upload",
        "status": 422,
        "detail": "A picture must have bytes. Received: 0 bytes",
        "received": 0,
    }


def test_post_text_file_names_accepted_formats(client: Client) -> None:
    response = client.post("/colorize", files={"file": ("picture.png", b"just a few words")})

    assert response.status_code == 415
    assert response.json() == {
        "type": "/problems/unsupported-format",
        "title": "Unsupported format",
        "status": 415,
        "detail": f"A picture must be one of {FORMATS}. "
        "Received: bytes that begin like none of them",
        "accepted": list(ACCEPTED_FORMATS),
    }


def test_post_truncated_picture_answers_problem(client: Client, png: bytes) -> None:
    response = client.post("/colorize", files={"file": png[: len(png) // 2]})

    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/unreadable-picture",
        "title": "Unreadable picture",
        "status": 422,
        "detail": "A picture must be complete and undamaged. "
        "Received: one that cannot be decoded (image file is truncated)",
    }


def test_post_too_many_pixels_says_limit(client: Client, encode: Encode) -> None:
    response = client.post("/colorize", files={"file": encode(Image.new("L", (500, 300)), "PNG")})

    assert response.status_code == 413
    assert response.json() == {
        "type": "/problems/picture-too-large",
        "title": "Picture too large",
        "status": 413,
        "detail": "A picture must have at most 100,000 pixels. "
        "Received: 500 x 300 = 150,000 pixels",
        "received": 150_000,
        "accepted": 100_000,
    }


def test_post_too_many_announced_bytes_says_limit(client: Client) -> None:
    response = client.post("/colorize", content=bytes(200_001))

    assert response.status_code == 413
    assert response.headers["Connection"] == "close"
    assert "X-Request-ID" in response.headers
    assert response.json() == {
        "type": "/problems/upload-too-large",
        "title": "Upload too large",
        "status": 413,
        "detail": "A request body must have at most 200,000 bytes. Received: 200,001 bytes",
        "received": 200_001,
        "accepted": 200_000,
    }


def test_post_too_many_streamed_bytes_stops_reading(app: FastAPI, client: Client) -> None:
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    received: list[Message] = []
    sent: list[Message] = []

    async def receive() -> Message:
        body = bytes(10_000) if received else begin
        received.append({"type": "http.request", "body": body, "more_body": True})
        return received[-1]

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/colorize",
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=x")],
    }
    anyio.run(app, scope, receive, send)

    assert len(received) == 21
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"]) == {
        "type": "/problems/upload-too-large",
        "title": "Upload too large",
        "status": 413,
        "detail": "A request body must have at most 200,000 bytes. Received: more",
        "accepted": 200_000,
    }


def test_post_too_many_fields_answers_problem(client: Client) -> None:
    response = client.post(
        "/colorize", files={f"field-{number}": (None, "x") for number in range(33)}
    )

    assert response.status_code == 400
    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "Too many fields. Maximum number of fields is 32. Received: POST /colorize",
    }


def test_post_too_many_files_answers_problem(client: Client, png: bytes) -> None:
    files = [("files", (f"{number}.png", b"x")) for number in range(103)]

    response = client.post("/colorize/batch", files=files)

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "Too many files. Maximum number of files is 102. Received: POST /colorize/batch"
    )


def test_post_too_long_field_answers_problem(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_field_bytes": 2048}))

    with TestClient(app) as strict:
        response = strict.post("/colorize", files={"hints": (None, "x" * 2049)})

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "Part exceeded maximum size of 2KB. Received: POST /colorize"
    )


@pytest.mark.parametrize("name", ["n" * 5000, "n" * 100_000], ids=len)
def test_post_too_long_file_name_answers_problem(name: str, client: Client, png: bytes) -> None:
    response = client.post("/colorize", files={"file": (name, png)})

    assert response.status_code == 400
    assert response.json()["detail"] == "Invalid multipart data. Received: POST /colorize"


# Models and health


def test_get_models_lists_cards(client: Client) -> None:
    response = client.get("/models")

    assert response.status_code == 200
    assert [card["name"] for card in response.json()] == ["v1", "v12"]


def test_get_model_answers_its_card(client: Client) -> None:
    response = client.get("/models/v1")

    assert response.status_code == 200
    assert response.json() == client.get("/models").json()[0]
    assert response.json()["architecture"]["working_size"] == 32
    assert response.json()["execution_providers"] == ["cpu"]


def test_get_unknown_model_names_known_ones(client: Client) -> None:
    response = client.get("/models/v9")

    assert response.status_code == 404
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json()["accepted"] == ["v1", "v12"]


def test_get_live_answers_before_models_are_loaded(app: FastAPI, settings: Settings) -> None:
    response = TestClient(create_app(settings)).get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "live"})


def test_get_ready_names_models(client: Client) -> None:
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "models": ["v1", "v12"]}


def test_get_ready_before_models_are_loaded_answers_problem(settings: Settings) -> None:
    response = TestClient(create_app(settings)).get("/health/ready")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.json() == {
        "type": "/problems/not-ready",
        "title": "Not ready",
        "status": 503,
        "detail": "The models are still being loaded.",
    }


def test_start_without_models_fails_with_folder_name(tmp_path: Path, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"models_dir": tmp_path}))

    with pytest.raises(ModelFileError, match=re.escape(str(tmp_path))), TestClient(app):
        pass


def test_start_with_unknown_default_model_fails(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"default_model": "v7"}))

    message = r"COLORIZE_DEFAULT_MODEL must be .*, v1, v12\. Received: v7"
    with pytest.raises(ModelFileError, match=message), TestClient(app):
        pass


def test_start_not_strict_serves_without_default_model(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings.model_copy(update={"default_model": "v7", "strict_models": False}))

    with TestClient(app) as client:
        response = client.post("/colorize", files={"file": b"x"})

    assert "Requests that name no model will fail" in caplog.text
    assert response.status_code == 404
    assert response.json()["accepted"] == ["v1", "v12"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"COLORIZE_WORKING_SLOTS": "0"}, "error: COLORIZE_WORKING_SLOTS: "),
        ({"PORT": "99999"}, "error: COLORIZE_PORT: "),
        ({"COLORIZE_MODELS_DIR": "nowhere"}, "error: nowhere: no *.onnx file in this folder"),
        (
            {"COLORIZE_EXECUTION_PROVIDERS": "quantum,cpu"},
            "error: COLORIZE_EXECUTION_PROVIDERS must name what is there: cpu. Received: quantum,",
        ),
    ],
    ids=["setting", "port", "models", "provider"],
)
def test_start_that_cannot_be_is_said_in_one_line(
    variables: dict[str, str], message: str, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-m", "service"],
        env={**os.environ, "PYTHONPATH": str(root), **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith(message)


# Request ids and framework errors


@pytest.mark.parametrize("path", ["/health/live", "/models/v9", "/nowhere", "/", "/openapi.json"])
def test_get_any_route_answers_request_id(path: str, client: Client) -> None:
    first, second = (client.get(path).headers["X-Request-ID"] for _ in range(2))

    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first != second


def test_get_with_request_id_answers_it(client: Client) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": "trace:01-ab.C"})

    assert response.headers["X-Request-ID"] == "trace:01-ab.C"


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 65, "a\tb", "é", "a,b"])
def test_get_with_odd_request_id_answers_new_one(request_id: str, client: Client) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": request_id.encode()})

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_get_unknown_route_answers_problem(client: Client) -> None:
    response = client.get("/nowhere")

    assert response.status_code == 404
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Nothing matches the given URI. Received: GET /nowhere",
    }


def test_get_colorize_answers_allowed_method(client: Client) -> None:
    response = client.get("/colorize")

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": "Specified method is invalid for this resource. Received: GET /colorize",
    }


# Documentation


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc"])
def test_get_page_refers_to_nothing_foreign(path: str, client: Client) -> None:
    response = client.get(path)

    references = re.findall(r'(?:src|href|action)="([^"]*)"', response.text)
    assert response.status_code == 200
    assert references
    for reference in references:
        assert "//" not in reference
        if reference != "colorize":
            assert client.get(f"/{reference}").status_code == 200
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "unsafe-eval" not in policy


def test_openapi_documents_upload_and_answers(client: Client) -> None:
    document = client.get("/openapi.json").json()

    operation = document["paths"]["/colorize"]["post"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert schemas["model"]["default"] == "v12"
    assert schemas["format"]["enum"] == ["auto", "png", "jpeg", "webp", "avif", "tiff", "bmp"]
    assert schemas["format"]["default"] == "auto"
    assert (schemas["quality"]["minimum"], schemas["quality"]["maximum"]) == (1, 100)
    assert schemas["metadata"]["enum"] == ["drop", "keep"]
    form = document["components"]["schemas"]["Body_colorize_picture_colorize_post"]
    assert form["required"] == ["file"]
    assert set(operation["responses"]["200"]["content"]) == {
        output_format.media_type for output_format in WRITTEN_FORMATS
    }


def test_openapi_documents_every_error_as_problem(client: Client) -> None:
    document = client.get("/openapi.json").json()

    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status != "200":
                    assert list(response["content"]) == [PROBLEM]
                    schema = response["content"][PROBLEM]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["schemas"]["Problem"]["properties"]["errors"]


def test_openapi_references_resolve(client: Client) -> None:
    response = client.get("/openapi.json")

    schemas = response.json()["components"]["schemas"]
    references = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', response.text))
    assert references <= set(schemas)


def test_api_docs_describe_every_route(app: FastAPI) -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in text


# Imports


def test_service_never_imports_training(models_dir: Path) -> None:
    program = textwrap.dedent(f"""
        import sys

        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("tensorflow", "keras", "tf2onnx", "training", "ray"):
                    raise AssertionError(f"the service imports {{name}}")

        sys.meta_path.insert(0, Refuse())
        from service.app import create_app
        from service.colorizer import Registry
        from service.settings import Settings

        settings = Settings(models_dir={str(models_dir)!r})
        create_app(settings)
        Registry.load(settings.models_dir, 1)
    """)
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (finished.returncode, finished.stderr) == (0, "")
