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

import pytest
from fastapi import FastAPI
from PIL import Image

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
