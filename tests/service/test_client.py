"""The client's examples hold, against a real server; and what it makes of answers."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import client as client_module
from service.client import AsyncClient, Client, Color, FailedFile, Picture, ProblemError

EXAMPLES = [test for test in doctest.DocTestFinder().find(client_module) if test.examples]
ANSWER = httpx.Response(
    200,
    content=b"picture",
    headers={
        "Content-Type": "image/png",
        "Content-Disposition": "inline; filename=\"_-v12.png\"; filename*=UTF-8''%E7%94%BB-v12.png",
        "X-Colorize-Palette": "ff8800,000080; 00ffff",
        "Server-Timing": "decode;dur=1.5, model;dur=20.0",
    },
)
PROBLEM = {
    "type": "/problems/not-ready",
    "title": "Not ready",
    "status": 503,
    "detail": "The models are still being loaded.",
}


def answering(
    response: httpx.Response, requests: list[httpx.Request] | None = None
) -> httpx.MockTransport:
    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        if requests is not None:
            requests.append(request)
        return response

    return httpx.MockTransport(handle)


def test_both_clients_have_examples() -> None:
    assert {test.name.rpartition(".")[2] for test in EXAMPLES} == {"Client", "AsyncClient"}


@pytest.mark.parametrize("test", EXAMPLES, ids=lambda test: str(test.name))
def test_examples_hold(test: doctest.DocTest, server_url: str, checkout: Path) -> None:
    assert any("http://localhost:8000" in example.source for example in test.examples)
    for example in test.examples:
        example.source = example.source.replace("http://localhost:8000", server_url)
    report: list[str] = []

    failed, tried = doctest.DocTestRunner().run(test, out=report.append)

    assert (failed, tried) == (0, len(test.examples)), "".join(report)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, _ in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_")
    ],
)
def test_both_clients_have_the_same_methods(name: str) -> None:
    methods = [getattr(kind, name) for kind in (Client, AsyncClient)]

    signatures = [inspect.signature(method) for method in methods]
    assert signatures[0] == signatures[1]
    assert inspect.iscoroutinefunction(methods[1])


def test_colorize_reads_all_that_is_answered() -> None:
    with Client(transport=answering(ANSWER)) as client:
        picture = client.colorize(b"grey")

    assert picture == Picture(
        b"picture",
        "画-v12.png",
        "image/png",
        [["#ff8800", "#000080"], ["#00ffff"]],
        {"decode": 1.5, "model": 20.0},
    )
    assert picture.palette == ["#ff8800", "#000080"]


def test_colorize_sends_options_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "sea.png").write_bytes(b"sea")
    requests: list[httpx.Request] = []
    with Client(
        "http://host/base", headers={"X-Key": "k"}, transport=answering(ANSWER, requests)
    ) as client:
        client.colorize(
            tmp_path / "sea.png",
            palette=["ff8800", "navy"],
            hints=[(0.25, 1, "red")],
            reference=b"reference",
            saturation=1.5,
            format="png",
        )

    (request,) = requests
    assert request.url.path == "/base/colorize"
    assert dict(request.url.params) == {
        "palette": "ff8800,navy",
        "saturation": "1.5",
        "format": "png",
    }
    assert request.headers["X-Key"] == "k"
    body = request.content
    assert b'name="file"; filename="sea.png"' in body
    assert b'name="reference"; filename="picture"' in body
    assert b'[{"x": 0.25, "y": 1, "color": "red"}]' in body


def test_batch_tells_failures(server_url: str, checkout: Path) -> None:
    with Client(server_url) as client:
        batch = client.batch([checkout / "samples" / "fluid-1-grey.jpg", b"words"], format="webp")

    (picture,) = batch.pictures
    assert (picture.name, picture.media_type) == ("fluid-1-grey-v12.webp", "image/webp")
    (error,) = batch.errors
    assert error == FailedFile(
        "picture", 415, "/problems/unsupported-format", "Unsupported format", error.detail
    )


def test_palette_and_models_are_typed(server_url: str, checkout: Path) -> None:
    with Client(server_url) as client:
        colors = client.palette("samples/fluid-1.jpg")
        assert all(isinstance(color, Color) and len(color.lab) == 3 for color in colors)
        assert [card["name"] for card in client.models()] == ["plain", "v1", "v2", "v12"]
        assert client.model("v12")["name"] == "v12"


def test_async_client_does_all_of_it(server_url: str, checkout: Path) -> None:
    path = "samples/fluid-1-grey.jpg"

    async def ask() -> list[Any]:
        async with AsyncClient(server_url) as client:
            return [
                (await client.colorize(path)).name,
                len(await client.variations(path, 2)),
                (await client.variation_sheet(path, 2)).name,
                (await client.compare(path)).name,
                len((await client.batch([path])).pictures),
                len(await client.palette(path, colors=1)),
                len(await client.models()),
                (await client.model("v1"))["name"],
            ]

    assert asyncio.run(ask()) == [
        *("fluid-1-grey-v12.jpg", 2, "fluid-1-grey-v12-variations.png"),
        *("fluid-1-grey-compare.png", 1, 1, 4, "v1"),
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [(None, "画-v12.png"), ("folder", "folder/画-v12.png"), ("file.png", "file.png")],
)
def test_save_writes_where_told(target: str | None, expected: str, checkout: Path) -> None:
    (checkout / "folder").mkdir()

    path = Picture(b"data", "画-v12.png", "image/png", []).save(target)

    assert path == Path(expected)
    assert (checkout / expected).read_bytes() == b"data"


def test_save_stays_in_its_folder(checkout: Path) -> None:
    (checkout / "folder").mkdir()

    path = Picture(b"data", "../escaped.png", "image/png", []).save("folder")

    assert path == Path("folder/escaped.png")


def test_problem_is_raised_with_all_that_is_known() -> None:
    response = httpx.Response(503, json=PROBLEM, headers={"Retry-After": "2"})

    with Client(transport=answering(response)) as client, pytest.raises(ProblemError) as caught:
        client.models()

    error = caught.value
    assert (error.status, error.type, error.title) == (503, "/problems/not-ready", "Not ready")
    assert (error.problem, error.retry_after_s) == (PROBLEM, 2)
    assert str(error) == "503 Not ready: The models are still being loaded."


@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"[1]"])
def test_problem_of_something_in_between_is_raised_too(content: bytes) -> None:
    response = httpx.Response(502, content=content)

    with Client(transport=answering(response)) as client, pytest.raises(ProblemError) as caught:
        client.models()

    assert (caught.value.status, caught.value.type) == (502, "about:blank")
    assert caught.value.detail == content.decode()


def test_no_answer_is_raised_as_such() -> None:
    with Client("http://127.0.0.1:1", timeout_s=5) as client, pytest.raises(httpx.TransportError):
        client.models()


def test_service_runs_without_what_the_client_needs() -> None:
    program = "import sys; sys.modules['httpx'] = None; import service.app, service.__main__"
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (finished.returncode, finished.stderr) == (0, "")
