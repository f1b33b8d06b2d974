"""Everything that can go wrong, and what a client is told of it.

The tree, with the HTTP status of each::

    ColorizeError                   500
    +-- ModelFileError              500  at start only: the service does not begin to listen
    +-- ExecutionProviderError      500  at start only, too
    +-- NotReadyError               503
    +-- OverloadedError             503
    +-- ShuttingDownError           503
    +-- WorkTimeoutError            504
    +-- UnauthorizedError           401
    +-- UploadTimeoutError          408
    +-- UnknownModelError           404
    +-- UnknownVersionError         404
    +-- NotAcceptableError          406
    +-- TooLargeError               413
    |   +-- UploadTooLargeError     413
    |   +-- PictureTooLargeError    413
    |   +-- TensorsTooLargeError    413
    +-- UnsupportedFormatError      415
    +-- UnsupportedEncodingError    415
    +-- InvalidRequestError         422
    |   +-- InvalidInferenceError   400
    +-- InputNotTakenError          422
    +-- SideTooLongError            422
    +-- UnreadablePictureError      422
        +-- EmptyUploadError        422

Every error answer is an ``application/problem+json`` document [1]_. Errors of the
framework itself (no such route, wrong method) are given the same shape. Where the
Open Inference Protocol [2]_ is spoken it has, as that asks for, an ``error`` too.

References
----------
.. [1] RFC 9457, Problem Details for HTTP APIs.
.. [2] https://github.com/kserve/open-inference-protocol, "Inference Response JSON Error Object".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field, ValidationError

RECEIVED_TEXT_LIMIT = 200
"""Characters of a wrong value that are sent back: enough to recognise it."""


class Violation(BaseModel):
    """One parameter or form part that breaks a rule."""

    location: str = Field(examples=["query"])
    name: str = Field(examples=["model"])
    received: str | None = Field(default=None, description="Absent when nothing was sent.")
    accepted: str = Field(examples=["Input should be a valid integer"])


class Problem(BaseModel):
    """The body of every error answer."""

    type: str = Field(description="Stable: what a program tells problems apart by.")
    title: str
    status: int
    detail: str = Field(description="The rule, then what was received.")
    received: Any = Field(default=None, description="The value that broke the rule.")
    accepted: Any = Field(default=None, description="The limit, or the accepted values.")
    errors: list[Violation] | None = None
    error: str | None = Field(
        default=None, description="Below `/v2` the same as `detail`: its protocol calls it so."
    )


class ColorizeError(Exception):
    """Base of all errors of the service.

    Parameters
    ----------
    detail : str
        The rule, then what was received.
    received, accepted : object, optional
        The same two for programs; must be JSON-serialisable.
    """

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    type: ClassVar[str] = "/problems/internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, received: Any = None, accepted: Any = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.received = received
        self.accepted = accepted

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that the answer needs beside the usual ones."""
        return {}

    def problem(self) -> Problem:
        """Describe the error as an RFC 9457 problem."""
        return Problem(
            type=self.type,
            title=self.title,
            status=self.status,
            detail=self.detail,
            received=self.received,
            accepted=self.accepted,
        )


class ModelFileError(ColorizeError):
    """A file in the models folder cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class ExecutionProviderError(ColorizeError):
    """What was to compute is not there.

    Parameters
    ----------
    name : str
        Its short name.
    available : sequence of str
        What is there.
    reason : str
        What keeps it away.
    """

    def __init__(
        self,
        name: str,
        available: Sequence[str],
        reason: str = "is not in the installed build of ONNX Runtime",
    ) -> None:
        super().__init__(
            f"COLORIZE_EXECUTION_PROVIDERS must name what is there: {', '.join(available)}. "
            f"Received: {name}, which {reason}"
        )


class NotReadyError(ColorizeError):
    """The models are not loaded yet."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "/problems/not-ready"
    title = "Not ready"

    def __init__(self) -> None:
        super().__init__("The models are still being loaded.")

    @property
    def headers(self) -> Mapping[str, str]:
        """Ask to come back soon: loading takes a few seconds."""
        return {"Retry-After": "2"}


