"""One request of the Open Inference Protocol, from bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass

from service.colorizer import Colorizer
from service.protocol import (
    Message,
    decompress,
    read_request,
    read_tensors,
    split_body,
    write_answer,
)
from service.stopwatch import Stopwatch
from service.tensors import TensorRules

JSON_BYTES_A_PIXEL = 24
"""A number of JSON, and its comma."""
SPARE_JSON_BYTES = 1 << 16
"""What a request needs beside its picture."""


@dataclass(frozen=True)
class InferenceLimits:
    """How much a request may ask for.

    Parameters
    ----------
    max_pixels : int
        Of all answers together.
    max_bytes : int
        Of an unpacked body.
    """

    max_pixels: int
    max_bytes: int

    @property
    def max_json_bytes(self) -> int:
        """Bytes of JSON, which takes many times its size in memory."""
        return SPARE_JSON_BYTES + JSON_BYTES_A_PIXEL * self.max_pixels


@dataclass(frozen=True)
class Envelope:
    """What the headers of a request say about its body.

    Parameters
    ----------
    json_length : str or None
        As `Inference-Header-Content-Length` says it.
    encoding : str
        As `Content-Encoding` says it.
    """

    json_length: str | None = None
    encoding: str = "identity"


@dataclass(frozen=True)
class InferenceResult:
    """An answer, and what each stage of it took."""

    message: Message
    timings_ms: dict[str, float]


def infer(
    body: bytes, envelope: Envelope, colorizer: Colorizer, limits: InferenceLimits
) -> InferenceResult:
    """Run a model on the tensors of a request.

    Parameters
    ----------
    body : bytes
        As it came in.
    envelope : Envelope
    colorizer : Colorizer
    limits : InferenceLimits

    Raises
    ------
    ColorizeError
        When the request breaks the protocol, or its tensors are not those that
        the model takes; see `service.errors`.
    """
    rules = TensorRules(colorizer.card, colorizer.optional_inputs, limits.max_pixels)
    stopwatch = Stopwatch()
    with stopwatch.stage("decode"):
        plain = decompress(body, envelope.encoding, limits.max_bytes)
        message = split_body(plain, envelope.json_length)
        request = read_request(message, limits.max_json_bytes)
        rules.check_request(request)
        tensors = read_tensors(request, message)
        rules.check_values(tensors)
    with stopwatch.stage("model"):
        wanted = request.outputs or colorizer.card.outputs
        outputs = colorizer.infer(tensors, [output.name for output in wanted])
    with stopwatch.stage("encode"):
        answer = write_answer(colorizer.name, request, outputs)
    return InferenceResult(answer, stopwatch.elapsed_ms)
