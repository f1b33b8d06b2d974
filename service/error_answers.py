"""Errors, answered over HTTP: each as a problem document.

Apart from the errors themselves, which the command line has too: importing the
framework takes as long as colouring several pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from service.errors import (
    ColorizeError,
    InvalidRequestError,
    Problem,
    describe_violation,
    framework_problem,
    shorten,
    unexpected_error,
)

PROBLEM_STATE = "problem"
INFERENCE_PATH = "/v2"
"""Below it the Open Inference Protocol is spoken."""


class ProblemResponse(JSONResponse):
    """An error answer."""

    media_type = "application/problem+json"

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        body = problem.model_dump(exclude_none=True)
        super().__init__(body, status_code=problem.status, headers=dict(headers or {}))
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, in the words that the path wants, and note in the scope with what."""
        scope.setdefault("state", {})[PROBLEM_STATE] = self._problem.type
        if is_inference_path(scope["path"]):
            self.speak_inference()
        await super().__call__(scope, receive, send)

    def speak_inference(self) -> None:
        """Say it in the words of the Open Inference Protocol too."""
        problem = as_inference_error(self._problem)
        self.body = self.render(problem.model_dump(exclude_none=True))
        self.headers["Content-Length"] = str(len(self.body))


def is_inference_path(path: str) -> bool:
    """Tell whether a path is one of the Open Inference Protocol."""
    return f"{path}/".startswith(f"{INFERENCE_PATH}/")


def as_inference_error(problem: Problem) -> Problem:
    """Say the same in the words of the Open Inference Protocol too."""
    return problem.model_copy(update={"error": problem.detail})


def problem_of(scope: Scope) -> str | None:
    """Tell the type of the problem that a request was answered with, if any."""
    problem: str | None = scope.get("state", {}).get(PROBLEM_STATE)
    return problem


PROBLEM_SCHEMA = {"$ref": f"#/components/schemas/{Problem.__name__}"}

OTHER_PROBLEM = {
    "description": "Any other error",
    "content": {ProblemResponse.media_type: {"schema": PROBLEM_SCHEMA}},
}
"""The OpenAPI response of errors that a route does not name."""


def answer_error(error: ColorizeError) -> ProblemResponse:
    """Make the response that tells a client of an error."""
    return ProblemResponse(error.problem(), error.headers)


def answer_unexpected_error() -> ProblemResponse:
    """Answer a fault of our own, without showing how it came about."""
    return answer_error(unexpected_error())


def answer_status(
    scope: Scope,
    status: HTTPStatus,
    headers: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> ProblemResponse:
    """Answer a status that the framework gave a request, for a reason of its own or the usual."""
    received = f"{scope['method']} {shorten(URL(scope=scope).path)}"
    reason = reason or status.description or status.phrase
    return ProblemResponse(framework_problem(status, reason, received), headers)


def problem_schemas() -> dict[str, Any]:
    """Describe the error body for the components of an OpenAPI document."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), Problem.__name__: schema}


def problem_responses(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """Document problems as OpenAPI responses, grouped by status.

    Parameters
    ----------
    *problems : Problem
        Examples; there may be several of a type.

    Returns
    -------
    dict of int to dict
    """
    responses: dict[int | str, dict[str, Any]] = {}
    for status in sorted({problem.status for problem in problems}):
        of_status = [problem for problem in problems if problem.status == status]
        # As a dictionary, which keeps the order: each type once.
        kinds = {f"{problem.title} (`{problem.type}`)": None for problem in of_status}
        examples = {
            problem.detail: {
                "summary": problem.detail,
                "value": problem.model_dump(exclude_none=True),
            }
            for problem in of_status
        }
        responses[status] = {
            "description": "; ".join(kinds),
            "content": {
                ProblemResponse.media_type: {"schema": PROBLEM_SCHEMA, "examples": examples}
            },
        }
    return responses


def install_error_handlers(app: FastAPI) -> None:
    """Make every error answer of `app` a problem document."""

    @app.exception_handler(ColorizeError)
    async def answer_colorize_error(_: Request, error: ColorizeError) -> ProblemResponse:
        return answer_error(error)

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(_: Request, error: RequestValidationError) -> ProblemResponse:
        violations = [describe_violation(details) for details in error.errors()]
        return answer_error(InvalidRequestError(violations))

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> ProblemResponse:
        # The framework wraps what is raised while it reads a body.
        if isinstance(error.__cause__, ColorizeError):
            return answer_error(error.__cause__)
        status = HTTPStatus(error.status_code)
        # Without a reason of its own the exception only repeats the phrase.
        reason = None if error.detail == status.phrase else error.detail
        return answer_status(request.scope, status, error.headers, reason)
