"""The lines of the API documentation do what it says, against a real server."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from service.errors import Problem
from tests.conftest import TestClient

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text()
CURL_LINES = [
    line.partition("  #")[0].strip()
    for code in re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    for line in code.splitlines()
    if line.startswith("curl ")
]
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)

FAILING = {"localhost:8000/colorize?model=v9": 404}
"""Lines that show what an error looks like."""


def run_curl(line: str, server_url: str) -> tuple[int, bytes]:
    """Run a line of curl: the status of its answer, and the body unless it is saved."""
    command = shlex.split(line.replace("localhost:8000", server_url))
    finished = subprocess.run(
        [*command, "--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"],
        capture_output=True,
        check=True,
    )
    body, _, status = finished.stdout.rpartition(b"\n")
    return int(status), body


@pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed: its lines are NOT tested"
)
@pytest.mark.parametrize("line", CURL_LINES)
def test_curl_line_answers(line: str, server_url: str, checkout: Path) -> None:
    address = next(word for word in shlex.split(line) if word.startswith("localhost:8000"))

    status, body = run_curl(line, server_url)

    assert status == FAILING.get(address, 200), body
    saved = [path for path in checkout.iterdir() if path.is_file()]
    assert len(saved) == line.count(" -o ")
    for path in saved:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                assert len(archive.namelist()) > 1
        else:
            with Image.open(path) as image:
                image.load()
    if not saved and "-F" in line:
        assert json.loads(body)


def test_curl_lines_show_every_route(app: FastAPI) -> None:
    shown = {
        re.sub(r"^localhost:8000([^?]*).*", r"\1", word)
        for line in CURL_LINES
        for word in shlex.split(line)
        if word.startswith("localhost:8000")
    }
    examples = {"{name}": "v12", "{model}": "v12", "{version}": "1"}
    paths = {
        re.sub(r"{\w+}", lambda found: examples[found[0]], path) for path in app.openapi()["paths"]
    }

    assert paths <= shown


def run_python(code: str, server_url: str) -> None:
    address = server_url.removeprefix("http://")
    exec(compile(code.replace("localhost:8000", address), "api.md", "exec"), {})


def test_python_code_colours_picture(
    server_url: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_python(PYTHON[0], server_url)

    with Image.open(io.BytesIO((checkout / "colour.jpg").read_bytes())) as image:
        assert image.format == "JPEG"
    assert capsys.readouterr().out == "['#000080', '#ff6347']\n"


def test_python_code_infers_with_triton_client(
    server_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_python(PYTHON[1], server_url)

    assert len(PYTHON) == 2
    assert capsys.readouterr().out == "(1, 128, 128, 2)\n"


def test_openapi_describes_every_parameter(app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    assert parameter["description"], (path, parameter["name"])
                    assert f"`{parameter['name']}`" in TEXT, (path, parameter["name"])


def find_examples(parameter: dict[str, Any]) -> list[Any]:
    return [
        example["value"]
        for example in parameter.get("examples", {}).values()
        # Such as "chosen by the model": what is meant when nothing is sent.
        if "value" in example
    ]


@pytest.fixture
def small_picture() -> bytes:
    buffer = io.BytesIO()
    with Image.open(ROOT / "samples" / "geometric-1-grey.jpg") as image:
        image.resize((32, 24)).save(buffer, "PNG")
    return buffer.getvalue()


def test_examples_of_every_parameter_are_accepted(
    steerable_client: TestClient, small_picture: bytes
) -> None:
    document = steerable_client.get("/openapi.json").json()

    for path, operations in document["paths"].items():
        if path.startswith("/v2"):
            # Its parameters are those of a protocol, which has clients of its own.
            continue
        for method, operation in operations.items():
            part = "files" if "batch" in path else "file"
            files = {part: small_picture} if method == "post" else None
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                examples = find_examples(parameter)
                assert examples, (path, name)
                # Who tries a route out begins with the first: it must change nothing.
                first = next(iter(parameter["examples"].values())).get("value")
                assert first == parameter["schema"].get("default", first)
                # One of the models here cannot be steered.
                query = {"models": "v1,v2"} if path == "/colorize/compare" else {}
                for value in examples:
                    response = steerable_client.request(
                        method,
                        path.replace("{name}", str(value)),
                        params=query | ({name: value} if parameter["in"] == "query" else {}),
                        files=files,
                    )
                    assert response.status_code == 200, (path, name, value, response.text)


def test_examples_of_hints_are_accepted(steerable_client: TestClient, small_picture: bytes) -> None:
    files = {"file": small_picture}
    schemas = steerable_client.get("/openapi.json").json()["components"]["schemas"]
    examples = schemas["Body_colorize_picture_colorize_post"]["properties"]["hints"]["examples"]

    plain = steerable_client.post("/colorize", files=files)
    none, one = (
        steerable_client.post("/colorize", files=files, data={"hints": example})
        for example in examples
    )

    assert (none.status_code, one.status_code) == (200, 200)
    # Forms of the documentation are sent with the first: it must change nothing.
    assert (none.content == plain.content, one.content == plain.content) == (True, False)


COLORING = ["400", "401", "404", "406", "408", "413", "415", "422", "500", "503", "504"]


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("post", "/colorize", COLORING),
        ("post", "/colorize/variations", COLORING),
        ("post", "/colorize/compare", COLORING),
        ("post", "/colorize/batch", COLORING),
        (
            "post",
            "/palette",
            ["400", "401", "408", "413", "415", "422", "500", "503", "504"],
        ),
        ("get", "/models", ["401", "500", "503"]),
        ("get", "/models/{name}", ["401", "404", "500", "503"]),
        ("get", "/health/live", ["500", "503"]),
        ("get", "/health/ready", ["500", "503"]),
        ("get", "/metrics", ["401", "500", "503"]),
        ("get", "/v2", ["401", "500", "503"]),
        ("get", "/v2/health/live", ["500", "503"]),
        ("get", "/v2/health/ready", ["500", "503"]),
        ("get", "/v2/models/{model}", ["401", "404", "500", "503"]),
        (
            "post",
            "/v2/models/{model}/versions/{version}/infer",
            ["400", "401", "404", "408", "413", "415", "500", "503", "504"],
        ),
    ],
)
def test_openapi_shows_a_problem_of_every_kind(
    method: str, path: str, statuses: list[str], app: FastAPI
) -> None:
    responses = app.openapi()["paths"][path][method]["responses"]

    problems = {str(key): value for key, value in responses.items() if key not in (200, "200")}
    del problems["default"]
    assert sorted(problems) == statuses
    for status, response in problems.items():
        examples = response["content"]["application/problem+json"]["examples"]
        assert examples
        for example in examples.values():
            problem = Problem(**example["value"])
            assert (str(problem.status), problem.detail) == (status, example["summary"])
            assert f"`{problem.type}`" in response["description"]


def test_openapi_shows_every_type_of_problem(app: FastAPI) -> None:
    shown = set(re.findall(r'"type": ?"(/problems/[a-z-]+)"', json.dumps(app.openapi())))
    listed = set(re.findall(r"^\| \d+ \| `(/problems/[a-z-]+)`", TEXT, flags=re.MULTILINE))

    assert shown == listed
