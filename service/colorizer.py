"""Colorizers: an ONNX session and its card; and the registry of all of them."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument
from pydantic import ValidationError

from service.arrangements import arrange_palette
from service.card import ArchitectureCard, ModelCard
from service.cie import Float32
from service.color import resize_plane
from service.errors import (
    ExecutionProviderError,
    InputNotTakenError,
    InvalidInferenceError,
    ModelFileError,
    UnknownModelError,
)
from service.palettes import main_colors
from service.providers import CPU, CPU_ONLY, check_in_use, find_providers

logger = logging.getLogger(__name__)

NO_COLOR = np.zeros((1, 1, 4), np.float32)
"""A palette whose only colour has weight 0: the model chooses."""
NO_HINT = np.zeros((1, 5), np.float32)
"""A hint of weight 0."""
BEST = (0,)
"""The one variation that is best."""


@dataclass(frozen=True)
class Prediction:
    """What a model makes of one picture, once or in several ways.

    Parameters
    ----------
    chroma : ndarray of float32, shape (P, h, w, 2)
        Small a* and b* planes with the aspect of the picture, unnormalised; of
        each palette, or each variation.
    palettes : tuple of P ndarrays of float32, shape (K, 4)
        The colours that were placed, or else those that are to be seen: L*, a*, b*
        and weight, none of weight 0.
    """

    chroma: Float32
    palettes: tuple[Float32, ...]

    @property
    def first(self) -> Float32:
        """Chroma of the first palette or variation, shape (h, w, 2)."""
        return np.asarray(self.chroma[0])


class Colorizer:
    """One model, ready to predict chroma. Safe to call from several threads.

    Parameters
    ----------
    artifact : bytes
        The ONNX file.
    card : ModelCard
        Its description.
    intra_op_threads : int
        Threads that one prediction may use.
    providers : sequence of str
        What computes, as `service.providers` names it, the most wanted first.

    Raises
    ------
    ExecutionProviderError
        When one of the providers is not there.
    ValueError
        When the file is no ONNX model, or not the one that the card describes;
        the message says which.
    """

    def __init__(
        self,
        artifact: bytes,
        card: ModelCard,
        intra_op_threads: int,
        providers: Sequence[str] = CPU_ONLY,
    ) -> None:
        self.card = card
        self.providers = tuple(providers)
        _check_digest(artifact, card)
        self._session = _open_session(artifact, intra_op_threads, providers)
        _check_tensor_names(self._session, card)
        self._tells_colors = any(tensor.name == "placed_palette" for tensor in card.outputs)
        self._try_out()

    @property
    def takes_palette(self) -> bool:
        """Whether it can be told which colours to use."""
        return self.takes("palette")

    @property
    def name(self) -> str:
        """The name that requests call the model by."""
        return self.card.name

    def takes(self, input_name: str) -> bool:
        """Tell whether the graph has an input: `palette`, `hints` or `variation`."""
        return any(tensor.name == input_name for tensor in self.card.inputs)

    @property
    def optional_inputs(self) -> frozenset[str]:
        """The inputs of the graph that may be left out."""
        return frozenset(tensor.name for tensor in self._session.get_overridable_initializers())

    def infer(
        self, tensors: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """Run the graph on tensors as they are.

        Parameters
        ----------
        tensors : mapping of str to ndarray
            Of the names, shapes and ranges that the card gives.
        outputs : sequence of str
            Those of the graph's that are wanted.

        Raises
        ------
        InvalidInferenceError
            When tensors that are good by themselves do not go together.
        """
        try:
            return dict(zip(outputs, self._session.run(outputs, tensors), strict=True))
        except (Fail, InvalidArgument) as error:
            raise InvalidInferenceError.of(
                "inputs", "tensors whose shapes go together", error
            ) from error

    def require(self, *input_names: str) -> None:
        """Make sure that the graph has inputs.

        Raises
        ------
        InputNotTakenError
            When it lacks one of them; it says which.
        """
        require_inputs(self.card, input_names)

    def predict(
        self,
        lightness: Float32,
        palette: Float32 | None = None,
        *,
        hints: Float32 | None = None,
        variations: Sequence[int] = BEST,
    ) -> Prediction:
        """Predict the chroma of a picture, in several ways at little more than one's cost.

        Parameters
        ----------
        lightness : ndarray of float32, shape (H, W)
            CIE L* in [0, 100], of any size.
        palette : ndarray of float32, shape (K, 4) or (P, K, 4), optional
            L*, a*, b* and weight of the colours to use, those of weight 0 left
            out; the model chooses them when there are none.
        hints : ndarray of float32, shape (M, 5), optional
            Colours at points: x and y as shares of width and height, a*, b* and
            weight; for all palettes and variations alike.
        variations : sequence of P int
            Which of its choices the model is to make: 0 is its best, n its n-th
            alternative. Of a single palette, which of its arrangements: see
            `service.arrangements`.

        Returns
        -------
        Prediction
            One for each palette or variation; where one of them is single, it
            serves all of the others.

        Raises
        ------
        InputNotTakenError
            When the model lacks an input that this needs.
        ValueError
            When variations of several palettes are asked for.
        """
        architecture = self.card.architecture
        padded, (height, width) = _fit_to_network(lightness, architecture)
        if hints is not None:
            # Shares of the picture become shares of the picture and its padding.
            hints = hints.copy()
            hints[:, 0] *= width / padded.shape[1]
            hints[:, 1] *= height / padded.shape[0]
        given = palette
        if palette is not None and any(variations):
            palette = arrange_palette(palette, padded[:height, :width], variations)
            variations = BEST
        conditions = self._condition(palette, hints, variations)
        chroma, placed = self._run(padded, conditions)
        stride = architecture.output_stride
        chroma = chroma[:, : height // stride, : width // stride]
        if given is not None:
            # As they were given: arranged, they are still the same colours.
            given = given.reshape(-1, *given.shape[-2:])
            placed = list(np.broadcast_to(given, (len(chroma), *given.shape[1:])))
        small = padded[:height:stride, :width:stride]
        palettes = []
        for index, planes in enumerate(chroma):
            colors = NO_COLOR[0] if placed is None else placed[index]
            colors = colors[colors[:, 3] > 0]
            # A graph may not tell what it placed, or place nothing beside many hints: then
            # what is to be seen counts.
            palettes.append(colors if len(colors) else main_colors(np.dstack((small, planes))))
        return Prediction(chroma, tuple(palettes))

    def _condition(
        self, palette: Float32 | None, hints: Float32 | None, variations: Sequence[int]
    ) -> dict[str, NDArray[Any]]:
        """Make the tensors that the graph takes beside lightness, all of P entries."""
        wanted = {
            "palette": palette is not None,
            "hints": hints is not None,
            "variation": any(variations),
        }
        self.require(*(name for name, is_wanted in wanted.items() if is_wanted))
        palettes = NO_COLOR if palette is None else palette.reshape(-1, *palette.shape[-2:])
        hint_sets = (NO_HINT if hints is None else hints)[None]
        choices = np.array(variations, np.int64)
        count = max(len(palettes), len(choices))
        tensors: dict[str, NDArray[Any]] = {
            "palette": palettes,
            "hints": hint_sets,
            "variation": choices,
        }
        return {
            name: tensor if len(tensor) == count else np.repeat(tensor, count, axis=0)
            for name, tensor in tensors.items()
            if self.takes(name)
        }

    def _run(
        self, padded: Float32, conditions: Mapping[str, NDArray[Any]]
    ) -> tuple[Float32, Sequence[Float32] | None]:
        """Run the graph on lightness that fits it, shape (H, W).

        Returns
        -------
        chroma : ndarray of float32, shape (P, h, w, 2)
        placed : ndarray of float32, shape (P, K, 4), or None
            The colours that were placed, where the graph tells them.
        """
        feed = {"lightness": padded[None, :, :, None], **conditions}
        if not self._tells_colors:
            return self._session.run(["chroma"], feed)[0], None
        chroma, placed = self._session.run(["chroma", "placed_palette"], feed)
        return chroma, placed

    def _try_out(self) -> None:
        """Predict once: the first request finds the model warm, and no surprises."""
        architecture = self.card.architecture
        flat = np.full((architecture.working_size,) * 2, 50, np.float32)
        padded, _ = _fit_to_network(flat, architecture)
        try:
            (chroma,) = self._run(padded, self._condition(None, None, BEST))[0]
        except Exception as error:  # ONNX Runtime's errors share no base but this one.
            raise ValueError(f"it cannot predict: {error}") from error
        height, width = (side // architecture.output_stride for side in padded.shape)
        if chroma.shape != (height, width, 2):
            raise ValueError(
                "its chroma must have the shape that its card promises, "
                f"{(height, width, 2)}. Received: {chroma.shape}"
            )


def require_inputs(card: ModelCard, input_names: Iterable[str]) -> None:
    """Make sure that a model takes inputs, without loading it.

    Raises
    ------
    InputNotTakenError
        When it lacks one of them; it says which.
    """
    taken = [tensor.name for tensor in card.inputs]
    for input_name in input_names:
        if input_name not in taken:
            raise InputNotTakenError(card.name, input_name, taken)


class Registry:
    """The models of a folder, by name.

    Parameters
    ----------
    colorizers : list of Colorizer
    """

    def __init__(self, colorizers: list[Colorizer]) -> None:
        self._colorizers = {colorizer.name: colorizer for colorizer in colorizers}

    @classmethod
    def load(
        cls,
        models_dir: Path,
        intra_op_threads: int,
        *,
        strict: bool = True,
        providers: Sequence[str] = CPU_ONLY,
        names: Sequence[str] | None = None,
    ) -> Registry:
        """Load every ``NAME.onnx`` with its ``NAME.json``, or those that are named.

        Parameters
        ----------
        models_dir : Path
        intra_op_threads : int
            Threads that one prediction may use.
        strict : bool
            Whether all of them must be good; else the others are logged.
        providers : sequence of str
            What computes, as `service.providers` names it, the most wanted first.
        names : sequence of str, optional
            Those to load; all when not given.

        Raises
        ------
        ExecutionProviderError
            When one of the providers is not there.
        ModelFileError
            When the folder has no models, or one of them (if not strict, each)
            cannot be used; the message names the file and says why.
        UnknownModelError
            When it has none of a name.
        """
        known = list_models(models_dir)
        for name in names or ():
            if name not in known:
                raise UnknownModelError(name, known)
        colorizers = []
        for name in known if names is None else names:
            artifact = models_dir / f"{name}.onnx"
            try:
                colorizers.append(_load_colorizer(artifact, intra_op_threads, providers))
            except ModelFileError as error:
                if strict:
                    raise
                logger.error("Left out a model: %s", error)  # noqa: TRY400 - it says where
        if not colorizers:
            raise ModelFileError(models_dir, "no model in this folder can be used")
        return cls(colorizers)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, in alphabetical order, numbers by their value."""
        return tuple(sorted(self._colorizers, key=_split_numbers))

    def __iter__(self) -> Iterator[Colorizer]:
        return (self._colorizers[name] for name in self.names)

    def get(self, name: str) -> Colorizer:
        """Return a model by name.

        Raises
        ------
        UnknownModelError
            When there is no such model; it names those there are.
        """
        try:
            return self._colorizers[name]
        except KeyError:
            raise UnknownModelError(name, self.names) from None


