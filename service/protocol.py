"""The Open Inference Protocol, version 2: how tensors travel over HTTP.

A request is JSON that names tensors; their numbers stand in it, or follow it as raw
bytes, one tensor after the other, in the order in which the JSON names them [2]_. Of
answers the same holds. What tensors a model takes is not known here: `tensors` is
where they are compared with its card.

References
----------
.. [1] https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
.. [2] https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, FailFast, Field, ValidationError

from service.card import ModelCard, TensorCard
from service.errors import (
    InvalidInferenceError,
    TensorsTooLargeError,
    UnsupportedEncodingError,
)

JSON_LENGTH_HEADER = "Inference-Header-Content-Length"
"""Bytes of JSON, where raw bytes follow it."""
EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnxruntime_onnx"
VERSION = "1"
"""Of every model: a model is a file, and another file is another model."""

DATATYPES = {"float32": "FP32", "int64": "INT64"}
"""What the protocol calls the datatypes of cards."""
WIRE_TYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}
"""Raw bytes are little endian, row by row."""
JSON_NAMES: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number with a fraction",
    list: "lists of several lengths",
    str: "text",
    type(None): "null",
}
JSON_TYPES: dict[str, set[type]] = {"FP32": {int, float}, "INT64": {int}}
"""What JSON must have for each datatype: no text, no truth values."""

ENCODINGS = ("identity", "gzip", "deflate")
EITHER_WRAPPER = zlib.MAX_WBITS | 32
"""Lets zlib tell by itself whether the bytes are gzip or deflate."""

# Ignored, other parameters would give another answer than was asked for.
REFUSED_PARAMETERS = ("classification", "shared_memory_region")

Tensor = NDArray[Any]
# Not looked into: what is not asked for may be anything.
Parameters = dict[str, Any]


class _Named(BaseModel):
    """What requests and answers name, and say about it."""

    name: str
    parameters: Parameters = Field(default_factory=dict)


class NamedTensor(_Named):
    """A tensor as JSON names it."""

    name: str = Field(examples=["lightness"])
    # The first fault of a list is enough: a list of faults would know no bounds.
    shape: Annotated[list[int], FailFast()] = Field(examples=[[1, 256, 256, 1]])
    datatype: str = Field(examples=["FP32"])
    parameters: Parameters = Field(
        default_factory=dict,
        description="`binary_data_size`: bytes of it that follow the JSON, in place of `data`.",
    )
    data: list[Any] | None = Field(
        default=None, description="Numbers row by row, nested like the shape or flat."
    )


class WantedOutput(_Named):
    """An output that a request asks for."""

    name: str = Field(examples=["chroma"])
    parameters: Parameters = Field(
        default_factory=dict, description="`binary_data`: whether as raw bytes after the JSON."
    )


class InferenceRequest(BaseModel):
    """The JSON of a request."""

    id: str | None = Field(default=None, description="Comes back in the answer.")
    parameters: Parameters = Field(
        default_factory=dict,
        description="`binary_data_output`: whether outputs come as raw bytes that do not say so "
        "themselves.",
    )
    inputs: Annotated[list[NamedTensor], FailFast()]
    outputs: Annotated[list[WantedOutput], FailFast()] = Field(
        default_factory=list, description="All of them when there are none."
    )


class InferenceAnswer(BaseModel):
    """The JSON of an answer."""

    id: str | None = Field(default=None, description="That of the request.")
    model_name: str
    model_version: str
    outputs: list[NamedTensor]


class TensorMetadata(BaseModel):
    """What a model takes or gives."""

    name: str = Field(examples=["lightness"])
    datatype: str = Field(examples=["FP32"])
    shape: list[int] = Field(description="-1: any size.", examples=[[-1, -1, -1, 1]])


class ModelMetadata(BaseModel):
    """What can be asked of a model."""

    name: str = Field(examples=["v12"])
    versions: list[str] = Field(examples=[[VERSION]])
    platform: str = Field(examples=[PLATFORM])
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


@dataclass(frozen=True)
class Message:
    """A request or an answer as it goes over the wire.

    Parameters
    ----------
    body : bytes
        JSON, and the raw bytes of tensors after it.
    json_bytes : int or None
        How much of it is JSON; None when all of it is.
    """

    body: bytes
    json_bytes: int | None = None

    @property
    def text(self) -> bytes:
        """The JSON."""
        return self.body[: self.json_bytes]

    @property
    def raw(self) -> memoryview:
        """The raw bytes, not copied."""
        return memoryview(self.body)[len(self.text) :]


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo the `Content-Encoding` of a body, as far as it keeps to its limit.

    Raises
    ------
    UnsupportedEncodingError
        When it is neither gzip nor deflate.
    InvalidInferenceError
        When it is damaged or cut off.
    TensorsTooLargeError
        When it unpacks to more than `max_bytes`.
    """
    if encoding == "identity":
        return body
    if encoding not in ENCODINGS:
        raise UnsupportedEncodingError(encoding, ENCODINGS)
    unpacking = zlib.decompressobj(EITHER_WRAPPER)
    try:
        unpacked = unpacking.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise InvalidInferenceError.of("body", f"undamaged {encoding}", error) from error
    if len(unpacked) > max_bytes:
        raise TensorsTooLargeError(
            "A compressed body must unpack to", max_bytes, len(unpacked), "bytes"
        )
    if not unpacking.eof:
        raise InvalidInferenceError.of("body", f"complete {encoding}", f"{len(body):,} bytes of it")
    return unpacked