class OverloadedError(ColorizeError):
    """As many requests as the service takes on are under way.

    Parameters
    ----------
    capacity : int
        How many that is.
    retry_after_s : int
        When to come back.
    what : str
        Of what there are too many.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "/problems/overloaded"
    title = "Overloaded"

    def __init__(self, capacity: int, retry_after_s: int, what: str = "requests") -> None:
        super().__init__(
            f"At most {capacity:,} {what} are taken on at a time. "
            f"Received: one more; come back in {retry_after_s} s",
            accepted=capacity,
        )
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        """Say when there will be room."""
        return {"Retry-After": str(self.retry_after_s)}


class ShuttingDownError(ColorizeError):
    """The service is being stopped, and the time to finish is over."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "/problems/shutting-down"
    title = "Shutting down"

    def __init__(self) -> None:
        super().__init__("The service is being stopped. Send the request again.")

    @property
    def headers(self) -> Mapping[str, str]:
        """Send clients to whoever takes over."""
        return {"Retry-After": "5", "Connection": "close"}


class WorkTimeoutError(ColorizeError):
    """The answer was not there in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    type = "/problems/timeout"
    title = "Timeout"

    def __init__(self, timeout_s: float) -> None:
        super().__init__(
            f"A request may take {timeout_s:g} s beside its upload. Received: one that needs more",
            accepted=timeout_s,
        )


class UnauthorizedError(ColorizeError):
    """The request has no key, or one that is not known.

    Parameters
    ----------
    received : str
        What it had in place of a key.
    is_scripted : bool
        Whether a page that asks for the key by itself sent it.
    """

    status = HTTPStatus.UNAUTHORIZED
    type = "/problems/unauthorized"
    title = "Unauthorized"

    def __init__(self, received: str, *, is_scripted: bool = False) -> None:
        self.is_scripted = is_scripted
        super().__init__(
            "A request must have one of the keys of this service: `Authorization: Bearer KEY`, "
            f"`X-API-Key: KEY`, or as the password of Basic. Received: {received}"
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """Let browsers ask for the key, where the page does not."""
        if self.is_scripted:
            return {"WWW-Authenticate": 'Bearer realm="colorize"'}
        return {"WWW-Authenticate": 'Bearer realm="colorize", Basic realm="colorize"'}


class UploadTimeoutError(ColorizeError):
    """The body comes in too slowly.

    Parameters
    ----------
    received_bytes : int
    elapsed_s : float
    timeout_s, min_bytes_per_s : float
        What is granted at once, and what each second beyond it costs.
    """

    status = HTTPStatus.REQUEST_TIMEOUT
    type = "/problems/upload-timeout"
    title = "Upload timeout"

    def __init__(
        self, received_bytes: int, elapsed_s: float, timeout_s: float, min_bytes_per_s: float
    ) -> None:
        super().__init__(
            f"A body must be complete within {timeout_s:g} s and a second for each "
            f"{min_bytes_per_s:,.0f} bytes. "
            f"Received: {received_bytes:,} bytes in {elapsed_s:.1f} s",
            received=received_bytes,
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """Close the connection: the rest of the body is never read."""
        return {"Connection": "close"}


class UnknownModelError(ColorizeError):
    """No model has the requested name."""

    status = HTTPStatus.NOT_FOUND
    type = "/problems/unknown-model"
    title = "Unknown model"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"`model` must be one of {', '.join(known)}. Received: {shorten(name)}",
            received=shorten(name),
            accepted=list(known),
        )


class UnknownVersionError(ColorizeError):
    """A model has no such version."""

    status = HTTPStatus.NOT_FOUND
    type = "/problems/unknown-version"
    title = "Unknown version"

    def __init__(self, version: str, known: str) -> None:
        super().__init__(
            f"`version` must be {known}, the only one of a model. Received: {shorten(version)}",
            received=shorten(version),
            accepted=known,
        )


class NotAcceptableError(ColorizeError):
    """The `Accept` header excludes every format that can be written."""

    status = HTTPStatus.NOT_ACCEPTABLE
    type = "/problems/not-acceptable"
    title = "Not acceptable"

    def __init__(self, accept: str, written: Sequence[str]) -> None:
        super().__init__(
            f"`Accept` must allow one of {', '.join(written)}. Received: {shorten(accept)}",
            received=shorten(accept),
            accepted=list(written),
        )


class TooLargeError(ColorizeError):
    """The upload is larger than the service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "/problems/too-large"
    title = "Too large"


