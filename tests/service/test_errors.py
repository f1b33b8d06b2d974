"""Every error is drawn, has its own type, and is answered as a problem document."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service import errors
from service.app import create_app
from service.errors import ColorizeError, ModelFileError
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def subclasses(base: type[ColorizeError]) -> list[type[ColorizeError]]:
    return [base] + [error for child in base.__subclasses__() for error in subclasses(child)]


def drawn_tree() -> list[tuple[int, str, int]]:
    """Depth, name and status of each line of the tree in the module's docstring."""
    lines = re.findall(r"^    ([ |+-]*)(\w+Error) +(\d{3})", errors.__doc__ or "", re.MULTILINE)
    return [(len(indent) // 4, name, int(status)) for indent, name, status in lines]


def defined_tree(base: type[ColorizeError], depth: int = 0) -> list[tuple[int, str, int]]:
    children = [line for child in base.__subclasses__() for line in defined_tree(child, depth + 1)]
    return [(depth, base.__name__, int(base.status)), *children]


def test_error_tree_in_docstring_is_complete() -> None:
    assert drawn_tree() == defined_tree(ColorizeError)


def test_error_types_are_stable_and_distinct() -> None:
    at_start = (ModelFileError, errors.ExecutionProviderError)
    answered = [error for error in subclasses(ColorizeError) if error not in at_start]

    types = [error.type for error in answered]

    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"/problems/[a-z]+(-[a-z]+)*", kind) for kind in types)


def test_error_table_in_api_docs_is_complete() -> None:
    table = (ROOT / "docs" / "api.md").read_text()
    documented = re.findall(r"^\| (\d{3}) \| `(/problems/[a-z-]+)` \|", table, re.MULTILINE)

    # Never answered as such: two stop the service, the other is only a branch.
    unanswered = (ModelFileError, errors.ExecutionProviderError, errors.TooLargeError)
    assert sorted(documented) == sorted(
        (str(int(error.status)), error.type)
        for error in subclasses(ColorizeError)
        if error not in unanswered
    )


def test_model_file_error_names_file() -> None:
    error = ModelFileError(Path("models/my.onnx"), "not a model")

    assert str(error) == "models/my.onnx: not a model"


@pytest.fixture
def failing_app(settings: Settings) -> FastAPI:
    app = create_app(settings)

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("a secret of the inside")

    @app.get("/limited")
    async def limited(count: int) -> int:
        return count

    return app


def test_get_failing_route_answers_problem_without_cause(
    failing_app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    response = TestClient(failing_app).get("/fail", headers={"X-Request-ID": "abc-1"})

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Request-ID"] == "abc-1"
    assert response.json() == {
        "type": "/problems/internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": "The service failed. Its log has the cause, under this answer's X-Request-ID.",
    }
    assert "Unexpected error in request abc-1" in caplog.text
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("query", "violation"),
    [
        (
            "?count=many",
            {
                "location": "query",
                "name": "count",
                "received": "many",
                "accepted": "Input should be a valid integer, unable to parse string as an integer",
            },
        ),
        ("", {"location": "query", "name": "count", "accepted": "a value is required"}),
    ],
)
def test_get_bad_parameter_answers_what_is_accepted(
    query: str, violation: dict[str, Any], failing_app: FastAPI
) -> None:
    response = TestClient(failing_app).get(f"/limited{query}")

    received = violation.get("received", "nothing")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "/problems/invalid-request",
        "title": "Invalid request",
        "status": 422,
        "detail": f"`count`: {violation['accepted']}. Received: {received}",
        "errors": [violation],
    }


def test_get_long_bad_parameter_answers_part_of_it(failing_app: FastAPI) -> None:
    response = TestClient(failing_app).get("/limited", params={"count": "x" * 5000})

    assert response.json()["errors"][0]["received"] == "x" * 200 + "... (5,000 characters)"
    assert len(json.dumps(response.json())) < 1000