def split_body(body: bytes, json_length: str | None) -> Message:
    """Find where JSON ends and raw bytes begin.

    Parameters
    ----------
    body : bytes
    json_length : str or None
        What `JSON_LENGTH_HEADER` says; None when it is absent.

    Raises
    ------
    InvalidInferenceError
        When the body is shorter than that, or it is no number.
    """
    if json_length is None:
        return Message(body)
    if not (json_length.isascii() and json_length.isdigit() and len(json_length) <= 20):
        raise InvalidInferenceError.of(JSON_LENGTH_HEADER, "a number of bytes", json_length)
    if int(json_length) > len(body):
        raise InvalidInferenceError.of(
            JSON_LENGTH_HEADER, f"at most the length of the body, {len(body)}", json_length
        )
    return Message(body, int(json_length))


def read_request(message: Message, max_json_bytes: int) -> InferenceRequest:
    """Read the JSON of a request; its tensors wait until their shapes are known to be good.

    Raises
    ------
    InvalidInferenceError
        When it is not such JSON; it says where.
    TensorsTooLargeError
        When it has more than `max_json_bytes`.
    """
    text = message.text
    if len(text) > max_json_bytes:
        raise TensorsTooLargeError(
            "Without tensors as raw bytes a request must have", max_json_bytes, len(text), "bytes"
        )
    try:
        request = InferenceRequest.model_validate_json(text)
    except ValidationError as error:
        raise InvalidInferenceError.of_json(error) from error
    named_parts: tuple[_Named, ...] = (*request.inputs, *request.outputs)
    for named in named_parts:
        for parameter in REFUSED_PARAMETERS:
            if parameter in named.parameters:
                raise InvalidInferenceError.of(
                    named.name, f"no parameter `{parameter}`", named.parameters[parameter]
                )
    return request


def read_tensors(request: InferenceRequest, message: Message) -> dict[str, Tensor]:
    """Read the tensors of a request, whose datatypes must be among `WIRE_TYPES`.

    Raises
    ------
    InvalidInferenceError
        When numbers are missing, too many, or of another kind than the datatype says.
    """
    raw = message.raw
    tensors = {}
    for named in request.inputs:
        size = named.parameters.get("binary_data_size")
        if size is None:
            tensors[named.name] = _read_numbers(named)
        else:
            tensors[named.name] = _read_bytes(named, size, raw)
            raw = raw[tensors[named.name].nbytes :]
    if raw:
        raise InvalidInferenceError.of(
            "body", "as many bytes after its JSON as its tensors say", f"{len(raw):,} more"
        )
    return tensors