def list_models(models_dir: Path) -> list[str]:
    """List the names of the models in a folder, as `Registry.names` orders them.

    Raises
    ------
    ModelFileError
        When there are none.
    """
    names = [artifact.stem for artifact in models_dir.glob("*.onnx")]
    if not names:
        raise ModelFileError(models_dir, "no *.onnx file in this folder")
    return sorted(names, key=_split_numbers)


def _split_numbers(name: str) -> list[str | int]:
    """Split so that ``v2`` comes before ``v12``: ``["v", 2, ""]``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def read_card(artifact_path: Path) -> ModelCard:
    """Read the card that stands beside an artifact.

    Raises
    ------
    ModelFileError
        When it is not there, or does not describe the artifact of this name.
    """
    card_path = artifact_path.with_suffix(".json")
    if not card_path.exists():
        raise ModelFileError(card_path, f"the card of {artifact_path.name} is missing")
    try:
        card = ModelCard.model_validate_json(card_path.read_bytes())
    except OSError as error:
        raise ModelFileError(card_path, f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ModelFileError(card_path, f"not a valid model card: {error}") from error
    if card.name != artifact_path.stem:
        raise ModelFileError(card_path, f"describes {card.name!r}, not {artifact_path.stem!r}")
    return card


def _load_colorizer(
    artifact_path: Path, intra_op_threads: int, providers: Sequence[str]
) -> Colorizer:
    """Load one model; every fault becomes a `ModelFileError` that names a file."""
    card = read_card(artifact_path)
    try:
        return Colorizer(artifact_path.read_bytes(), card, intra_op_threads, providers)
    except OSError as error:
        raise ModelFileError(artifact_path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelFileError(artifact_path, str(error)) from error


def _open_session(
    artifact: bytes, intra_op_threads: int, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    # The graph is a chain: there is nothing to run side by side.
    options.inter_op_num_threads = 1
    # Idle threads that spin would take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Pictures come in every shape: plans and arenas for each would only pile up.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    # Errors only: inputs with defaults, which are meant, are warned of at each start.
    options.log_severity_level = 3
    if CPU not in providers:
        # By itself ONNX Runtime would leave to the CPU what the others cannot do, and say nothing.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(
            artifact, options, providers=find_providers(providers)
        )
    except ExecutionProviderError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base but this one.
        raise ValueError(f"ONNX Runtime cannot load it: {error}") from error
    check_in_use(session.get_providers(), providers)
    return session


def _check_digest(artifact: bytes, card: ModelCard) -> None:
    digest = hashlib.sha256(artifact).hexdigest()
    if digest != card.sha256:
        raise ValueError(
            "the file must have the SHA-256 that its card gives. "
            f"Received: {digest}, card: {card.sha256}"
        )


def _check_tensor_names(session: onnxruntime.InferenceSession, card: ModelCard) -> None:
    for role, described, present in (
        # Inputs that have a default are listed apart.
        ("inputs", card.inputs, session.get_inputs() + session.get_overridable_initializers()),
        ("outputs", card.outputs, session.get_outputs()),
    ):
        described_names = [tensor.name for tensor in described]
        present_names = [tensor.name for tensor in present]
        if sorted(described_names) != sorted(present_names):
            raise ValueError(
                f"the {role} must be those of the card, {described_names}. "
                f"Received: {present_names}"
            )


def _fit_to_network(
    lightness: Float32, architecture: ArchitectureCard
) -> tuple[Float32, tuple[int, int]]:
    """Resize to the working size, aspect kept, and pad to the size multiple.

    Returns
    -------
    padded : ndarray of float32
    (height, width) : tuple of int
        How much of `padded` is picture.
    """
    scale = architecture.working_size / max(lightness.shape) / architecture.output_stride
    # Whole output pixels, so that chroma covers the picture exactly.
    height, width = (
        architecture.output_stride * max(1, round(side * scale)) for side in lightness.shape
    )
    small = resize_plane(lightness, height, width)
    padding = [(0, -side % architecture.size_multiple) for side in (height, width)]
    return np.pad(small, padding, mode="edge"), (height, width)
