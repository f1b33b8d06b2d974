"""Tensors that a client feeds to a model by itself, compared with the card of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.card import ModelCard, TensorCard
from service.errors import InvalidInferenceError, TensorsTooLargeError
from service.protocol import DATATYPES, InferenceRequest, NamedTensor, Tensor, wire_shape

PICTURE = "lightness"
"""The input whose height and width are those of the picture."""
MOST_ENTRIES = 100
"""Answers at once, and colours and hints of each: of all that is no picture."""
ROUNDING = 1e-3
"""How far beyond its range a number may lie: conversions of colours round."""


@dataclass(frozen=True)
class TensorRules:
    """What a model can be fed with, and how much of it.

    Parameters
    ----------
    card : ModelCard
    optional : frozenset of str
        Inputs that may be left out.
    max_pixels : int
        Pixels of all answers together.
    """

    card: ModelCard
    optional: frozenset[str]
    max_pixels: int

    def check_request(self, request: InferenceRequest) -> None:
        """Compare names, datatypes and shapes, before any number is read.

        Raises
        ------
        InvalidInferenceError
            When the model does not take or give it.
        TensorsTooLargeError
            When it would take too long, and too much memory.
        """
        inputs = {tensor.name: tensor for tensor in self.card.inputs}
        given = [named.name for named in request.inputs]
        _check_names("inputs", given, list(inputs))
        _check_names(
            "outputs",
            [output.name for output in request.outputs],
            [tensor.name for tensor in self.card.outputs],
        )
        for name in inputs:
            if name not in given and name not in self.optional:
                raise InvalidInferenceError.of(name, "this input is required", None)
        for named in request.inputs:
            self._check_tensor(named, inputs[named.name])
        answers = _count_answers(request)
        for named in request.inputs:
            if named.name == PICTURE:
                self._check_pixels(answers, *named.shape[1:3])

    def check_values(self, tensors: Mapping[str, Tensor]) -> None:
        """Make sure that all numbers are finite, and in the range that the card gives.

        Raises
        ------
        InvalidInferenceError
        """
        for described in self.card.inputs:
            if described.name not in tensors:
                continue
            tensor = tensors[described.name]
            low, high = described.range
            # Written so that what is not a number is outside.
            is_outside = ~((tensor >= low - ROUNDING) & (tensor <= high + ROUNDING))
            if is_outside.any():
                raise InvalidInferenceError.of(
                    described.name,
                    f"finite numbers from {low:g} to {high:g}",
                    tensor[is_outside][0],
                )

    def _check_tensor(self, named: NamedTensor, described: TensorCard) -> None:
        """Compare datatype and shape with those of the card."""
        datatype = DATATYPES[described.dtype]
        if named.datatype != datatype:
            raise InvalidInferenceError.of(named.name, f"datatype {datatype}", named.datatype)
        multiple, most = 1, MOST_ENTRIES
        sizes = f"-1: 1 to {MOST_ENTRIES}"
        if named.name == PICTURE:
            # How large it may be is a matter of all dimensions together.
            multiple, most = self.card.architecture.size_multiple, self.max_pixels
            sizes = f"height and width multiples of {multiple}"
        fits = len(named.shape) == len(described.shape) and all(
            # The first dimension counts answers.
            1 <= size <= most and (place == 0 or size % multiple == 0)
            if isinstance(wanted, str)
            else size == wanted
            for place, (size, wanted) in enumerate(zip(named.shape, described.shape, strict=True))
        )
        if not fits:
            received = (
                named.shape if len(named.shape) > len(described.shape) + 1 else str(named.shape)
            )
            raise InvalidInferenceError.of(
                named.name, f"shape {wire_shape(described)}, {sizes}", received
            )

    def _check_pixels(self, answers: int, height: int, width: int) -> None:
        pixels = answers * height * width
        if pixels > self.max_pixels:
            raise TensorsTooLargeError(
                f"Answers x height x width of `{PICTURE}` must be",
                self.max_pixels,
                pixels,
                "pixels",
            )


def _check_names(part: str, given: list[str], known: list[str]) -> None:
    """Make sure that each name is known, and comes once."""
    for place, name in enumerate(given):
        if name not in known:
            raise InvalidInferenceError.of(part, f"each one of {', '.join(known)}", name)
        if name in given[:place]:
            raise InvalidInferenceError.of(part, "each name once", name)


def _count_answers(request: InferenceRequest) -> int:
    """Count the answers, for each of which an input has one entry, or one for all."""
    counts = {named.name: named.shape[0] for named in request.inputs}
    answers = max(counts.values())
    for name, count in counts.items():
        if count not in (1, answers):
            raise InvalidInferenceError.of(
                name, f"a first dimension of 1 or, like that of others, {answers}", count
            )
    return answers