def _read_numbers(named: NamedTensor) -> Tensor:
    """Read a tensor whose numbers stand in the JSON."""
    if named.data is None:
        raise InvalidInferenceError.of(named.name, "`data`, or `binary_data_size`", None)
    # As objects: else NumPy would make numbers of text, or text of numbers.
    numbers = np.array(named.data, object)
    foreign = set(map(type, numbers.flat)) - JSON_TYPES[named.datatype]
    if foreign:
        raise InvalidInferenceError.of(
            named.name,
            f"`data` of {named.datatype} numbers, flat or nested like its shape",
            ", ".join(sorted(JSON_NAMES[kind] for kind in foreign)),
        )
    count = math.prod(named.shape)
    if numbers.size != count:
        raise InvalidInferenceError.of(
            named.name, f"as many numbers as its shape says, {count:,}", f"{numbers.size:,}"
        )
    try:
        # What float32 cannot hold becomes infinite, and is refused with all that is.
        with np.errstate(over="ignore"):
            return numbers.astype(WIRE_TYPES[named.datatype]).reshape(named.shape)
    except OverflowError as error:
        raise InvalidInferenceError.of(
            named.name, f"numbers that {named.datatype} can hold", error
        ) from error


def _read_bytes(named: NamedTensor, size: object, raw: memoryview) -> Tensor:
    """Read a tensor from the beginning of the raw bytes."""
    wire_type = WIRE_TYPES[named.datatype]
    wanted = math.prod(named.shape) * wire_type.itemsize
    if named.data is not None:
        raise InvalidInferenceError.of(named.name, "`data` or `binary_data_size`", "both")
    if isinstance(size, bool) or size != wanted:
        raise InvalidInferenceError.of(
            named.name, f"`binary_data_size` as its shape and datatype say, {wanted}", size
        )
    if wanted > len(raw):
        raise InvalidInferenceError.of(
            named.name, f"{wanted:,} raw bytes after the JSON", f"{len(raw):,}"
        )
    return np.frombuffer(raw[:wanted], wire_type).reshape(named.shape)


def write_answer(
    model_name: str, request: InferenceRequest, outputs: Mapping[str, Tensor]
) -> Message:
    """Write an answer, each output as JSON or as raw bytes, as the request wants it.

    Raises
    ------
    InvalidInferenceError
        When there are numbers that are not finite, which JSON does not have: what the
        request has given leads to no answer.
    """
    by_default = request.parameters.get("binary_data_output", False) is True
    wanted = {output.name: output.parameters for output in request.outputs}
    named, raw = [], []
    for name, tensor in outputs.items():
        if not np.isfinite(tensor).all():
            raise InvalidInferenceError.of(
                "inputs", f"tensors that lead to a finite {name}", "others: negative weights?"
            )
        is_raw = wanted.get(name, {}).get("binary_data", by_default) is True
        described: dict[str, Any] = {
            "name": name,
            "datatype": DATATYPES[tensor.dtype.name],
            "shape": tensor.shape,
        }
        if is_raw:
            raw.append(tensor.astype(WIRE_TYPES[described["datatype"]], copy=False).tobytes())
            described["parameters"] = {"binary_data_size": tensor.nbytes}
        else:
            described["data"] = tensor.ravel().tolist()
        named.append(described)
    answer = {"model_name": model_name, "model_version": VERSION, "outputs": named}
    if request.id is not None:
        answer["id"] = request.id
    text = json.dumps(answer, separators=(",", ":")).encode()
    return Message(b"".join((text, *raw)), len(text) if raw else None)


def request_schemas() -> dict[str, Any]:
    """Describe requests for the components of an OpenAPI document."""
    schema = InferenceRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), InferenceRequest.__name__: schema}


def wire_shape(tensor: TensorCard) -> list[int]:
    """Write the shape of a card as the protocol does: -1 is any size."""
    return [-1 if isinstance(size, str) else size for size in tensor.shape]


def describe_model(card: ModelCard) -> ModelMetadata:
    """Describe a model as the protocol does."""

    def describe(tensor: TensorCard) -> TensorMetadata:
        return TensorMetadata(
            name=tensor.name, datatype=DATATYPES[tensor.dtype], shape=wire_shape(tensor)
        )

    return ModelMetadata(
        name=card.name,
        versions=[VERSION],
        platform=PLATFORM,
        inputs=[describe(tensor) for tensor in card.inputs],
        outputs=[describe(tensor) for tensor in card.outputs],
    )
