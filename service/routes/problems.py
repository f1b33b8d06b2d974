"""What routes answer when something is wrong, as the documentation shows it.

Each problem is made by the error that a request would meet, so that the document
and the answers cannot differ.
"""

from http import HTTPStatus

from service.errors import (
    EmptyUploadError,
    InputNotTakenError,
    InvalidInferenceError,
    InvalidRequestError,
    NotAcceptableError,
    NotReadyError,
    OverloadedError,
    PictureTooLargeError,
    Problem,
    ShuttingDownError,
    SideTooLongError,
    TensorsTooLargeError,
    UnauthorizedError,
    UnknownModelError,
    UnknownVersionError,
    UnreadablePictureError,
    UnsupportedEncodingError,
    UnsupportedFormatError,
    UploadTimeoutError,
    UploadTooLargeError,
    Violation,
    WorkTimeoutError,
    framework_problem,
    unexpected_error,
)
from service.formats import JPEG, OUTPUT_FORMATS, WRITTEN_FORMATS
from service.protocol import VERSION

MODELS = ("v1", "v2", "v12")


def _invalid(location: str, name: str, received: str | None, accepted: str) -> Problem:
    violation = Violation(location=location, name=name, received=received, accepted=accepted)
    return InvalidRequestError([violation]).problem()


OPEN = (
    unexpected_error().problem(),
    OverloadedError(512, 2, "connections").problem(),
)
"""Of every route, also those that need no key."""

USUAL = (UnauthorizedError("no key").problem(), *OPEN)
"""Of every route that needs a key where there are keys."""

LOADED = (*USUAL, NotReadyError().problem())
"""Of routes that need the models."""

UNKNOWN_MODEL = UnknownModelError("v9", MODELS).problem()
UNKNOWN_VERSION = UnknownVersionError("2", VERSION).problem()

READINESS = (*OPEN, NotReadyError().problem(), OverloadedError(34, 3).problem())
"""Of routes that tell whether work is taken on."""

BODY = (
    UploadTimeoutError(20_480, 12.1, 10, 10_000).problem(),
    UploadTooLargeError(67_108_864, 80_000_000).problem(),
    OverloadedError(34, 3).problem(),
    ShuttingDownError().problem(),
    WorkTimeoutError(60).problem(),
)
"""Of routes whose requests bring work."""

UPLOAD = (
    *LOADED,
    *BODY,
    framework_problem(
        HTTPStatus.BAD_REQUEST, "There was an error parsing the body", "POST /colorize"
    ),
    PictureTooLargeError(12_000, 10_000, 100_000_000).problem(),
    UnsupportedFormatError(list(OUTPUT_FORMATS)).problem(),
    _invalid("form", "file", None, "a value is required"),
    UnreadablePictureError(
        "A picture must be complete and undamaged. Received: one that cannot be decoded "
        "(image file is truncated)"
    ).problem(),
    EmptyUploadError().problem(),
)
"""Of routes that take a picture."""

COLORING = (
    *UPLOAD,
    UNKNOWN_MODEL,
    NotAcceptableError(
        "text/html", [output_format.media_type for output_format in WRITTEN_FORMATS]
    ).problem(),
    _invalid("query", "saturation", "3", "a number from 0 to 2"),
    _invalid("form", "hints.1.y", "1.25", "a number from 0 to 1"),
    _invalid(
        "form",
        "reference",
        "a picture, beside `palette`",
        "either `reference` or `palette`: both say which colours to use",
    ),
    InputNotTakenError("my", "palette", ["lightness"]).problem(),
    SideTooLongError({JPEG.parameter: JPEG.max_side}, 70_000).problem(),
)
"""Of routes that colour."""

INFERENCE = (
    InvalidInferenceError.of("inputs", "`lightness`", "`brightness`").problem(),
    TensorsTooLargeError(
        "Answers x height x width of `lightness` must be", 4_000_000, 8_000_000, "pixels"
    ).problem(),
    UnsupportedEncodingError("br", ["gzip", "deflate", "identity"]).problem(),
)
"""Of routes that take tensors, beside those of every body."""
