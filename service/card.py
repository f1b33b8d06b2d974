"""The card of a model: what stands beside the artifact, as `models/NAME.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    """A part of the card: closed, so that a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TensorCard(_Part):
    """An input or output of the graph."""

    name: str
    shape: list[int | str] = Field(description="A name in place of a number: any size.")
    dtype: Literal["float32", "int64"] = "float32"
    unit: str = Field(examples=["CIE L*"])
    range: tuple[float, float]


class ArchitectureCard(_Part):
    """The network, and what pictures it wants."""

    name: str = Field(examples=["unet"])
    parameters: int
    working_size: int = Field(
        gt=0, description="Longer side, in pixels, at which the network sees a picture."
    )
    size_multiple: int = Field(gt=0, description="Height and width must be multiples of this.")
    output_stride: int = Field(gt=0, description="Input pixels per output pixel, each way.")


class CorpusCard(_Part):
    """What the model was trained on."""

    kinds: list[str] = Field(description="Of the generated pictures; none for a folder.")
    source: str = Field(description="`generated`, or the name of the folder.")
    count: int = Field(description="Pictures in all splits together.")
    seed: int | None = Field(description="Of the generator; null for a folder.")


class TrainingCard(_Part):
    """How the model was trained."""

    recipe: str
    epochs: int
    best_epoch: int
    picture_size: int
    batch_size: int
    seed: int


class ModelCard(_Part):
    """Everything that is known of a model, beside its weights."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    description: str
    licence: str
    architecture: ArchitectureCard
    corpus: CorpusCard
    training: TrainingCard
    inputs: list[TensorCard]
    outputs: list[TensorCard]
    opset: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the ONNX file.")
    parity: float = Field(description="Largest |Keras - ONNX| seen at export, in a*b* units.")
    metrics: dict[str, float] = Field(
        description="On the test split, with the true palettes given."
    )
    evaluation: dict[str, float] = Field(
        default_factory=dict,
        description="Means on generated pictures that no training uses, by their kind and what "
        "the model was told; none before it was evaluated.",
    )