class UploadTooLargeError(TooLargeError):
    """Too many bytes.

    Parameters
    ----------
    max_bytes : int
    received_bytes : int, optional
        Unknown when the client streams without announcing a length.
    """

    type = "/problems/upload-too-large"
    title = "Upload too large"

    def __init__(self, max_bytes: int, received_bytes: int | None = None) -> None:
        received = "more" if received_bytes is None else f"{received_bytes:,} bytes"
        super().__init__(
            f"A request body must have at most {max_bytes:,} bytes. Received: {received}",
            received=received_bytes,
            accepted=max_bytes,
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """Close the connection: the rest of the body is never read."""
        return {"Connection": "close"}


class PictureTooLargeError(TooLargeError):
    """Too many pixels."""

    type = "/problems/picture-too-large"
    title = "Picture too large"

    def __init__(self, height: int, width: int, max_pixels: int) -> None:
        super().__init__(
            f"A picture must have at most {max_pixels:,} pixels. "
            f"Received: {width:,} x {height:,} = {width * height:,} pixels",
            received=width * height,
            accepted=max_pixels,
        )


class TensorsTooLargeError(TooLargeError):
    """More to compute at once than the service accepts.

    Parameters
    ----------
    rule : str
        What must have at most how much.
    limit, received : int
    unit : str
    """

    type = "/problems/tensors-too-large"
    title = "Tensors too large"

    def __init__(self, rule: str, limit: int, received: int, unit: str) -> None:
        super().__init__(
            f"{rule} at most {limit:,} {unit}. Received: {received:,}",
            received=received,
            accepted=limit,
        )


class UnsupportedFormatError(ColorizeError):
    """The bytes are in no picture format that is read here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    type = "/problems/unsupported-format"
    title = "Unsupported format"

    def __init__(self, accepted: Sequence[str]) -> None:
        super().__init__(
            f"A picture must be one of {', '.join(accepted)}. "
            "Received: bytes that begin like none of them",
            accepted=list(accepted),
        )


class UnsupportedEncodingError(ColorizeError):
    """The body is compressed in a way that is not read here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    type = "/problems/unsupported-encoding"
    title = "Unsupported encoding"

    def __init__(self, received: str, accepted: Sequence[str]) -> None:
        super().__init__(
            f"`Content-Encoding` must be one of {', '.join(accepted)}. "
            f"Received: {shorten(received)}",
            received=shorten(received),
            accepted=list(accepted),
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """Say what is read (RFC 9110, 15.5.16)."""
        return {"Accept-Encoding": ", ".join(self.accepted)}


class InvalidRequestError(ColorizeError):
    """A parameter or form part is missing or breaks its rule."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "/problems/invalid-request"
    title = "Invalid request"

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            "; ".join(
                f"`{violation.name}`: {violation.accepted}. "
                f"Received: {'nothing' if violation.received is None else violation.received}"
                for violation in violations
            )
        )
        self.violations = violations

    def problem(self) -> Problem:
        """Describe each violation beside the summary."""
        return super().problem().model_copy(update={"errors": self.violations})


class InvalidInferenceError(InvalidRequestError):
    """A request of the Open Inference Protocol, or a tensor in it, breaks a rule."""

    status = HTTPStatus.BAD_REQUEST
    type = "/problems/invalid-inference"
    title = "Invalid inference"

    @classmethod
    def of(cls, name: str, accepted: str, received: object) -> InvalidInferenceError:
        """Make one of a single violation; None is nothing received."""
        text = None if received is None else shorten(str(brief(received)))
        return cls([Violation(location="body", name=name, received=text, accepted=accepted)])

    @classmethod
    def of_json(cls, error: ValidationError) -> InvalidInferenceError:
        """Make one of what pydantic says of the body."""
        violations = []
        for details in error.errors():
            received = {"input": brief(details["input"]), "loc": ("body", *details["loc"])}
            violation = describe_violation({**details, **received})
            violations.append(violation.model_copy(update={"location": "body"}))
        return cls(violations)


class InputNotTakenError(ColorizeError):
    """The model cannot be steered in this way.

    Parameters
    ----------
    model : str
    input_name : str
        What the request needs.
    taken : sequence of str
        What the model takes.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "/problems/input-not-taken"
    title = "Input not taken"

    def __init__(self, model: str, input_name: str, taken: Sequence[str]) -> None:
        super().__init__(
            f"`{input_name}` needs a model that takes it. "
            f"Received: {model}, which takes {', '.join(taken)}",
            received=input_name,
            accepted=list(taken),
        )


class SideTooLongError(ColorizeError):
    """The picture has more pixels a side than the wanted format can hold.

    Parameters
    ----------
    formats : mapping of str to int
        The formats that the client takes, and what each can hold.
    side : int
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "/problems/side-too-long"
    title = "Side too long"

    def __init__(self, formats: Mapping[str, int], side: int) -> None:
        limits = ", ".join(f"{name}: {max_side:,}" for name, max_side in formats.items())
        super().__init__(
            "A side must have at most as many pixels as the format of the answer can hold "
            f"({limits}). Received: {side:,}",
            received=side,
            accepted=dict(formats),
        )


class UnreadablePictureError(ColorizeError):
    """The bytes begin like a picture, but are damaged or truncated."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "/problems/unreadable-picture"
    title = "Unreadable picture"


class EmptyUploadError(UnreadablePictureError):
    """The upload has no bytes."""

    type = "/problems/empty-upload"
    title = "Empty upload"

    def __init__(self) -> None:
        super().__init__("A picture must have bytes. Received: 0 bytes", received=0)


@contextmanager
def errors_of(part: str) -> Iterator[None]:
    """Let errors name the form part that they are about.

    Parameters
    ----------
    part : str
        Its name; that of the picture itself goes without saying.
    """
    try:
        yield
    except ColorizeError as error:
        error.detail = f"`{part}`: {error.detail}"
        raise


def unexpected_error() -> ColorizeError:
    """Make the error that a fault of our own is told as: how it came about, the log says."""
    return ColorizeError(
        "The service failed. Its log has the cause, under this answer's X-Request-ID."
    )


def framework_problem(status: HTTPStatus, reason: str, received: str) -> Problem:
    """Describe an error that any web server has.

    Parameters
    ----------
    status : HTTPStatus
    reason : str
    received : str
        Method and path.

    Returns
    -------
    Problem
        Of the type "about:blank": the status alone is the problem (RFC 9457, 4.2.1).
    """
    return Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=f"{reason.rstrip('.')}. Received: {received}",
    )


def describe_violation(details: Mapping[str, Any]) -> Violation:
    """Translate one of pydantic's error dictionaries.

    Parameters
    ----------
    details : mapping
        One of those that `ValidationError.errors` gives; where the value came
        from stands first in its location.

    Returns
    -------
    Violation
    """
    location, *path = details["loc"]
    missing = details["type"] == "missing"
    # What FastAPI says of text in place of a file names a class of Python.
    wants_file = location == "body" and details["type"] == "value_error"
    rule = "a file part, with a file name" if wants_file else str(details["msg"])
    return Violation(
        location="form" if location == "body" else str(location),
        name=".".join(str(part) for part in path) or str(location),
        received=None if missing else shorten(str(details["input"])),
        accepted="a value is required" if missing else rule,
    )


def brief(received: object) -> object:
    """Name what may be too large to be written down only to be cut."""
    if isinstance(received, bytes):
        return received[: RECEIVED_TEXT_LIMIT + 1].decode(errors="replace")
    if isinstance(received, list | dict):
        return f"{'an object' if isinstance(received, dict) else 'a list'} of {len(received):,}"
    return received


def shorten(text: str) -> str:
    """Cut a received value to what is sent back of it."""
    if len(text) <= RECEIVED_TEXT_LIMIT:
        return text
    return f"{text[:RECEIVED_TEXT_LIMIT]}... ({len(text):,} characters)"
